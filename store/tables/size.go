package tables

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"portico.dev/portico/store/row"
)

// Size is how much room the database takes.
type Size struct {
	// Used is what rows take, Free what the files have beside it for new rows.
	Used, Free int64
	Rows       int64
	Parts      int
	// Oldest is the time of the oldest row, in nanoseconds since 1970; 0 where there is none.
	Oldest int64
}

// Size measures the database.
func (t *Tables) Size(ctx context.Context) (Size, error) {
	var block, used, free int64
	err := t.db.QueryRowContext(ctx, "SELECT block_size, used_blocks, free_blocks FROM pragma_database_size() WHERE database_name NOT IN ('system', 'temp')").Scan(&block, &used, &free)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Size{}, failure("measuring the database", err)
	}
	s := Size{Used: block * used, Free: block * free}
	if wal, err := os.Stat(filepath.Join(t.cfg.Dir, fileName+".wal")); err == nil {
		s.Used += wal.Size()
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, p := range t.parts {
		s.Rows += p.rows
		s.Parts++
		if s.Oldest == 0 || p.min < s.Oldest {
			s.Oldest = p.min
		}
	}
	return s, nil
}

// DropBefore drops all that is older than the day. It says whether there was something.
func (t *Tables) DropBefore(ctx context.Context, day row.Day) (bool, error) {
	var old []part
	t.mu.RLock()
	for _, p := range t.parts {
		if p.day < day {
			old = append(old, p)
		}
	}
	t.mu.RUnlock()
	return len(old) > 0, t.drop(ctx, old)
}

// DropOldest drops the oldest part, if there is one beside those that are written to. It says whether
// there was.
func (t *Tables) DropOldest(ctx context.Context) (bool, error) {
	t.mu.RLock()
	parts := slices.Clone(t.parts)
	t.mu.RUnlock()
	var oldest *part
	for i, p := range parts {
		last := i+1 == len(parts) || parts[i+1].kind != p.kind
		if !last && (oldest == nil || p.day < oldest.day || p.day == oldest.day && p.number < oldest.number) {
			oldest = &parts[i]
		}
	}
	if oldest == nil {
		return false, nil
	}
	return true, t.drop(ctx, []part{*oldest})
}

// drop drops parts, and what only their days needed. The room is free after a checkpoint.
func (t *Tables) drop(ctx context.Context, parts []part) error {
	if len(parts) == 0 {
		return nil
	}
	t.mu.Lock()
	t.parts = slices.DeleteFunc(t.parts, func(p part) bool {
		return slices.ContainsFunc(parts, func(q part) bool { return compareParts(p, q) == 0 })
	})
	left := map[row.Day]bool{}
	for _, p := range t.parts {
		left[p.day] = true
	}
	t.mu.Unlock()

	for _, p := range parts {
		tables := []string{p.table()}
		if !left[p.day] {
			d := tablesOf(p.day)
			tables = append(tables, d.streamsTable(), d.namesTable(), d.operationsTable())
			delete(t.days, p.day)
			t.mu.Lock()
			delete(t.names, p.day)
			t.mu.Unlock()
		}
		for _, table := range tables {
			if _, err := t.writer.ExecContext(ctx, "DROP TABLE IF EXISTS "+table); err != nil {
				return failure(fmt.Sprintf("dropping %s", table), err)
			}
		}
	}
	t.unfreed = true
	return t.Checkpoint(ctx)
}

// Unfreed says that the room of something dropped is not free yet: the checkpoint after it failed, as
// it does while another transaction writes. Checkpoint is to be tried again.
func (t *Tables) Unfreed() bool { return t.unfreed }

// Checkpoint brings what was committed to its place in the file, and frees the room of what was dropped.
func (t *Tables) Checkpoint(ctx context.Context) error {
	if _, err := t.writer.ExecContext(ctx, "CHECKPOINT"); err != nil {
		return failure("writing a checkpoint", err)
	}
	t.unfreed = false
	return nil
}

// LimitParts makes parts of at most so many rows from now on, where the configuration does not say less.
func (t *Tables) LimitParts(rows int64) { t.partRows = min(rows, t.cfg.PartRows) }
