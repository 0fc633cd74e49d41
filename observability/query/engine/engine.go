package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// Lookback is for how long a sample counts as the current one, as in Prometheus.
const Lookback = 5 * time.Minute

// Steps is how many points of time a question may have at most, as in Prometheus.
const Steps = 11_000

// subqueryStep is the step of subqueries that name none: Prometheus' own evaluation interval.
const subqueryStep = time.Minute

// longest is how many bytes the text of a question may have, all of its selectors together: the parser
// takes time that grows with the square of the depth, and cannot be stopped. VictoriaMetrics has the same bound.
const longest = 16 << 10

// Parser reads PromQL as it is evaluated here: with the functions that Prometheus calls experimental.
func Parser() parser.Parser {
	return parser.NewParser(parser.Options{EnableExperimentalFunctions: true})
}

// Parse reads an expression. The error is of kind fleet.ErrInvalid.
func Parse(text string) (parser.Expr, error) {
	if err := checkLength(len(text)); err != nil {
		return nil, err
	}
	expr, err := Parser().ParseExpr(text)
	if err != nil {
		return nil, fmt.Errorf("%w: the expression does not parse: %w", fleet.ErrInvalid, err)
	}
	return expr, nil
}

// ParseSelectors reads selectors of series. The error is of kind fleet.ErrInvalid.
func ParseSelectors(texts []string) ([][]*labels.Matcher, error) {
	length := 0
	for _, text := range texts {
		length += len(text)
	}
	if err := checkLength(length); err != nil {
		return nil, err
	}
	out := make([][]*labels.Matcher, 0, len(texts))
	for _, text := range texts {
		matchers, err := Parser().ParseMetricSelector(text)
		if err != nil {
			return nil, fmt.Errorf("%w: the selector %q does not parse: %w", fleet.ErrInvalid, text, err)
		}
		out = append(out, matchers)
	}
	return out, nil
}

func checkLength(bytes int) error {
	if bytes > longest {
		return fmt.Errorf("%w: the expression has %d bytes, expected at most %d: ask in several questions", fleet.ErrInvalid, bytes, longest)
	}
	return nil
}

// CheckRange refuses a range that cannot be evaluated, of kind fleet.ErrInvalid.
func CheckRange(on store.Range) error {
	switch {
	case on.End.Before(on.Start):
		return fmt.Errorf("%w: the range ends before it starts", fleet.ErrInvalid)
	case on.Step < 0, on.Step == 0 && !on.End.Equal(on.Start):
		return fmt.Errorf("%w: the step of a range has to be more than 0", fleet.ErrInvalid)
	case on.Step > 0 && on.Step < time.Millisecond:
		return fmt.Errorf("%w: the step of a range has to be at least 1ms", fleet.ErrInvalid)
	case on.Step > 0 && on.End.Sub(on.Start)/on.Step >= Steps:
		return fmt.Errorf("%w: the range has more than %d points; make the step longer or the range shorter", store.ErrTooMuch, Steps)
	}
	return nil
}

// Source reads series with raw samples between two times in milliseconds, both of which count.
// Select is called for all selectors of a question before any answer is waited for: what it
// returns is asked for the series later.
type Source interface {
	Select(ctx context.Context, matchers []*labels.Matcher, start, end int64) Pending
}

// Pending is an answer that may still be on its way. It may be called more than once.
type Pending func() (store.Answer, error)

// Question is what to evaluate.
type Question struct {
	Expr    parser.Expr
	On      store.Range
	Samples int
	Timeout time.Duration
}

// Evaluate computes the question. Of an instant, samples carry the time of the question; an
// expression that is a range of samples has the samples as they are. It does not call the source
// after it has returned.
func Evaluate(ctx context.Context, from Source, q Question) (store.Answer, error) {
	if err := CheckRange(q.On); err != nil {
		return store.Answer{}, err
	}
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples:               q.Samples,
		Timeout:                  q.Timeout,
		LookbackDelta:            Lookback,
		NoStepSubqueryIntervalFn: func(int64) int64 { return subqueryStep.Milliseconds() },
		EnableAtModifier:         true,
		EnableNegativeOffset:     true,
		Parser:                   Parser(),
	})
	query, err := prepare(ctx, engine, queryable{from}, q)
	if err != nil {
		return store.Answer{}, fmt.Errorf("%w: %w", fleet.ErrInvalid, err)
	}
	defer query.Close()
	result := query.Exec(ctx)
	if result.Err != nil {
		return store.Answer{}, explain(result.Err, q)
	}
	out, err := answer(result.Value)
	for _, w := range result.Warnings {
		out.Warnings = append(out.Warnings, w.Error())
	}
	return out, err
}

func prepare(ctx context.Context, engine *promql.Engine, from storage.Queryable, q Question) (promql.Query, error) {
	if q.On.Step == 0 {
		return engine.NewInstantQuery(ctx, from, nil, q.Expr.String(), q.On.Start)
	}
	return engine.NewRangeQuery(ctx, from, nil, q.Expr.String(), q.On.Start, q.On.End, q.On.Step)
}

// explain says for the asker what the engine's errors mean: the source's own errors go as they
// are, limits say which limit, and the rest is a mistake in the question.
func explain(err error, q Question) error {
	var fromSource sourceError
	var canceled promql.ErrQueryCanceled
	var timeout promql.ErrQueryTimeout
	var samples promql.ErrTooManySamples
	switch {
	case errors.As(err, &fromSource) && !errors.Is(err, context.DeadlineExceeded):
		return fromSource.error
	case errors.As(err, &samples):
		return fmt.Errorf("%w: it needs more than %d samples in memory; ask for fewer series, a shorter range or a longer step", store.ErrTooMuch, q.Samples)
	case errors.As(err, &timeout), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: it took longer than %s; ask for fewer series, a shorter range or a longer step", store.ErrTooMuch, q.Timeout)
	case errors.As(err, &canceled), errors.Is(err, context.Canceled):
		return context.Canceled
	}
	return fmt.Errorf("%w: %w", fleet.ErrInvalid, err)
}

// answer copies the engine's value, which the engine takes back when the query is closed.
func answer(v parser.Value) (store.Answer, error) {
	var out store.Answer
	switch v := v.(type) {
	case promql.Vector:
		for _, s := range v {
			if s.H == nil {
				out.Series = append(out.Series, store.Series{Labels: s.Metric, Samples: []store.Sample{{At: s.T, Value: s.F}}})
			}
		}
	case promql.Scalar:
		out.Series = []store.Series{{Samples: []store.Sample{{At: v.T, Value: v.V}}}}
	case promql.Matrix:
		for _, s := range v {
			samples := make([]store.Sample, len(s.Floats))
			for i, p := range s.Floats {
				samples[i] = store.Sample{At: p.T, Value: p.F}
			}
			out.Series = append(out.Series, store.Series{Labels: s.Metric, Samples: samples})
		}
	default:
		return out, fmt.Errorf("%w: the expression is a %s, not series", fleet.ErrInvalid, v.Type())
	}
	return out, nil
}
