package remote

import (
	"context"
	"net/url"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/tenant"
)

// Finder finds series and labels of one store, for a scope. It is the part of store.Metrics that all
// stores with Prometheus' HTTP API have in common.
type Finder struct {
	API *API
	// Within is the scope in the parameters of a store that takes it there too; nil for none.
	Within func(store.Scope) url.Values
}

// Series implements store.Metrics.
func (f Finder) Series(ctx context.Context, in store.Scope, selectors [][]*labels.Matcher, on store.Range, at store.Limits) ([]labels.Labels, error) {
	scoped, err := selected(in, selectors)
	if err != nil {
		return nil, err
	}
	sets, err := f.API.Series(ctx, scoped, on, at, f.within(in))
	if err != nil {
		return nil, err
	}
	return sets, Foreign(in, sets)
}

// LabelNames implements store.Metrics.
func (f Finder) LabelNames(ctx context.Context, in store.Scope, selectors [][]*labels.Matcher, on store.Range) ([]string, error) {
	scoped, err := selected(in, selectors)
	if err != nil {
		return nil, err
	}
	return f.API.LabelNames(ctx, scoped, on, f.within(in))
}

// LabelValues implements store.Metrics.
func (f Finder) LabelValues(ctx context.Context, in store.Scope, name string, selectors [][]*labels.Matcher, on store.Range) ([]string, error) {
	scoped, err := selected(in, selectors)
	if err != nil {
		return nil, err
	}
	return f.API.LabelValues(ctx, name, scoped, on, f.within(in))
}

func (f Finder) within(in store.Scope) url.Values {
	if f.Within == nil {
		return nil
	}
	return f.Within(in)
}

// selected puts the scope into selectors, and says "all series" in words: the API refuses to take
// no selector for all.
func selected(in store.Scope, selectors [][]*labels.Matcher) ([][]*labels.Matcher, error) {
	scoped, err := tenant.Selectors(in, selectors)
	if err == nil && len(scoped) == 0 {
		scoped = [][]*labels.Matcher{{labels.MustNewMatcher(labels.MatchNotEqual, model.MetricNameLabel, "")}}
	}
	return scoped, err
}
