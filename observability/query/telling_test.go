package query

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

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
		{"one that the whole answer did not need is not missed", store.LogSearch{Limit: 1}, []told{{records: []store.Record{record(1, "t")}}, {records: []store.Record{record(2, "t"), record(3, "t")}, err: down}}, []string{"1"}, 0},
		{"what took the place of others goes again", store.LogSearch{Limit: 3}, []told{{records: []store.Record{record(3, "t"), record(4, "t"), record(5, "t")}}, {records: []store.Record{record(1, "t"), record(2, "t")}, err: down}}, []string{"3", "4", "5"}, 1},
		{"a search that one finds wrong and another answers", store.LogSearch{}, []told{{records: []store.Record{record(1, "t")}}, {err: fleet.ErrInvalid}}, []string{"1"}, 1},
		{"a region's label", store.LogSearch{Labels: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "region", "r1")}}, []told{{records: []store.Record{record(1, "t")}}, {records: []store.Record{record(2, "t")}}}, []string{"2"}, 0},
		{"somebody else's is none", store.LogSearch{}, []told{{records: []store.Record{record(1, "t")}}, {records: []store.Record{record(2, "t"), record(3, "other")}}}, []string{"1"}, 1},
	} {
		e := New(tellingRegions(c.regions), Config{}, func() time.Time { return noon })
		got, cover, err := e.SearchLogs(t.Context(), store.Of("t"), c.what)
		var bodies []string
		for _, r := range got {
			bodies = append(bodies, r.Body)
		}
		if len(got) > 0 && got[0].Resource["region"] == "" {
			t.Errorf("%s: a record does not say its region: %v", c.why, got[0].Resource)
		}
		if diff := cmp.Diff(c.want, bodies); err != nil || diff != "" || len(cover.Missing) != c.missing {
			t.Errorf("%s: %v, missing %v\n%s", c.why, err, cover.Missing, diff)
		}
	}
}

// hung finds some records and then nothing, until it is told to stop.
type hung struct{ told }

func (h hung) SearchLogs(ctx context.Context, in store.Scope, what store.LogSearch) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for r := range h.told.SearchLogs(ctx, in, what) {
			if !yield(r, nil) {
				return
			}
		}
		<-ctx.Done()
	}
}

// Regions that hang are waited for together, and others not at all while they find what is wanted.
func TestSlowLogs(t *testing.T) {
	many := told{}
	for i := range 50 * ahead {
		many.records = append(many.records, record(i, "t"))
	}
	regions := []Region{{Name: "good", Logs: many}}
	for i := range 10 {
		regions = append(regions, Region{Name: fmt.Sprint("hung", i), Logs: hung{told{records: many.records[:i]}}, Next: "call somebody"})
	}
	e := New(func() []Region { return regions }, Config{RegionTimeout: 200 * time.Millisecond}, time.Now)
	began := time.Now()
	got, cover, err := e.SearchLogs(t.Context(), store.Of("t"), store.LogSearch{})
	took := time.Since(began)
	if err != nil || len(got) != len(many.records) || len(cover.Missing) != 10 || took > time.Second {
		t.Errorf("%d records, %d regions missing, after %s: %v", len(got), len(cover.Missing), took, err)
	}
	if len(cover.Warnings) == 0 || !strings.HasSuffix(cover.Warnings[0], "it did not answer within 200ms; call somebody") {
		t.Errorf("it says %q", cover.Warnings)
	}
	regions = regions[1:2]
	if _, _, err := e.SearchLogs(t.Context(), store.Of("t"), store.LogSearch{}); !errors.Is(err, ErrNobody) {
		t.Errorf("only one that hangs: %v", err)
	}
	regions[0].Logs = many
	e = New(func() []Region { return regions }, Config{Bytes: 1}, time.Now)
	if _, _, err := e.SearchLogs(t.Context(), store.Of("t"), store.LogSearch{}); !errors.Is(err, store.ErrTooMuch) {
		t.Errorf("more than may be answered: %v", err)
	}
	if _, _, err := e.SearchLogs(t.Context(), store.Of("t"), store.LogSearch{Limit: 10_001}); !errors.Is(err, store.ErrTooMuch) {
		t.Errorf("more than may be asked for: %v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if got, _, err := e.SearchLogs(canceled, store.Of("t"), store.LogSearch{Limit: 5}); !errors.Is(err, context.Canceled) {
		t.Errorf("one that nobody waits for: %d records, %v", len(got), err)
	}
}

func tellingRegions(all []told) func() []Region {
	return func() (out []Region) {
		for i, s := range all {
			name := fmt.Sprint("r", i)
			out = append(out, Region{Name: name, Logs: s, Traces: s, Labels: labels.FromStrings("region", name)})
		}
		return out
	}
}

func in0(s store.Span) store.Span { s.Resource = map[string]string{"region": "r0"}; return s }
func in1(s store.Span) store.Span { s.Resource = map[string]string{"region": "r1"}; return s }

func TestTracesOfRegions(t *testing.T) {
	e := New(tellingRegions([]told{
		{traces: []store.Trace{{ID: "old", Spans: []store.Span{span("a", 1), span("c", 5)}}}},
		{traces: []store.Trace{{ID: "new", Spans: []store.Span{span("d", 9)}}, {ID: "old", Spans: []store.Span{span("b", 3), span("a", 1)}}}, records: []store.Record{{}}},
	}), Config{}, func() time.Time { return noon })
	in := store.Of("t")
	want := []store.Trace{{ID: "new", Spans: []store.Span{in1(span("d", 9))}}, {ID: "old", Spans: []store.Span{in0(span("a", 1)), in1(span("b", 3)), in0(span("c", 5))}}}
	got, cover, err := e.SearchTraces(t.Context(), in, store.TraceSearch{})
	if diff := cmp.Diff(want, got); err != nil || diff != "" || cover.Partial() {
		t.Errorf("the newest first, and one of what two regions have: %v\n%s", err, diff)
	}
	only, cover, err := e.SearchTraces(t.Context(), in, store.TraceSearch{Labels: []*labels.Matcher{labels.MustNewMatcher(labels.MatchNotEqual, "region", "r1")}})
	if err != nil || len(only) != 1 || only[0].ID != "old" || len(only[0].Spans) != 2 || cover.Partial() {
		t.Errorf("those of a region: %v, %v", only, err)
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
