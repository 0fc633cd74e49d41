package tables

import (
	"context"
	"crypto/sha256"
	"fmt"

	"portico.dev/portico/store/row"
)

// day is what the writer knows of a day: which streams, names and operations are in its tables.
type day struct {
	of      row.Day
	next    int32 // number of the next stream
	streams map[key]int32
	// seen are the names and the operations. Where it grows too big it is forgotten: a row that is
	// there twice costs room and nothing else.
	seen map[key]struct{}

	// What the open transaction adds.
	newStreams    []newStream
	newNames      []newName
	newOperations []newOperation
}

type (
	newStream struct {
		id     int32
		tenant string
		text   row.Attributes
	}
	newName      struct{ tenant, name string }
	newOperation struct {
		tenant, service, operation string
		kind                       uint8
	}
)

// key stands for a text of any length. It is long enough that nobody can make two texts with one key.
type key [16]byte

func keyOf(parts ...string) key {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d ", len(p))
		h.Write([]byte(p))
	}
	return key(h.Sum(nil)[:16])
}

// The most of a day's streams, and of its names and operations, that are remembered.
const (
	maxStreams = 200_000
	maxSeen    = 100_000
	// With more names than this a day counts as having all of them.
	maxNames = 10_000
)

// anyName stands in a day's names for "every name".
const anyName = ""

func (d tablesOf) streamsTable() string    { return fmt.Sprintf("streams_%d", d) }
func (d tablesOf) namesTable() string      { return fmt.Sprintf("names_%d", d) }
func (d tablesOf) operationsTable() string { return fmt.Sprintf("operations_%d", d) }

// tablesOf is a day as the name of its tables.
type tablesOf row.Day

// day returns the day, and makes its tables where they are missing.
func (t *Tables) day(ctx context.Context, of row.Day) (*day, error) {
	if d := t.days[of]; d != nil {
		return d, nil
	}
	d := &day{of: of, streams: map[key]int32{}, seen: map[key]struct{}{}}
	for _, s := range []string{
		"CREATE TABLE IF NOT EXISTS " + tablesOf(of).streamsTable() + " (id INTEGER, tenant VARCHAR, text VARCHAR)",
		"CREATE TABLE IF NOT EXISTS " + tablesOf(of).namesTable() + " (tenant VARCHAR, name VARCHAR)",
		"CREATE TABLE IF NOT EXISTS " + tablesOf(of).operationsTable() + " (tenant VARCHAR, service VARCHAR, operation VARCHAR, kind UTINYINT)",
	} {
		if _, err := t.writer.ExecContext(ctx, s); err != nil {
			return nil, failure("making the tables of a day", err)
		}
	}
	if err := t.loadStreams(ctx, d); err != nil {
		return nil, err
	}
	names, err := t.strings(ctx, t.writer, "SELECT DISTINCT name FROM "+tablesOf(of).namesTable())
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	t.names[of] = map[string]struct{}{}
	t.mu.Unlock()
	for _, name := range names {
		t.addName(of, name)
	}
	t.days[of] = d
	return d, nil
}

func (t *Tables) loadStreams(ctx context.Context, d *day) error {
	rows, err := t.writer.QueryContext(ctx, "SELECT id, tenant, text FROM "+tablesOf(d.of).streamsTable())
	if err != nil {
		return failure("reading streams", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id int32
		var tenant, text string
		if err := rows.Scan(&id, &tenant, &text); err != nil {
			return failure("reading streams", err)
		}
		d.next = max(d.next, id+1)
		if len(d.streams) < maxStreams {
			d.streams[keyOf(tenant, text)] = id
		}
	}
	if err := rows.Err(); err != nil {
		return failure("reading streams", err)
	}
	return nil
}

// addName makes searches know that rows of the day carry the name themselves.
func (t *Tables) addName(of row.Day, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if names := t.names[of]; len(names) < maxNames {
		names[name] = struct{}{}
		return
	}
	t.names[of][anyName] = struct{}{}
}

// carried says whether rows of the day may carry the name themselves.
func (t *Tables) carried(of row.Day, name string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, has := t.names[of][name]
	_, all := t.names[of][anyName]
	return has || all
}

// stream returns the number of a stream.
func (d *day) stream(tenant string, text row.Attributes) int32 {
	k := keyOf(tenant, string(text))
	if id, ok := d.streams[k]; ok {
		return id
	}
	if len(d.streams) >= maxStreams {
		clear(d.streams)
	}
	id := d.next
	d.next++
	d.streams[k] = id
	d.newStreams = append(d.newStreams, newStream{id, tenant, text})
	return id
}

// first says whether it is asked for this key for the first time.
func (d *day) first(k key) bool {
	if _, ok := d.seen[k]; ok {
		return false
	}
	if len(d.seen) >= maxSeen {
		clear(d.seen)
	}
	d.seen[k] = struct{}{}
	return true
}
