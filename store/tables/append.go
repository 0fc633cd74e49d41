package tables

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	duckdb "github.com/duckdb/duckdb-go/v2"

	"portico.dev/portico/store/row"
)

// Append keeps the rows of all batches, and that the journal's entries up to applied are in the
// database: both or, with an error, neither.
func (t *Tables) Append(ctx context.Context, batches []*row.Batch, applied uint64) error {
	if _, err := t.writer.ExecContext(ctx, "BEGIN"); err != nil {
		return failure("beginning to write", err)
	}
	parts, err := t.write(ctx, batches, applied)
	if err == nil {
		if _, err = t.writer.ExecContext(ctx, "COMMIT"); err != nil {
			err = failure("committing", err)
		}
	} else if _, undone := t.writer.ExecContext(ctx, "ROLLBACK"); undone != nil {
		err = errors.Join(err, failure("undoing what was written", undone))
	}
	if err != nil {
		// What is remembered of the days may not be there: the next one reads it again.
		clear(t.days)
		return err
	}
	for _, d := range t.days {
		d.newStreams, d.newNames, d.newOperations = d.newStreams[:0], d.newNames[:0], d.newOperations[:0]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.applied = applied
	t.merge(parts)
	return nil
}

// merge puts what was written beside what is known.
func (t *Tables) merge(written []part) {
	for _, p := range written {
		i, ok := slices.BinarySearchFunc(t.parts, p, compareParts)
		if !ok {
			t.parts = slices.Insert(t.parts, i, p)
			continue
		}
		old := &t.parts[i]
		if old.rows == 0 {
			*old = p
			continue
		}
		old.rows, old.min, old.max = old.rows+p.rows, min(old.min, p.min), max(old.max, p.max)
	}
}

func (t *Tables) write(ctx context.Context, batches []*row.Batch, applied uint64) ([]part, error) {
	w := writing{t: t, ctx: ctx}
	for _, b := range batches {
		if err := w.sort(b); err != nil {
			return nil, err
		}
	}
	parts, err := w.rows()
	if err != nil {
		return nil, err
	}
	for _, d := range t.days {
		if err := t.writeDay(d); err != nil {
			return nil, err
		}
	}
	for _, s := range []string{"DELETE FROM progress", fmt.Sprintf("INSERT INTO progress VALUES (%d)", applied)} {
		if _, err := t.writer.ExecContext(ctx, s); err != nil {
			return nil, failure("writing progress", err)
		}
	}
	return parts, nil
}

// writing is the rows of one transaction on their way to their parts.
type writing struct {
	t     *Tables
	ctx   context.Context
	logs  []placed[row.Log]
	spans []placed[row.Span]
	ids   []stream // of the batch at hand, for each of its streams
	now   *day
}

// stream is the number of one of a batch's streams on one day.
type stream struct {
	day   row.Day
	id    int32
	known bool
}

// placed is a row with its place: its day and the number of its stream there.
type placed[R any] struct {
	day    row.Day
	stream int32
	time   int64
	tenant string
	row    *R
}

// place compares rows so that those of a day, and of a stream within it, are together: the lines of
// one pod then are neighbours, which makes them small, and lets a search pass over the others.
func place[R any](a, b placed[R]) int {
	if a.day != b.day {
		return cmp.Compare(a.day, b.day)
	}
	if a.stream != b.stream {
		return cmp.Compare(a.stream, b.stream)
	}
	return cmp.Compare(a.time, b.time)
}

func (w *writing) sort(b *row.Batch) error {
	w.ids = make([]stream, len(b.Streams))
	for i := range b.Logs {
		l := &b.Logs[i]
		day, id, err := w.place(b, l.Time, l.Stream)
		if err != nil {
			return err
		}
		w.logs = append(w.logs, placed[row.Log]{day, id, l.Time, b.Tenant, l})
	}
	for i := range b.Spans {
		s := &b.Spans[i]
		day, id, err := w.place(b, s.Time, s.Stream)
		if err != nil {
			return err
		}
		w.spans = append(w.spans, placed[row.Span]{day, id, s.Time, b.Tenant, s})
		if w.now.first(keyOf(b.Tenant, s.Service, s.Operation, string(rune(s.Kind)))) {
			w.now.newOperations = append(w.now.newOperations, newOperation{b.Tenant, s.Service, s.Operation, s.Kind})
		}
	}
	return nil
}

// place finds the day of a row and the number of its stream on that day.
func (w *writing) place(b *row.Batch, at int64, index int32) (row.Day, int32, error) {
	day := row.DayOf(at)
	if s := w.ids[index]; s.known && s.day == day && w.now != nil && w.now.of == day {
		return day, s.id, nil
	}
	d, err := w.t.day(w.ctx, day)
	if err != nil {
		return 0, 0, err
	}
	w.now = d
	id := d.stream(b.Tenant, b.Streams[index])
	w.ids[index] = stream{day, id, true}
	for name := range b.Names {
		if d.first(keyOf(b.Tenant, name)) {
			d.newNames = append(d.newNames, newName{b.Tenant, name})
			w.t.addName(day, name)
		}
	}
	return day, id, nil
}

func (w *writing) rows() ([]part, error) {
	slices.SortStableFunc(w.logs, place[row.Log])
	slices.SortStableFunc(w.spans, place[row.Span])
	written, err := writeParts(w, logs, w.logs)
	if err != nil {
		return nil, err
	}
	more, err := writeParts(w, spans, w.spans)
	return append(written, more...), err
}

// writeParts writes sorted rows of one kind, those of a day to its last part or a new one.
func writeParts[R any](w *writing, of kind, rows []placed[R]) ([]part, error) {
	var written []part
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n].day == rows[0].day {
			n++
		}
		p, err := w.t.target(w.ctx, of, rows[0].day)
		if err != nil {
			return nil, err
		}
		p.rows, p.min, p.max = int64(n), rows[0].time, rows[0].time
		for _, r := range rows[:n] {
			p.min, p.max = min(p.min, r.time), max(p.max, r.time)
		}
		if err := appendRows(w.t, p.table(), rows[:n], values[R]); err != nil {
			return nil, err
		}
		written, rows = append(written, p), rows[n:]
	}
	return written, nil
}

const (
	logColumns = " (time BIGINT, tenant VARCHAR, stream INTEGER, severity UTINYINT, body VARCHAR," +
		" attributes VARCHAR, trace BLOB, span BLOB)"
	spanColumns = " (time BIGINT, tenant VARCHAR, stream INTEGER, trace BLOB, id BLOB, parent BLOB," +
		" service VARCHAR, operation VARCHAR, duration BIGINT, kind UTINYINT, status UTINYINT, message VARCHAR," +
		" attributes VARCHAR, events VARCHAR)"
)

// target returns the part that rows of the day go to.
func (t *Tables) target(ctx context.Context, of kind, day row.Day) (part, error) {
	p := part{kind: of, day: day, number: 1}
	for _, known := range t.parts {
		if known.kind == of && known.day == day {
			p.number = known.number
			if known.rows >= t.partRows {
				p.number++
			}
		}
	}
	columns := logColumns
	if of == spans {
		columns = spanColumns
	}
	if _, err := t.writer.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+p.table()+columns); err != nil {
		return part{}, failure("making a part", err)
	}
	return p, nil
}

// values appends a row's columns in their order.
func values[R any](to *duckdb.Appender, p placed[R]) error {
	switch r := any(p.row).(type) {
	case *row.Log:
		return to.AppendRow(r.Time, p.tenant, p.stream, r.Severity, r.Body, string(r.Attributes), blob(r.Trace), blob(r.Span))
	case *row.Span:
		return to.AppendRow(r.Time, p.tenant, p.stream, blob(r.Trace), blob(r.ID), blob(r.Parent),
			r.Service, r.Operation, r.Duration, r.Kind, r.Status, r.Message, string(r.Attributes), r.Events)
	}
	return fmt.Errorf("no columns for %T", p.row)
}

// blob is the bytes of an id; NULL where there is none.
func blob(id string) any {
	if id == "" {
		return nil
	}
	return []byte(id)
}

// writeDay writes what is new of a day beside its rows.
func (t *Tables) writeDay(d *day) error {
	err := appendRows(t, tablesOf(d.of).streamsTable(), d.newStreams, func(to *duckdb.Appender, s newStream) error {
		return to.AppendRow(s.id, s.tenant, string(s.text))
	})
	if err != nil {
		return err
	}
	err = appendRows(t, tablesOf(d.of).namesTable(), d.newNames, func(to *duckdb.Appender, n newName) error {
		return to.AppendRow(n.tenant, n.name)
	})
	if err != nil {
		return err
	}
	return appendRows(t, tablesOf(d.of).operationsTable(), d.newOperations, func(to *duckdb.Appender, o newOperation) error {
		return to.AppendRow(o.tenant, o.service, o.operation, o.kind)
	})
}

// appendRows appends rows to a table within the transaction of the writer.
func appendRows[R any](t *Tables, table string, rows []R, values func(*duckdb.Appender, R) error) error {
	if len(rows) == 0 {
		return nil
	}
	return t.writer.Raw(func(conn any) error {
		c, ok := conn.(*duckdb.Conn)
		if !ok {
			return fmt.Errorf("writing %s: a connection of type %T", table, conn)
		}
		to, err := duckdb.NewAppenderFromConn(c, "", table)
		if err != nil {
			return failure("writing "+table, err)
		}
		for _, r := range rows {
			if err = values(to, r); err != nil {
				break
			}
		}
		if err = errors.Join(err, to.Close()); err != nil {
			return failure("writing "+table, err)
		}
		return nil
	})
}
