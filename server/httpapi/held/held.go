package held

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
)

// Telemetry is what is held. Records are in the order of time.
type Telemetry struct {
	Records []store.Record
	Spans   []store.Trace
	// Coming are the records that followers are told of, after how many they are told were skipped.
	Coming  []store.Record
	Skipped int
	// Failing is the error that ends each search of logs, after what was found; nil for none.
	Failing error
}

var (
	_ store.Logs   = Telemetry{}
	_ store.Traces = Telemetry{}
)

// Over is what asks what is held, and regions beside it.
func (t Telemetry) Over(clock fleet.Clock, beside ...query.Region) *query.Engine {
	all := append([]query.Region{{Name: "here", Logs: t, Traces: t}}, beside...)
	return query.New(func() []query.Region { return all }, query.Config{}, clock)
}

var errWriting = errors.New("what is held cannot be added to")

// WriteLogs refuses.
func (t Telemetry) WriteLogs(context.Context, store.Tenant, plog.Logs) error { return errWriting }

// WriteTraces refuses.
func (t Telemetry) WriteTraces(context.Context, store.Tenant, ptrace.Traces) error { return errWriting }

func sees(in store.Scope, t store.Tenant) bool { return in.All() || in.Tenant() == t }

func matches(all []*labels.Matcher, sets ...map[string]string) bool {
	for _, m := range all {
		value := ""
		for _, set := range sets {
			if set[m.Name] != "" {
				value = set[m.Name]
			}
		}
		if !m.Matches(value) {
			return false
		}
	}
	return true
}

// SearchLogs implements store.Logs.
func (t Telemetry) SearchLogs(ctx context.Context, in store.Scope, what store.LogSearch) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		if err := in.Check(); err != nil {
			yield(store.Record{}, err)
			return
		}
		all := slices.Clone(t.Records)
		if what.Newest {
			slices.Reverse(all)
		}
		n := 0
		for _, r := range all {
			if !sees(in, r.Tenant) || r.Time.Before(what.Start) || !r.Time.Before(what.End) || r.Severity < what.Severity ||
				!matches(what.Labels, r.Resource, r.Attributes) || !says(r.Body, what.Text) {
				continue
			}
			if n++; what.Limit > 0 && n > what.Limit || ctx.Err() != nil || !yield(r, nil) {
				return
			}
		}
		if t.Failing != nil {
			yield(store.Record{}, t.Failing)
		}
	}
}

func says(body string, texts []string) bool {
	for _, text := range texts {
		if !strings.Contains(strings.ToLower(body), strings.ToLower(text)) {
			return false
		}
	}
	return true
}

// visible are the traces with the spans of a scope.
func (t Telemetry) visible(in store.Scope) []store.Trace {
	var out []store.Trace
	for _, trace := range t.Spans {
		trace.Spans = slices.DeleteFunc(slices.Clone(trace.Spans), func(s store.Span) bool { return !sees(in, s.Tenant) })
		if len(trace.Spans) > 0 {
			out = append(out, trace)
		}
	}
	return out
}

// SearchTraces implements store.Traces.
func (t Telemetry) SearchTraces(_ context.Context, in store.Scope, what store.TraceSearch) ([]store.Trace, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	wanted := func(s store.Span) bool {
		return !s.Start.Before(what.Start) && s.Start.Before(what.End) && (what.Service == "" || s.Service == what.Service) &&
			(what.Operation == "" || s.Operation == what.Operation) && s.Duration >= what.Least && (what.Most == 0 || s.Duration <= what.Most) &&
			matches(what.Labels, s.Resource, s.Attributes)
	}
	out := slices.DeleteFunc(t.visible(in), func(trace store.Trace) bool { return !slices.ContainsFunc(trace.Spans, wanted) })
	slices.SortFunc(out, func(a, b store.Trace) int { return b.Spans[0].Start.Compare(a.Spans[0].Start) })
	return out[:min(len(out), what.Limit)], nil
}

// Trace implements store.Traces.
func (t Telemetry) Trace(_ context.Context, in store.Scope, id string) (store.Trace, error) {
	for _, trace := range t.visible(in) {
		if trace.ID == id {
			return trace, nil
		}
	}
	return store.Trace{}, fmt.Errorf("%w: there is no trace %s", fleet.ErrNotYet, id)
}

func (t Telemetry) names(in store.Scope, of func(store.Span) string) []string {
	found := map[string]bool{}
	for _, trace := range t.visible(in) {
		for _, s := range trace.Spans {
			if name := of(s); name != "" {
				found[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// Services implements store.Traces.
func (t Telemetry) Services(_ context.Context, in store.Scope) ([]string, error) {
	return t.names(in, func(s store.Span) string { return s.Service }), in.Check()
}

// Operations implements store.Traces.
func (t Telemetry) Operations(_ context.Context, in store.Scope, service string) ([]string, error) {
	return t.names(in, func(s store.Span) string {
		if s.Service != service {
			return ""
		}
		return s.Operation
	}), in.Check()
}
