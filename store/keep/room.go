package keep

import (
	"context"
	"fmt"
	"sync/atomic"
	"syscall"

	"portico.dev/portico/store/row"
)

// stats count for /metrics.
type stats struct {
	logs, spans, rejected         atomic.Int64
	flushes, failures, drops      atomic.Int64
	used, free, rows, parts, past atomic.Int64
}

func (s *stats) written(b *row.Batch) {
	s.logs.Add(int64(len(b.Logs)))
	s.spans.Add(int64(len(b.Spans)))
}

// Stats is what the keeper counts. The sizes are in bytes.
type Stats struct {
	Logs, Spans, Rejected    int64
	Flushes, Failures, Drops int64
	Used, Journal, Pending   int64
	Rows, Parts              int64
	// Oldest is the time of the oldest row, in nanoseconds since 1970.
	Oldest int64
	// Full says why writes are refused; empty where they are not.
	Full string
}

// Stats returns the counts as they are now.
func (k *Keeper) Stats() Stats {
	k.mu.Lock()
	pending := k.pending
	k.mu.Unlock()
	s := Stats{
		Logs: k.stats.logs.Load(), Spans: k.stats.spans.Load(), Rejected: k.stats.rejected.Load(),
		Flushes: k.stats.flushes.Load(), Failures: k.stats.failures.Load(), Drops: k.stats.drops.Load(),
		Used: k.stats.used.Load(), Journal: k.journal.Bytes(), Pending: pending,
		Rows: k.stats.rows.Load(), Parts: k.stats.parts.Load(), Oldest: k.stats.past.Load(),
	}
	if err := k.hasRoom(); err != nil {
		s.Full = err.Error()
	}
	return s
}

// measure learns how big the database is, and adapts its parts to that: a part is at most an eighth of
// what may be kept, so that dropping one leaves most of it.
func (k *Keeper) measure(ctx context.Context) {
	size, err := k.tables.Size(ctx)
	if err != nil {
		k.world.Log.Error("measuring the database", "error", err)
		return
	}
	k.stats.used.Store(size.Used)
	k.stats.free.Store(size.Free)
	k.stats.rows.Store(size.Rows)
	k.stats.parts.Store(int64(size.Parts))
	k.stats.past.Store(size.Oldest)
	if k.cfg.RetentionBytes > 0 && size.Rows > 0 {
		perRow := max(1, size.Used/size.Rows)
		k.tables.LimitParts(max(minPartRows, k.cfg.RetentionBytes/8/perRow))
	}
}

const minPartRows = 10_000

// hasRoom returns ErrFull where there is no room for more.
func (k *Keeper) hasRoom() error {
	if quota := k.cfg.QuotaBytes; quota > 0 {
		if used := k.stats.used.Load() + k.journal.Bytes(); used >= quota {
			return fmt.Errorf("%w: its %d bytes reach the quota of %d: raise quota, or keep less by retention", ErrFull, used, quota)
		}
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(k.cfg.Dir, &fs); err != nil {
		return fmt.Errorf("looking for room in %s: %w", k.cfg.Dir, err)
	}
	// Room inside the database's file is as good as room on the disk.
	left := int64(fs.Bavail)*fs.Bsize + k.stats.free.Load()
	if left < k.cfg.ReserveBytes {
		return fmt.Errorf("%w: %d bytes are left on the disk of %s, and %d are reserved: free some, or lower reserve", ErrFull, left, k.cfg.Dir, k.cfg.ReserveBytes)
	}
	return nil
}
