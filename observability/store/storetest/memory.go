package storetest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/tenant"
)

// Memory keeps metrics in memory and evaluates with Prometheus' own engine: one store with all the
// data, against which others are compared. It passes the suite but for surviving its death.
type Memory struct {
	mu     sync.RWMutex
	series map[string]*store.Series
}

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{series: map[string]*store.Series{}} }

var _ store.Metrics = (*Memory)(nil)

// Write implements store.Metrics. Of two samples of one time the later one counts.
func (m *Memory) Write(_ context.Context, of store.Tenant, series []store.Series) error {
	if _, err := store.ParseTenant(string(of)); err != nil || of == "" {
		return fmt.Errorf("%w: tenant %q of a write", fleet.ErrInvalid, of)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range series {
		set := labels.NewBuilder(s.Labels).Set(store.TenantLabel, string(of)).Labels()
		kept := m.series[set.String()]
		if kept == nil {
			kept = &store.Series{Labels: set}
			m.series[set.String()] = kept
		}
		// The slice that a reader has is never changed.
		kept.Samples = merge(kept.Samples, s.Samples)
	}
	return nil
}

func merge(old, added []store.Sample) []store.Sample {
	at := make(map[int64]float64, len(old)+len(added))
	for _, s := range old {
		at[s.At] = s.Value
	}
	for _, s := range added {
		at[s.At] = s.Value
	}
	out := make([]store.Sample, 0, len(at))
	for _, t := range slices.Sorted(maps.Keys(at)) {
		out = append(out, store.Sample{At: t, Value: at[t]})
	}
	return out
}

// Query implements store.Metrics.
func (m *Memory) Query(ctx context.Context, in store.Scope, expr parser.Expr, on store.Range, at store.Limits) (store.Answer, error) {
	scoped, err := tenant.Enforce(in, expr)
	if err != nil {
		return store.Answer{}, err
	}
	return engine.Evaluate(ctx, source{m, in, at}, engine.Question{Expr: scoped, On: on, Samples: orElse(at.Samples, 50_000_000), Timeout: 2 * time.Minute})
}

type source struct {
	memory *Memory
	in     store.Scope
	at     store.Limits
}

func (s source) Select(ctx context.Context, matchers []*labels.Matcher, start, end int64) engine.Pending {
	return func() (store.Answer, error) {
		on := store.Range{Start: time.UnixMilli(start), End: time.UnixMilli(end)}
		return s.memory.Select(ctx, s.in, matchers, on, store.Limits{Series: s.at.Series})
	}
}

// Select implements store.Metrics.
func (m *Memory) Select(ctx context.Context, in store.Scope, matchers []*labels.Matcher, on store.Range, at store.Limits) (store.Answer, error) {
	if err := in.Check(); err != nil {
		return store.Answer{}, err
	}
	return m.read(ctx, [][]*labels.Matcher{tenant.Matchers(in, matchers)}, on, at)
}

// read returns the series of any of the selectors, sorted, with their samples in the range. No
// selector means all.
func (m *Memory) read(ctx context.Context, selectors [][]*labels.Matcher, on store.Range, at store.Limits) (store.Answer, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var out store.Answer
	total := 0
	for _, s := range m.series {
		if len(selectors) > 0 && !slices.ContainsFunc(selectors, func(sel []*labels.Matcher) bool { return matches(s.Labels, sel) }) {
			continue
		}
		samples := within(s.Samples, on.Start.UnixMilli(), on.End.UnixMilli())
		if len(samples) == 0 {
			continue
		}
		out.Series = append(out.Series, store.Series{Labels: s.Labels, Samples: samples})
		total += len(samples)
		if err := exceeds(len(out.Series), total, at); err != nil {
			return store.Answer{}, err
		}
	}
	slices.SortFunc(out.Series, func(a, b store.Series) int { return labels.Compare(a.Labels, b.Labels) })
	return out, ctx.Err()
}

func exceeds(series, samples int, at store.Limits) error {
	switch {
	case at.Series > 0 && series > at.Series:
		return fmt.Errorf("%w: it reads more than %d series", store.ErrTooMuch, at.Series)
	case at.Samples > 0 && samples > at.Samples:
		return fmt.Errorf("%w: it reads more than %d samples", store.ErrTooMuch, at.Samples)
	}
	return nil
}

func matches(of labels.Labels, all []*labels.Matcher) bool {
	return !slices.ContainsFunc(all, func(m *labels.Matcher) bool { return !m.Matches(of.Get(m.Name)) })
}

func within(samples []store.Sample, start, end int64) []store.Sample {
	from, _ := slices.BinarySearchFunc(samples, start, compareTime)
	to, _ := slices.BinarySearchFunc(samples, end+1, compareTime)
	return samples[from:max(from, to):max(from, to)]
}

func compareTime(s store.Sample, t int64) int {
	switch {
	case s.At < t:
		return -1
	case s.At > t:
		return 1
	}
	return 0
}

// Series implements store.Metrics.
func (m *Memory) Series(ctx context.Context, in store.Scope, selectors [][]*labels.Matcher, on store.Range, at store.Limits) ([]labels.Labels, error) {
	scoped, err := tenant.Selectors(in, selectors)
	if err != nil {
		return nil, err
	}
	got, err := m.read(ctx, scoped, on, store.Limits{Series: at.Series})
	if err != nil {
		return nil, err
	}
	var out []labels.Labels
	for _, s := range got.Series {
		if slices.ContainsFunc(s.Samples, func(s store.Sample) bool { return !value.IsStaleNaN(s.Value) }) {
			out = append(out, s.Labels)
		}
	}
	return out, nil
}

// LabelNames implements store.Metrics.
func (m *Memory) LabelNames(ctx context.Context, in store.Scope, selectors [][]*labels.Matcher, on store.Range) ([]string, error) {
	return m.words(ctx, in, selectors, on, func(l labels.Label) string { return l.Name })
}

// LabelValues implements store.Metrics.
func (m *Memory) LabelValues(ctx context.Context, in store.Scope, name string, selectors [][]*labels.Matcher, on store.Range) ([]string, error) {
	return m.words(ctx, in, selectors, on, func(l labels.Label) string {
		if l.Name != name {
			return ""
		}
		return l.Value
	})
}

func (m *Memory) words(ctx context.Context, in store.Scope, selectors [][]*labels.Matcher, on store.Range, pick func(labels.Label) string) ([]string, error) {
	sets, err := m.Series(ctx, in, selectors, on, store.Limits{})
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, set := range sets {
		set.Range(func(l labels.Label) {
			if w := pick(l); w != "" {
				found[w] = true
			}
		})
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func orElse(limit, standard int) int {
	if limit > 0 {
		return limit
	}
	return standard
}
