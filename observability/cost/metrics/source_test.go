package metrics_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"

	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/metrics"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

var start = time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)

const gib = float64(cost.GiB)

// written is a store that keeps series in memory and answers with Prometheus' own engine.
type written struct {
	store.Metrics
	series []store.Series
}

// every writes a value each 30 seconds from an hour to another.
func (w *written) every(value func(at float64) float64, from, to float64, pairs ...string) {
	s := store.Series{Labels: labels.FromStrings(append(pairs, "cluster", "c", "clusterNamespace", "kcm-system")...)}
	for at := start.Add(hours(from)); at.Before(start.Add(hours(to))); at = at.Add(30 * time.Second) {
		s.Samples = append(s.Samples, store.Sample{At: at.UnixMilli(), Value: value(at.Sub(start).Hours())})
	}
	w.series = append(w.series, s)
}

func hours(n float64) time.Duration { return time.Duration(n * float64(time.Hour)) }

func constant(v float64) func(float64) float64 { return func(float64) float64 { return v } }

func (w *written) Query(ctx context.Context, in store.Scope, expr parser.Expr, on store.Range, _ store.Limits) (store.Answer, error) {
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: parser.NewParser(parser.Options{}),
	})
	seen := queryable{}
	for _, s := range w.series {
		if in.All() || s.Labels.Get(store.TenantLabel) == string(in.Tenant()) {
			seen.series = append(seen.series, s)
		}
	}
	step := on.Step
	if step == 0 {
		step = time.Second
	}
	q, err := engine.NewRangeQuery(ctx, seen, nil, expr.String(), on.Start, on.End, step)
	if err != nil {
		return store.Answer{}, err
	}
	defer q.Close()
	matrix, err := q.Exec(ctx).Matrix()
	if err != nil {
		return store.Answer{}, err
	}
	var a store.Answer
	for _, one := range matrix {
		s := store.Series{Labels: one.Metric}
		for _, p := range one.Floats {
			s.Samples = append(s.Samples, store.Sample{At: p.T, Value: p.F})
		}
		a.Series = append(a.Series, s)
	}
	return a, nil
}

type queryable struct{ series []store.Series }

func (q queryable) Querier(_, _ int64) (storage.Querier, error) { return querier{queryable: q}, nil }

type querier struct {
	storage.LabelQuerier
	queryable
}

func (q querier) Close() error { return nil }

func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	set := &list{}
	for _, s := range q.series {
		if slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.Labels.Get(m.Name)) }) {
			continue
		}
		var points []chunks.Sample
		for _, p := range s.Samples {
			points = append(points, sample{p.At, p.Value})
		}
		set.all = append(set.all, storage.NewListSeries(s.Labels, points))
	}
	slices.SortFunc(set.all, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return set
}

type list struct {
	all []storage.Series
	at  int
}

func (l *list) Next() bool                        { l.at++; return l.at <= len(l.all) }
func (l *list) At() storage.Series                { return l.all[l.at-1] }
func (l *list) Err() error                        { return nil }
func (l *list) Warnings() annotations.Annotations { return nil }

type sample struct {
	at    int64
	value float64
}

func (s sample) T() int64                      { return s.at }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.value }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }

// plant writes a node of 4 cores and 16 GiB for a day, and on it: a Deployment's pod that asks for a core and
// 2 GiB from hour 2 to 8.25, a Job's pod that runs for ten minutes and stays as completed, and a
// pod with a volume.
func plant() *written {
	w := &written{}
	tenant := []string{"tenant", "red"}
	with := func(metric string, pairs ...string) []string {
		return append(append([]string{"__name__", metric}, tenant...), pairs...)
	}
	on := []string{"k8s_node_name", "n"}
	w.every(constant(4), 0, 24, with("k8s_node_allocatable_cpu", on...)...)
	w.every(constant(16*gib), 0, 24, with("k8s_node_allocatable_memory_bytes", on...)...)
	w.every(constant(1), 0, 24, with("k8s_node_cpu_usage", append(on, "host_type", "m5.large", "cloud_region", "eu")...)...)
	pod := func(name string, more ...string) []string {
		return append(append([]string{"k8s_namespace_name", "shop", "k8s_pod_name", name}, on...), more...)
	}
	web := "web-7d9f8b6c5d-x2x4z"
	w.every(constant(2), 2, 8.25, with("k8s_pod_phase", pod(web)...)...)
	// Two containers are one pod.
	for container, cores := range map[string]float64{"a": 0.75, "b": 0.25} {
		w.every(constant(cores), 2, 8.25, with("k8s_container_cpu_request", pod(web, "k8s_container_name", container)...)...)
		w.every(constant(gib), 2, 8.25, with("k8s_container_memory_request_bytes", pod(web, "k8s_container_name", container)...)...)
	}
	// It uses half a core up to hour 4, and two cores after it.
	w.every(func(at float64) float64 {
		if at < 4 {
			return 0.5
		}
		return 2
	}, 2, 8.25, with("k8s_pod_cpu_usage", pod(web)...)...)
	w.every(constant(gib), 2, 8.25, with("k8s_pod_memory_working_set_bytes", pod(web)...)...)
	w.every(func(at float64) float64 { return at * 3600 * 1000 }, 2, 8.25, with("k8s_pod_network_io_bytes_total", pod(web, "direction", "transmit")...)...)

	job := pod("report-28-abcde", "k8s_job_name", "report-28")
	w.every(func(at float64) float64 {
		if at < 3+1.0/6 {
			return 2
		}
		return 3
	}, 3, 24, with("k8s_pod_phase", job...)...)
	w.every(constant(3), 3, 24, with("k8s_container_cpu_request", job...)...)

	db := pod("db-0")
	w.every(constant(2), 0, 24, with("k8s_pod_phase", db...)...)
	w.every(constant(100*gib), 0, 24, with("k8s_volume_capacity_bytes", append(db, "k8s_persistentvolumeclaim_name", "data-db-0")...)...)
	w.every(func(at float64) float64 { return math.Floor(at / 12) }, 0, 24,
		with("k8s_service_load_balancer_ingress_count", "k8s_namespace_name", "shop", "k8s_service_name", "front")...)
	return w
}

var day = window.Window{Start: start, End: start.Add(24 * time.Hour)}

func TestFacts(t *testing.T) {
	for _, c := range []struct {
		why    string
		values int
	}{
		{"A grid of five minutes.", 0},
		{"A grid of an hour, coarser than the lives of pods.", 1000},
	} {
		judge(t, c.why, plant(), day, c.values)
	}
}

// judge asks a store that has what plant wrote for a window of a day.
func judge(t *testing.T, why string, in store.Metrics, day window.Window, values int) {
	t.Helper()
	s := metrics.New(in, func() time.Time { return day.End }, metrics.Options{Egress: metrics.Zone, Values: values})
	f, err := s.Facts(t.Context(), store.Of("red"), day)
	if err != nil {
		t.Fatal(err)
	}
	a, err := cost.Compute(f, price.Book{}, cost.Question{Window: day, By: []cost.Property{cost.ByController}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]*cost.Allocation{}
	for i := range a.Allocations {
		got[a.Allocations[i].Name] = &a.Allocations[i]
	}
	near := func(what string, value, want, slack float64) {
		t.Helper()
		if math.Abs(value-want) > slack {
			t.Errorf("%s %s: got %v, want %v", why, what, value, want)
		}
	}
	web, job, db := got["deployment:web"], got["job:report-28"], got["statefulset:db"]
	if web == nil || job == nil || db == nil {
		t.Fatalf("%s got the controllers %v", why, slices.Collect(func(yield func(string) bool) {
			for name := range got {
				yield(name)
			}
		}))
	}
	// A core for 2 hours, then 2 cores for 4.25.
	near("web's cores", web.CPU.Taken, 2*1+4.25*2, 0.05)
	near("web's cores requested", web.CPU.Request, 6.25, 0.05)
	near("web's memory", web.RAM.Taken/gib, 2*6.25, 0.1)
	near("web's bytes", web.Sent, 6.25*3600*1000, 100*1000)
	near("the job's cores", job.CPU.Taken, 3.0/6, 0.05)
	near("db's volume", db.Volumes[0].ByteHours/gib, 2400, 1)
	near("the node's cores", a.Assets[slices.IndexFunc(a.Assets, func(x cost.Asset) bool { return x.Kind == cost.NodeAsset })].CPU, 96, 0.1)
	if n := f.Nodes[0]; n.InstanceType != "m5.large" || n.Region != "eu" || n.Tenant != "red" || n.Cluster != "c" {
		t.Errorf("%s the node is %+v", why, n.Machine)
	}
	if b := f.LoadBalancers; len(b) != 1 || b[0].Service != "front" || b[0].Life.Start.Sub(day.Start) < 11*time.Hour {
		t.Errorf("%s the load balancers are %+v", why, b)
	}
	if web.Zone == 0 || web.Internet != 0 {
		t.Errorf("%s traffic costs %s in the zone, %s to the internet", why, web.Zone, web.Internet)
	}
}

// Two clusters of one name and a third are told apart, although they are asked for at once.
func TestNames(t *testing.T) {
	w := plant()
	for _, one := range slices.Clone(w.series) {
		for _, other := range [][2]string{{"c", "elsewhere"}, {"c.x", "kcm-system"}} {
			l := labels.NewBuilder(one.Labels).Set("cluster", other[0]).Set("clusterNamespace", other[1]).Labels()
			w.series = append(w.series, store.Series{Labels: l, Samples: one.Samples})
		}
	}
	f, err := metrics.New(w, func() time.Time { return day.End }, metrics.Options{}).Facts(t.Context(), store.Of("red"), day)
	if err != nil {
		t.Fatal(err)
	}
	var nodes []string
	for _, n := range f.Nodes {
		nodes = append(nodes, n.Cluster)
	}
	if want := []string{"elsewhere/c", "kcm-system/c", "c.x"}; !slices.Equal(nodes, want) || len(f.Pods) != 9 {
		t.Errorf("got the clusters %v with %d pods, want %v with 9", nodes, len(f.Pods), want)
	}
}

func TestScope(t *testing.T) {
	s := metrics.New(plant(), func() time.Time { return day.End }, metrics.Options{})
	f, err := s.Facts(t.Context(), store.Of("blue"), day)
	if err != nil || len(f.Nodes)+len(f.Pods)+len(f.Volumes)+len(f.LoadBalancers) > 0 {
		t.Errorf("another tenant sees %+v, %v", f, err)
	}
	if _, err := s.Facts(t.Context(), store.Scope{}, day); err == nil {
		t.Error("nobody's scope is answered")
	}
}

func TestTooManyPods(t *testing.T) {
	s := metrics.New(plant(), func() time.Time { return day.End }, metrics.Options{Values: 10})
	if _, err := s.Facts(t.Context(), store.Everybody(), day); !errors.Is(err, store.ErrTooMuch) || !strings.Contains(fmt.Sprint(err), "shorter window") {
		t.Errorf("got %v, want that the question is too big, and what to do", err)
	}
}
