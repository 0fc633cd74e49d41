package query

import (
	"context"
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/tenant"
)

// scopedSelectors refuses what cannot be asked, and puts the scope into the rest.
func scopedSelectors(in store.Scope, selectors [][]*labels.Matcher) ([][]*labels.Matcher, error) {
	if err := reserved(selectors); err != nil {
		return nil, err
	}
	return tenant.Selectors(in, selectors)
}

// Series returns the label sets of the series that match one of the selectors, sorted.
func (e *Engine) Series(ctx context.Context, in store.Scope, selectors [][]*labels.Matcher, on store.Range) ([]labels.Labels, Coverage, error) {
	var cover Coverage
	scoped, err := scopedSelectors(in, selectors)
	if err != nil {
		return nil, cover, err
	}
	var out []labels.Labels
	err = e.ask(ctx, in, func(ctx context.Context, q *question) error {
		q.only(keepsMetrics)
		all, err := each(ctx, q, func(ctx context.Context, r Region) ([]labels.Labels, error) {
			own, found := r.selectors(scoped)
			if !found {
				return nil, errExcluded
			}
			sets, err := r.Metrics.Series(ctx, in, own, on, q.purse(r).left())
			if err != nil {
				return nil, err
			}
			for i, set := range sets {
				if !tenant.Sees(in, set) {
					return nil, fmt.Errorf("the store of region %s answers with series of another tenant than it was asked for; nothing of it is used", r.Name)
				}
				sets[i] = r.labelled(set)
			}
			return sets, q.purse(r).spend(store.Answer{Series: make([]store.Series, len(sets))})
		})
		out = slices.Concat(all...)
		return err
	}, &cover)
	slices.SortFunc(out, labels.Compare)
	return slices.CompactFunc(out, labels.Equal), cover, err
}

// LabelNames returns the sorted names of the labels of those series, with the regions' own.
func (e *Engine) LabelNames(ctx context.Context, in store.Scope, selectors [][]*labels.Matcher, on store.Range) ([]string, Coverage, error) {
	return e.words(ctx, in, selectors, func(ctx context.Context, r Region, own [][]*labels.Matcher) ([]string, error) {
		names, err := r.Metrics.LabelNames(ctx, in, own, on)
		if err == nil && len(names) > 0 {
			r.Labels.Range(func(l labels.Label) { names = append(names, l.Name) })
		}
		return names, err
	})
}

// LabelValues returns the sorted values of a label of those series.
func (e *Engine) LabelValues(ctx context.Context, in store.Scope, name string, selectors [][]*labels.Matcher, on store.Range) ([]string, Coverage, error) {
	return e.words(ctx, in, selectors, func(ctx context.Context, r Region, own [][]*labels.Matcher) ([]string, error) {
		if !r.Labels.Has(name) {
			return r.Metrics.LabelValues(ctx, in, name, own, on)
		}
		// The region's own label has its value where the region has any series.
		names, err := r.Metrics.LabelNames(ctx, in, own, on)
		if err != nil || len(names) == 0 {
			return nil, err
		}
		return []string{r.Labels.Get(name)}, nil
	})
}

func (e *Engine) words(ctx context.Context, in store.Scope, selectors [][]*labels.Matcher, ask func(context.Context, Region, [][]*labels.Matcher) ([]string, error)) ([]string, Coverage, error) {
	var cover Coverage
	scoped, err := scopedSelectors(in, selectors)
	if err != nil {
		return nil, cover, err
	}
	var out []string
	err = e.ask(ctx, in, func(ctx context.Context, q *question) error {
		q.only(keepsMetrics)
		all, err := each(ctx, q, func(ctx context.Context, r Region) ([]string, error) {
			own, found := r.selectors(scoped)
			if !found {
				return nil, errExcluded
			}
			return ask(ctx, r, own)
		})
		out = slices.Concat(all...)
		return err
	}, &cover)
	slices.Sort(out)
	return slices.Compact(out), cover, err
}
