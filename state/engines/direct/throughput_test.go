package direct_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/state/engine"
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
	to := l.Target(t).(*target)
	e := running(t, l)
	var sets []engine.Set
	for i := range 10 {
		sets = append(sets, l.many(to, fmt.Sprintf("s%02d", i), 4, "text: one"))
	}
	awaitAll(t, e, sets)
	t.Logf("the installation of 40 releases took these requests:\n%s", lines(to.requests(), nil))
	drain(e, 2*time.Second)
	before := to.requests()
	drain(e, 2*time.Second)
	if n := sum(to.requests()) - sum(before); n > 0 {
		t.Errorf("%d requests while nothing happens:\n%s", n, lines(to.requests(), before))
	}
	sets[7].Services = slices.Clone(sets[7].Services)
	sets[7].Services[3].Values = "text: two"
	writes, begun := to.Writes(), time.Now()
	awaitAll(t, e, sets[7:8])
	took := time.Since(begun)
	drain(e, 2*time.Second)
	t.Logf("the change was Deployed after %s, with these requests:\n%s", took, lines(to.requests(), before))
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
		l.charts["bench"] = chart(b, "1.0.0", service)
		e := running(b, l)
		var sets []engine.Set
		for i := range targets {
			set := l.many(l.straight(b, i), fmt.Sprintf("t%02d", i), each, "{text: one, run: true}")
			for j := range set.Services {
				set.Services[j].Source = engine.Source{URL: "bench", Digest: l.charts["bench"].Digest()}
			}
			sets = append(sets, set)
		}
		ctx, cancel := context.WithCancel(b.Context())
		go l.healer(ctx)
		begun := time.Now()
		awaitAll(b, e, sets)
		b.ReportMetric(targets*each/time.Since(begun).Seconds(), "releases/s")
		cancel()
	}
}

// straight is a target without a gate.
func (l *lab) straight(tb testing.TB, i int) *target {
	tb.Helper()
	name := types.NamespacedName{Namespace: l.home, Name: fmt.Sprintf("straight%d", i)}
	config := kubeconfig(tb, l.cluster.Config)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name.Namespace, Name: name.Name + "-kubeconfig"}, Data: map[string][]byte{"value": config}}
	if err := l.kube.Create(tb.Context(), secret); err != nil {
		tb.Fatal(err)
	}
	return &target{lab: l, name: name}
}

// healer plays the controller of Deployments.
func (l *lab) healer(ctx context.Context) {
	w, err := l.clients.AppsV1().Deployments("").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		d, ok := event.Object.(*appsv1.Deployment)
		if !ok || d.Status.ObservedGeneration == d.Generation {
			continue
		}
		d.Status = ready(d)
		_, _ = l.clients.AppsV1().Deployments(d.Namespace).UpdateStatus(ctx, d, metav1.UpdateOptions{}) // another event follows a conflict
	}
}

// many is a set of so many services.
func (l *lab) many(to *target, name string, n int, values string) engine.Set {
	set := engine.Set{Ref: engine.Ref{Set: types.NamespacedName{Namespace: l.home, Name: name}, Target: to.Name()}}
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
func running(tb testing.TB, l *lab) engine.Engine {
	tb.Helper()
	e := l.Engine(tb)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- e.Start(ctx) }()
	tb.Cleanup(func() { cancel(); <-ended })
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
