package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/tenant"
)

// Config bounds what questions may cost. Zero of any field means what Defaults says.
type Config struct {
	// Samples and Series are how many one question may read from all regions together, and
	// Samples also how many the engine may hold at once. A sample takes 16 bytes, so that a
	// tenant's questions take about 2 * 16 * Samples * Concurrent bytes at most.
	Samples, Series int
	// Timeout is how long a question may take. RegionTimeout is how long a region may take
	// before the answer is given without it.
	Timeout, RegionTimeout time.Duration
	// Bytes bounds the text of an answer to a search of logs, and Records how many records it may have.
	Bytes, Records int
	// Concurrent is how many questions of one tenant are answered at once. More wait, as long as
	// Timeout.
	Concurrent int
}

// Defaults are the limits where nobody sets others.
func Defaults() Config {
	return Config{Samples: 20_000_000, Series: 200_000, Timeout: time.Minute, RegionTimeout: 20 * time.Second, Bytes: 64 << 20, Records: 10_000, Concurrent: 8}
}

// Engine answers questions over many regions. It is safe for concurrent use.
type Engine struct {
	regions func() []Region
	config  Config
	clock   fleet.Clock
	gate    *gate
	health  *health
	// whole keeps it from splitting expressions: the test of the splitting compares both ways.
	whole bool
}

// New returns an engine. The regions are asked for anew with each question.
func New(regions func() []Region, c Config, clock fleet.Clock) *Engine {
	standard := Defaults()
	orElse(&c.Samples, standard.Samples)
	orElse(&c.Series, standard.Series)
	orElse(&c.Timeout, standard.Timeout)
	orElse(&c.RegionTimeout, standard.RegionTimeout)
	orElse(&c.Bytes, standard.Bytes)
	orElse(&c.Records, standard.Records)
	orElse(&c.Concurrent, standard.Concurrent)
	return &Engine{regions: regions, config: c, clock: clock, gate: newGate(c.Concurrent), health: newHealth()}
}

func orElse[T int | time.Duration](set *T, standard T) {
	if *set <= 0 {
		*set = standard
	}
}

// Missing is a region whose series an answer lacks.
type Missing struct {
	Region string `json:"region"`
	// Since is when the region first did not answer, and has not answered since.
	Since time.Time `json:"since"`
	Why   string    `json:"why"`
	// Next is what to look at.
	Next string `json:"next,omitempty"`
}

// Coverage says what an answer covers.
type Coverage struct {
	// Missing are the regions that did not answer, by name. An answer with any is partial.
	Missing []Missing
	// Warnings say for a person what is not as it seems; each missing region has one.
	Warnings []string
}

// Partial says whether the answer lacks a region.
func (c Coverage) Partial() bool { return len(c.Missing) > 0 }

// Result is the answer to an expression.
type Result struct {
	Coverage
	Type   parser.ValueType
	Series []store.Series
	// Text is the value of an expression that is a string.
	Text string
}

// Query evaluates an expression on the grid.
func (e *Engine) Query(ctx context.Context, in store.Scope, expr parser.Expr, on store.Range) (Result, error) {
	out := Result{Type: expr.Type()}
	if out.Type == parser.ValueTypeString {
		out.Text = text(expr)
		return out, in.Check()
	}
	scoped, err := e.checked(in, expr, on)
	if err != nil {
		return Result{}, err
	}
	err = e.ask(ctx, in, func(ctx context.Context, q *question) error {
		q.only(keepsMetrics)
		plan := plan{rest: scoped}
		if !e.whole {
			plan = split(scoped, apart(q.regions))
		}
		if alone(plan) {
			got, err := q.compute(ctx, plan.parts[0], on)
			out.Series, out.Warnings = got.Series, got.Warnings
			return err
		}
		left := max(e.clock().Sub(q.began), 0)
		got, err := engine.Evaluate(ctx, newSource(ctx, q, plan.parts, on), engine.Question{
			Expr: plan.rest, On: on, Samples: q.samples(), Timeout: e.config.Timeout - left,
		})
		out.Series, out.Warnings = got.Series, got.Warnings
		return err
	}, &out.Coverage)
	if err != nil {
		return Result{}, err
	}
	if out.Type == parser.ValueTypeVector && on.Step == 0 && !ordered(expr) {
		slices.SortFunc(out.Series, func(a, b store.Series) int { return labels.Compare(a.Labels, b.Labels) })
	}
	return out, nil
}

// ordered says whether the expression is asked for in an order of its own.
func ordered(e parser.Expr) bool {
	switch e := e.(type) {
	case *parser.ParenExpr:
		return ordered(e.Expr)
	case *parser.Call:
		return strings.HasPrefix(e.Func.Name, "sort")
	case *parser.AggregateExpr:
		return e.Op == parser.TOPK || e.Op == parser.BOTTOMK
	}
	return false
}

// checked refuses what cannot be asked, and puts the scope into the rest.
func (e *Engine) checked(in store.Scope, expr parser.Expr, on store.Range) (parser.Expr, error) {
	if err := engine.CheckRange(on); err != nil {
		return nil, err
	}
	if on.Step > 0 && expr.Type() == parser.ValueTypeMatrix {
		return nil, fmt.Errorf("%w: a range of samples has no value at each step; ask for it at an instant, or put a function such as rate() around it", fleet.ErrInvalid)
	}
	if err := reserved(parser.ExtractSelectors(expr)); err != nil {
		return nil, err
	}
	return tenant.Enforce(in, expr)
}

func reserved(selectors [][]*labels.Matcher) error {
	for _, s := range selectors {
		if slices.ContainsFunc(s, func(m *labels.Matcher) bool { return m.Name == partLabel }) {
			return fmt.Errorf("%w: the label %q is reserved", fleet.ErrInvalid, partLabel)
		}
	}
	return nil
}

// question is one question on its way: the regions that it asks, what it has read, and what did
// not answer.
type question struct {
	engine  *Engine
	in      store.Scope
	regions []Region
	began   time.Time
	budget  *budget
	guests  guests
	cover   *cover
}

// ask lets one question in, within its limits, and says in the end what it covers.
func (e *Engine) ask(ctx context.Context, in store.Scope, answer func(context.Context, *question) error, into *Coverage) error {
	if err := in.Check(); err != nil {
		return err
	}
	began := e.clock()
	ctx, cancel := context.WithTimeout(ctx, e.config.Timeout)
	// What still runs in a region when the answer is there is of no use any more.
	defer cancel()
	leave, err := e.gate.enter(ctx, in.Tenant())
	if err != nil {
		return err
	}
	defer leave()
	q := &question{engine: e, in: in, began: began, budget: newBudget(e.config), cover: &cover{}}
	q.regions = q.usable(e.regions())
	err = answer(ctx, q)
	missing := q.cover.list()
	switch {
	case err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: it took longer than %s; ask for fewer series, a shorter range or a longer step", store.ErrTooMuch, e.config.Timeout)
	case err != nil:
		return err
	case len(missing) > 0 && q.cover.unanswered():
		return q.cover.nobody()
	}
	into.Missing = missing
	for _, m := range missing {
		into.Warnings = append(into.Warnings, m.sentence())
	}
	return nil
}

// ErrNobody means that no region answers.
var ErrNobody = errors.New("no region answers")

func (m Missing) sentence() string { return "the answer lacks " + m.reason() }

func (m Missing) reason() string {
	text := fmt.Sprintf("region %s, which does not answer since %s: %s", m.Region, m.Since.UTC().Format(time.RFC3339), m.Why)
	if m.Next != "" {
		text += "; " + m.Next
	}
	return text
}

// only leaves out the regions that do not keep what is asked for.
func (q *question) only(keeps func(Region) bool) {
	q.regions = slices.DeleteFunc(q.regions, func(r Region) bool { return !keeps(r) })
}

// usable leaves out the regions that are not asked for the scope, and those that are not set up so
// that they can be asked, and says so of these.
func (q *question) usable(all []Region) []Region {
	seen, known := map[string]bool{}, map[string]bool{}
	var out []Region
	for _, r := range all {
		err := r.Check()
		if err == nil && seen[r.Name] {
			err = fmt.Errorf("%w: two regions have the name %s; the second one is not asked", fleet.ErrInvalid, r.Name)
		}
		known[r.Name] = true
		if err != nil {
			key := unusableKey(r.Name, err)
			known[key] = true
			since := q.engine.health.down(key, q.began)
			if r.serves(q.in) {
				why := fleet.Sentence(err)
				q.cover.add(Missing{Region: r.Name, Since: since, Why: shown(q.in, why), Next: r.Next}, why)
			}
			continue
		}
		seen[r.Name] = true
		if r.serves(q.in) {
			out = append(out, r)
		}
	}
	q.engine.health.only(known)
	slices.SortFunc(out, func(a, b Region) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// unusableKey tells a region that cannot be asked from one of the same name that does not answer.
func unusableKey(name string, err error) string { return name + "\x00" + err.Error() }
