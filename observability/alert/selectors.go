package alert

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
)

// Exclude returns the expression without the series of some clusters: each of its selectors gets a
// matcher. It returns the text as it is when there is nothing to leave out, and an error of kind
// fleet.ErrInvalid for an expression that does not parse or selects nothing.
func Exclude(expr string, clusters []string) (string, error) {
	if len(clusters) == 0 {
		return expr, nil
	}
	m, err := others(clusters)
	if err != nil {
		return "", err
	}
	return withMatcher(expr, m)
}

// Narrow returns the expression for the series of one cluster, as Exclude does.
func Narrow(expr, cluster string) (string, error) {
	m, err := labels.NewMatcher(labels.MatchEqual, ClusterLabel, cluster)
	if err != nil {
		return "", fmt.Errorf("matching cluster %s: %w", cluster, err)
	}
	return withMatcher(expr, m)
}

// others matches every cluster but those.
func others(clusters []string) (*labels.Matcher, error) {
	if len(clusters) == 1 {
		return labels.NewMatcher(labels.MatchNotEqual, ClusterLabel, clusters[0])
	}
	sorted := slices.Sorted(slices.Values(clusters))
	for i, c := range sorted {
		sorted[i] = regexp.QuoteMeta(c)
	}
	return labels.NewMatcher(labels.MatchNotRegexp, ClusterLabel, strings.Join(sorted, "|"))
}

func withMatcher(expr string, m *labels.Matcher) (string, error) {
	tree, err := grammar().ParseExpr(expr)
	if err != nil {
		return "", fmt.Errorf("%w: the expression does not parse: %w", fleet.ErrInvalid, err)
	}
	selectors, changed := selectorsOf(tree), false
	if len(selectors) == 0 {
		return "", fmt.Errorf("%w: the expression selects no series, so it cannot tell clusters apart", fleet.ErrInvalid)
	}
	for _, s := range selectors {
		if other := contradiction(s, m); other != "" {
			return "", fmt.Errorf("%w: the expression selects cluster %q, and is for cluster %q", fleet.ErrInvalid, other, m.Value)
		}
		if slices.ContainsFunc(s.LabelMatchers, func(has *labels.Matcher) bool { return has.String() == m.String() }) {
			continue
		}
		s.LabelMatchers, changed = append(s.LabelMatchers, m), true
	}
	if !changed {
		return expr, nil
	}
	return tree.String(), nil
}

// contradiction is the cluster that a selector asks for where m asks for another one.
func contradiction(s *parser.VectorSelector, m *labels.Matcher) string {
	for _, has := range s.LabelMatchers {
		if m.Type == labels.MatchEqual && has.Type == labels.MatchEqual && has.Name == m.Name && has.Value != m.Value {
			return has.Value
		}
	}
	return ""
}

// selects says whether the expression reads any series.
func selects(expr string) bool {
	tree, err := grammar().ParseExpr(expr)
	return err == nil && len(selectorsOf(tree)) > 0
}

func selectorsOf(tree parser.Expr) []*parser.VectorSelector {
	var out []*parser.VectorSelector
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		if s, ok := node.(*parser.VectorSelector); ok {
			out = append(out, s)
		}
		return nil
	})
	return out
}
