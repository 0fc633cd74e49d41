package ruletest

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/template"

	"portico.dev/portico/observability/alert"
)

// Input is what rules are evaluated against.
type Input struct {
	Groups []alert.Group
	// Series are in promtool's notation: `up{a="b"}` and "1x5 0x10", a sample each Step from 0.
	Series map[string]string
	Step   time.Duration
	// Until is the last time at which the rules are evaluated. They are every Step.
	Until time.Duration
}

// Firing is an alert at a time.
type Firing struct {
	At          time.Duration
	Name        string
	Labels      map[string]string
	Annotations map[string]string
}

// Result is what came of it.
type Result struct {
	Firings []Firing
	store   *memory
	engine  *promql.Engine
}

// Run evaluates the groups, in their order, at every step.
func Run(ctx context.Context, in Input) (Result, error) {
	store, err := load(in.Series, in.Step)
	if err != nil {
		return Result{}, err
	}
	out := Result{store: store, engine: promql.NewEngine(promql.EngineOpts{
		MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, EnableAtModifier: true, EnableNegativeOffset: true,
		Parser: parser.NewParser(parser.Options{}),
	})}
	states := map[string]*state{}
	for at := time.Duration(0); at <= in.Until; at += in.Step {
		for _, g := range in.Groups {
			for i, r := range g.Rules {
				key := fmt.Sprint(g.Cluster, "/", g.Name, "/", i)
				if states[key] == nil {
					states[key] = &state{since: map[string]time.Duration{}}
				}
				if err := out.evaluate(ctx, r, at, states[key]); err != nil {
					return out, fmt.Errorf("evaluating %s of group %s at %s: %w", r.Name(), g.Name, at, err)
				}
			}
		}
	}
	return out, nil
}

// Query evaluates one expression on what was given, and on what the rules wrote.
func (r Result) Query(ctx context.Context, expr string, at time.Duration) (promql.Vector, error) {
	q, err := r.engine.NewInstantQuery(ctx, r.store, nil, expr, time.UnixMilli(at.Milliseconds()))
	if err != nil {
		return nil, err
	}
	defer q.Close()
	res := q.Exec(ctx)
	if res.Err != nil {
		return nil, res.Err
	}
	if s, ok := res.Value.(promql.Scalar); ok {
		return promql.Vector{{T: s.T, F: s.V}}, nil
	}
	return res.Vector()
}

// state is what a rule remembers: since when its series are there.
type state struct{ since map[string]time.Duration }

func (r *Result) evaluate(ctx context.Context, rule alert.Rule, at time.Duration, s *state) error {
	vector, err := r.Query(ctx, rule.Expr, at)
	if err != nil {
		return err
	}
	if rule.Record != "" {
		for _, sm := range vector {
			lbls := labels.NewBuilder(sm.Metric).Set(model.MetricNameLabel, rule.Record)
			for k, v := range rule.Labels {
				lbls.Set(k, v)
			}
			r.store.add(lbls.Labels(), sample{at.Milliseconds(), sm.F})
		}
		return nil
	}
	wait, err := model.ParseDuration(orZero(rule.For))
	if err != nil {
		return fmt.Errorf("for: %w", err)
	}
	seen := map[string]bool{}
	for _, sm := range vector {
		f, err := firing(ctx, rule, sm, at)
		if err != nil {
			return err
		}
		key := labels.FromMap(f.Labels).String()
		if seen[key] {
			return fmt.Errorf("two series have the labels %s", key)
		}
		seen[key] = true
		if _, ok := s.since[key]; !ok {
			s.since[key] = at
		}
		if at-s.since[key] >= time.Duration(wait) {
			r.Firings = append(r.Firings, f)
		}
	}
	for key := range s.since {
		if !seen[key] {
			delete(s.since, key)
		}
	}
	return nil
}

func orZero(d string) string {
	if d == "" {
		return "0s"
	}
	return d
}

// firing writes labels and annotations out as Prometheus does.
func firing(ctx context.Context, rule alert.Rule, sm promql.Sample, at time.Duration) (Firing, error) {
	series := sm.Metric.Map()
	delete(series, model.MetricNameLabel)
	f := Firing{At: at, Name: rule.Alert, Labels: map[string]string{labels.AlertName: rule.Alert}, Annotations: map[string]string{}}
	for k, v := range series {
		f.Labels[k] = v
	}
	data := template.AlertTemplateData(series, nil, "", sm)
	expand := func(into, from map[string]string) error {
		for k, text := range from {
			const heads = "{{$labels := .Labels}}{{$value := .Value}}"
			said, err := template.NewTemplateExpander(ctx, heads+text, rule.Alert, data, model.Time(at.Milliseconds()), nil, nil, nil).Expand()
			if err != nil {
				return fmt.Errorf("%s: %w", k, err)
			}
			into[k] = said
		}
		return nil
	}
	if err := expand(f.Labels, rule.Labels); err != nil {
		return f, err
	}
	return f, expand(f.Annotations, rule.Annotations)
}
