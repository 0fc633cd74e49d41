package tables

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"portico.dev/portico/store/row"
	"portico.dev/portico/store/wire"
)

// The most spans of one trace, and of one answer.
const (
	maxTraceSpans  = 20_000
	maxAnswerSpans = 200_000
)

// SpanSearch says which traces are wanted: those with a span that matches.
type SpanSearch struct {
	In                 Scope
	Start, End         int64
	Service, Operation string
	Labels             []Matcher
	// Least and Most bound the duration of a span; zero of either does not.
	Least, Most time.Duration
	// Failed says that only spans whose status is an error match.
	Failed bool
	Limit  int
}

// Trace is the spans of one trace, in the order of their start.
type Trace struct {
	ID    string // bytes
	Spans []Span
}

// Span is a span as it was found.
type Span struct {
	row.Span
	Tenant   string
	Resource row.Attributes
	Events   []wire.SpanEvent
}

// SearchTraces returns traces with a span that matches, the newest first. Spans of other tenants are
// left out of them.
func (t *Tables) SearchTraces(ctx context.Context, s SpanSearch) ([]Trace, error) {
	ids, low, high, err := t.traceIDs(ctx, s)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	// A trace may have begun before the span that was found, and ends after it.
	const around = int64(time.Hour)
	found, err := t.traces(ctx, s.In, ids, window{low - around, high + around})
	if err != nil {
		return nil, err
	}
	place := map[string]int{}
	for i, id := range ids {
		place[id] = i
	}
	slices.SortFunc(found, func(a, b Trace) int { return place[a.ID] - place[b.ID] })
	return found, nil
}

// traceIDs returns the ids of the newest traces that match, and the times between which they are.
func (t *Tables) traceIDs(ctx context.Context, s SpanSearch) (ids []string, low, high int64, err error) {
	low, high = math.MaxInt64, math.MinInt64
	seen := map[string]bool{}
	for _, parts := range t.within(spans, s.Start, s.End, Newest) {
		streams, possible, err := t.onStreams(ctx, parts[0].day, s.In, s.Labels)
		if err != nil {
			return nil, 0, 0, err
		}
		if !possible {
			continue
		}
		q := s.query(parts, streams)
		rows, err := t.db.QueryContext(ctx, q.text, q.args...)
		if err != nil {
			return nil, 0, 0, failure("searching traces", err)
		}
		for rows.Next() {
			var id []byte
			var begin, end int64
			if err = rows.Scan(&id, &begin, &end); err != nil {
				break
			}
			if !seen[string(id)] {
				seen[string(id)] = true
				ids = append(ids, string(id))
				low, high = min(low, begin), max(high, end)
			}
			if len(ids) >= s.Limit {
				break
			}
		}
		if err = first(err, rows.Err(), rows.Close()); err != nil {
			return nil, 0, 0, failure("searching traces", err)
		}
		if len(ids) >= s.Limit {
			break
		}
	}
	return ids, low, high, nil
}

// first is the first error.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (s SpanSearch) query(parts []part, streams clause) clause {
	all := []clause{s.In.clause(), {"time >= ? AND time < ?", []any{s.Start, s.End}}, streams}
	if s.Service != "" {
		all = append(all, clause{"service = ?", []any{s.Service}})
	}
	if s.Operation != "" {
		all = append(all, clause{"operation = ?", []any{s.Operation}})
	}
	if s.Least > 0 {
		all = append(all, clause{"duration >= ?", []any{int64(s.Least)}})
	}
	if s.Most > 0 {
		all = append(all, clause{"duration <= ?", []any{int64(s.Most)}})
	}
	if s.Failed {
		all = append(all, clause{"status = 2", nil})
	}
	where := and(all...)
	var each []clause
	for _, p := range parts {
		each = append(each, clause{"SELECT trace, time FROM " + p.table() + " WHERE " + where.text, where.args})
	}
	found := join(" UNION ALL ", each)
	return clause{
		"SELECT trace, min(time) AS first, max(time) AS last FROM (" + found.text + fmt.Sprintf(") GROUP BY trace ORDER BY last DESC, trace LIMIT %d", s.Limit),
		found.args,
	}
}

// Trace returns one trace by its id in bytes, or ErrNotFound.
func (t *Tables) Trace(ctx context.Context, in Scope, id string) (Trace, error) {
	found, err := t.traces(ctx, in, []string{id}, window{math.MinInt64, math.MaxInt64})
	if err != nil {
		return Trace{}, err
	}
	if len(found) == 0 {
		return Trace{}, ErrNotFound
	}
	return found[0], nil
}

// window is a time range in nanoseconds since 1970; its end does not count.
type window struct{ start, end int64 }

// traces returns the traces with these ids.
func (t *Tables) traces(ctx context.Context, in Scope, ids []string, on window) ([]Trace, error) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = []byte(id)
	}
	where := and(in.clause(), clause{"time >= ? AND time < ?", []any{on.start, on.end}}, clause{"trace IN (?" + strings.Repeat(", ?", len(ids)-1) + ")", args})
	byID := map[string]*Trace{}
	var order []string
	total := 0
	for _, parts := range t.within(spans, on.start, on.end, Oldest) {
		list, err := t.spansOf(ctx, parts, where)
		if err != nil {
			return nil, err
		}
		if total += len(list); total > maxAnswerSpans {
			return nil, fmt.Errorf("%w: these traces have more than %d spans: ask for fewer traces", ErrTooMuch, maxAnswerSpans)
		}
		for _, s := range list {
			trace := byID[s.Trace]
			if trace == nil {
				trace = &Trace{ID: s.Trace}
				byID[s.Trace], order = trace, append(order, s.Trace)
			}
			if len(trace.Spans) < maxTraceSpans {
				trace.Spans = append(trace.Spans, s)
			}
		}
	}
	found := make([]Trace, 0, len(order))
	for _, id := range order {
		found = append(found, *byID[id])
	}
	return found, nil
}

// spansOf returns the spans of a day's parts that satisfy the condition, in the order of their start.
func (t *Tables) spansOf(ctx context.Context, parts []part, where clause) ([]Span, error) {
	var each []clause
	for _, p := range parts {
		each = append(each, clause{"SELECT * FROM " + p.table() + " WHERE " + where.text, where.args})
	}
	found := join(" UNION ALL ", each)
	rows, err := t.db.QueryContext(ctx, "SELECT time, f.tenant, trace, f.id, parent, service, operation, duration, kind, status, message, attributes, events, s.text"+
		" FROM ("+found.text+") f LEFT JOIN "+tablesOf(parts[0].day).streamsTable()+" s ON s.id = f.stream AND s.tenant = f.tenant"+
		fmt.Sprintf(" ORDER BY time, f.id LIMIT %d", maxAnswerSpans+1), found.args...)
	if err != nil {
		return nil, failure("reading traces", err)
	}
	defer rows.Close()
	var list []Span
	for rows.Next() {
		s, err := scanSpan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	if err := rows.Err(); err != nil {
		return nil, failure("reading traces", err)
	}
	return list, nil
}

func scanSpan(rows *sql.Rows) (Span, error) {
	var s Span
	var trace, id, parent []byte
	var attributes, events string
	var resource sql.NullString
	err := rows.Scan(&s.Time, &s.Tenant, &trace, &id, &parent, &s.Service, &s.Operation, &s.Duration, &s.Kind, &s.Status, &s.Message, &attributes, &events, &resource)
	if err != nil {
		return Span{}, failure("reading a span", err)
	}
	s.Trace, s.ID, s.Parent = string(trace), string(id), string(parent)
	s.Attributes, s.Resource = row.Attributes(attributes), row.Attributes(resource.String)
	if events != "" {
		if err := json.Unmarshal([]byte(events), &s.Events); err != nil {
			return Span{}, fmt.Errorf("reading the events of a span: %w", err)
		}
	}
	return s, nil
}

// Services returns the sorted names of services.
func (t *Tables) Services(ctx context.Context, in Scope) ([]string, error) {
	names := map[string]struct{}{}
	where := in.clause()
	for _, parts := range t.within(spans, math.MinInt64, math.MaxInt64, Oldest) {
		list, err := t.strings(ctx, t.db, "SELECT DISTINCT service FROM "+tablesOf(parts[0].day).operationsTable()+" WHERE "+where.text, where.args...)
		if err != nil {
			return nil, err
		}
		for _, name := range list {
			names[name] = struct{}{}
		}
	}
	delete(names, "")
	return sorted(names), nil
}

// Operation is an operation of a service.
type Operation struct {
	Name string
	Kind uint8
}

// Operations returns the operations of a service, sorted by name and kind.
func (t *Tables) Operations(ctx context.Context, in Scope, service string) ([]Operation, error) {
	where := and(in.clause(), clause{"service = ?", []any{service}})
	seen := map[Operation]struct{}{}
	for _, parts := range t.within(spans, math.MinInt64, math.MaxInt64, Oldest) {
		list, err := t.strings(ctx, t.db, "SELECT DISTINCT chr(48 + kind) || operation FROM "+tablesOf(parts[0].day).operationsTable()+" WHERE "+where.text, where.args...)
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			seen[Operation{Name: o[1:], Kind: o[0] - '0'}] = struct{}{}
		}
	}
	list := make([]Operation, 0, len(seen))
	for o := range seen {
		list = append(list, o)
	}
	slices.SortFunc(list, func(a, b Operation) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return int(a.Kind) - int(b.Kind)
	})
	return list, nil
}

func sorted(names map[string]struct{}) []string {
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
