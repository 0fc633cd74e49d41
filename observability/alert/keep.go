package alert

import (
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
)

// kept are the labels that an aggregation should not lose.
var kept = []string{ClusterLabel, TenantLabel}

// Keep returns the expression with aggregations and matchings that keep the labels "cluster" and
// "tenant". An aggregation that names the tenant and not the cluster is meant over a tenant's
// clusters, and so is one without the cluster: those keep the tenant alone.
//
// The text stays as it is, and ok is false, where the labels cannot be kept without another
// meaning: when something that has them is matched with something that has not.
func Keep(expr string) (out string, ok bool, _ error) {
	tree, err := grammar().ParseExpr(expr)
	if err != nil {
		return "", false, fmt.Errorf("%w: the expression does not parse: %w", fleet.ErrInvalid, err)
	}
	before := tree.String()
	k := &keeper{}
	k.walk(tree)
	if k.lost {
		return expr, false, nil
	}
	if tree.String() == before {
		return expr, true, nil
	}
	return tree.String(), true, nil
}

// carried says which of the labels the series of an expression have: as it was written, and with
// what was added to it.
type carried struct{ was, now map[string]bool }

func none() carried { return carried{map[string]bool{}, map[string]bool{}} }

func both() carried {
	c := none()
	for _, l := range kept {
		c.was[l], c.now[l] = true, true
	}
	return c
}

// grown says whether the label is there only since it is kept.
func (c carried) grown(label string) bool { return c.was[label] != c.now[label] }

type keeper struct{ lost bool }

func (k *keeper) walk(e parser.Expr) carried {
	switch e := e.(type) {
	case *parser.VectorSelector:
		return both()
	case *parser.MatrixSelector:
		return both()
	case *parser.SubqueryExpr:
		return k.walk(e.Expr)
	case *parser.ParenExpr:
		return k.walk(e.Expr)
	case *parser.UnaryExpr:
		return k.walk(e.Expr)
	case *parser.StepInvariantExpr:
		return k.walk(e.Expr)
	case *parser.AggregateExpr:
		return k.aggregation(e)
	case *parser.Call:
		return k.call(e)
	case *parser.BinaryExpr:
		return k.binary(e)
	}
	return none()
}

// aggregation adds what the inner series have. The parameter of an aggregation is one number for
// all: it stays.
func (k *keeper) aggregation(e *parser.AggregateExpr) carried {
	inner := k.walk(e.Expr)
	if e.Op == parser.TOPK || e.Op == parser.BOTTOMK {
		return inner // their series keep all labels
	}
	named := func(l string) bool { return slices.Contains(e.Grouping, l) }
	out := none()
	for _, l := range kept {
		out.was[l] = inner.was[l] && named(l) != e.Without
	}
	acrossClusters := (named(TenantLabel) && !named(ClusterLabel) && !e.Without) || (e.Without && named(ClusterLabel))
	grouping := slices.Clone(e.Grouping)
	for _, l := range kept {
		switch wanted := inner.now[l] && !(l == ClusterLabel && acrossClusters); {
		case wanted && e.Without:
			grouping = slices.DeleteFunc(grouping, func(g string) bool { return g == l })
		case wanted && !named(l):
			grouping = append(grouping, l)
		}
	}
	e.Grouping = grouping
	for _, l := range kept {
		out.now[l] = inner.now[l] && slices.Contains(grouping, l) != e.Without
	}
	return out
}

// call is about functions. What has no labels of its argument, or needs exactly one series, stays
// as it is written.
func (k *keeper) call(e *parser.Call) carried {
	switch e.Func.Name {
	case "scalar", "absent", "absent_over_time", "vector":
		return none()
	}
	out := none()
	for _, arg := range e.Args {
		if t := arg.Type(); t != parser.ValueTypeVector && t != parser.ValueTypeMatrix {
			continue
		}
		from := k.walk(arg)
		for _, l := range kept {
			out.was[l], out.now[l] = out.was[l] || from.was[l], out.now[l] || from.now[l]
		}
	}
	if e.Func.Name == "label_replace" || e.Func.Name == "label_join" {
		if to, ok := e.Args[1].(*parser.StringLiteral); ok && slices.Contains(kept, to.Val) {
			out.was[to.Val], out.now[to.Val] = true, true
		}
	}
	return out
}

func (k *keeper) binary(e *parser.BinaryExpr) carried {
	l, r := k.walk(e.LHS), k.walk(e.RHS)
	switch {
	case e.LHS.Type() == parser.ValueTypeScalar:
		return r
	case e.RHS.Type() == parser.ValueTypeScalar:
		return l
	}
	m := e.VectorMatching
	was := matched(m, l.was, r.was)
	for _, label := range kept {
		k.match(m, label, l, r)
	}
	return carried{was, matched(m, l.now, r.now)}
}

// match has the two sides of an operation matched by the label as well, if both have it.
func (k *keeper) match(m *parser.VectorMatching, label string, l, r carried) {
	if !l.grown(label) && !r.grown(label) && !(m.On && l.now[label] && r.now[label]) {
		return // as it was written
	}
	named := slices.Contains(m.MatchingLabels, label)
	same := l.now[label] == r.now[label]
	switch {
	case m.On && named, same && !m.On && !named:
	case m.On && same:
		m.MatchingLabels = append(slices.Clone(m.MatchingLabels), label)
	case m.On && m.Card == parser.CardManyToMany:
	case m.On && m.Card == parser.CardManyToOne && l.now[label]:
	case m.On && m.Card == parser.CardOneToMany && r.now[label]:
	default:
		k.lost = true
	}
}

// matched says which labels the result of an operation has.
func matched(m *parser.VectorMatching, l, r map[string]bool) map[string]bool {
	out := map[string]bool{}
	for _, label := range kept {
		named, included := slices.Contains(m.MatchingLabels, label), slices.Contains(m.Include, label)
		switch m.Card {
		case parser.CardOneToOne:
			out[label] = l[label] && named == m.On
		case parser.CardManyToOne:
			out[label] = l[label] || included && r[label]
		case parser.CardOneToMany:
			out[label] = r[label] || included && l[label]
		default:
			out[label] = l[label]
		}
	}
	return out
}
