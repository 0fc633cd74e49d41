package prometheus

import (
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

func asMatchers(of []*labels.Matcher) ([]*prompb.LabelMatcher, error) {
	types := map[labels.MatchType]prompb.LabelMatcher_Type{
		labels.MatchEqual:     prompb.LabelMatcher_EQ,
		labels.MatchNotEqual:  prompb.LabelMatcher_NEQ,
		labels.MatchRegexp:    prompb.LabelMatcher_RE,
		labels.MatchNotRegexp: prompb.LabelMatcher_NRE,
	}
	out := make([]*prompb.LabelMatcher, 0, len(of))
	for _, m := range of {
		t, known := types[m.Type]
		if !known {
			return nil, fmt.Errorf("%w: the matcher %s", fleet.ErrInvalid, m)
		}
		out = append(out, &prompb.LabelMatcher{Type: t, Name: m.Name, Value: m.Value})
	}
	return out, nil
}

// fromRead turns an answer of remote read into series, sorted.
func fromRead(got *prompb.ReadResponse, at store.Limits) (store.Answer, error) {
	var out store.Answer
	build := labels.NewScratchBuilder(16)
	samples := 0
	for _, result := range got.Results {
		for _, s := range result.Timeseries {
			if len(s.Samples) == 0 {
				continue
			}
			build.Reset()
			for _, l := range s.Labels {
				build.Add(l.Name, l.Value)
			}
			build.Sort()
			series := store.Series{Labels: build.Labels(), Samples: make([]store.Sample, len(s.Samples))}
			for i, p := range s.Samples {
				series.Samples[i] = store.Sample{At: p.Timestamp, Value: p.Value}
			}
			out.Series = append(out.Series, series)
			samples += len(s.Samples)
		}
	}
	switch {
	case at.Series > 0 && len(out.Series) > at.Series:
		return store.Answer{}, fmt.Errorf("%w: it reads %d series, and may read %d", store.ErrTooMuch, len(out.Series), at.Series)
	case at.Samples > 0 && samples > at.Samples:
		return store.Answer{}, fmt.Errorf("%w: it reads %d samples, and may read %d", store.ErrTooMuch, samples, at.Samples)
	}
	slices.SortFunc(out.Series, func(a, b store.Series) int { return labels.Compare(a.Labels, b.Labels) })
	return out, nil
}
