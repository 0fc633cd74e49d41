package query

import (
	"slices"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// partLabel is how the rest of an expression names what the regions compute. Questions that use
// it are refused.
const partLabel = "__portico_part__"

// plan is an expression in two: the parts, which each region computes over its own series, and
// the rest, in which a selector stands for each part's answers from all regions.
type plan struct {
	rest  parser.Expr
	parts []parser.Expr
}

// alone says whether the regions' answers, side by side, are the whole answer.
func alone(p plan) bool {
	_, selector := p.rest.(*parser.VectorSelector)
	return selector && len(p.parts) == 1
}

// planner splits expressions. Apart are the labels that every region has with values of its own,
// so that no two regions' series are equal in them. Without any, nothing is split: a series that
// is kept in two regions would count twice.
type planner struct {
	apart []string
	parts []parser.Expr
	texts []string
}

// split makes a plan for an expression, which it may change.
func split(expr parser.Expr, apart []string) plan {
	p := planner{apart: apart}
	if len(apart) == 0 {
		return plan{rest: expr}
	}
	rest := p.rewrite(expr)
	return plan{rest: rest, parts: p.parts}
}

// part lets the regions compute an expression, and returns the selector that stands for it.
func (p *planner) part(e parser.Expr) parser.Expr {
	text := e.String()
	n := slices.Index(p.texts, text)
	if n < 0 {
		n = len(p.parts)
		p.parts, p.texts = append(p.parts, e), append(p.texts, text)
	}
	return &parser.VectorSelector{LabelMatchers: []*labels.Matcher{
		labels.MustNewMatcher(labels.MatchEqual, partLabel, strconv.Itoa(n)),
	}}
}

func (p *planner) rewrite(e parser.Expr) parser.Expr {
	if e.Type() == parser.ValueTypeVector && p.regional(e) {
		return p.part(e)
	}
	switch e := e.(type) {
	case *parser.ParenExpr:
		e.Expr = p.rewrite(e.Expr)
	case *parser.UnaryExpr:
		e.Expr = p.rewrite(e.Expr)
	case *parser.BinaryExpr:
		e.LHS, e.RHS = p.rewrite(e.LHS), p.rewrite(e.RHS)
	case *parser.AggregateExpr:
		return p.aggregate(e)
	case *parser.Call:
		// absent() makes labels out of its selector, and must not meet one of ours.
		if e.Func.Name == "absent" && p.regional(e.Args[0]) {
			return e
		}
		for i, arg := range e.Args {
			e.Args[i] = p.rewrite(arg)
		}
	}
	// A range is evaluated on a grid of its own, on which the regions are not asked: it is as it was.
	return e
}

// outer is what the answers of the regions to an aggregation are aggregated with.
var outer = map[parser.ItemType]parser.ItemType{
	parser.SUM: parser.SUM, parser.COUNT: parser.SUM, parser.MIN: parser.MIN, parser.MAX: parser.MAX,
	parser.GROUP: parser.GROUP, parser.TOPK: parser.TOPK, parser.BOTTOMK: parser.BOTTOMK,
}

// aggregate splits an aggregation over all regions: each aggregates its own, and the results are
// aggregated once more. An average is the quotient of a sum and a count.
func (p *planner) aggregate(e *parser.AggregateExpr) parser.Expr {
	if p.regional(e.Expr) && (e.Param == nil || free(e.Param)) {
		if op, ok := outer[e.Op]; ok {
			inner, whole := *e, *e
			whole.Op, whole.Expr = op, p.part(&inner)
			return &whole
		}
		if e.Op == parser.AVG {
			sum, count := *e, *e
			sum.Op, count.Op = parser.SUM, parser.COUNT
			return &parser.ParenExpr{Expr: &parser.BinaryExpr{
				Op: parser.DIV, LHS: p.aggregate(&sum), RHS: p.aggregate(&count),
				VectorMatching: &parser.VectorMatching{Card: parser.CardOneToOne},
			}}
		}
	}
	e.Expr = p.rewrite(e.Expr)
	if e.Param != nil {
		e.Param = p.rewrite(e.Param)
	}
	return e
}

// regional says whether an expression over all series gives the results of each region side by
// side, each with the labels that keep the regions apart.
func (p *planner) regional(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.VectorSelector, *parser.MatrixSelector:
		return true
	case *parser.SubqueryExpr:
		return p.regional(e.Expr)
	case *parser.ParenExpr:
		return p.regional(e.Expr)
	case *parser.UnaryExpr:
		return p.regional(e.Expr)
	case *parser.AggregateExpr:
		return p.regionalAggregate(e)
	case *parser.BinaryExpr:
		return p.regionalBinary(e)
	case *parser.Call:
		return p.regionalCall(e)
	}
	return false
}

// An aggregation that groups by all of the labels has no group with series of two regions.
func (p *planner) regionalAggregate(e *parser.AggregateExpr) bool {
	switch {
	case e.Op == parser.LIMITK || e.Op == parser.LIMIT_RATIO:
		// They choose by the order or the hash of series, which a region sees without its labels.
		return false
	case e.Param != nil && e.Op == parser.COUNT_VALUES && p.separates(text(e.Param)):
		return false
	case e.Param != nil && !free(e.Param), !p.regional(e.Expr):
		return false
	case e.Without:
		return !slices.ContainsFunc(e.Grouping, p.separates)
	}
	return p.allIn(e.Grouping)
}

// An operation on two vectors that matches on all of the labels matches within a region.
func (p *planner) regionalBinary(e *parser.BinaryExpr) bool {
	m := e.VectorMatching
	switch {
	case free(e.LHS):
		return e.LHS.Type() == parser.ValueTypeScalar && p.regional(e.RHS)
	case free(e.RHS):
		return e.RHS.Type() == parser.ValueTypeScalar && p.regional(e.LHS)
	case m == nil, !p.regional(e.LHS), !p.regional(e.RHS):
		return false
	case m.FillValues.LHS != nil, m.FillValues.RHS != nil, slices.ContainsFunc(m.Include, p.separates):
		return false
	case m.On:
		return p.allIn(m.MatchingLabels)
	}
	return !slices.ContainsFunc(m.MatchingLabels, p.separates)
}

// eachSeries are the functions whose result for a series depends on that series alone, or on
// series that are equal but for "le". Their other arguments are numbers.
var eachSeries = []string{
	"abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "avg_over_time", "ceil", "changes", "clamp", "clamp_max", "clamp_min",
	"cos", "cosh", "count_over_time", "day_of_month", "day_of_week", "day_of_year", "days_in_month", "deg", "delta", "deriv", "exp", "floor",
	"histogram_quantile", "hour", "idelta", "increase", "irate", "last_over_time", "ln", "log10", "log2", "max_over_time", "min_over_time",
	"minute", "month", "predict_linear", "present_over_time", "quantile_over_time", "rad", "rate", "resets", "round", "sgn", "sin", "sinh",
	"sqrt", "stddev_over_time", "stdvar_over_time", "sum_over_time", "tan", "tanh", "timestamp", "year",
}

func (p *planner) regionalCall(e *parser.Call) bool {
	switch e.Func.Name {
	case "label_replace":
		// Arguments: the vector, the label to write, the new value, the label to read, a pattern.
		return len(e.Args) == 5 && p.regional(e.Args[0]) && !p.separates(text(e.Args[1])) && !p.separates(text(e.Args[3]))
	case "label_join":
		// Arguments: the vector, the label to write, a separator, the labels to read.
		return len(e.Args) >= 3 && p.regional(e.Args[0]) && !slices.ContainsFunc(e.Args[1:], func(a parser.Expr) bool { return p.separates(text(a)) })
	}
	if !slices.Contains(eachSeries, e.Func.Name) {
		return false
	}
	regional := 0
	for _, arg := range e.Args {
		switch t := arg.Type(); {
		case t == parser.ValueTypeVector || t == parser.ValueTypeMatrix:
			if !p.regional(arg) {
				return false
			}
			regional++
		case !free(arg):
			return false
		}
	}
	return regional == 1
}

func (p *planner) separates(label string) bool { return slices.Contains(p.apart, label) }

func (p *planner) allIn(list []string) bool {
	return !slices.ContainsFunc(p.apart, func(label string) bool { return !slices.Contains(list, label) })
}

// free says whether an expression is the same in all regions: it reads no series.
func free(e parser.Expr) bool { return len(parser.ExtractSelectors(e)) == 0 }

// text is the value of a string in an expression; empty for what is none.
func text(e parser.Expr) string {
	switch e := e.(type) {
	case *parser.StringLiteral:
		return e.Val
	case *parser.ParenExpr:
		return text(e.Expr)
	}
	return ""
}
