package query

import (
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/tenant"
)

// Region is a store among others.
type Region struct {
	// Name is what a person calls it. It is unique.
	Name string
	// Metrics, Logs and Traces are where the region keeps them; nil where it keeps none.
	Metrics store.Metrics
	Logs    store.Logs
	Traces  store.Traces
	// Labels hold for all series of the region, and for the resources of its records and spans. They are
	// added to what its store answers, and replace labels of these names there. Where all regions have the same names with different
	// values, as in region="eu" and region="us", no series is in two of them, and much more is
	// computed where the series are.
	Labels labels.Labels
	// Err is why the region cannot be asked at all; nil for one that can. Every answer lacks it then.
	Err error
	// Next is what to look at when it does not answer, as a sentence goes on after a semicolon.
	Next string
	// Serves says whether the region is asked for a scope. One that is not is none of the scope's: it
	// is not missing. Nil means that it is asked for everybody.
	Serves func(store.Scope) bool
	// Guest says that others than those who run the plane say where the region is, and so what it answers. In
	// questions about everybody it has a budget of its own: one that takes more of samples, bytes or
	// time is missing.
	Guest bool
}

// Check says what is wrong with a region, of kind fleet.ErrInvalid.
func (r Region) Check() error {
	switch {
	case r.Name == "":
		return fmt.Errorf("%w: a region has no name", fleet.ErrInvalid)
	case r.Err != nil:
		return r.Err
	case r.Metrics == nil && r.Logs == nil && r.Traces == nil:
		return fmt.Errorf("%w: region %s has no store", fleet.ErrInvalid, r.Name)
	case r.Labels.Has(store.TenantLabel):
		return fmt.Errorf("%w: region %s has the label %q, which says whose a series is and comes with each series", fleet.ErrInvalid, r.Name, store.TenantLabel)
	case r.Labels.Has(model.MetricNameLabel):
		return fmt.Errorf("%w: region %s has the label %q, which is the name of a metric", fleet.ErrInvalid, r.Name, model.MetricNameLabel)
	}
	return nil
}

func (r Region) serves(in store.Scope) bool { return r.Serves == nil || r.Serves(in) }

func keepsMetrics(r Region) bool { return r.Metrics != nil }
func keepsLogs(r Region) bool    { return r.Logs != nil }
func keepsTraces(r Region) bool  { return r.Traces != nil }

// apart returns the labels by which no two of the regions have the same series; none if there
// are none.
func apart(regions []Region) []string {
	if len(regions) == 0 {
		return nil
	}
	names := func(r Region) (out []string) {
		r.Labels.Range(func(l labels.Label) { out = append(out, l.Name) })
		return out
	}
	want := names(regions[0])
	seen := map[string]bool{}
	for _, r := range regions {
		if !slices.Equal(names(r), want) || seen[r.Labels.String()] {
			return nil
		}
		seen[r.Labels.String()] = true
	}
	return want
}

// within takes the matchers of the region's own labels out of a selector: the store may not know
// them. It is false where they exclude the region.
func (r Region) within(matchers []*labels.Matcher) ([]*labels.Matcher, bool) {
	out := make([]*labels.Matcher, 0, len(matchers))
	named := false
	for _, m := range matchers {
		if r.Labels.Has(m.Name) {
			if !m.Matches(r.Labels.Get(m.Name)) {
				return nil, false
			}
			continue
		}
		named = named || !m.Matches("")
		out = append(out, m)
	}
	if !named {
		// A selector has to ask for something.
		out = append(out, labels.MustNewMatcher(labels.MatchNotEqual, model.MetricNameLabel, ""))
	}
	return out, true
}

// searched is within for a search of logs or traces, whose store may be asked for anything.
func (r Region) searched(matchers []*labels.Matcher) ([]*labels.Matcher, bool) {
	out := make([]*labels.Matcher, 0, len(matchers))
	for _, m := range matchers {
		switch {
		case !r.Labels.Has(m.Name):
			out = append(out, m)
		case !m.Matches(r.Labels.Get(m.Name)):
			return nil, false
		}
	}
	return out, true
}

// placed adds the region's labels to the attributes of a resource.
func (r Region) placed(resource map[string]string) map[string]string {
	if r.Labels.IsEmpty() {
		return resource
	}
	out := make(map[string]string, len(resource)+r.Labels.Len())
	maps.Copy(out, resource)
	r.Labels.Range(func(l labels.Label) { out[l.Name] = l.Value })
	return out
}

// selectors is within for several of them. It is false where all exclude the region.
func (r Region) selectors(all [][]*labels.Matcher) ([][]*labels.Matcher, bool) {
	var out [][]*labels.Matcher
	for _, s := range all {
		if inside, ok := r.within(s); ok {
			out = append(out, inside)
		}
	}
	return out, len(out) > 0 || len(all) == 0
}

// expression is within for all selectors of an expression. A selector that excludes the region
// becomes one that finds nothing. It is false where all of them do.
func (r Region) expression(e parser.Expr) (parser.Expr, bool, error) {
	found := false
	out, err := tenant.Copy(e, func(s *parser.VectorSelector) {
		if inside, ok := r.within(s.LabelMatchers); ok {
			found = true
			s.LabelMatchers = inside
			return
		}
		s.LabelMatchers = append(s.LabelMatchers,
			labels.MustNewMatcher(labels.MatchEqual, partLabel, "0"),
			labels.MustNewMatcher(labels.MatchEqual, partLabel, "1"))
	})
	return out, found, err
}

// labelled adds the region's labels to a label set.
func (r Region) labelled(set labels.Labels) labels.Labels {
	if r.Labels.IsEmpty() {
		return set
	}
	b := labels.NewBuilder(set)
	r.Labels.Range(func(l labels.Label) { b.Set(l.Name, l.Value) })
	return b.Labels()
}
