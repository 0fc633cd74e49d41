package alert

import (
	"errors"
	"fmt"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// Rule is an alerting rule, or a recording rule, in Prometheus' form.
type Rule struct {
	Alert         string            `json:"alert,omitempty"`
	Record        string            `json:"record,omitempty"`
	Expr          string            `json:"expr"`
	For           string            `json:"for,omitempty"`
	KeepFiringFor string            `json:"keep_firing_for,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// Group is rules that are evaluated one after the other.
type Group struct {
	Name     string `json:"name"`
	Interval string `json:"interval,omitempty"`
	Rules    []Rule `json:"rules"`
	// Cluster is whose version of the rules this is; empty for those of every cluster.
	Cluster string `json:"-"`
}

// Name is what the rule is called.
func (r Rule) Name() string {
	if r.Record != "" {
		return r.Record
	}
	return r.Alert
}

// identity is what makes the rule another one than those beside it.
func (r Rule) identity() string { return fmt.Sprintf("%q %q %q", r.Name(), r.Expr, r.Labels) }

// problem is what is wrong with the group itself; empty if nothing is.
func (g Group) problem() string {
	if _, err := model.ParseDuration(g.Interval); g.Interval != "" && err != nil {
		return fmt.Sprintf("interval is %q, expected a duration such as 1m", g.Interval)
	}
	return ""
}

func twice() Problem {
	return Problem{Message: "the group has a rule with this name, expression and labels already: the first one counts"}
}

// Problem is why a rule, or a part of an object with rules, cannot be used as it is written.
type Problem struct {
	// Object, Key and Rule say where: "ConfigMap kof/x", the key of its data or the group of a
	// PrometheusRule, and the name of the rule. What is not known is empty.
	Object string `json:"object"`
	Key    string `json:"key,omitempty"`
	Rule   string `json:"rule,omitempty"`
	// Position is line:column in the expression; empty where it is not about the expression.
	Position string `json:"position,omitempty"`
	// Line is where the rule is in the text of the key; 0 where that was not looked for.
	Line int `json:"line,omitempty"`
	// Message is a sentence for the author of the rule.
	Message string `json:"message"`
}

// String is the problem on one line.
func (p Problem) String() string {
	out := p.Object
	for _, part := range []struct{ word, text string }{{"key", p.Key}, {"rule", p.Rule}, {"position", p.Position}} {
		if part.text != "" {
			out += ", " + part.word + " " + part.text
		}
	}
	return out + ": " + p.Message
}

// grammar is PromQL without experiments: what vmalert, Prometheus and promxy all understand.
func grammar() parser.Parser { return parser.NewParser(parser.Options{}) }

// problem is what is wrong with the rule; empty if nothing is.
func (r Rule) problem() (p Problem, bad bool) {
	full, err := r.form()
	if err != nil {
		return Problem{Message: err.Error()}, true
	}
	for _, wrong := range full.Validate(rulefmt.RuleNode{}, model.LegacyValidation, grammar()) {
		return describe(&wrong), true
	}
	return Problem{}, false
}

// form is the rule in the types of Prometheus' own check.
func (r Rule) form() (rulefmt.Rule, error) {
	out := rulefmt.Rule{Record: r.Record, Alert: r.Alert, Expr: r.Expr, Labels: r.Labels, Annotations: r.Annotations}
	for _, d := range []struct {
		field, text string
		into        *model.Duration
	}{{"for", r.For, &out.For}, {"keep_firing_for", r.KeepFiringFor, &out.KeepFiringFor}} {
		if d.text == "" {
			continue
		}
		parsed, err := model.ParseDuration(d.text)
		if err != nil {
			return out, fmt.Errorf("%s is %q, expected a duration such as 5m", d.field, d.text)
		}
		*d.into = parsed
	}
	return out, nil
}

func describe(err error) Problem {
	var wrongs parser.ParseErrors
	if errors.As(err, &wrongs) && len(wrongs) > 0 {
		first := wrongs[0]
		return Problem{Position: first.PositionRange.StartPosInput(first.Query, 0), Message: "the expression does not parse: " + first.Err.Error()}
	}
	var wrapped *rulefmt.WrappedError
	if errors.As(err, &wrapped) && wrapped.Unwrap() != nil {
		return Problem{Message: wrapped.Unwrap().Error()}
	}
	return Problem{Message: err.Error()}
}
