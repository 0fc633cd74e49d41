package query

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// told is a region's store of logs and traces with a fixed answer.
type told struct {
	store.Logs
	store.Traces
	records []store.Record
	traces  []store.Trace
	err     error
}

func (t told) SearchLogs(context.Context, store.Scope, store.LogSearch) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for _, r := range t.records {
			if !yield(r, nil) {
				return
			}
		}
		if t.err != nil {
			yield(store.Record{}, t.err)
		}
	}
}

func (t told) SearchTraces(context.Context, store.Scope, store.TraceSearch) ([]store.Trace, error) {
	return t.traces, t.err
}

func (t told) Trace(_ context.Context, _ store.Scope, id string) (store.Trace, error) {
	for _, trace := range t.traces {
		if trace.ID == id {
			return trace, nil
		}
	}
	return store.Trace{}, errors.Join(fleet.ErrNotYet, t.err)
}

func (t told) Services(context.Context, store.Scope) ([]string, error) {
	return []string{"shop", fmt.Sprint("shop-", len(t.records))}, t.err
}

func at(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }

func record(second int, of store.Tenant) store.Record {
	return store.Record{Time: at(second), Tenant: of, Body: fmt.Sprint(second)}
}

func span(id string, second int) store.Span {
	return store.Span{ID: id, Start: at(second), Tenant: "t"}
}

func TestLogsOfRegions(t *testing.T) {
	down := errors.New("connection refused")
	for _, c := range []struct {
		why     string
		what    store.LogSearch
		regions []told
		want    []string
		missing int
	}{
		{"in the order of time", store.LogSearch{}, []told{{records: []store.Record{record(1, "t"), record(4, "t")}}, {records: []store.Record{record(2, "t"), record(3, "t")}}}, []string{"1", "2", "3", "4"}, 0},
		{"the newest of all", store.LogSearch{Newest: true, Limit: 2}, []told{{records: []store.Record{record(4, "t"), record(1, "t")}}, {records: []store.Record{record(3, "t"), record(2, "t")}}}, []string{"4", "3"}, 0},
		{"half of an answer is none", store.LogSearch{}, []told{{records: []store.Record{record(1, "t")}}, {records: []store.Record{record(2, "t")}, err: down}}, []string{"1"}, 1},
		{"somebody else's is none", store.LogSearch{}, []told{{records: []store.Record{record(1, "t")}}, {records: []store.Record{record(2, "t"), record(3, "other")}}}, []string{"1"}, 1},
	} {
		e := New(tellingRegions(c.regions), Config{}, func() time.Time { return noon })
		got, cover, err := e.SearchLogs(t.Context(), store.Of("t"), c.what)
		var bodies []string
		for _, r := range got {
			bodies = append(bodies, r.Body)
		}
		if diff := cmp.Diff(c.want, bodies); err != nil || diff != "" || len(cover.Missing) != c.missing {
			t.Errorf("%s: %v, missing %v\n%s", c.why, err, cover.Missing, diff)
		}
	}
}

func tellingRegions(all []told) func() []Region {
	return func() (out []Region) {
		for i, s := range all {
			out = append(out, Region{Name: fmt.Sprint("r", i), Logs: s, Traces: s})
		}
		return out
	}
}

func TestTracesOfRegions(t *testing.T) {
	e := New(tellingRegions([]told{
		{traces: []store.Trace{{ID: "old", Spans: []store.Span{span("a", 1), span("c", 5)}}}},
		{traces: []store.Trace{{ID: "new", Spans: []store.Span{span("d", 9)}}, {ID: "old", Spans: []store.Span{span("b", 3), span("a", 1)}}}, records: []store.Record{{}}},
	}), Config{}, func() time.Time { return noon })
	in := store.Of("t")
	want := []store.Trace{{ID: "new", Spans: []store.Span{span("d", 9)}}, {ID: "old", Spans: []store.Span{span("a", 1), span("b", 3), span("c", 5)}}}
	got, cover, err := e.SearchTraces(t.Context(), in, store.TraceSearch{})
	if diff := cmp.Diff(want, got); err != nil || diff != "" || cover.Partial() {
		t.Errorf("the newest first, and one of what two regions have: %v\n%s", err, diff)
	}
	one, cover, err := e.Trace(t.Context(), in, "old")
	if diff := cmp.Diff(want[1], one); err != nil || diff != "" || cover.Partial() {
		t.Errorf("a trace: %v\n%s", err, diff)
	}
	if _, cover, err := e.Trace(t.Context(), in, "nothing"); !errors.Is(err, fleet.ErrNotYet) || cover.Partial() {
		t.Errorf("one that nobody knows: %v", err)
	}
	if _, _, err := e.SearchTraces(t.Context(), store.Of("other"), store.TraceSearch{}); !errors.Is(err, ErrNobody) {
		t.Errorf("spans of somebody else from all regions: %v", err)
	}
	names, _, err := e.Services(t.Context(), in)
	if diff := cmp.Diff([]string{"shop", "shop-0", "shop-1"}, names); err != nil || diff != "" {
		t.Errorf("services: %v\n%s", err, diff)
	}
}
