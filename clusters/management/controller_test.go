package management

import (
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/templates"
)

var shared = kubetest.Shared{CRDs: []string{"bin/share/crds/cluster-api", "bin/share/crds/flux", "bin/share/crds/portico"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plane is a management cluster with our controller on it, and with what a plane has from the
// start; the test plays the controllers of templates and releases.
type plane struct {
	t    *testing.T
	kube client.WithWatch
	m    *kcm.Management
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	cluster := shared.Cluster(t)
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, sourcev1.AddToScheme, kcm.AddToScheme} {
		must(t, add(scheme))
	}
	kube, err := client.NewWithWatch(cluster.Config, client.Options{Scheme: scheme})
	must(t, err)
	mgr, err := ctrl.NewManager(cluster.Config, ctrl.Options{Scheme: scheme, Metrics: server.Options{BindAddress: "0"}})
	must(t, err)
	must(t, (&Controller{Kube: mgr.GetClient(), Events: mgr.GetEventRecorder("test"), Clock: time.Now}).Setup(mgr))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() { cancel(); must(t, <-ended) })
	p := &plane{t: t, kube: kube, m: &kcm.Management{}}
	for _, o := range templates.Objects(templates.Params{Namespace: "default", Version: "1.0.0"}) {
		switch o.(type) {
		case *kcm.Release, *kcm.Management, *kcm.ProviderTemplate:
			must(t, kube.Create(t.Context(), o))
		}
	}
	return p
}

// judged makes a template as its controller leaves it when its chart was read.
func (p *plane) judged(name string, contracts kcm.Contracts, providers ...string) {
	p.t.Helper()
	var pt kcm.ProviderTemplate
	must(p.t, p.kube.Get(p.t.Context(), client.ObjectKey{Name: name}, &pt))
	pt.Status.Valid, pt.Status.ObservedGeneration = true, pt.Generation
	pt.Status.CAPIContracts, pt.Status.Providers = contracts, providers
	must(p.t, p.kube.Status().Update(p.t.Context(), &pt))
}

func (p *plane) await(what string, wanted func(*kcm.Management) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	w, err := p.kube.Watch(ctx, &kcm.ManagementList{})
	must(p.t, err)
	defer w.Stop()
	// What went before the watch began is not told by it.
	if err := p.kube.Get(ctx, client.ObjectKeyFromObject(p.m), &kcm.Management{}); apierrors.IsNotFound(err) && wanted(nil) {
		return
	}
	for e := range w.ResultChan() {
		if e.Type == watch.Deleted {
			p.m = nil
		} else {
			p.m = e.Object.(*kcm.Management).DeepCopy()
		}
		if wanted(p.m) {
			return
		}
	}
	p.t.Fatalf("%s did not happen: %+v", what, p.m.Status)
}

func is(kind, reason, words string) func(*kcm.Management) bool {
	return func(m *kcm.Management) bool {
		if m == nil {
			return false
		}
		c := control.Find(m.Status.Conditions, kind)
		return c != nil && c.Reason == reason && strings.Contains(c.Message, words)
	}
}

// The life of a Management with the real kinds of Cluster API and of our providers: templates
// are judged one after the other, a kind loses its contract, and at last it is deleted while a
// cluster lives under it.
func TestLife(t *testing.T) {
	p := newPlane(t)
	p.await("an unchecked release", is(kcm.ReadyCondition, kcm.ReleaseIsNotObservedReason, "has not been checked"))
	var r kcm.Release
	must(t, p.kube.Get(t.Context(), client.ObjectKey{Name: templates.ReleaseName("1.0.0")}, &r))
	r.Status.Ready, r.Status.ObservedGeneration = true, r.Generation
	must(t, p.kube.Status().Update(t.Context(), &r))
	p.await("the first look", is(kcm.ReadyCondition, kcm.NotAllComponentsHealthyReason, "local: ProviderTemplate local-1-0-0 is being checked"))
	p.judged("kcm-1-0-0", nil)
	p.judged("cluster-api-1-0-0", kcm.Contracts{"v1beta1": "", "v1beta2": ""})
	p.judged("hosted-1-0-0", kcm.Contracts{"v1beta2": "v1alpha1"}, "control-plane-hosted")
	p.await("three healthy components", func(m *kcm.Management) bool { return m.Status.Components["hosted"].Success })
	if len(p.m.Status.AvailableProviders) > 0 {
		t.Errorf("availableProviders = %v before all components were looked at", p.m.Status.AvailableProviders)
	}
	p.judged("local-1-0-0", kcm.Contracts{"v1beta2": "v1alpha1"}, "infrastructure-local")
	p.await("ready", is(kcm.ReadyCondition, kcm.AllComponentsHealthyReason, ""))
	want := []string{"control-plane-hosted", "infrastructure-internal", "infrastructure-local"}
	if got := p.m.Status; !slices.Equal(got.AvailableProviders, want) || got.Release != r.Name || got.CAPIContracts["infrastructure-local"]["v1beta2"] != "v1alpha1" {
		t.Errorf("status = %+v; want the providers %v and release %s", got, want, r.Name)
	}

	p.unlabel("localclusters.infrastructure.cluster.x-k8s.io", "localclustertemplates.infrastructure.cluster.x-k8s.io",
		"localmachines.infrastructure.cluster.x-k8s.io", "localmachinetemplates.infrastructure.cluster.x-k8s.io")
	p.await("the broken contract", is(kcm.ReadyCondition, kcm.NotAllComponentsHealthyReason, "local: provider infrastructure-local does not keep contract v1beta2"))
	if slices.Contains(p.m.Status.AvailableProviders, "infrastructure-local") {
		t.Errorf("availableProviders = %v; infrastructure-local cannot be used", p.m.Status.AvailableProviders)
	}
	p.deleted()
}

// unlabel takes the contract off definitions.
func (p *plane) unlabel(names ...string) {
	p.t.Helper()
	for _, name := range names {
		d := &unstructured.Unstructured{}
		d.SetGroupVersionKind(definitionKind)
		d.SetName(name)
		patch := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"cluster.x-k8s.io/v1beta2":null}}}`))
		must(p.t, p.kube.Patch(p.t.Context(), d, patch))
	}
}

// deleted deletes the Management, once with a cluster under it and then without.
func (p *plane) deleted() {
	p.t.Helper()
	d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "dev"}, Spec: kcm.ClusterDeploymentSpec{Template: "x", Credential: "y"}}
	must(p.t, p.kube.Create(p.t.Context(), d))
	time.Sleep(500 * time.Millisecond) // the cache has to hear of the cluster: afterwards nothing would tell
	must(p.t, p.kube.Delete(p.t.Context(), p.m))
	p.await("the wait for the cluster", is(kcm.DeletingCondition, kcm.DeletingReason, "default/dev"))
	must(p.t, p.kube.Delete(p.t.Context(), d))
	p.await("the end", func(m *kcm.Management) bool { return m == nil })
}
