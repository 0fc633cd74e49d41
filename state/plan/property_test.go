package plan

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/shadow"
	"portico.dev/portico/state/engine"
)

// The namespaces of clusters: the system's, and one that gets templates as copies.
const (
	home   = "kcm-system"
	tenant = "tenant"
)

// changes is how many changes are planned and made.
var changes = flag.Int("changes", 2000, "how many changes are planned and made")

func began() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

// What a plan says is what happens: changes of made-up fleets are planned, and made
// where everybody acts in an order of chance, one service at a time. Each service has to go
// through the same versions on each cluster.
func TestPlanIsWhatHappens(t *testing.T) {
	log.SetLogger(logr.Discard())
	count := *changes
	elsewhere.Store(0)
	const lanes = 2
	steps := make(chan int, lanes)
	for lane := range lanes {
		t.Run(fmt.Sprint(lane), func(t *testing.T) {
			t.Parallel()
			sum := 0
			for n := lane; n < count; n += lanes {
				sum += agree(t, uint64(n))
				if t.Failed() {
					break
				}
			}
			steps <- sum
		})
	}
	t.Cleanup(func() {
		if !t.Failed() {
			if elsewhere.Load() == 0 && count >= 100 {
				t.Error("no step was taken on a cluster that gets its templates as copies")
			}
			t.Logf("%d of %d changes went as planned, in %d steps", count, count, <-steps+<-steps)
		}
	})
}

// elsewhere counts steps with templates that were copied.
var elsewhere atomic.Int64

// agree plans one change and makes it.
func agree(t *testing.T, seed uint64) int {
	t.Helper()
	ctx := context.Background()
	rnd := rand.New(rand.NewPCG(seed, 1))
	base := fleetOf(t, rnd)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	rest, err := newWorld(ctx, inputOn(base))
	must(err)
	_, err = rest.run(ctx)
	must(err)
	change := changeOf(t, rnd, rest.kube)

	in := inputOn(rest.kube)
	in.Changes = []Change{change}
	p, err := Compute(ctx, in)
	must(err)
	l := &live{rnd: rnd, steps: map[string][]string{}}
	must(l.run(ctx, rest.kube, change))
	planned, count := map[string][]string{}, 0
	for _, c := range p.Clusters {
		for _, s := range c.Steps {
			planned[s.Set+" "+s.Namespace+"/"+s.Name] = append(planned[s.Set+" "+s.Namespace+"/"+s.Name], words(s))
			count++
			if strings.HasPrefix(s.Set, tenant+"/") && !strings.HasPrefix(s.From, kcm.ClusterDeploymentKind) {
				elsewhere.Add(1)
			}
		}
	}
	if diff := cmp.Diff(planned, l.steps); diff != "" {
		t.Errorf("seed %d: %s\nthe plan is not what happens (-plan +happened):\n%s", seed, change.Text, diff)
	}
	return count
}

func words(s Step) string {
	return fmt.Sprintf("%s %s %s -> %s %s", s.Action, s.Before.Template, s.Before.Version, s.Now.Template, s.Now.Version)
}

func testScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kcm.AddToScheme, statev1.AddToScheme, corev1.AddToScheme, appsv1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func inputOn(base *shadow.Client) Input {
	return Input{Base: base, Scheme: base.Scheme(), Clock: began, System: home}
}

// live is a fleet in which everybody acts in an order of chance, and an engine that works on one
// service at a time.
type live struct {
	rnd   *rand.Rand
	w     *world
	steps map[string][]string
	// half are the services that are being worked on.
	half map[string]bool
}

func (l *live) run(ctx context.Context, base *shadow.Client, change Change) error {
	var err error
	if l.w, err = newWorld(ctx, inputOn(base)); err != nil {
		return err
	}
	l.half = map[string]bool{}
	if _, err := l.w.change(ctx, Input{Changes: []Change{change}}); err != nil {
		return err
	}
	quiet := 0
	for range 20_000 {
		moved, err := l.act(ctx, l.rnd.IntN(8))
		if err != nil {
			return err
		}
		if quiet++; moved {
			quiet = 0
		}
		if quiet < 10 {
			continue
		}
		// It may be that somebody has not had his turn, or that only the clock has something to do.
		rests, err := l.rests(ctx)
		if err != nil || rests {
			return err
		}
		quiet = 0
	}
	return errors.New("the fleet does not come to rest")
}

// rests gives everybody a turn and says whether nobody did anything with it.
func (l *live) rests(ctx context.Context) (bool, error) {
	for who := range 4 {
		if moved, err := l.act(ctx, who); err != nil || moved {
			return false, err
		}
	}
	var sets kcm.ServiceSetList
	if err := l.w.kube.List(ctx, &sets); err != nil {
		return false, err
	}
	for i := range sets.Items {
		worked, err := l.work(ctx, &sets.Items[i], sets.Items)
		if err != nil || worked {
			return false, err
		}
		if moved, err := l.w.moved(ctx); err != nil || moved {
			return false, err
		}
	}
	again, err := l.w.waves.Pass(ctx)
	l.w.passed += again
	return again == 0, err
}

// act has somebody act, and says whether that changed anything.
func (l *live) act(ctx context.Context, who int) (bool, error) {
	var err error
	worked := false
	switch who {
	case 0:
		err = l.w.many.Pass(ctx)
	case 1:
		err = l.w.own.Pass(ctx)
	case 2:
		_, err = l.w.waves.Pass(ctx)
	case 3:
		err = l.w.model.endClusters(ctx)
	default:
		worked, err = l.engine(ctx)
	}
	if err != nil {
		return false, err
	}
	moved, err := l.w.moved(ctx)
	return worked || moved, err
}

// engine looks at one set, and works on one of its services: it begins, or it comes to its end.
func (l *live) engine(ctx context.Context) (bool, error) {
	var sets kcm.ServiceSetList
	if err := l.w.kube.List(ctx, &sets); err != nil || len(sets.Items) == 0 {
		return false, err
	}
	return l.work(ctx, &sets.Items[l.rnd.IntN(len(sets.Items))], sets.Items)
}

// work works on one service of a set.
func (l *live) work(ctx context.Context, set *kcm.ServiceSet, all []kcm.ServiceSet) (bool, error) {
	m := l.w.model
	name := client.ObjectKeyFromObject(set)
	if set.DeletionTimestamp != nil {
		if followed(set, all) {
			return false, nil
		}
		steps, err := m.remove(ctx, set)
		l.note(steps)
		return len(steps) > 0, err
	}
	there := m.have[name]
	if there == nil {
		there = map[engine.Key]thing{}
		m.have[name] = there
	}
	wanted := map[engine.Key]entry{}
	for _, e := range set.Spec.Services {
		if !uninstalled(e) {
			wanted[keyOf(e)] = e
		}
	}
	steps := m.takeOff(set, wanted)
	var open []entry
	for _, e := range set.Spec.Services {
		old, is := there[keyOf(e)]
		if _, ok := wanted[keyOf(e)]; ok && (!is || !same(old.entry, e)) {
			open = append(open, e)
		}
	}
	if len(open) > 0 {
		e := open[l.rnd.IntN(len(open))]
		id := name.String() + " " + keyOf(e).String()
		if !l.half[id] && l.rnd.IntN(2) == 0 {
			l.half[id] = true
			return true, l.report(ctx, set)
		}
		delete(l.half, id)
		old := there[keyOf(e)]
		there[keyOf(e)] = thing{entry: e}
		steps = append(steps, step(set, old.entry, e, ""))
	}
	l.note(steps)
	return len(steps) > 0, l.report(ctx, set)
}

func (l *live) note(steps []Step) {
	for _, s := range steps {
		id := s.Set + " " + s.Namespace + "/" + s.Name
		l.steps[id] = append(l.steps[id], words(s))
	}
}

// report tells of what is there; what is offered and not done yet is on its way.
func (l *live) report(ctx context.Context, set *kcm.ServiceSet) error {
	name := client.ObjectKeyFromObject(set)
	report := l.w.model.reportOf(name)
	for i := range report.Services {
		r := &report.Services[i]
		for _, e := range set.Spec.Services {
			if keyOf(e) == r.Key && !uninstalled(e) && !same(l.w.model.have[name][r.Key].entry, e) {
				r.State = engine.Provisioning
			}
		}
	}
	return l.w.model.tell(ctx, set, report)
}

// fleetOf makes up a fleet.
func fleetOf(t *testing.T, rnd *rand.Rand) *shadow.Client {
	t.Helper()
	kube, err := shadow.New(shadow.Config{Scheme: testScheme(t), Clock: began})
	if err != nil {
		t.Fatal(err)
	}
	put := func(o client.Object) {
		t.Helper()
		status := o.DeepCopyObject().(client.Object)
		if err := kube.Create(context.Background(), o); err != nil {
			t.Fatal(err)
		}
		status.SetResourceVersion("")
		if err := kube.Status().Update(context.Background(), status); err != nil {
			t.Fatal(err)
		}
	}
	for app, namespace := range map[string]string{"a": home, "b": home, "c": home, "d": tenant} {
		for v := 1; v <= 4; v++ {
			put(templateOf(app, namespace, v))
		}
		put(&kcm.ServiceTemplateChain{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: app},
			Spec: kcm.TemplateChainSpec{SupportedTemplates: []kcm.SupportedTemplate{
				{Name: app + "-1", AvailableUpgrades: []kcm.AvailableUpgrade{{Name: app + "-2"}}},
				{Name: app + "-2", AvailableUpgrades: []kcm.AvailableUpgrade{{Name: app + "-3"}, {Name: app + "-1"}}},
				{Name: app + "-3", AvailableUpgrades: []kcm.AvailableUpgrade{{Name: app + "-4"}}},
				{Name: app + "-4"},
			}},
			Status: kcm.TemplateChainStatus{Valid: true},
		})
	}
	for n := range 1 + rnd.IntN(4) {
		put(clusterOf(rnd, fmt.Sprintf("c%d", n)))
	}
	var others []string
	for n := range rnd.IntN(3) {
		name := fmt.Sprintf("m%d", n)
		put(manyOf(rnd, name, others))
		others = append(others, name)
		if rnd.IntN(2) == 0 {
			put(rolloutOf(rnd, name))
		}
	}
	return kube
}

func templateOf(app, namespace string, v int) *kcm.ServiceTemplate {
	name := fmt.Sprintf("%s-%d", app, v)
	chart := &kcm.CrossNamespaceSourceReference{Kind: "HelmChart", Name: name, Namespace: namespace}
	return &kcm.ServiceTemplate{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec:       kcm.ServiceTemplateSpec{Version: fmt.Sprintf("%d.0.0", v), Helm: &kcm.HelmSpec{ChartSpec: &kcm.HelmChartSpec{}}},
		Status:     kcm.ServiceTemplateStatus{TemplateStatus: kcm.TemplateStatus{TemplateValidationStatus: kcm.TemplateValidationStatus{Valid: true}, ChartRef: chart}},
	}
}

// foreign begins the names of services that clusters in the other namespace want themselves.
const foreign = "far"

func clusterOf(rnd *rand.Rand, name string) *kcm.ClusterDeployment {
	d := &kcm.ClusterDeployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: []string{home, tenant}[rnd.IntN(2)], Name: name, Labels: labelsOf(rnd), Finalizers: []string{"test/cluster"}},
	}
	d.Spec = kcm.ClusterDeploymentSpec{Template: "t", ServiceSpec: servicesOf(rnd, prefixOf(d))}
	return d
}

func prefixOf(d *kcm.ClusterDeployment) string {
	if d.Namespace == tenant {
		return foreign
	}
	return "own"
}

func labelsOf(rnd *rand.Rand) map[string]string {
	return map[string]string{"tier": []string{"gold", "iron"}[rnd.IntN(2)], "canary": fmt.Sprint(rnd.IntN(3) == 0)}
}

func manyOf(rnd *rand.Rand, name string, others []string) *kcm.MultiClusterService {
	m := &kcm.MultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: name}}
	m.Spec.ClusterSelector = selectorOf(rnd)
	m.Spec.ServiceSpec = servicesOf(rnd, name)
	m.Spec.KeepServicesOnSelectorMismatch = rnd.IntN(4) == 0
	m.Spec.ServiceSpec.Provider.SelfManagement = rnd.IntN(4) == 0
	for _, o := range others {
		if rnd.IntN(2) == 0 {
			m.Spec.DependsOn = append(m.Spec.DependsOn, o)
		}
	}
	return m
}

func selectorOf(rnd *rand.Rand) metav1.LabelSelector {
	return metav1.LabelSelector{MatchLabels: map[string]string{"tier": []string{"gold", "iron"}[rnd.IntN(2)]}}
}

func rolloutOf(rnd *rand.Rand, subject string) *statev1.Rollout {
	one, most := intstr.FromInt32(1), intstr.FromString("50%")
	r := &statev1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: subject}}
	r.Spec = statev1.RolloutSpec{
		Subject: statev1.RolloutSubject{Kind: statev1.SubjectMultiClusterService, Name: subject},
		Waves: []statev1.Wave{
			{Name: "canary", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"canary": "true"}}, Count: &one, Soak: &metav1.Duration{Duration: time.Duration(rnd.IntN(3)) * time.Minute}},
			{Name: "rest", MaxUnavailable: &most},
		},
		Paused: rnd.IntN(6) == 0,
	}
	return r
}

// servicesOf makes up services whose dependencies point backwards.
func servicesOf(rnd *rand.Rand, prefix string) kcm.ServiceSpec {
	var spec kcm.ServiceSpec
	for n := range rnd.IntN(4) {
		s := serviceOf(rnd, fmt.Sprintf("%s-%d", prefix, n))
		for i := range n {
			if rnd.IntN(3) == 0 {
				s.DependsOn = append(s.DependsOn, kcm.ServiceDependsOn{Name: fmt.Sprintf("%s-%d", prefix, i), Namespace: "ns"})
			}
		}
		spec.Services = append(spec.Services, s)
	}
	rnd.Shuffle(len(spec.Services), func(i, j int) { spec.Services[i], spec.Services[j] = spec.Services[j], spec.Services[i] })
	return spec
}

func serviceOf(rnd *rand.Rand, name string) kcm.Service {
	app := []string{"a", "b", "c"}[rnd.IntN(3)]
	if strings.HasPrefix(name, foreign) {
		app = "d"
	}
	s := kcm.Service{Name: name, Namespace: "ns", Template: fmt.Sprintf("%s-%d", app, 1+rnd.IntN(4)), Values: fmt.Sprintf("n: %d", rnd.IntN(3)), Disable: rnd.IntN(12) == 0}
	if rnd.IntN(2) == 0 {
		s.TemplateChain = app
	}
	return s
}

// changeOf makes up a change of something that is there, or of something new.
func changeOf(t *testing.T, rnd *rand.Rand, kube *shadow.Client) Change {
	t.Helper()
	var (
		clusters kcm.ClusterDeploymentList
		many     kcm.MultiClusterServiceList
		rollouts statev1.RolloutList
		objects  []client.Object
	)
	for _, list := range []client.ObjectList{&clusters, &many, &rollouts} {
		if err := kube.List(context.Background(), list); err != nil {
			t.Fatal(err)
		}
	}
	for i := range clusters.Items {
		objects = append(objects, &clusters.Items[i])
	}
	for i := range many.Items {
		objects = append(objects, &many.Items[i])
	}
	for i := range rollouts.Items {
		objects = append(objects, &rollouts.Items[i])
	}
	objects = append(objects, clusterOf(rnd, "new"), manyOf(rnd, "new", nil))
	o := objects[rnd.IntN(len(objects))]
	isNew := o.GetName() == "new"
	if !isNew && rnd.IntN(5) == 0 {
		return Change{Object: o, Delete: true}
	}
	switch o := o.(type) {
	case *kcm.ClusterDeployment:
		if rnd.IntN(3) == 0 {
			o.Labels = labelsOf(rnd)
		} else {
			mutate(rnd, &o.Spec.ServiceSpec, prefixOf(o))
		}
	case *kcm.MultiClusterService:
		if rnd.IntN(3) == 0 {
			o.Spec.ClusterSelector = selectorOf(rnd)
		} else {
			mutate(rnd, &o.Spec.ServiceSpec, o.Name)
		}
	case *statev1.Rollout:
		o.Spec.Paused = !o.Spec.Paused
	}
	o.SetResourceVersion("")
	gvk, err := kube.GroupVersionKindFor(o)
	if err != nil {
		t.Fatal(err)
	}
	o.GetObjectKind().SetGroupVersionKind(gvk)
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return Change{Object: o, Text: text}
}

func mutate(rnd *rand.Rand, spec *kcm.ServiceSpec, prefix string) {
	n := len(spec.Services)
	if n == 0 || rnd.IntN(4) == 0 {
		spec.Services = append(spec.Services, serviceOf(rnd, fmt.Sprintf("%s-x%d", prefix, n)))
		return
	}
	i := rnd.IntN(n)
	s := &spec.Services[i]
	switch rnd.IntN(5) {
	case 0:
		name := s.Name
		spec.Services = slices.Delete(spec.Services, i, i+1)
		for j := range spec.Services {
			spec.Services[j].DependsOn = slices.DeleteFunc(spec.Services[j].DependsOn, func(d kcm.ServiceDependsOn) bool { return d.Name == name })
		}
	case 1, 2:
		app, _, _ := strings.Cut(s.Template, "-")
		s.Template = fmt.Sprintf("%s-%d", app, 1+rnd.IntN(4))
	case 3:
		s.Values = fmt.Sprintf("n: %d", rnd.IntN(9))
	case 4:
		s.HelmAction = new(kcm.HelmUninstall)
	}
}
