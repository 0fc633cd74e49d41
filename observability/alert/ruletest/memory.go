package ruletest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// sample is a number at a time, in milliseconds.
type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// memory holds series. It is a storage.Queryable.
type memory struct {
	series map[string]*held
}

type held struct {
	labels  labels.Labels
	samples []chunks.Sample
}

// load reads series in promtool's notation, a sample each step from 0.
func load(series map[string]string, step time.Duration) (*memory, error) {
	m := &memory{series: map[string]*held{}}
	grammar := parser.NewParser(parser.Options{})
	for name, values := range series {
		lbls, sequence, err := grammar.ParseSeriesDesc(name + " " + values)
		if err != nil {
			return nil, fmt.Errorf("series %s: %w", name, err)
		}
		for i, v := range sequence {
			if !v.Omitted {
				m.add(lbls, sample{int64(i) * step.Milliseconds(), v.Value})
			}
		}
	}
	return m, nil
}

func (m *memory) add(lbls labels.Labels, s sample) {
	key := lbls.String()
	if m.series[key] == nil {
		m.series[key] = &held{labels: lbls}
	}
	m.series[key].samples = append(m.series[key].samples, s)
}

// Querier implements storage.Queryable.
func (m *memory) Querier(_, _ int64) (storage.Querier, error) { return querier{m}, nil }

type querier struct{ in *memory }

func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	set := &seriesSet{at: -1}
	for _, h := range q.in.series {
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(h.labels.Get(m.Name)) }) {
			set.series = append(set.series, storage.NewListSeries(h.labels, h.samples))
		}
	}
	slices.SortFunc(set.series, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return set
}

func (q querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (q querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (q querier) Close() error { return nil }

type seriesSet struct {
	series []storage.Series
	at     int
}

func (s *seriesSet) Next() bool                        { s.at++; return s.at < len(s.series) }
func (s *seriesSet) At() storage.Series                { return s.series[s.at] }
func (s *seriesSet) Err() error                        { return nil }
func (s *seriesSet) Warnings() annotations.Annotations { return nil }
