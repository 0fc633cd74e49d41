package opencost

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/window"
)

// query reads the parameters of a request.
type query struct {
	values url.Values
	errs   *[]error
}

func (q query) reading() query {
	q.errs = new([]error)
	return q
}

func (q query) fail(err error) {
	if err != nil {
		*q.errs = append(*q.errs, err)
	}
}

// err is the first mistake: the others often follow from it.
func (q query) err() error {
	if len(*q.errs) == 0 {
		return nil
	}
	return (*q.errs)[0]
}

func (q query) text(name string) string {
	return strings.TrimSpace(q.values.Get(name))
}

func (q query) flag(name string) bool {
	switch v := strings.ToLower(q.text(name)); v {
	case "", "false", "0", "no":
		return false
	case "true", "1", "yes":
		return true
	default:
		q.fail(fmt.Errorf("%w: %s: %q: expected true or false", fleet.ErrInvalid, name, v))
		return false
	}
}

// list is a parameter of words with commas between them.
func (q query) list(name string) []string {
	var words []string
	for _, w := range strings.Split(q.text(name), ",") {
		if w = strings.TrimSpace(w); w != "" {
			words = append(words, w)
		}
	}
	return words
}

// allocationQuestion is what /allocation is asked.
type allocationQuestion struct {
	question   cost.Question
	steps      []window.Window
	accumulate bool
}

// understood are the parameters that mean something; others are told of and not obeyed.
var understood = []string{
	"window", "aggregate", "step", "resolution", "accumulate", "accumulateBy", "idle", "includeIdle", "shareIdle", "idleByNode",
	"shareNamespaces", "shareLabels", "shareCost", "shareSplit", "shareTenancyCosts", "filter",
	"filterClusters", "filterNamespaces", "filterNodes", "filterPods", "filterControllers", "filterControllerKinds", "filterLabels",
}

// ignored is a note about parameters that nobody reads here.
func (q query) ignored() []string {
	var names []string
	for name := range q.values {
		if !slices.Contains(understood, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return []string{"these parameters have no effect: " + strings.Join(names, ", ")}
}

func (q query) allocation(now time.Time, terms cost.Terms) (allocationQuestion, error) {
	q = q.reading()
	var ask allocationQuestion
	over, err := window.Parse(q.text("window"), now)
	if err != nil {
		return ask, err
	}
	ask.question = cost.Question{Window: over, Idle: q.idle(terms.Idle), IdleByNode: q.flag("idleByNode"), Shares: q.shares(terms.Shares)}
	for _, word := range q.list("aggregate") {
		p, err := cost.ParseProperty(word)
		q.fail(err)
		ask.question.By = append(ask.question.By, p)
	}
	if r := q.text("resolution"); r != "" {
		_, err := window.ParseStep("resolution", r)
		q.fail(err)
	}
	ask.question.Filter, err = q.filters()
	q.fail(err)
	step := over.End.Sub(over.Start)
	every, accumulate := q.accumulate()
	if every > 0 {
		step = every
	}
	if s := q.text("step"); s != "" {
		step, err = window.ParseStep("step", s)
		q.fail(err)
	}
	if q.err() != nil {
		return ask, q.err()
	}
	ask.accumulate = accumulate
	ask.steps, err = over.Steps(step)
	return ask, err
}

// idle is what becomes of idle cost. What nobody asks for is left out, as OpenCost does, unless the
// terms have it shared.
func (q query) idle(otherwise cost.IdleMode) cost.IdleMode {
	include := q.flag("includeIdle")
	include = q.flag("idle") || include
	share := q.text("shareIdle")
	if strings.EqualFold(share, "weighted") {
		return cost.IdleShared
	}
	switch {
	case q.flag("shareIdle"):
		return cost.IdleShared
	case q.text("shareIdle") == "" && otherwise == cost.IdleShared:
		return cost.IdleShared
	case include:
		return cost.IdleSeparate
	}
	return cost.IdleHidden
}

// accumulate is how long a set is, if that is said there, and whether all sets become one.
func (q query) accumulate() (time.Duration, bool) {
	name := "accumulate"
	if q.text("accumulateBy") != "" {
		name = "accumulateBy"
	}
	switch v := strings.ToLower(q.text(name)); v {
	case "", "false", "0", "none":
		return 0, false
	case "true", "1", "all":
		return 0, true
	case "hour":
		return time.Hour, false
	case "day":
		return window.Day, false
	case "week":
		return 7 * window.Day, false
	default:
		q.fail(fmt.Errorf("%w: %s: %q: expected true, false, hour, day or week; for months ask for each by its window", fleet.ErrInvalid, name, v))
		return 0, false
	}
}

func (q query) shares(otherwise cost.Shares) cost.Shares {
	s := otherwise
	if names := q.list("shareNamespaces"); len(names) > 0 {
		s.Namespaces = names
	}
	if pairs := q.list("shareLabels"); len(pairs) > 0 {
		s.Labels = nil
		for _, pair := range pairs {
			name, value, ok := strings.Cut(pair, ":")
			if !ok || name == "" {
				q.fail(fmt.Errorf("%w: shareLabels: %q: expected <name>:<value>", fleet.ErrInvalid, pair))
			}
			s.Labels = append(s.Labels, [2]string{name, strings.Trim(value, `"`)})
		}
	}
	if text := q.text("shareCost"); text != "" && text != "0" {
		amount, err := money.ParseAmount(text)
		if err != nil {
			q.fail(fmt.Errorf("shareCost: %w", err))
		}
		s.Fixed = []cost.Fixed{{Name: "shareCost", Monthly: amount}}
	}
	if q.text("shareTenancyCosts") != "" {
		s.Management = q.flag("shareTenancyCosts")
	}
	switch split := strings.ToLower(q.text("shareSplit")); split {
	case "":
	case "even":
		s.Even = true
	case "weighted":
		s.Even = false
	default:
		q.fail(fmt.Errorf("%w: shareSplit: %q: expected even or weighted", fleet.ErrInvalid, split))
	}
	return s
}

// assetsQuestion is what /assets is asked.
type assetsQuestion struct {
	over window.Window
	by   []string
}

var assetProperties = []string{"type", "category", "cluster", "name", "provider", "providerID", "account", "project", "service", "tenant"}

func (q query) assets(now time.Time) (assetsQuestion, error) {
	q = q.reading()
	over, err := window.Parse(q.text("window"), now)
	if err != nil {
		return assetsQuestion{}, err
	}
	ask := assetsQuestion{over: over}
	for _, word := range q.list("aggregate") {
		i := slices.IndexFunc(assetProperties, func(p string) bool { return strings.EqualFold(p, word) })
		if i < 0 {
			return ask, fmt.Errorf("%w: aggregate: %q: expected one of %s", fleet.ErrInvalid, word, strings.Join(assetProperties, ", "))
		}
		ask.by = append(ask.by, assetProperties[i])
	}
	return ask, nil
}
