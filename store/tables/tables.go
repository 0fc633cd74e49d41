package tables

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"portico.dev/portico/store/row"
)

// The kinds of errors that a caller can do something about.
var (
	// ErrFull means that the disk has no room.
	ErrFull = errors.New("no room on the disk")
	// ErrTooMuch means that a question needs more memory or answers with more than it may.
	ErrTooMuch = errors.New("the question is too big")
	// ErrBroken means that the database has to be opened again.
	ErrBroken = errors.New("the database has to be opened again")
	// ErrNotFound means that there is no such trace.
	ErrNotFound = errors.New("not found")
)

// Config is what the database needs to know.
type Config struct {
	// Dir is the folder of the database.
	Dir string
	// MemoryBytes bounds the database's memory; Threads how many a question or a write may use.
	MemoryBytes int64
	Threads     int
	// PartRows is how many rows a part has before the next one begins.
	PartRows int64
}

// Tables is an open database. One goroutine at a time may call Append, Drop and Close; the searches
// are safe for concurrent use.
type Tables struct {
	cfg    Config
	db     *sql.DB
	writer *sql.Conn

	mu      sync.RWMutex
	parts   []part // sorted by kind, day and number
	applied uint64

	// Only the goroutine that writes uses days, partRows and unfreed; names is read by searches under mu.
	days     map[row.Day]*day
	partRows int64
	unfreed  bool
	names    map[row.Day]map[string]struct{}
}

// kind says what the rows of a part are.
type kind string

const (
	logs  kind = "logs"
	spans kind = "spans"
)

// part is a table of rows.
type part struct {
	kind     kind
	day      row.Day
	number   int
	rows     int64
	min, max int64 // times of rows
}

func (p part) table() string { return fmt.Sprintf("%s_%d_%d", p.kind, p.day, p.number) }

func compareParts(a, b part) int {
	if c := strings.Compare(string(a.kind), string(b.kind)); c != 0 {
		return c
	}
	if a.day != b.day {
		return int(a.day - b.day)
	}
	return a.number - b.number
}

// Open opens the database, and makes it where there is none.
func Open(ctx context.Context, cfg Config) (*Tables, error) {
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "spill"), 0o700); err != nil {
		return nil, fmt.Errorf("making the database's folder: %w", err)
	}
	connector, err := duckdb.NewConnector(filepath.Join(cfg.Dir, fileName)+"?storage_compatibility_version=latest", nil)
	if err != nil {
		return nil, failure("opening the database", err)
	}
	t := &Tables{cfg: cfg, db: sql.OpenDB(connector), partRows: cfg.PartRows, days: map[row.Day]*day{}, names: map[row.Day]map[string]struct{}{}}
	if err := t.prepare(ctx); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

const fileName = "telemetry.duckdb"

// settings hold for the whole database. Nothing outside its folder is read, written or loaded.
func (t *Tables) settings() []string {
	return []string{
		"SET memory_limit = '" + strconv.FormatInt(t.cfg.MemoryBytes, 10) + "B'",
		"SET threads = " + strconv.Itoa(t.cfg.Threads),
		"SET preserve_insertion_order = true",
		"SET max_temp_directory_size = '" + strconv.FormatInt(4*t.cfg.MemoryBytes, 10) + "B'",
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET checkpoint_threshold = '64MB'",
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	}
}

func (t *Tables) prepare(ctx context.Context) error {
	writer, err := t.db.Conn(ctx)
	if err != nil {
		return failure("opening the database", err)
	}
	t.writer = writer
	spill := strings.ReplaceAll(filepath.Join(t.cfg.Dir, "spill"), "'", "''")
	statements := append([]string{"SET temp_directory = '" + spill + "'"}, t.settings()...)
	for _, s := range append(statements, "CREATE TABLE IF NOT EXISTS progress (applied UBIGINT)") {
		if _, err := writer.ExecContext(ctx, s); err != nil {
			return failure("preparing the database: "+s, err)
		}
	}
	return t.load(ctx)
}

// load learns from the database what is in it.
func (t *Tables) load(ctx context.Context) error {
	if err := t.writer.QueryRowContext(ctx, "SELECT coalesce(max(applied), 0) FROM progress").Scan(&t.applied); err != nil {
		return failure("reading the database's progress", err)
	}
	names, err := t.strings(ctx, t.writer, "SELECT table_name FROM duckdb_tables() ORDER BY table_name")
	if err != nil {
		return err
	}
	for _, name := range names {
		p, ok := parsePart(name)
		if !ok {
			continue
		}
		var low, high sql.NullInt64
		err := t.writer.QueryRowContext(ctx, "SELECT count(*), min(time), max(time) FROM "+p.table()).Scan(&p.rows, &low, &high)
		if err != nil {
			return failure("reading "+name, err)
		}
		p.min, p.max = low.Int64, high.Int64
		t.parts = append(t.parts, p)
		if _, err := t.day(ctx, p.day); err != nil {
			return err
		}
	}
	slices.SortFunc(t.parts, compareParts)
	return nil
}

// parsePart reads the name of a part's table.
func parsePart(name string) (part, bool) {
	fields := strings.Split(name, "_")
	if len(fields) != 3 || fields[0] != string(logs) && fields[0] != string(spans) {
		return part{}, false
	}
	day, err := strconv.ParseInt(fields[1], 10, 32)
	if err != nil {
		return part{}, false
	}
	number, err := strconv.Atoi(fields[2])
	if err != nil {
		return part{}, false
	}
	return part{kind: kind(fields[0]), day: row.Day(day), number: number}, true
}

// Applied is the number of the journal's last entry whose rows are here.
func (t *Tables) Applied() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.applied
}

// Close closes the database. Searches that run end with an error.
func (t *Tables) Close() error {
	var err error
	if t.writer != nil {
		err = t.writer.Close()
	}
	return errors.Join(err, t.db.Close())
}

type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// strings returns the one column of a question.
func (t *Tables) strings(ctx context.Context, from querier, query string, args ...any) ([]string, error) {
	rows, err := from.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, failure("reading the database", err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, failure("reading the database", err)
		}
		list = append(list, s)
	}
	if err := rows.Err(); err != nil {
		return nil, failure("reading the database", err)
	}
	return list, nil
}
