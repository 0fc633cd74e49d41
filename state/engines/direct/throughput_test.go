package direct_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest/lab"
)

// service is what the chart of the benchmark has besides: with it, a release is a Deployment, a
// Service and a ConfigMap.
const service = `
-- templates/service.yaml --
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: {{ .Release.Name }}}, ports: [{port: 80}]}
`

// A change of one service among many touches one release, costs what one release costs, and
// nothing is written where nothing has changed.
func TestOneOfMany(t *testing.T) {
	l := newLab(t)
	to := l.NewTarget(t)
	e := running(t, l)
	var sets []engine.Set
	for i := range 10 {
		sets = append(sets, l.many(to, fmt.Sprintf("s%02d", i), 4, "text: one"))
	}
	awaitAll(t, e, sets)
	t.Logf("the installation of 40 releases took these requests:\n%s", lines(to.Requests(), nil))
	drain(e, 2*time.Second)
	before := to.Requests()
	drain(e, 2*time.Second)
	if n := sum(to.Requests()) - sum(before); n > 0 {
		t.Errorf("%d requests while nothing happens:\n%s", n, lines(to.Requests(), before))
	}
	sets[7].Services = slices.Clone(sets[7].Services)
	sets[7].Services[3].Values = "text: two"
	writes, begun := to.Writes(), time.Now()
	awaitAll(t, e, sets[7:8])
	took := time.Since(begun)
	drain(e, 2*time.Second)
	t.Logf("the change was Deployed after %s, with these requests:\n%s", took, lines(to.Requests(), before))
	if n := to.Writes() - writes; n > 8 {
		t.Errorf("%d writes for one release", n)
	}
	for key, r := range to.Releases(t) {
		want := 1
		if key == sets[7].Services[3].Key {
			want = 2
		}
		if r.Revision != want {
			t.Errorf("release %s has revision %d, want %d", key, r.Revision, want)
		}
	}
}

// BenchmarkInstall installs releases of a Deployment, a Service and a ConfigMap on ten targets,
// from the first word to all Deployed.
func BenchmarkInstall(b *testing.B) {
	const targets, each = 10, 30
	for b.Loop() {
		l := newLab(b)
		source := l.Publish(b, "bench", lab.Pack(b, "1.0.0", service))
		e := running(b, l)
		var sets []engine.Set
		for i := range targets {
			set := l.many(l.NewStraight(b), fmt.Sprintf("t%02d", i), each, "{text: one, run: true}")
			for j := range set.Services {
				set.Services[j].Source = source
			}
			sets = append(sets, set)
		}
		ctx, cancel := context.WithCancel(b.Context())
		go l.healer(ctx)
		before, spent, begun := l.requests(b), processTime(b), time.Now()
		awaitAll(b, e, sets)
		took, spent := time.Since(begun), processTime(b)-spent
		after := l.requests(b)
		b.ReportMetric(targets*each/took.Seconds(), "releases/s")
		b.ReportMetric(float64(sum(after)-sum(before))/(targets*each), "requests/release")
		b.ReportMetric(float64(spent.Milliseconds())/(targets*each), "cpu-ms/release")
		b.Logf("what the API server was asked for %d releases:\n%s", targets*each, lines(after, before))
		cancel()
	}
}

// BenchmarkFleet has 200 targets with ten releases each, in drift mode. They share one API server,
// each with its own kubeconfig, connections, watches and namespace. It measures what they cost
// while nothing happens, and how long a change of one value takes to reach its target.
func BenchmarkFleet(b *testing.B) {
	const targets, each, changes, idle = 200, 10, 100, 20 * time.Second
	for b.Loop() {
		l := newLab(b)
		runtime.GC()
		goroutines, heap := runtime.NumGoroutine(), heapBytes()
		e := running(b, l)
		var sets []engine.Set
		for i := range targets {
			set := l.many(l.NewStraight(b), fmt.Sprintf("f%03d", i), each, "text: one")
			set.Policy.Sync = engine.ContinuousWithDriftDetection
			sets = append(sets, set)
		}
		awaitAll(b, e, sets)
		drain(e, 5*time.Second)
		runtime.GC()
		b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/targets, "goroutines/target")
		b.ReportMetric(float64(heapBytes()-heap)/1024/targets, "KiB/target")
		asked, spent := l.requests(b), processTime(b)
		drain(e, idle)
		b.ReportMetric(100*float64(processTime(b)-spent)/float64(idle), "%core-idle")
		b.Logf("while nothing happens, in %s:\n%s", idle, lines(l.requests(b), asked))
		b.ReportMetric(l.changed(b, e, sets[:changes]).Seconds()*1000, "ms-p99")
	}
}

func heapBytes() int64 {
	var now runtime.MemStats
	runtime.ReadMemStats(&now)
	return int64(now.HeapAlloc + now.StackInuse)
}

// changed changes a value of one service of each set, and returns in what time 99 of a hundred
// have reached their target.
func (l *testbed) changed(tb testing.TB, e engine.Engine, sets []engine.Set) time.Duration {
	tb.Helper()
	var took []time.Duration
	for i, set := range sets {
		set.Services = slices.Clone(set.Services)
		svc := &set.Services[i%len(set.Services)]
		svc.Values = "text: two"
		maps := l.Clients.CoreV1().ConfigMaps(svc.Key.Namespace)
		begun := time.Now()
		if _, err := e.Apply(tb.Context(), set); err != nil {
			tb.Fatal(err)
		}
		for text := ""; text != "two"; {
			there, err := maps.Get(tb.Context(), svc.Key.Name, metav1.GetOptions{})
			if err != nil || time.Since(begun) > time.Minute {
				tb.Fatalf("the change of %s has not arrived: %v", svc.Key, err)
			}
			text = there.Data["text"]
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	tb.Logf("changes took %s at the least, %s in the middle, %s at the most", took[0], took[len(took)/2], took[len(took)-1])
	return took[len(took)*99/100]
}

// processTime is what this process, without the API server, has worked so far.
func processTime(tb testing.TB) time.Duration {
	tb.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

var counted = regexp.MustCompile(`(?m)^apiserver_request_total\{(.*)\} (\S+)$`)

// requests counts what the API server was asked by all its clients, itself among them.
func (l *testbed) requests(tb testing.TB) map[string]int {
	tb.Helper()
	text, err := l.Clients.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]int{}
	for _, found := range counted.FindAllStringSubmatch(string(text), -1) {
		labels := map[string]string{}
		for _, pair := range strings.Split(found[1], ",") {
			name, value, _ := strings.Cut(pair, "=")
			labels[name] = strings.Trim(value, `"`)
		}
		n, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			tb.Fatal(err)
		}
		if labels["resource"] != "leases" {
			out[strings.TrimSpace(labels["verb"]+" "+labels["resource"]+" "+labels["subresource"])] += int(n)
		}
	}
	return out
}

// healer plays the controller of Deployments.
func (l *testbed) healer(ctx context.Context) {
	w, err := l.Clients.AppsV1().Deployments("").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		d, ok := event.Object.(*appsv1.Deployment)
		if !ok || d.Status.ObservedGeneration == d.Generation {
			continue
		}
		d.Status = lab.Ready(d)
		_, _ = l.Clients.AppsV1().Deployments(d.Namespace).UpdateStatus(ctx, d, metav1.UpdateOptions{}) // another event follows a conflict
	}
}

// many is a set of so many services.
func (l *testbed) many(to *lab.Target, name string, n int, values string) engine.Set {
	set := engine.Set{Ref: engine.Ref{Set: types.NamespacedName{Namespace: l.Home, Name: name}, Target: to.Name()}}
	for i := range n {
		set.Services = append(set.Services, engine.Service{
			Key:  engine.Key{Namespace: to.Namespace(), Name: fmt.Sprintf("%s-%03d", name, i)},
			Kind: engine.Helm, Version: "1.0.0", Source: l.Chart("1.0.0"), Values: values,
			Options: engine.Options{CreateNamespace: true},
		})
	}
	return set
}

// running is an engine that ends with the test.
func running(tb testing.TB, l *testbed) engine.Engine {
	tb.Helper()
	e := l.Engine(tb)
	lab.Run(tb, e)
	return e
}

// awaitAll waits until all services of all sets are Deployed.
func awaitAll(tb testing.TB, e engine.Engine, sets []engine.Set) {
	tb.Helper()
	open := map[engine.Ref]engine.Set{}
	apply := func(set engine.Set) {
		report, err := e.Apply(tb.Context(), set)
		if err != nil {
			tb.Fatal(err)
		}
		if !slices.ContainsFunc(report.Services, func(s engine.ServiceReport) bool { return s.State != engine.Deployed }) {
			delete(open, set.Ref)
		}
	}
	for _, set := range sets {
		open[set.Ref] = set
		apply(set)
	}
	for over := time.After(2 * time.Minute); len(open) > 0; {
		select {
		case ref := <-e.Changes():
			if set, ok := open[ref]; ok {
				apply(set)
			}
		case <-over:
			tb.Fatalf("%d sets are not Deployed", len(open))
		}
	}
}

// drain reads changes for so long.
func drain(e engine.Engine, long time.Duration) {
	for over := time.After(long); ; {
		select {
		case <-e.Changes():
		case <-over:
			return
		}
	}
}

func sum(requests map[string]int) (n int) {
	for _, k := range requests {
		n += k
	}
	return n
}

// lines lists what was asked since.
func lines(now, before map[string]int) string {
	var out string
	for _, what := range slices.SortedFunc(maps.Keys(now), cmp.Compare[string]) {
		if n := now[what] - before[what]; n > 0 {
			out += fmt.Sprintf("%4d %s\n", n, what)
		}
	}
	return out
}
