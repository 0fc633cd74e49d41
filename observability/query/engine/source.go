package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"

	"portico.dev/portico/observability/store"
)

// queryable is a Source as the engine wants it.
type queryable struct{ from Source }

func (q queryable) Querier(start, end int64) (storage.Querier, error) {
	return querier{from: q.from, start: start, end: end}, nil
}

type querier struct {
	from       Source
	start, end int64
}

func (q querier) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	start, end := q.start, q.end
	if hints != nil {
		start, end = hints.Start, hints.End
	}
	return &seriesSet{answer: q.from.Select(ctx, matchers, start, end), sorted: sorted}
}

// The engine asks for series alone.
var errNotAsked = errors.New("evaluating an expression needs no names and values of labels")

func (querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNotAsked
}

func (querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, errNotAsked
}

func (querier) Close() error { return nil }

// sourceError tells an error of the source from what the engine makes of a question.
type sourceError struct{ error }

func (e sourceError) Unwrap() error { return e.error }

// seriesSet waits for the answer when the first series is wanted.
type seriesSet struct {
	answer Pending
	sorted bool
	asked  bool
	series []store.Series
	next   int
	warn   annotations.Annotations
	err    error
}

func (s *seriesSet) Next() bool {
	if !s.asked {
		s.asked = true
		s.ask()
	}
	s.next++
	return s.err == nil && s.next <= len(s.series)
}

func (s *seriesSet) ask() {
	got, err := s.answer()
	if err != nil {
		s.err = sourceError{err}
		return
	}
	s.series = got.Series
	if s.sorted {
		s.series = slices.Clone(s.series)
		slices.SortFunc(s.series, func(a, b store.Series) int { return labels.Compare(a.Labels, b.Labels) })
	}
	for _, w := range got.Warnings {
		s.warn.Add(errors.New(w))
	}
}

func (s *seriesSet) At() storage.Series                { return series{s.series[s.next-1]} }
func (s *seriesSet) Err() error                        { return s.err }
func (s *seriesSet) Warnings() annotations.Annotations { return s.warn }

type series struct{ of store.Series }

func (s series) Labels() labels.Labels { return s.of.Labels }

func (s series) Iterator(chunkenc.Iterator) chunkenc.Iterator {
	return storage.NewListSeriesIterator(list(s.of.Samples))
}

// list hands out samples without an allocation for each: a pointer to one of ours is one of theirs.
type list []store.Sample

func (l list) Get(i int) chunks.Sample { return (*point)(&l[i]) }
func (l list) Len() int                { return len(l) }

type point store.Sample

func (p *point) T() int64                      { return p.At }
func (p *point) ST() int64                     { return 0 }
func (p *point) F() float64                    { return p.Value }
func (p *point) H() *histogram.Histogram       { return nil }
func (p *point) FH() *histogram.FloatHistogram { return nil }
func (p *point) Type() chunkenc.ValueType      { return chunkenc.ValFloat }

func (p *point) Copy() chunks.Sample {
	out := *p
	return &out
}
