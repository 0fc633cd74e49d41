package victoria

import (
	"math"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/observability/store"
)

// defaultRollup is what VictoriaMetrics does with a selector without a range: the last sample
// counts, unless it marks the end of the series.
var defaultRollup = &parser.Function{
	Name: "default_rollup", ArgTypes: []parser.ValueType{parser.ValueTypeMatrix}, ReturnType: parser.ValueTypeVector,
}

// asMetricsQL writes a PromQL expression so that VictoriaMetrics computes what Prometheus would.
// Without a range of its own, a selector looks back there for as long as samples are usually
// apart, and the step at least; with one of five minutes, it looks back for five minutes.
//
// The expression is the caller's to change, since Enforce has copied it.
func asMetricsQL(expr parser.Expr) string {
	return rewritten(expr).String()
}

func rewritten(e parser.Expr) parser.Expr {
	switch e := e.(type) {
	case *parser.VectorSelector:
		return &parser.Call{Func: defaultRollup, Args: parser.Expressions{
			&parser.MatrixSelector{VectorSelector: e, Range: lookback},
		}}
	case *parser.SubqueryExpr:
		e.Expr = rewritten(e.Expr)
	case *parser.AggregateExpr:
		e.Expr = rewritten(e.Expr)
		if e.Param != nil {
			e.Param = rewritten(e.Param)
		}
	case *parser.BinaryExpr:
		e.LHS, e.RHS = rewritten(e.LHS), rewritten(e.RHS)
	case *parser.ParenExpr:
		e.Expr = rewritten(e.Expr)
	case *parser.UnaryExpr:
		e.Expr = rewritten(e.Expr)
	case *parser.Call:
		// absent() takes its labels from its selector, and timestamp() the time of its sample.
		if e.Func.Name != "absent" && e.Func.Name != "timestamp" {
			for i, arg := range e.Args {
				e.Args[i] = rewritten(arg)
			}
		}
	}
	return e
}

// kept is the label in which the name of a metric goes through VictoriaMetrics' topk, which drops it.
const kept = "portico_name"

// asLabel puts the names of metrics into a label where the whole expression is the greatest or
// the least of something that has names; named puts them back. The expression is the caller's to
// change.
func asLabel(e parser.Expr) (changed bool) {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return asLabel(e.Expr)
	case *parser.AggregateExpr:
		if e.Op != parser.TOPK && e.Op != parser.BOTTOMK || dropsName(e.Expr) {
			return false
		}
		text := func(s string) parser.Expr { return &parser.StringLiteral{Val: s} }
		e.Expr = &parser.Call{Func: parser.Functions["label_replace"], Args: parser.Expressions{
			e.Expr, text(kept), text("$1"), text(model.MetricNameLabel), text("(.*)"),
		}}
		if e.Without {
			e.Grouping = append(slices.Clone(e.Grouping), kept)
		}
		return true
	}
	return false
}

func named(series []store.Series) {
	for i, s := range series {
		name := s.Labels.Get(kept)
		series[i].Labels = labels.NewBuilder(s.Labels).Set(model.MetricNameLabel, name).Del(kept).Labels()
	}
}

// keepsName are the functions whose results carry the name of the metric in Prometheus.
var keepsName = []string{"last_over_time", "first_over_time", "label_replace", "label_join", "sort", "sort_desc", "sort_by_label", "sort_by_label_desc"}

// dropsName says whether Prometheus drops the names of the metrics from the results of the
// expression. VictoriaMetrics keeps them after functions like max_over_time and round.
func dropsName(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return dropsName(e.Expr)
	case *parser.Call:
		if !slices.Contains(keepsName, e.Func.Name) {
			return true
		}
		// Of those that relabel, a name that the expression itself writes stays.
		return e.Func.Name != "label_replace" && e.Func.Name != "label_join" && len(e.Args) > 0 && dropsName(e.Args[0])
	case *parser.AggregateExpr:
		return (e.Op == parser.TOPK || e.Op == parser.BOTTOMK) && dropsName(e.Expr)
	case *parser.BinaryExpr:
		return !e.Op.IsSetOperator() && (!e.Op.IsComparisonOperator() || e.ReturnBool)
	}
	return false
}

func withoutName(series []store.Series) {
	for i, s := range series {
		if s.Labels.Has(model.MetricNameLabel) {
			series[i].Labels = labels.NewBuilder(s.Labels).Del(model.MetricNameLabel).Labels()
		}
	}
}

// ended turns what an export has for "not a number" into the mark of a series' end. An export
// does not tell the two apart; the mark is what is written in practice.
func ended(series []store.Series) []store.Series {
	for _, s := range series {
		for i, sample := range s.Samples {
			if math.IsNaN(sample.Value) {
				s.Samples[i].Value = math.Float64frombits(value.StaleNaN)
			}
		}
	}
	slices.SortFunc(series, func(a, b store.Series) int { return labels.Compare(a.Labels, b.Labels) })
	return series
}
