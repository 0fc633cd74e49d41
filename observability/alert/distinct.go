package alert

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
)

// Distinct returns the expression of a rule with one series at most for each alert, or for each record.
//
// Whoever writes metrics chooses their labels. Two series that become one alert, or that a matching by
// on() or ignoring() takes for the same, end a rule with an error, for all clusters of all tenants. Of
// such series the highest counts. Where there are none, the expression means what it meant before.
func Distinct(r Rule) (string, error) {
	tree, err := grammar().ParseExpr(r.Expr)
	if err != nil {
		return "", fmt.Errorf("%w: the expression does not parse: %w", fleet.ErrInvalid, err)
	}
	before := tree.String()
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		if b, is := node.(*parser.BinaryExpr); is {
			unify(b)
		}
		return nil
	})
	if lost := replaced(r); len(lost) > 0 && tree.Type() == parser.ValueTypeVector {
		has, known := labelsOf(tree)
		if !known || slices.ContainsFunc(lost, func(l string) bool { return slices.Contains(has, l) }) {
			tree = highest(tree, lost, without)
		}
	}
	if after := tree.String(); after != before {
		return after, nil
	}
	return r.Expr, nil
}

// replaced are the labels of series that what comes of the rule does not have as they are: vmalert writes its
// own over them, and keeps what was there under another name, which a series may have, too.
func replaced(r Rule) []string {
	var templates string
	for _, value := range r.Labels {
		if strings.Contains(value, "{{") {
			templates += value + "\n"
		}
	}
	var out []string
	if r.Alert != "" {
		out = append(out, "alertname", GroupLabel)
	}
	for name := range r.Labels {
		// A label that is made of the series' own has to find it.
		if !regexp.MustCompile(`\b` + regexp.QuoteMeta(name) + `\b`).MatchString(templates) {
			out = append(out, name)
		}
	}
	for _, name := range slices.Clone(out) {
		out = append(out, "exported_"+name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// grouping says what the labels of an aggregation are: those that stay, or those that go.
type grouping bool

const (
	by      grouping = false
	without grouping = true
)

// highest is the highest of the series that have the same labels by the grouping.
func highest(e parser.Expr, labels []string, g grouping) parser.Expr {
	return &parser.AggregateExpr{Op: parser.MAX, Expr: bare(e), Grouping: labels, Without: bool(g)}
}

// bare leaves out parentheses: an aggregation writes its own.
func bare(e parser.Expr) parser.Expr {
	for {
		p, is := e.(*parser.ParenExpr)
		if !is {
			return e
		}
		e = p.Expr
	}
}

// unify has each side of a matching have one series where it may have one only. Sides that have them
// already stay as they are.
func unify(b *parser.BinaryExpr) {
	m := b.VectorMatching
	if m == nil || b.Op.IsSetOperator() || !m.On && len(m.MatchingLabels) == 0 {
		return
	}
	how := grouping(!m.On)
	switch m.Card {
	case parser.CardOneToOne:
		b.LHS, b.RHS = single(b.LHS, m.MatchingLabels, how), single(b.RHS, m.MatchingLabels, how)
	case parser.CardManyToOne:
		b.LHS, b.RHS = many(b.LHS, m), one(b.RHS, m)
	case parser.CardOneToMany:
		b.LHS, b.RHS = one(b.LHS, m), many(b.RHS, m)
	}
}

func single(e parser.Expr, labels []string, how grouping) parser.Expr {
	if has, known := labelsOf(e); known && fits(has, labels, how) {
		return e
	}
	return highest(e, slices.Clone(labels), how)
}

// fits says whether series with no other labels than those differ in what they are matched by.
func fits(has, labels []string, how grouping) bool {
	return !slices.ContainsFunc(has, func(l string) bool { return slices.Contains(labels, l) == bool(how) })
}

// one is the side of which a series may match several. It may give more labels than those it is
// matched by, so one series is chosen with all that it has.
func one(e parser.Expr, m *parser.VectorMatching) parser.Expr {
	how := grouping(!m.On)
	if has, known := labelsOf(e); known && fits(has, m.MatchingLabels, how) {
		return e
	}
	if len(m.Include) == 0 {
		return highest(e, slices.Clone(m.MatchingLabels), how)
	}
	return &parser.AggregateExpr{Op: parser.TOPK, Param: &parser.NumberLiteral{Val: 1}, Expr: bare(e), Grouping: slices.Clone(m.MatchingLabels), Without: bool(how)}
}

// many is the other side. The labels that it gets from one are not its own any more.
func many(e parser.Expr, m *parser.VectorMatching) parser.Expr {
	var gone []string
	for _, l := range m.Include {
		if m.On || slices.Contains(m.MatchingLabels, l) {
			gone = append(gone, l)
		}
	}
	has, known := labelsOf(e)
	if len(gone) == 0 || known && !slices.ContainsFunc(gone, func(l string) bool { return slices.Contains(has, l) }) {
		return e
	}
	return highest(e, gone, without)
}

// labelsOf are the labels that the series of an expression may have. It is known where aggregations name them
// all; no other expression says which there are.
func labelsOf(e parser.Expr) (labels []string, known bool) {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return labelsOf(e.Expr)
	case *parser.UnaryExpr:
		return labelsOf(e.Expr)
	case *parser.StepInvariantExpr:
		return labelsOf(e.Expr)
	case *parser.AggregateExpr:
		switch {
		case e.Op == parser.TOPK || e.Op == parser.BOTTOMK || e.Op == parser.LIMITK || e.Op == parser.LIMIT_RATIO || e.Op == parser.COUNT_VALUES:
			return nil, false
		case e.Without:
			return nil, false
		}
		return e.Grouping, true
	case *parser.Call:
		return nil, e.Func.Name == "vector"
	case *parser.NumberLiteral:
		return nil, true
	case *parser.BinaryExpr:
		return labelsOfBoth(e)
	}
	return nil, false
}

func labelsOfBoth(e *parser.BinaryExpr) ([]string, bool) {
	l, knownL := labelsOf(e.LHS)
	r, knownR := labelsOf(e.RHS)
	m := e.VectorMatching
	switch {
	case e.LHS.Type() == parser.ValueTypeScalar:
		return r, knownR
	case e.RHS.Type() == parser.ValueTypeScalar:
		return l, knownL
	case e.Op == parser.LOR, m.Card == parser.CardManyToOne, m.Card == parser.CardOneToMany:
		return slices.Concat(l, r), knownL && knownR
	case e.Op.IsSetOperator():
		return l, knownL
	case m.On:
		return m.MatchingLabels, true
	}
	return l, knownL
}
