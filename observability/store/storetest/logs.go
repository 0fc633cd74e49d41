package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/model/labels"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// Telling is a store of logs and traces to be tested.
type Telling struct {
	Logs   store.Logs
	Traces store.Traces
	// Kill ends the store as kill -9 does, and starts it again on what it kept.
	Kill func()
}

// said are log lines, the same for each tenant but for its own word in each of them.
func said(now time.Time, of store.Tenant) plog.Logs {
	out := plog.NewLogs()
	for i, pod := range []string{"web-0", "web-1"} {
		r := out.ResourceLogs().AppendEmpty()
		r.Resource().Attributes().PutStr("k8s.pod.name", pod)
		r.Resource().Attributes().PutStr("of", string(of))
		// Nobody can write as somebody else.
		r.Resource().Attributes().PutStr(store.TenantLabel, string(B))
		records := r.ScopeLogs().AppendEmpty().LogRecords()
		for n := range 3 {
			l := records.AppendEmpty()
			l.SetTimestamp(pcommon.NewTimestampFromTime(now.Add(time.Duration(n*2+i) * time.Second)))
			l.SetSeverityNumber(plog.SeverityNumber(9 + 4*n))
			l.Body().SetStr(fmt.Sprintf("Line %d of %s, \"quoted\"\n日本", n, of))
			l.Attributes().PutStr("n", fmt.Sprint(n))
			l.SetTraceID(pcommon.TraceID{1, 2, byte(n)})
			l.SetSpanID(pcommon.SpanID{3, byte(n)})
		}
	}
	return out
}

// Logs runs the suite of logs.
func Logs(t *testing.T, now time.Time, create func(t *testing.T) Telling) {
	now = now.Truncate(time.Second).Add(-time.Minute).UTC()
	s := create(t)
	for _, of := range []store.Tenant{A, B} {
		if err := s.Logs.WriteLogs(t.Context(), of, said(now, of)); err != nil {
			t.Fatal(err)
		}
	}
	all := store.LogSearch{Start: now, End: now.Add(time.Minute)}
	s.searchesLogs(t, now, all)
	wholeRecord(t, s, now)
	s.followLogs(t, now.Add(10*time.Second))
	if s.Kill != nil {
		s.Kill()
		wholeRecord(t, s, now)
	}
	for what, err := range map[string]error{
		"a write of nobody": s.Logs.WriteLogs(t.Context(), "", said(now, A)), "a search without a scope": first(s.Logs, t, store.Scope{}, all),
	} {
		if !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s: %v, want an error of kind invalid", what, err)
		}
	}
}

func (s Telling) searchesLogs(t *testing.T, now time.Time, all store.LogSearch) {
	with := func(change func(*store.LogSearch)) store.LogSearch {
		out := all
		change(&out)
		return out
	}
	equal := func(name, value string) []*labels.Matcher {
		return []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, name, value)}
	}
	a, everybody := store.Of(A), store.Everybody()
	for _, c := range []struct {
		why  string
		in   store.Scope
		what store.LogSearch
		want []int // seconds after now
	}{
		{"all of a tenant, the oldest first", a, all, []int{0, 1, 2, 3, 4, 5}},
		{"all of everybody", everybody, all, []int{0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5}},
		{"the newest first", a, with(func(s *store.LogSearch) { s.Newest = true; s.Limit = 2 }), []int{5, 4}},
		{"the end does not count", a, with(func(s *store.LogSearch) { s.Start, s.End = now.Add(time.Second), now.Add(3*time.Second) }), []int{1, 2}},
		{"a label of the resource", a, with(func(s *store.LogSearch) { s.Labels = equal("k8s.pod.name", "web-1") }), []int{1, 3, 5}},
		{"a label of the record", a, with(func(s *store.LogSearch) { s.Labels = equal("n", "2") }), []int{4, 5}},
		{"a pattern", a, with(func(s *store.LogSearch) {
			s.Labels = []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "n", "0|1"), labels.MustNewMatcher(labels.MatchNotEqual, "k8s.pod.name", "web-0")}
		}), []int{1, 3}},
		{"texts, without regard to case", a, with(func(s *store.LogSearch) { s.Text = []string{"LINE 1", "\"quoted\"\n日"} }), []int{2, 3}},
		{"severity", a, with(func(s *store.LogSearch) { s.Severity = 13 }), []int{2, 3, 4, 5}},
		{"another tenant's text", a, with(func(s *store.LogSearch) { s.Text = []string{string(B)} }), nil},
		{"another tenant's attribute", a, with(func(s *store.LogSearch) { s.Labels = equal("of", string(B)) }), nil},
		{"another tenant by its label", a, with(func(s *store.LogSearch) { s.Labels = equal(store.TenantLabel, string(B)) }), nil},
		{"a text that closes a condition", a, with(func(s *store.LogSearch) { s.Text = []string{`' OR tenant = 'team-b' --`} }), nil},
		{"a label that does", a, with(func(s *store.LogSearch) { s.Labels = equal(`n") OR true --`, "") }), []int{0, 1, 2, 3, 4, 5}},
	} {
		var got []int
		for r, err := range s.Logs.SearchLogs(t.Context(), c.in, c.what) {
			if err != nil {
				t.Fatalf("%s: %v", c.why, err)
			}
			if !c.in.All() && (r.Tenant != c.in.Tenant() || r.Resource["of"] != string(c.in.Tenant())) {
				t.Errorf("%s: a record of %s, written by %s", c.why, r.Tenant, r.Resource["of"])
			}
			got = append(got, int(r.Time.Sub(now).Seconds()))
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s:\n%s", c.why, diff)
		}
	}
}

func first(l store.Logs, t *testing.T, in store.Scope, what store.LogSearch) error {
	for _, err := range l.SearchLogs(t.Context(), in, what) {
		return err
	}
	return nil
}

// A record comes back as it was written, also by a store that was killed after it had acknowledged it.
func wholeRecord(t *testing.T, s Telling, now time.Time) {
	t.Helper()
	want := store.Record{
		Time: now.Add(2 * time.Second), Tenant: A, Severity: 13, Body: "Line 1 of team-a, \"quoted\"\n日本",
		Attributes: map[string]string{"n": "1"}, TraceID: "01020100000000000000000000000000", SpanID: "0301000000000000",
	}
	what := store.LogSearch{Start: want.Time, End: want.Time.Add(time.Second)}
	for got, err := range s.Logs.SearchLogs(t.Context(), store.Of(A), what) {
		if err != nil {
			t.Fatal(err)
		}
		if got.Resource["k8s.pod.name"] != "web-0" {
			t.Errorf("the resource is %v", got.Resource)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(store.Record{}, "Resource")); diff != "" {
			t.Errorf("what was written (-) and what is found (+):\n%s", diff)
		}
		return
	}
	t.Error("the record is not found")
}

// done is a trace with a span of each tenant, and one that is the tenant's own.
func done(now time.Time, of store.Tenant) ptrace.Traces {
	out := ptrace.NewTraces()
	r := out.ResourceSpans().AppendEmpty()
	r.Resource().Attributes().PutStr("service.name", "shop-of-"+string(of))
	r.Resource().Attributes().PutStr(store.TenantLabel, string(B))
	for i, trace := range []pcommon.TraceID{{9, 9}, {9, of[len(of)-1]}} {
		s := r.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		s.SetTraceID(trace)
		s.SetSpanID(pcommon.SpanID{of[len(of)-1], byte(i)})
		s.SetParentSpanID(pcommon.SpanID{7})
		s.SetName(fmt.Sprintf("buy-%d", i))
		s.SetKind(ptrace.SpanKindServer)
		s.SetStartTimestamp(pcommon.NewTimestampFromTime(now.Add(time.Duration(i) * time.Second)))
		s.SetEndTimestamp(pcommon.NewTimestampFromTime(now.Add(time.Duration(i)*time.Second + 20*time.Millisecond)))
		s.Status().SetCode(ptrace.StatusCodeError)
		s.Status().SetMessage("sold out")
		s.Attributes().PutStr("item", fmt.Sprint("shoe-", i))
		e := s.Events().AppendEmpty()
		e.SetName("retry")
		e.SetTimestamp(pcommon.NewTimestampFromTime(now.Add(time.Second)))
		e.Attributes().PutStr("try", "2")
	}
	return out
}

// Traces runs the suite of traces.
func Traces(t *testing.T, now time.Time, create func(t *testing.T) Telling) {
	now = now.Truncate(time.Second).Add(-time.Minute).UTC()
	s := create(t)
	for _, of := range []store.Tenant{A, B} {
		if err := s.Traces.WriteTraces(t.Context(), of, done(now, of)); err != nil {
			t.Fatal(err)
		}
	}
	a := store.Of(A)
	shared := "09090000000000000000000000000000"
	for _, kill := range []bool{false, true} {
		if kill {
			s.Kill()
		}
		trace, err := s.Traces.Trace(t.Context(), a, shared)
		if err != nil || len(trace.Spans) != 1 {
			t.Fatalf("a trace of two tenants has for one of them %d spans, want its one: %v", len(trace.Spans), err)
		}
		want := store.Span{
			ID: "6100000000000000", Parent: "0700000000000000", Service: "shop-of-team-a", Operation: "buy-0", Tenant: A, Start: now, Duration: 20 * time.Millisecond,
			Kind: "SERVER", Status: "ERROR", StatusMessage: "sold out", Attributes: map[string]string{"item": "shoe-0"},
			Events: []store.SpanEvent{{Time: now.Add(time.Second), Name: "retry", Attributes: map[string]string{"try": "2"}}},
		}
		if diff := cmp.Diff(want, trace.Spans[0], cmpopts.IgnoreFields(store.Span{}, "Resource")); diff != "" {
			t.Errorf("what was written (-) and what is found (+):\n%s", diff)
		}
	}
	if _, err := s.Traces.Trace(t.Context(), a, "09620000000000000000000000000000"); !errors.Is(err, fleet.ErrNotYet) {
		t.Errorf("another tenant's trace: %v, want not yet", err)
	}
	services, err := s.Traces.Services(t.Context(), a)
	if diff := cmp.Diff([]string{"shop-of-team-a"}, services); err != nil || diff != "" {
		t.Errorf("Services: %v\n%s", err, diff)
	}
	operations, err := s.Traces.Operations(t.Context(), a, "shop-of-team-a")
	if diff := cmp.Diff([]string{"buy-0", "buy-1"}, operations); err != nil || diff != "" {
		t.Errorf("Operations: %v\n%s", err, diff)
	}
	if got, err := s.Traces.Operations(t.Context(), a, "shop-of-team-b"); err != nil || len(got) != 0 {
		t.Errorf("operations of another tenant's service: %v, %v", got, err)
	}
	s.searches(t, now)
}

func (s Telling) searches(t *testing.T, now time.Time) {
	item := func(value string) []*labels.Matcher {
		return []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "item", value)}
	}
	within := store.TraceSearch{Start: now.Add(-time.Second), End: now.Add(time.Minute), Service: "shop-of-team-a"}
	with := func(change func(*store.TraceSearch)) store.TraceSearch {
		out := within
		change(&out)
		return out
	}
	for _, c := range []struct {
		why  string
		what store.TraceSearch
		want int
	}{
		{"by service", within, 2},
		{"by operation", with(func(s *store.TraceSearch) { s.Operation = "buy-1" }), 1},
		{"by label", with(func(s *store.TraceSearch) { s.Labels = item("shoe-1") }), 1},
		{"the end does not count", with(func(s *store.TraceSearch) { s.End = now.Add(time.Second) }), 1},
		{"longer than they took", with(func(s *store.TraceSearch) { s.Least = 21 * time.Millisecond }), 0},
		{"as long as they took", with(func(s *store.TraceSearch) { s.Least, s.Most = 20*time.Millisecond, 20*time.Millisecond }), 2},
		{"no more than wanted", with(func(s *store.TraceSearch) { s.Limit = 1 }), 1},
		{"another tenant's service", with(func(s *store.TraceSearch) { s.Service = "shop-of-team-b" }), 0},
		{"another tenant's label", with(func(s *store.TraceSearch) {
			s.Labels = []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, store.TenantLabel, string(B))}
		}), 0},
	} {
		got, err := s.Traces.SearchTraces(t.Context(), store.Of(A), c.what)
		if err != nil || len(got) != c.want {
			t.Errorf("%s: %d traces, want %d: %v", c.why, len(got), c.want, err)
		}
		for _, trace := range got {
			for _, span := range trace.Spans {
				if span.Tenant != A || span.Service != "shop-of-team-a" {
					t.Errorf("%s: a span of %s: %s", c.why, span.Tenant, span.Service)
				}
			}
		}
	}
	all, err := s.Traces.SearchTraces(t.Context(), store.Of(A), within)
	if err != nil || len(all) != 2 || all[0].Spans[0].Start.Before(all[1].Spans[0].Start) {
		t.Errorf("the newest come first: %v, %v", all, err)
	}
}
