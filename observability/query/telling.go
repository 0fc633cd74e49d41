package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// Standard limits of searches that name none.
const (
	records = 1000
	traces  = 20
)

// SearchLogs returns the records of all regions that match, in the order of the search, and not
// more than its limit.
func (e *Engine) SearchLogs(ctx context.Context, in store.Scope, what store.LogSearch) ([]store.Record, Coverage, error) {
	if what.Limit <= 0 {
		what.Limit = min(records, e.config.Records)
	}
	var cover Coverage
	if what.Limit > e.config.Records {
		return nil, cover, fmt.Errorf("%w: a search has at most %d records; ask for less time", store.ErrTooMuch, e.config.Records)
	}
	var out []store.Record
	err := e.ask(ctx, in, func(ctx context.Context, q *question) (err error) {
		q.only(keepsLogs)
		out, err = q.merge(ctx, what)
		return err
	}, &cover)
	return out, cover, err
}

// SearchTraces returns the traces of which a span in any region matches, the newest first. Of a
// trace that goes through several regions, those in which a span matches have their spans in it.
func (e *Engine) SearchTraces(ctx context.Context, in store.Scope, what store.TraceSearch) ([]store.Trace, Coverage, error) {
	if what.Limit <= 0 {
		what.Limit = traces
	}
	out, cover, err := e.traces(ctx, in, func(ctx context.Context, r Region) ([]store.Trace, error) {
		own, found := r.searched(what.Labels)
		if !found {
			return nil, errExcluded
		}
		search := what
		search.Labels = own
		return r.Traces.SearchTraces(ctx, in, search)
	})
	return out[:min(len(out), what.Limit)], cover, err
}

// Trace returns a trace with its spans in all regions. It returns fleet.ErrNotYet where no region
// that answers has one that the scope may see.
func (e *Engine) Trace(ctx context.Context, in store.Scope, id string) (store.Trace, Coverage, error) {
	out, cover, err := e.traces(ctx, in, func(ctx context.Context, r Region) ([]store.Trace, error) {
		t, err := r.Traces.Trace(ctx, in, id)
		if errors.Is(err, fleet.ErrNotYet) {
			return nil, nil
		}
		return []store.Trace{t}, err
	})
	switch {
	case err != nil:
		return store.Trace{}, cover, err
	case len(out) == 0:
		err := fmt.Errorf("%w: there is no trace %s", fleet.ErrNotYet, id)
		if cover.Partial() {
			err = fmt.Errorf("%w; %s", err, strings.Join(cover.Warnings, "; "))
		}
		return store.Trace{}, cover, err
	}
	return out[0], cover, nil
}

func (e *Engine) traces(ctx context.Context, in store.Scope, ask func(context.Context, Region) ([]store.Trace, error)) ([]store.Trace, Coverage, error) {
	var cover Coverage
	var out []store.Trace
	err := e.ask(ctx, in, func(ctx context.Context, q *question) error {
		q.only(keepsTraces)
		all, err := each(ctx, q, func(ctx context.Context, r Region) ([]store.Trace, error) {
			found, err := ask(ctx, r)
			if err != nil {
				return nil, err
			}
			for i, t := range found {
				if slices.ContainsFunc(t.Spans, func(s store.Span) bool { return !in.All() && s.Tenant != in.Tenant() }) {
					return nil, fmt.Errorf("the store of region %s answers with spans of another tenant than it was asked for; nothing of it is used", r.Name)
				}
				found[i].Spans = slices.Clone(t.Spans)
				for j, s := range found[i].Spans {
					found[i].Spans[j].Resource = r.placed(s.Resource)
				}
			}
			return found, nil
		})
		out = whole(slices.Concat(all...))
		return err
	}, &cover)
	return out, cover, err
}

// whole puts together the spans that regions have of one trace, each of them once, and sorts.
func whole(parts []store.Trace) []store.Trace {
	known := map[string]int{}
	var out []store.Trace
	for _, p := range parts {
		i, again := known[p.ID]
		if !again {
			i = len(out)
			known[p.ID] = i
			out = append(out, store.Trace{ID: p.ID})
		}
		for _, s := range p.Spans {
			if !slices.ContainsFunc(out[i].Spans, func(o store.Span) bool { return o.ID == s.ID && o.Operation == s.Operation }) {
				out[i].Spans = append(out[i].Spans, s)
			}
		}
	}
	for _, t := range out {
		slices.SortStableFunc(t.Spans, func(a, b store.Span) int { return a.Start.Compare(b.Start) })
	}
	out = slices.DeleteFunc(out, func(t store.Trace) bool { return len(t.Spans) == 0 })
	slices.SortStableFunc(out, func(a, b store.Trace) int {
		if n := b.Spans[0].Start.Compare(a.Spans[0].Start); n != 0 {
			return n
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

// Services returns the sorted names of the services of all regions.
func (e *Engine) Services(ctx context.Context, in store.Scope) ([]string, Coverage, error) {
	return e.names(ctx, in, func(ctx context.Context, r Region) ([]string, error) { return r.Traces.Services(ctx, in) })
}

// Operations returns the sorted names of a service's operations in all regions.
func (e *Engine) Operations(ctx context.Context, in store.Scope, service string) ([]string, Coverage, error) {
	return e.names(ctx, in, func(ctx context.Context, r Region) ([]string, error) { return r.Traces.Operations(ctx, in, service) })
}

func (e *Engine) names(ctx context.Context, in store.Scope, ask func(context.Context, Region) ([]string, error)) ([]string, Coverage, error) {
	var cover Coverage
	var out []string
	err := e.ask(ctx, in, func(ctx context.Context, q *question) error {
		q.only(keepsTraces)
		all, err := each(ctx, q, ask)
		out = slices.Concat(all...)
		return err
	}, &cover)
	slices.Sort(out)
	return slices.Compact(out), cover, err
}
