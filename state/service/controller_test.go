package service_test

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/state/service"
)

var shared = kubetest.Shared{CRDs: []string{"bin/share/crds/portico"}}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	os.Exit(shared.Run(m))
}

type plane struct {
	*testing.T
	kube      client.WithWatch
	namespace string
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	api := shared.Cluster(t)
	kube := api.Client(t, kcm.AddToScheme, eventsv1.AddToScheme)
	api.Control(t, ctrl.Options{Scheme: kube.Scheme()}, func(_ context.Context, mgr ctrl.Manager) error {
		return service.New(mgr.GetClient()).SetupWithManager(mgr)
	})
	return &plane{T: t, kube: kube, namespace: api.Namespace(t)}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *plane) create(objects ...client.Object) {
	p.Helper()
	for _, obj := range objects {
		must(p.T, p.kube.Create(p.Context(), obj))
	}
}

func (p *plane) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: p.namespace, Name: name}
}

func (p *plane) template(name, version string) *kcm.ServiceTemplate {
	return &kcm.ServiceTemplate{ObjectMeta: p.meta(name), Spec: kcm.ServiceTemplateSpec{
		Version: version, Resources: &kcm.SourceSpec{DeploymentType: kcm.DeployRemote, LocalSourceRef: &kcm.LocalSourceRef{Kind: "ConfigMap", Name: name}},
	}}
}

// set waits until the ServiceSet is as wanted.
func (p *plane) set(what string, wanted func(set *kcm.ServiceSet) bool) *kcm.ServiceSet {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 30*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &kcm.ServiceSetList{}, client.InNamespace(p.namespace))
	must(p.T, err)
	defer w.Stop()
	var last any
	for event := range w.ResultChan() {
		set, ok := event.Object.(*kcm.ServiceSet)
		if last = event.Object; ok && wanted(set) {
			return set
		}
	}
	p.Fatalf("%s did not happen; last seen: %+v", what, last)
	return nil
}

// has waits until the set offers a service with a template, and says that it is held or not.
func (p *plane) has(template, held string) *kcm.ServiceSet {
	p.Helper()
	return p.set(template+" held "+held, func(set *kcm.ServiceSet) bool {
		notes, err := service.NotesOf(set)
		must(p.T, err)
		reason := ""
		if len(notes.Held) > 0 {
			reason = notes.Held[0].Reason
		}
		return len(set.Spec.Services) == 1 && set.Spec.Services[0].Template == template && reason == held
	})
}

// deployed is the engine's word that everything in the set is there.
func (p *plane) deployed(set *kcm.ServiceSet) {
	p.Helper()
	was := set.DeepCopy()
	set.Status = kcm.ServiceSetStatus{Deployed: true}
	now := metav1.Now()
	for _, s := range set.Spec.Services {
		set.Status.Services = append(set.Status.Services, kcm.ServiceState{
			LastStateTransitionTime: &now, Type: kcm.ServiceResource, Name: s.Name, Namespace: s.Namespace, Template: s.Template, Version: s.Version, State: kcm.ServiceDeployed,
		})
	}
	must(p.T, p.kube.Status().Patch(p.Context(), set, client.MergeFrom(was)))
}

// A service goes along its chain while nobody but the engine says a word; a chain, a template and a
// provider that come late are seen; and what stands writes nothing.
func TestChainIsFollowed(t *testing.T) {
	p := newPlane(t)
	p.create(p.template("web-1", "1.0.0"), p.template("web-2", "2.0.0"))
	web := kcm.Service{Name: "web", Template: "web-1", TemplateChain: "web"}
	d := &kcm.ClusterDeployment{ObjectMeta: p.meta("dev"), Spec: kcm.ClusterDeploymentSpec{
		Template: "none", Credential: "none", ServiceSpec: kcm.ServiceSpec{Services: []kcm.Service{web}},
	}}
	p.create(d)
	p.set("the hold for want of a chain", func(set *kcm.ServiceSet) bool {
		notes, _ := service.NotesOf(set)
		return len(set.Spec.Services) == 0 && len(notes.Held) == 1 && notes.Held[0].Reason == statev1.HeldChain
	})
	p.create(&kcm.ServiceTemplateChain{ObjectMeta: p.meta("web"), Spec: kcm.TemplateChainSpec{SupportedTemplates: []kcm.SupportedTemplate{
		{Name: "web-1", AvailableUpgrades: []kcm.AvailableUpgrade{{Name: "web-2"}}},
		{Name: "web-2", AvailableUpgrades: []kcm.AvailableUpgrade{{Name: "web-3"}}},
		{Name: "web-3"},
	}}})
	p.deployed(p.has("web-1", ""))
	must(t, p.kube.Get(p.Context(), client.ObjectKeyFromObject(d), d))
	was := d.DeepCopy()
	d.Spec.ServiceSpec.Services[0].Template = "web-3"
	must(t, p.kube.Patch(p.Context(), d, client.MergeFrom(was)))
	p.deployed(p.has("web-2", statev1.HeldChain))
	last := p.has("web-3", "")
	if got := last.Spec.Services[0].Version; got != "web-3" {
		t.Errorf("the version of a template that does not exist is %q; want its name", got)
	}
	p.create(p.template("web-3", "3.0.0"))
	p.deployed(p.set("the template's version", func(set *kcm.ServiceSet) bool { return set.Spec.Services[0].Version == "3.0.0" }))
	p.set("the note of where it is", func(set *kcm.ServiceSet) bool {
		notes, _ := service.NotesOf(set)
		return notes.Reached["default/web"] == service.Reached{Template: "web-3", Version: "3.0.0"}
	})
	p.create(&kcm.StateManagementProvider{ObjectMeta: metav1.ObjectMeta{Name: kcm.DefaultStateManagementProviderName}, Spec: kcm.StateManagementProviderSpec{
		Selector:    &metav1.LabelSelector{MatchLabels: map[string]string{"example.com/adapter": "mine"}},
		Provisioner: []kcm.ResourceReference{}, ProvisionerCRDs: []kcm.ProvisionerCRD{},
	}})
	stands := p.set("the provider's label", func(set *kcm.ServiceSet) bool {
		return set.Labels["example.com/adapter"] == "mine" && set.Labels[kcm.AdapterLabel] == ""
	})
	p.touch(d)
	var now kcm.ServiceSet
	must(t, p.kube.Get(p.Context(), client.ObjectKeyFromObject(stands), &now))
	if now.ResourceVersion != stands.ResourceVersion {
		t.Errorf("nothing changed and the set was written: %+v\n%+v", stands, now)
	}
}

// touch changes a ClusterDeployment in what does not matter here, and waits until the controller
// has looked: it writes the upgrade paths anew where they are missing.
func (p *plane) touch(d *kcm.ClusterDeployment) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 30*time.Second)
	defer cancel()
	must(p.T, p.kube.Get(ctx, client.ObjectKeyFromObject(d), d))
	was := d.DeepCopy()
	d.Status.ServicesUpgradePaths = nil
	must(p.T, p.kube.Status().Patch(ctx, d, client.MergeFrom(was)))
	w, err := p.kube.Watch(ctx, &kcm.ClusterDeploymentList{}, client.InNamespace(p.namespace))
	must(p.T, err)
	defer w.Stop()
	for event := range w.ResultChan() {
		if now, ok := event.Object.(*kcm.ClusterDeployment); ok && len(now.Status.ServicesUpgradePaths) == 1 {
			return
		}
	}
	p.Fatal("the upgrade paths were not written again")
}

// A set that has the name of a ClusterDeployment's, and somebody else's services, stays as it is;
// an event says so.
func TestSetOfAnother(t *testing.T) {
	p := newPlane(t)
	p.create(p.template("web-1", "1.0.0"))
	theirs := &kcm.ServiceSet{ObjectMeta: p.meta("dev-487a0a9a"), Spec: kcm.ServiceSetSpec{
		Cluster: "dev", MultiClusterService: "ingress", Provider: kcm.StateManagementProviderConfig{Name: kcm.DefaultStateManagementProviderName},
	}}
	p.create(theirs)
	d := &kcm.ClusterDeployment{ObjectMeta: p.meta(theirs.Name), Spec: kcm.ClusterDeploymentSpec{
		Template: "none", Credential: "none", ServiceSpec: kcm.ServiceSpec{Services: []kcm.Service{{Name: "web", Template: "web-1"}}},
	}}
	p.create(d)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &eventsv1.EventList{}, client.InNamespace(p.namespace))
	must(t, err)
	defer w.Stop()
	said := ""
	for event := range w.ResultChan() {
		if e, ok := event.Object.(*eventsv1.Event); ok && e.Regarding.Name == d.Name && e.Reason == "InvalidServices" {
			said = e.Note
			break
		}
	}
	if !strings.Contains(said, "has the services of MultiClusterService ingress") {
		t.Errorf("the event says %q; want whose set it is", said)
	}
	var now kcm.ServiceSet
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(theirs), &now))
	if now.ResourceVersion != theirs.ResourceVersion {
		t.Errorf("the set of another was written: %+v", now)
	}
}
