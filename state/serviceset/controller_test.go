package serviceset_test

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/clusters/deployment"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engines/memory"
	"portico.dev/portico/state/service"
	"portico.dev/portico/state/serviceset"
)

var shared = kubetest.Shared{CRDs: []string{"bin/share/crds/cluster-api", "bin/share/crds/flux", "bin/share/crds/portico"}}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	os.Exit(shared.Run(m))
}

// home is the system namespace.
const home = "kcm-system"

// counted is an engine that counts how often each set was handed to it.
type counted struct {
	engine.Engine
	mu   sync.Mutex
	sets map[string]int
}

// Apply implements engine.Engine.
func (c *counted) Apply(ctx context.Context, set engine.Set) (engine.Report, error) {
	c.mu.Lock()
	c.sets[set.Set.Name]++
	c.mu.Unlock()
	return c.Engine.Apply(ctx, set)
}

// times is how often, for each set, so far.
func (c *counted) times() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.sets)
}

// named is an engine by another name.
type named struct {
	engine.Engine
	name string
}

// Name implements engine.Engine.
func (n named) Name() string { return n.name }

// plane is a management cluster with everything between a ClusterDeployment and an engine on it,
// wired as app does; the engine's clusters are in memory.
type plane struct {
	*testing.T
	kube      client.WithWatch
	namespace string
	world     *memory.World
	// other is what the second engine works on.
	other   *memory.World
	engine  *counted
	cluster *memory.Cluster
	target  engine.Target
	// controller is the one of ServiceSets.
	controller *serviceset.Controller
	// ahead is how far the plane's clock is ahead of ours, in seconds.
	ahead atomic.Int64
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	api := shared.Cluster(t)
	kube := api.Client(t, clientgoscheme.AddToScheme, clusterv1.AddToScheme, sourcev1.AddToScheme, kcm.AddToScheme, sveltos.AddToScheme)
	p := &plane{T: t, kube: kube, namespace: api.Namespace(t), world: memory.NewWorld(), other: memory.NewWorld()}
	p.target = engine.Target{Cluster: types.NamespacedName{Namespace: p.namespace, Name: "dev"}}
	p.cluster = p.world.AddCluster(p.target)

	p.engine = &counted{Engine: memory.New(p.world, time.Now), sets: map[string]int{}}
	releases, err := helm.New(api.Config, helm.Config{})
	must(t, err)
	api.Control(t, ctrl.Options{
		Scheme: kube.Scheme(),
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}}},
	}, func(ctx context.Context, mgr ctrl.Manager) error {
		must(t, deployment.New(deployment.Parts{
			Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), Releases: releases, Charts: helm.NewCharts(1 << 20),
			Children: deployment.Direct{}, Events: mgr.GetEventRecorder("test"), Clock: time.Now,
		}).Setup(ctx, mgr))
		must(t, service.New(mgr.GetClient()).SetupWithManager(mgr))
		p.controller = serviceset.New(mgr, serviceset.Config{
			Engines: []engine.Engine{p.engine, named{memory.New(p.other, time.Now), "other"}}, Default: "memory", Home: home, Clock: p.now,
		})
		return p.controller.SetupWithManager(mgr)
	})
	return p
}

func (p *plane) now() time.Time { return time.Now().Add(time.Duration(p.ahead.Load()) * time.Second) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *plane) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: p.namespace, Name: name}
}

// template makes a ServiceTemplate as its controller leaves it, in a namespace.
func (p *plane) template(namespace, name, version string) {
	p.Helper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	digest := "sha256:" + strings.Repeat(version[:1], 64)
	p.world.AddChart(digest, memory.Chart{Version: version, Keys: []string{"text", "run"}})
	chart := &sourcev1.HelmChart{ObjectMeta: meta, Spec: sourcev1.HelmChartSpec{
		Chart: "app", Interval: metav1.Duration{Duration: time.Hour}, SourceRef: sourcev1.LocalHelmChartSourceReference{Kind: "HelmRepository", Name: "x"},
	}}
	p.create(chart)
	chart.Status.Artifact = &fluxmeta.Artifact{URL: "http://localhost/x", Path: "x", Revision: version, Digest: digest, LastUpdateTime: metav1.Now()}
	must(p.T, p.kube.Status().Update(p.Context(), chart))
	ref := &kcm.CrossNamespaceSourceReference{Kind: "HelmChart", Name: name, Namespace: namespace}
	t := &kcm.ServiceTemplate{ObjectMeta: meta, Spec: kcm.ServiceTemplateSpec{Version: version, Helm: &kcm.HelmSpec{ChartRef: ref}}}
	p.create(t)
	t.Status.Valid, t.Status.ChartRef = true, ref
	must(p.T, p.kube.Status().Update(p.Context(), t))
}

func (p *plane) create(obj client.Object) {
	p.Helper()
	must(p.T, p.kube.Create(p.Context(), obj))
}

// deploy makes a ClusterDeployment with services. Its own template does not exist: its services
// do not depend on that.
func (p *plane) deploy(services ...kcm.Service) *kcm.ClusterDeployment {
	p.Helper()
	d := &kcm.ClusterDeployment{ObjectMeta: p.meta("dev"), Spec: kcm.ClusterDeploymentSpec{
		Template: "none", Credential: "none", ServiceSpec: kcm.ServiceSpec{Services: services},
	}}
	p.create(d)
	return d
}

// services changes what the ClusterDeployment wants.
func (p *plane) services(services ...kcm.Service) {
	p.Helper()
	d := &kcm.ClusterDeployment{ObjectMeta: p.meta("dev")}
	must(p.T, p.kube.Get(p.Context(), client.ObjectKeyFromObject(d), d))
	was := d.DeepCopy()
	d.Spec.ServiceSpec.Services = services
	must(p.T, p.kube.Patch(p.Context(), d, client.MergeFrom(was)))
}

func (p *plane) key(name string) engine.Key { return engine.Key{Namespace: "default", Name: name} }

// await watches objects of a list's kind until that of the name dev is as wanted; obj is nil
// while there is none.
func await[T client.Object](p *plane, list client.ObjectList, what string, wanted func(obj T, there bool) bool) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 30*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, list, client.InNamespace(p.namespace), client.MatchingFields{"metadata.name": "dev"})
	must(p.T, err)
	defer w.Stop()
	var last any
	for event := range w.ResultChan() {
		obj, ok := event.Object.(T)
		if last = event.Object; ok && wanted(obj, event.Type != "DELETED") {
			return
		}
	}
	p.Fatalf("%s did not happen; last seen: %+v", what, last)
}

// reports waits until the ClusterDeployment tells of a service in that state, with these words.
func (p *plane) reports(name string, state kcm.ServicePhase, words string) {
	p.Helper()
	await(p, &kcm.ClusterDeploymentList{}, name+" "+string(state)+" "+words, func(d *kcm.ClusterDeployment, _ bool) bool {
		for _, s := range d.Status.Services {
			if s.Name == name && s.State == state && strings.Contains(s.FailureMessage, words) {
				return true
			}
		}
		return false
	})
}

// gone waits until an object of that kind is not there.
func gone[T client.Object](p *plane, list client.ObjectList, obj T) {
	p.Helper()
	obj.SetNamespace(p.namespace)
	obj.SetName("dev")
	if apierrors.IsNotFound(p.kube.Get(p.Context(), client.ObjectKeyFromObject(obj), obj)) {
		return
	}
	await(p, list, "its end", func(_ T, there bool) bool { return !there })
}

// From a ClusterDeployment's services to releases, and back to its status: what is missing is
// named, what changes is upgraded, what goes is removed.
func TestLife(t *testing.T) {
	p := newPlane(t)
	web := kcm.Service{Name: "web", Template: "web-1", Values: "text: one"}
	p.deploy(web)
	p.reports("web", kcm.ServiceFailed, `ServiceTemplate "web-1" does not exist in namespace "`+p.namespace+`"`)
	p.template(shared.Cluster(t).Namespace(t), "web-1", "1.0.0")
	p.template(p.namespace, "web-1", "1.0.0")
	p.reports("web", kcm.ServiceDeployed, "")
	if r := p.cluster.Releases()[p.key("web")]; r.Revision != 1 || r.Values["text"] != "one" {
		t.Errorf("the release is %+v", r)
	}
	await(p, &kcm.ClusterDeploymentList{}, "the count", func(d *kcm.ClusterDeployment, _ bool) bool {
		for _, c := range d.Status.Conditions {
			if c.Type == kcm.ServicesInReadyStateCondition && c.Status == metav1.ConditionTrue {
				return c.Message == "1/1"
			}
		}
		return false
	})

	web.ValuesFrom = []kcm.ValuesFrom{{Kind: "Secret", Name: "more"}}
	p.services(web)
	p.reports("web", kcm.ServiceFailed, "Secret/more")
	p.create(&corev1.Secret{ObjectMeta: p.meta("more"), StringData: map[string]string{"values.yaml": "text: two"}})
	p.reports("web", kcm.ServiceDeployed, "")
	if r := p.cluster.Releases()[p.key("web")]; r.Revision != 2 || r.Values["text"] != "two" {
		t.Errorf("the release is %+v", r)
	}

	p.template(p.namespace, "web-2", "2.0.0")
	web.Template, web.Values = "web-2", "text: [one"
	p.services(web)
	p.reports("web", kcm.ServiceFailed, "not YAML")
	web.Values = ""
	p.services(web, kcm.Service{Name: "db", Template: "web-1"})
	p.reports("db", kcm.ServiceDeployed, "")
	p.reports("web", kcm.ServiceDeployed, "")
	if r := p.cluster.Releases()[p.key("web")]; r.Revision != 3 || r.Chart != "2.0.0" {
		t.Errorf("the release is %+v", r)
	}
	p.services(kcm.Service{Name: "db", Template: "web-1"})
	await(p, &kcm.ClusterDeploymentList{}, "the end of web", func(d *kcm.ClusterDeployment, _ bool) bool {
		return len(d.Status.Services) == 1 && d.Status.Services[0].State == kcm.ServiceDeployed
	})
	if left := p.cluster.Releases(); len(left) != 1 {
		t.Errorf("the releases are %v", left)
	}
}

// What depends on others waits for them, and leaves before them.
func TestOrder(t *testing.T) {
	p := newPlane(t)
	p.template(p.namespace, "app-1", "1.0.0")
	d := p.deploy(
		kcm.Service{Name: "web", Template: "app-1", DependsOn: []kcm.ServiceDependsOn{{Name: "z-db"}}},
		kcm.Service{Name: "z-db", Template: "app-1", Values: "run: true"},
	)
	p.reports("z-db", kcm.ServiceProvisioning, "pods")
	p.cluster.Heal(p.key("z-db"))
	p.reports("web", kcm.ServiceDeployed, "")
	must(t, p.kube.Delete(t.Context(), d))
	gone(p, &kcm.ClusterDeploymentList{}, &kcm.ClusterDeployment{})
	journal := strings.Join(p.cluster.Journal(), ", ")
	if want := "make z-db, make z-db, make web, make web, remove web, remove z-db"; journal != want {
		t.Errorf("the order was %s; want %s", journal, want)
	}
}

// touch has the controller look again, if it has not done so by itself.
func (p *plane) touch() {
	p.Helper()
	set := &kcm.ServiceSet{ObjectMeta: p.meta("dev")}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"test/touched":%q}}}`, time.Now())
	must(p.T, client.IgnoreNotFound(p.kube.Patch(p.Context(), set, client.RawPatch(types.MergePatchType, patch))))
}

// held waits until the ServiceSet says why it does not go.
func (p *plane) held(words string) {
	p.Helper()
	await(p, &kcm.ServiceSetList{}, "the wait", func(set *kcm.ServiceSet, _ bool) bool {
		for _, c := range set.Status.Conditions {
			if c.Type == kcm.ServiceSetStatusesCollectedCondition && strings.Contains(c.Message, words) {
				return c.Status == metav1.ConditionFalse
			}
		}
		return false
	})
}

// A cluster that is deleted and does not answer holds nothing up for long, and an event tells.
func TestDeadCluster(t *testing.T) {
	p := newPlane(t)
	p.template(p.namespace, "app-1", "1.0.0")
	d := p.deploy(kcm.Service{Name: "web", Template: "app-1"})
	p.reports("web", kcm.ServiceDeployed, "")
	p.cluster.Sever()
	p.held("does not answer since")
	must(t, p.kube.Delete(t.Context(), d))
	p.held("its services are left to go with it")
	p.ahead.Store(int64(time.Minute / time.Second))
	p.touch()
	gone(p, &kcm.ClusterDeploymentList{}, &kcm.ClusterDeployment{})
	p.told("ServicesAbandoned")
}

// told waits for an event of that reason about the ClusterDeployment.
func (p *plane) told(reason string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 30*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &eventsv1.EventList{}, client.InNamespace(p.namespace))
	must(p.T, err)
	defer w.Stop()
	for e := range w.ResultChan() {
		if event, ok := e.Object.(*eventsv1.Event); ok && event.Reason == reason && event.Regarding.Kind == "ClusterDeployment" {
			return
		}
	}
	p.Errorf("nobody told of %s", reason)
}

// A ServiceSet whose cluster lives waits for it, whether it does not answer or has no
// kubeconfig for a moment; what was installed is removed in the end.
func TestLivingCluster(t *testing.T) {
	p := newPlane(t)
	p.template(p.namespace, "app-1", "1.0.0")
	p.deploy(kcm.Service{Name: "web", Template: "app-1"})
	p.reports("web", kcm.ServiceDeployed, "")
	p.world.RemoveCluster(p.target)
	must(t, p.kube.Delete(t.Context(), &kcm.ServiceSet{ObjectMeta: p.meta("dev")}))
	p.held("there is no kubeconfig")
	p.ahead.Store(int64(time.Hour / time.Second))
	p.touch()
	p.held("take the finalizer")
	if _, there := p.cluster.Releases()[p.key("web")]; !there {
		t.Error("the service is gone although nobody could remove it")
	}
	p.world.Return(p.cluster)
	p.touch()
	await(p, &kcm.ServiceSetList{}, "the end", func(_ *kcm.ServiceSet, there bool) bool { return !there })
	// The ClusterDeployment still wants its service: it comes back.
	await(p, &kcm.ServiceSetList{}, "the return", func(set *kcm.ServiceSet, there bool) bool { return there && set.Status.Deployed })
	if journal := strings.Join(p.cluster.Journal(), ", "); !strings.Contains(journal, "remove web, make web") {
		t.Errorf("web was not removed and made anew: %s", journal)
	}
}
