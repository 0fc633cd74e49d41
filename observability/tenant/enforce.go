package tenant

import (
	"fmt"
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// Enforce returns a copy of the expression in which every selector sees the scope's series alone.
// The expression itself is not touched. Everybody's scope gets a plain copy. The error is of kind
// fleet.ErrInvalid.
func Enforce(in store.Scope, expr parser.Expr) (parser.Expr, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	return Copy(expr, func(s *parser.VectorSelector) { s.LabelMatchers = Matchers(in, s.LabelMatchers) })
}

// Matchers returns what a selector has to match in the scope: its own matchers, and the tenant's.
// It panics for the scope that is nobody's, which Scope.Check refuses before: no selector is a
// better answer to that mistake than one without a tenant.
func Matchers(in store.Scope, of []*labels.Matcher) []*labels.Matcher {
	switch {
	case in.All():
		return slices.Clone(of)
	case in.Check() != nil:
		panic("a selector without a scope")
	}
	// One that is there already is not added again: a question passes here once for each layer.
	own := labels.MustNewMatcher(labels.MatchEqual, store.TenantLabel, string(in.Tenant()))
	if slices.ContainsFunc(of, func(m *labels.Matcher) bool {
		return m.Name == own.Name && m.Type == own.Type && m.Value == own.Value
	}) {
		return slices.Clone(of)
	}
	return append(slices.Clone(of), own)
}

// Selectors does for the selectors of a question about series, labels and metadata what Enforce
// does for expressions. Where there is none, which means all series, one tenant gets a selector
// of its own series.
func Selectors(in store.Scope, of [][]*labels.Matcher) ([][]*labels.Matcher, error) {
	if err := in.Check(); err != nil {
		return nil, err
	}
	if len(of) == 0 && !in.All() {
		return [][]*labels.Matcher{Matchers(in, nil)}, nil
	}
	out := make([][]*labels.Matcher, 0, len(of))
	for _, s := range of {
		out = append(out, Matchers(in, s))
	}
	return out, nil
}

// Sees says whether a series is one of the scope's.
func Sees(in store.Scope, series labels.Labels) bool {
	return in.All() || in.Tenant() != "" && series.Get(store.TenantLabel) == string(in.Tenant())
}

// Copy returns a copy of the expression that shares nothing with it that either may change, after
// each of its selectors was edited. It refuses what it does not know, of kind fleet.ErrInvalid:
// a node that is not understood may hide a selector.
func Copy(expr parser.Expr, edit func(*parser.VectorSelector)) (parser.Expr, error) {
	c := copier{edit: edit}
	out := c.expr(expr)
	return out, c.err
}

type copier struct {
	edit func(*parser.VectorSelector)
	err  error
}

func (c *copier) expr(e parser.Expr) parser.Expr {
	switch e := e.(type) {
	case *parser.VectorSelector:
		return c.selector(e)
	case *parser.MatrixSelector:
		out := *e
		out.VectorSelector = c.expr(e.VectorSelector)
		return &out
	case *parser.SubqueryExpr:
		out := *e
		out.Expr = c.expr(e.Expr)
		return &out
	case *parser.AggregateExpr:
		out := *e
		out.Expr = c.expr(e.Expr)
		if e.Param != nil {
			out.Param = c.expr(e.Param)
		}
		return &out
	case *parser.BinaryExpr:
		out := *e
		out.LHS, out.RHS = c.expr(e.LHS), c.expr(e.RHS)
		return &out
	case *parser.Call:
		return c.call(e)
	case *parser.ParenExpr:
		out := *e
		out.Expr = c.expr(e.Expr)
		return &out
	case *parser.UnaryExpr:
		out := *e
		out.Expr = c.expr(e.Expr)
		return &out
	case *parser.StepInvariantExpr:
		return c.expr(e.Expr)
	case *parser.NumberLiteral:
		out := *e
		return &out
	case *parser.StringLiteral:
		out := *e
		return &out
	case *parser.DurationExpr:
		// Durations hold numbers alone, and nobody edits them.
		return e
	}
	c.refuse(fmt.Errorf("%w: the expression has a part of a kind that is not known here (%T)", fleet.ErrInvalid, e))
	return e
}

func (c *copier) selector(s *parser.VectorSelector) parser.Expr {
	out := *s
	out.LabelMatchers = slices.Clone(s.LabelMatchers)
	out.UnexpandedSeriesSet, out.Series = nil, nil
	c.edit(&out)
	return &out
}

// call copies a call of a function. info() is refused: it joins series that it finds by itself,
// and its second argument is no selector of series but says which labels to take from them.
func (c *copier) call(e *parser.Call) parser.Expr {
	if e.Func.Name == "info" {
		c.refuse(fmt.Errorf("%w: info() reads series that no selector names; write `metric * on (job, instance) group_left (label) target_info` instead", fleet.ErrInvalid))
		return e
	}
	out := *e
	out.Args = make(parser.Expressions, 0, len(e.Args))
	for _, arg := range e.Args {
		out.Args = append(out.Args, c.expr(arg))
	}
	return &out
}

// refuse keeps the first reason.
func (c *copier) refuse(err error) {
	if c.err == nil {
		c.err = err
	}
}
