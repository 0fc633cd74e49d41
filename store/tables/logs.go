package tables

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"iter"
	"slices"
	"time"

	"portico.dev/portico/store/row"
	"portico.dev/portico/store/wire"
)

// MaxMatchers is how many matchers one question may have.
const MaxMatchers = 60

// LogSearch says which records are wanted.
type LogSearch struct {
	In Scope
	// Start and End bound the time of a record in nanoseconds since 1970; End does not count.
	Start, End int64
	Labels     []Matcher
	// Text has to be in the body, each of them, without regard to case.
	Text     []string
	Severity int
	Order    Order
	Limit    int
}

// Order says what comes first.
type Order string

// The orders of an answer.
const (
	Newest Order = "newest"
	Oldest Order = "oldest"
)

// SearchLogs returns the records that match, in the order of the search. The sequence ends with the
// first error.
func (t *Tables) SearchLogs(ctx context.Context, s LogSearch) iter.Seq2[wire.Record, error] {
	return func(yield func(wire.Record, error) bool) {
		for _, parts := range t.within(logs, s.Start, s.End, s.Order) {
			if s.Limit <= 0 {
				return
			}
			n, err := t.searchDay(ctx, s, parts, yield)
			if err != nil {
				yield(wire.Record{}, err)
			}
			if err != nil || n < 0 {
				return
			}
			s.Limit -= n
		}
	}
}

// within returns the parts that have rows in the time range, those of a day together.
func (t *Tables) within(of kind, start, end int64, order Order) [][]part {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var days [][]part
	for _, p := range t.parts {
		if p.kind != of || p.rows == 0 || p.max < start || p.min >= end {
			continue
		}
		if n := len(days); n > 0 && days[n-1][0].day == p.day {
			days[n-1] = append(days[n-1], p)
			continue
		}
		days = append(days, []part{p})
	}
	if order == Newest {
		slices.Reverse(days)
	}
	return days
}

// searchDay yields the day's records. It returns how many there were; -1 where no more
// are wanted.
func (t *Tables) searchDay(ctx context.Context, s LogSearch, parts []part, yield func(wire.Record, error) bool) (int, error) {
	streams, possible, err := t.onStreams(ctx, parts[0].day, s.In, s.Labels)
	if err != nil || !possible {
		return 0, err
	}
	q := s.query(parts, streams)
	rows, err := t.db.QueryContext(ctx, q.text, q.args...)
	if err != nil {
		return 0, failure("searching logs", err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		r, err := scanRecord(rows)
		if err != nil {
			return 0, err
		}
		if !yield(r, nil) {
			return -1, nil
		}
	}
	if err := rows.Err(); err != nil {
		return 0, failure("searching logs", err)
	}
	return n, nil
}

// query is the statement that finds the records of a day's parts.
func (s LogSearch) query(parts []part, streams clause) clause {
	where := and(s.In.clause(), clause{"time >= ? AND time < ?", []any{s.Start, s.End}}, streams, s.onBody())
	var each []clause
	for _, p := range parts {
		each = append(each, clause{"SELECT time, tenant, stream, severity, body, attributes, trace, span, rowid AS place FROM " + p.table() + " WHERE " + where.text, where.args})
	}
	order := " ORDER BY time DESC, place DESC"
	if s.Order == Oldest {
		order = " ORDER BY time, place"
	}
	found := join(" UNION ALL ", each)
	if len(each) == 1 {
		found.text = "(" + found.text + ")"
	}
	day := tablesOf(parts[0].day)
	return clause{
		"WITH found AS (SELECT * FROM " + found.text + order + fmt.Sprintf(" LIMIT %d", s.Limit) + ")" +
			" SELECT time, found.tenant, severity, body, attributes, trace, span, s.text" +
			" FROM found LEFT JOIN " + day.streamsTable() + " s ON s.id = found.stream AND s.tenant = found.tenant" + order,
		found.args,
	}
}

// onBody is the conditions on the severity and the body of a record.
func (s LogSearch) onBody() clause {
	all := []clause{everyRow}
	if s.Severity > 0 {
		all = append(all, clause{"severity >= ?", []any{s.Severity}})
	}
	for _, text := range s.Text {
		all = append(all, containing(text))
	}
	return and(all...)
}

// containing is the condition that a body has a text, without regard to case.
func containing(text string) clause {
	return clause{"contains(lower(body), lower(?))", []any{text}}
}

func scanRecord(rows *sql.Rows) (wire.Record, error) {
	var at int64
	var severity uint8
	var r wire.Record
	var attributes string
	var resource sql.NullString
	var trace, span []byte
	if err := rows.Scan(&at, &r.Tenant, &severity, &r.Body, &attributes, &trace, &span, &resource); err != nil {
		return wire.Record{}, failure("reading a record", err)
	}
	r.Time = time.Unix(0, at).UTC()
	r.Severity = int(severity)
	r.Attributes = row.Attributes(attributes).Map()
	r.Resource = row.Attributes(resource.String).Map()
	r.TraceID, r.SpanID = hex.EncodeToString(trace), hex.EncodeToString(span)
	return r, nil
}

// Names returns the sorted names of attributes that records and spans, and their resources, have.
func (t *Tables) Names(ctx context.Context, in Scope, start, end int64) ([]string, error) {
	names := map[string]struct{}{}
	for _, of := range []kind{logs, spans} {
		for _, parts := range t.within(of, start, end, Oldest) {
			if err := t.namesOf(ctx, in, parts[0].day, names); err != nil {
				return nil, err
			}
		}
	}
	return sorted(names), nil
}

func (t *Tables) namesOf(ctx context.Context, in Scope, day row.Day, names map[string]struct{}) error {
	where := in.clause()
	own, err := t.strings(ctx, t.db, "SELECT DISTINCT name FROM "+tablesOf(day).namesTable()+" WHERE "+where.text, where.args...)
	if err != nil {
		return err
	}
	shared, err := t.strings(ctx, t.db, "SELECT text FROM "+tablesOf(day).streamsTable()+" WHERE "+where.text+" LIMIT 20000", where.args...)
	if err != nil {
		return err
	}
	for _, name := range own {
		names[name] = struct{}{}
	}
	for _, text := range shared {
		for name := range row.Attributes(text).All() {
			names[name] = struct{}{}
		}
	}
	return nil
}
