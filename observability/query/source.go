package query

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/tenant"
)

// source is what our engine reads from: the regions' answers to the parts of the plan, which are
// on their way from the beginning, and raw samples for what is left.
type source struct {
	q     *question
	parts []engine.Pending
}

var _ engine.Source = (*source)(nil)

func newSource(ctx context.Context, q *question, parts []parser.Expr, on store.Range) *source {
	s := &source{q: q}
	for _, e := range parts {
		s.parts = append(s.parts, started(func() (store.Answer, error) {
			got, err := q.compute(ctx, e, on)
			for i, series := range got.Series {
				got.Series[i].Samples = ended(series.Samples, on)
			}
			return got, err
		}))
	}
	return s
}

// started calls a function now, and lets whoever wants its answer wait for it.
func started(f func() (store.Answer, error)) engine.Pending {
	pending := sync.OnceValues(f)
	go pending() //nolint:errcheck // the one who waits gets the error
	return pending
}

// Select implements engine.Source.
func (s *source) Select(ctx context.Context, matchers []*labels.Matcher, start, end int64) engine.Pending {
	for _, m := range matchers {
		if m.Name == partLabel {
			return s.part(m.Value)
		}
	}
	on := store.Range{Start: time.UnixMilli(start), End: time.UnixMilli(end)}
	return started(func() (store.Answer, error) { return s.q.raw(ctx, matchers, on) })
}

func (s *source) part(number string) engine.Pending {
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n >= len(s.parts) {
		return func() (store.Answer, error) {
			return store.Answer{}, fmt.Errorf("part %q of a question, which has %d", number, len(s.parts))
		}
	}
	return s.parts[n]
}

// compute lets the regions evaluate a part.
func (q *question) compute(ctx context.Context, e parser.Expr, on store.Range) (store.Answer, error) {
	all, err := each(ctx, q, func(ctx context.Context, r Region) (store.Answer, error) {
		own, found, err := r.expression(e)
		if err != nil {
			return store.Answer{}, err
		}
		if !found {
			return store.Answer{}, errExcluded
		}
		got, err := r.Metrics.Query(ctx, q.in, own, on, q.purse(r).left())
		if err != nil {
			return store.Answer{}, err
		}
		for i, s := range got.Series {
			got.Series[i].Labels = r.labelled(s.Labels)
		}
		return named(r, got), q.purse(r).spend(got)
	})
	return merged(all), err
}

// raw reads samples of the regions as they are.
func (q *question) raw(ctx context.Context, matchers []*labels.Matcher, on store.Range) (store.Answer, error) {
	all, err := each(ctx, q, func(ctx context.Context, r Region) (store.Answer, error) {
		own, found := r.within(matchers)
		if !found {
			return store.Answer{}, errExcluded
		}
		got, err := r.Metrics.Select(ctx, q.in, own, on, q.purse(r).left())
		if err != nil {
			return store.Answer{}, err
		}
		for i, s := range got.Series {
			if !tenant.Sees(q.in, s.Labels) {
				return store.Answer{}, fmt.Errorf("the store of region %s answers with series of another tenant than it was asked for; nothing of it is used", r.Name)
			}
			got.Series[i].Labels = r.labelled(s.Labels)
		}
		return named(r, got), q.purse(r).spend(got)
	})
	return merged(all), err
}

// named says in a store's warnings which region they are about.
func named(r Region, a store.Answer) store.Answer {
	for i, w := range a.Warnings {
		a.Warnings[i] = "region " + r.Name + ": " + w
	}
	return a
}

// ended puts marks of an end where a computed series has no value at a step. Without them the
// engine would go on with the last value, as it does with samples that are taken now and then.
func ended(samples []store.Sample, on store.Range) []store.Sample {
	if on.Step == 0 || len(samples) == 0 {
		return samples
	}
	step, last := on.Step.Milliseconds(), on.End.UnixMilli()
	gaps := 0
	for i, s := range samples {
		if next := s.At + step; next <= last && (i+1 == len(samples) || samples[i+1].At > next) {
			gaps++
		}
	}
	if gaps == 0 {
		return samples
	}
	out := make([]store.Sample, 0, len(samples)+gaps)
	for i, s := range samples {
		out = append(out, s)
		if next := s.At + step; next <= last && (i+1 == len(samples) || samples[i+1].At > next) {
			out = append(out, store.Sample{At: next, Value: math.Float64frombits(value.StaleNaN)})
		}
	}
	return out
}

// merged puts the answers of the regions together. A series that two of them have becomes one; of
// two samples of one time, the one of the region that comes first by its name counts.
func merged(all []store.Answer) store.Answer {
	var out store.Answer
	for _, a := range all {
		out.Warnings = append(out.Warnings, a.Warnings...)
	}
	if len(all) == 1 {
		out.Series = all[0].Series
		return out
	}
	total := 0
	for _, a := range all {
		total += len(a.Series)
	}
	out.Series = make([]store.Series, 0, total)
	known := make(map[uint64][]int, total)
	for _, a := range all {
		for _, s := range a.Series {
			hash := s.Labels.Hash()
			again := slices.IndexFunc(known[hash], func(i int) bool { return labels.Equal(out.Series[i].Labels, s.Labels) })
			if again >= 0 {
				i := known[hash][again]
				out.Series[i].Samples = joined(out.Series[i].Samples, s.Samples)
				continue
			}
			known[hash] = append(known[hash], len(out.Series))
			out.Series = append(out.Series, s)
		}
	}
	return out
}

// joined merges two lists of samples, each in the order of time.
func joined(a, b []store.Sample) []store.Sample {
	out := make([]store.Sample, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0].At < b[0].At:
			out, a = append(out, a[0]), a[1:]
		case a[0].At > b[0].At:
			out, b = append(out, b[0]), b[1:]
		default:
			out, a, b = append(out, a[0]), a[1:], b[1:]
		}
	}
	return append(append(out, a...), b...)
}
