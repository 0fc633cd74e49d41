package metrics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

// Egress is what bytes that leave a pod are taken for. The kubelet does not say where they go.
type Egress string

// The kinds of egress. Unpriced bytes are told, and cost nothing.
const (
	Unpriced Egress = ""
	Zone     Egress = "zone"
	Region   Egress = "region"
	Internet Egress = "internet"
)

// Options bound a Source.
type Options struct {
	Egress Egress
	// Values is how many numbers of pods are kept for one question; 0 means 10 million, 80 MB. The
	// grid becomes coarser until they suffice.
	Values int
}

// Asker evaluates PromQL: a store, or all regions as if they were one. What an answer lacks is among
// its warnings.
type Asker interface {
	Query(ctx context.Context, in store.Scope, expr parser.Expr, on store.Range, at store.Limits) (store.Answer, error)
}

// Source reads facts. It is safe for concurrent use.
type Source struct {
	metrics Asker
	clock   fleet.Clock
	options Options
}

// New returns a source of what a store, or all regions, know.
func New(m Asker, clock fleet.Clock, o Options) *Source {
	if o.Values <= 0 {
		o.Values = 10_000_000
	}
	return &Source{m, clock, o}
}

// steps are the grids, from fine to coarse. Finer than a scrape there is nothing to see.
var steps = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour, window.Day}

// mostCells is how many cells a series has at most: an hourly month.
const mostCells = 800

// grainy is how many parts of a pod have a value in each cell. Requests and limits seldom
// change, and take no room then.
const grainy = 4

// grid is where values lie: cells of a length from a time on. It begins at a multiple of the step,
// since stores keep answers on such grids for whoever asks next; that may be before the window.
type grid struct {
	begin time.Time
	step  time.Duration
	cells int
	// end is that of the window: the last cell may be longer.
	end time.Time
}

// gridOf chooses the finest grid that the number of pods allows.
func (s *Source) gridOf(over window.Window, pods int) (grid, error) {
	for _, step := range steps {
		begin := over.Start.Truncate(step)
		cells := int((over.End.Sub(begin) + step - 1) / step)
		if cells <= mostCells && cells*pods*grainy <= s.options.Values {
			return grid{begin, step, cells, over.End}, nil
		}
	}
	return grid{}, fmt.Errorf("window: %w: %d pods in %s take more than %d values: ask for a shorter window, or for one tenant",
		store.ErrTooMuch, pods, over, s.options.Values)
}

// Facts reads what the store knows of the scope's clusters in a window. Costs after the present
// are none.
func (s *Source) Facts(ctx context.Context, in store.Scope, over window.Window) (cost.Facts, error) {
	if err := in.Check(); err != nil {
		return cost.Facts{}, err
	}
	now := s.clock().UTC()
	f := cost.Facts{Until: now}
	over = over.Within(window.Window{Start: over.Start, End: now})
	if over.Empty() {
		return f, nil
	}
	saw, err := s.clusters(ctx, in, over)
	if err != nil {
		return f, err
	}
	f.Notes = note(f.Notes, saw.notes...)
	g, err := s.gridOf(over, saw.pods)
	if err != nil {
		return f, err
	}
	if g.step > time.Hour {
		f.Notes = append(f.Notes, fmt.Sprintf("usage is averaged over %s each, so that %d pods fit in memory", g.step, saw.pods))
	}
	for _, some := range batches(saw.all) {
		if err := s.read(ctx, asking{in, some, g}, &f); err != nil {
			return f, err
		}
	}
	return f, nil
}

// asking is a question about clusters.
type asking struct {
	in    store.Scope
	about []identity
	grid  grid
}

// read adds the facts of some clusters.
func (s *Source) read(ctx context.Context, q asking, f *cost.Facts) error {
	reads := map[key]*read{}
	for _, c := range q.about {
		reads[c.key] = newRead(c, q.grid, q.in, s.options)
	}
	for _, want := range readings {
		answer, err := s.query(ctx, q.in, want.expr(q.about, q.grid.step), q.grid)
		if err != nil {
			return fmt.Errorf("reading %s of cluster %s and %d others: %w", want.metric, q.about[0].name, len(q.about)-1, err)
		}
		f.Notes = note(f.Notes, answer.Warnings...)
		for _, series := range answer.Series {
			// Clusters of one name in another namespace are of another batch.
			if r := reads[keyOf(series.Labels)]; r != nil {
				r.take(want, series)
			}
		}
		if want.steady() {
			for _, r := range reads {
				r.compact(want.into)
			}
		}
	}
	for _, c := range q.about {
		reads[c.key].into(f)
	}
	return nil
}

// A batch is as many clusters as are asked for at once: enough that small ones do not cost a
// question each, and few enough that an answer stays small.
const (
	batchPods     = 2000
	batchClusters = 200
)

func batches(all []identity) [][]identity {
	var out [][]identity
	first, pods := 0, 0
	for i, c := range all {
		if i > first && (pods+c.pods > batchPods || i-first == batchClusters) {
			out = append(out, all[first:i])
			first, pods = i, 0
		}
		pods += c.pods
	}
	if first < len(all) {
		out = append(out, all[first:])
	}
	return out
}

// mostNotes bounds what is told.
const mostNotes = 20

func note(notes []string, more ...string) []string {
	for _, n := range more {
		if n != "" && len(notes) < mostNotes && !slices.Contains(notes, n) {
			notes = append(notes, n)
		}
	}
	return notes
}

// key tells clusters apart. Two planes may send to regions that a third one asks, so that one name is
// that of two clusters; and a cluster that moved has its costs where it was at the time. Whoever sends says
// what its cluster is called, but not whose it is: what one tenant says of a cluster is not put to another's.
type key struct{ cluster, namespace, region, tenant string }

func keyOf(l labels.Labels) key {
	return key{l.Get(clusterLabel), l.Get(namespaceLabel), l.Get(storeLabel), l.Get(tenantLabel)}
}

func (k key) compare(o key) int {
	return cmp.Or(strings.Compare(k.cluster, o.cluster), strings.Compare(k.namespace, o.namespace), strings.Compare(k.region, o.region), strings.Compare(k.tenant, o.tenant))
}

// identity is a cluster as series tell it.
type identity struct {
	key
	// name is what costs call it.
	name string
	pods int
}

// census is which clusters there are, how many pods they have in a window, and what is to be told of it.
type census struct {
	all   []identity
	pods  int
	notes []string
}

// clusters are those of which there are series.
func (s *Source) clusters(ctx context.Context, in store.Scope, over window.Window) (census, error) {
	var out census
	where := map[key]int{}
	at := store.Range{Start: over.End, End: over.End}
	span := strconv.FormatInt(max(over.End.Sub(over.Start).Milliseconds(), 1), 10) + "ms"
	for _, metric := range []string{"k8s_pod_phase", "k8s_pod_cpu_usage", "k8s_node_allocatable_cpu"} {
		expr, err := grammar().ParseExpr(fmt.Sprintf("count by (%s, %s, %s, %s) (last_over_time(%s[%s]))", clusterLabel, namespaceLabel, storeLabel, tenantLabel, metric, span))
		if err != nil {
			return out, fmt.Errorf("writing the question for clusters: %w", err)
		}
		answer, err := s.metrics.Query(ctx, in, expr, at, store.Limits{})
		if err != nil {
			return out, fmt.Errorf("reading which clusters there are: %w", err)
		}
		out.notes = note(out.notes, answer.Warnings...)
		for _, series := range answer.Series {
			k := keyOf(series.Labels)
			if _, ok := where[k]; !ok {
				where[k] = len(out.all)
				out.all = append(out.all, identity{key: k})
			}
			c := &out.all[where[k]]
			for _, p := range series.Samples {
				if metric != "k8s_node_allocatable_cpu" {
					c.pods = max(c.pods, int(p.Value))
				}
			}
		}
	}
	for _, c := range out.all {
		out.pods += c.pods
	}
	slices.SortFunc(out.all, func(a, b identity) int { return a.compare(b.key) })
	out.all = named(out.all)
	return out, nil
}

// named gives clusters their names. Two of one name are told apart by their namespaces, two of one name and
// namespace by their regions, and what two tenants say of one by the tenants.
func named(sorted []identity) []identity {
	type full struct{ namespace, cluster string }
	namespaces, regions, tenants := several[string]{}, several[full]{}, several[key]{}
	place := func(k key) key { k.tenant = ""; return k }
	for _, c := range sorted {
		namespaces.add(c.cluster, c.namespace)
		regions.add(full{c.namespace, c.cluster}, c.region)
		tenants.add(place(c.key), c.tenant)
	}
	for i := range sorted {
		c := &sorted[i]
		c.name = c.cluster
		for _, by := range []struct {
			needed bool
			word   string
		}{
			{len(namespaces[c.cluster]) > 1, c.namespace},
			{len(regions[full{c.namespace, c.cluster}]) > 1, c.region},
			{len(tenants[place(c.key)]) > 1, c.tenant},
		} {
			if by.needed && by.word != "" {
				c.name = by.word + "/" + c.name
			}
		}
	}
	return sorted
}

// several are the different words that there are of each key.
type several[K comparable] map[K]map[string]bool

func (s several[K]) add(k K, word string) {
	if s[k] == nil {
		s[k] = map[string]bool{}
	}
	s[k][word] = true
}

func grammar() parser.Parser { return parser.NewParser(parser.Options{}) }

// expr is the question for a reading of some clusters.
func (r reading) expr(of []identity, step time.Duration) string {
	matchers := []string{clusterLabel + "=" + strconv.Quote(of[0].cluster), namespaceLabel + "=" + strconv.Quote(of[0].namespace)}
	if len(of) > 1 {
		var names []string
		for _, c := range of {
			names = append(names, regexp.QuoteMeta(c.cluster))
		}
		matchers = []string{clusterLabel + "=~" + strconv.Quote(strings.Join(slices.Compact(names), "|"))}
	}
	if r.selector != "" {
		matchers = append(matchers, r.selector)
	}
	return fmt.Sprintf("%s by (%s) (%s(%s{%s}[%dms]))", r.aggregate, strings.Join(r.about.by(), ", "),
		r.function, r.metric, strings.Join(matchers, ", "), step.Milliseconds())
}

// query asks on the grid: the value at the end of a cell is made of the samples in it.
func (s *Source) query(ctx context.Context, in store.Scope, text string, g grid) (store.Answer, error) {
	expr, err := grammar().ParseExpr(text)
	if err != nil {
		return store.Answer{}, fmt.Errorf("writing the question %s: %w", text, err)
	}
	on := store.Range{Start: g.begin.Add(g.step), End: g.begin.Add(time.Duration(g.cells) * g.step), Step: g.step}
	answer, err := s.metrics.Query(ctx, in, expr, on, store.Limits{})
	if errors.Is(err, store.ErrTooMuch) {
		return answer, fmt.Errorf("%w: ask for a shorter window, or for one tenant", err)
	}
	return answer, err
}

// values are a series' values by cell, NaN where there is none.
func (g grid) values(series store.Series) []float64 {
	values := make([]float64, g.cells)
	for i := range values {
		values[i] = math.NaN()
	}
	first := g.begin.UnixMilli()
	for _, p := range series.Samples {
		i := int((p.At-first)/g.step.Milliseconds()) - 1
		if i >= 0 && i < g.cells {
			values[i] = p.Value
		}
	}
	return values
}

// series is values on the grid.
func (g grid) series(values []float64) cost.Series {
	if len(values) == 0 {
		return cost.Series{}
	}
	return cost.Series{Start: g.begin.UnixMilli(), Every: g.step.Milliseconds(), Values: values}
}

// steady is a quantity that is decided, not measured: where it never changes it is so at all times.
func (g grid) steady(values []float64) cost.Series {
	only := math.NaN()
	for _, v := range values {
		switch {
		case v != v:
		case only != only:
			only = v
		case only != v:
			return g.series(values)
		}
	}
	if only != only {
		return cost.Series{}
	}
	return cost.Always(only)
}
