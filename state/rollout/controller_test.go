package rollout_test

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
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/state/revision"
	"portico.dev/portico/state/rollout"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds"}}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	os.Exit(shared.Run(m))
}

// plane is a management cluster with the controller alone: the test plays owners and adapters.
type plane struct {
	*testing.T
	kube         client.WithWatch
	team, system string
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	api := shared.Cluster(t)
	kube := api.Client(t, clientgoscheme.AddToScheme, kcm.AddToScheme, statev1.AddToScheme)
	p := &plane{T: t, kube: kube, team: api.Namespace(t), system: api.Namespace(t)}
	api.Control(t, ctrl.Options{Scheme: kube.Scheme()}, func(_ context.Context, mgr ctrl.Manager) error {
		return rollout.New(mgr, time.Now, p.system).SetupWithManager(mgr)
	})
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wants makes or changes a ClusterDeployment, and returns the revision of its wish.
func (p *plane) wants(name, values string) string {
	p.Helper()
	cd := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.team, Name: name}, Spec: kcm.ClusterDeploymentSpec{Template: "t", Credential: "c"}}
	services := []kcm.Service{{Name: "web", Template: "web-1", Values: values}}
	err := p.kube.Get(p.Context(), client.ObjectKeyFromObject(cd), cd)
	cd.Spec.ServiceSpec.Services = services
	if err == nil {
		must(p.T, p.kube.Update(p.Context(), cd))
	} else {
		must(p.T, p.kube.Create(p.Context(), cd))
	}
	revision, err := revision.Name(revision.Owner{Kind: statev1.SubjectClusterDeployment, Namespace: p.team, Name: name}, cd.Spec.ServiceSpec)
	must(p.T, err)
	return revision
}

// has makes the cluster's set what its owner and its adapter would: at that revision, deployed.
func (p *plane) has(name, revision string) {
	p.Helper()
	set := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: p.team, Name: name}}
	err := p.kube.Get(p.Context(), client.ObjectKeyFromObject(set), set)
	set.Annotations = map[string]string{statev1.RevisionAnnotation: revision}
	set.Spec = kcm.ServiceSetSpec{Cluster: name, Provider: kcm.StateManagementProviderConfig{Name: "x"}}
	if err == nil {
		must(p.T, p.kube.Update(p.Context(), set))
	} else {
		must(p.T, p.kube.Create(p.Context(), set))
	}
	set.Status = kcm.ServiceSetStatus{Deployed: true}
	must(p.T, p.kube.Status().Update(p.Context(), set))
}

func (p *plane) rollout(namespace, name string, subject statev1.RolloutSubject) *statev1.Rollout {
	p.Helper()
	r := &statev1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: statev1.RolloutSpec{
		Subject: subject, Waves: []statev1.Wave{{Name: "one", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"first": "yes"}}}},
	}}
	must(p.T, p.kube.Create(p.Context(), r))
	return r
}

// says watches the Rollout until Ready has these words.
func (p *plane) says(r *statev1.Rollout, reason, words string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 20*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &statev1.RolloutList{}, client.InNamespace(r.Namespace), client.MatchingFields{"metadata.name": r.Name})
	must(p.T, err)
	defer w.Stop()
	for e := range w.ResultChan() {
		o, ok := e.Object.(*statev1.Rollout)
		if !ok {
			continue
		}
		o.DeepCopyInto(r)
		if c := control.Find(r.Status.Conditions, kcm.ReadyCondition); c != nil && c.Reason == reason && strings.Contains(c.Message, words) {
			return
		}
	}
	p.Fatalf("it never said %s %q; last seen: %+v", reason, words, r.Status)
}

// The services of ClusterDeployments go in waves as well, each with a revision of its own.
func TestClusterDeployments(t *testing.T) {
	p := newPlane(t)
	a, b := p.wants("a", "one: 1"), p.wants("b", "one: 1")
	p.has("a", a)
	p.has("b", b)
	cd := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.team, Name: "b"}}
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(cd), cd))
	cd.Labels = map[string]string{"first": "yes"}
	must(t, p.kube.Update(t.Context(), cd))
	r := p.rollout(p.team, "slowly", statev1.RolloutSubject{Kind: statev1.SubjectClusterDeployment})
	p.says(r, "Complete", "on all 2 clusters")
	newA, newB := p.wants("a", "two: 2"), p.wants("b", "two: 2")
	p.says(r, "Progressing", "wave one waits for 1 of 1 clusters, cluster "+p.team+"/b")
	ask := func(name, newest, has string) string {
		return rollout.RevisionFor(r, rollout.Ask{Cluster: p.team + "/" + name, Newest: newest, Has: has, Recorded: func(string) bool { return true }}).Revision
	}
	if ask("a", newA, a) != a || ask("b", newB, b) != newB {
		t.Errorf("admitted are %+v; want b alone", r.Status.Admitted)
	}
	p.has("b", newB)
	p.says(r, "Progressing", "cluster "+p.team+"/a")
	if ask("a", newA, a) != newA {
		t.Errorf("admitted are %+v; want both", r.Status.Admitted)
	}
	p.has("a", newA)
	p.says(r, "Complete", "on all 2 clusters")
	p.told(r, "WaveBegun", "RolloutComplete")
	status := r.ResourceVersion
	p.has("a", newA)
	time.Sleep(300 * time.Millisecond)
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(r), r))
	if r.ResourceVersion != status {
		t.Error("the status was written although nothing changed")
	}
}

// told waits for events of these reasons.
func (p *plane) told(r *statev1.Rollout, reasons ...string) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 20*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &eventsv1.EventList{}, client.InNamespace(r.Namespace))
	must(p.T, err)
	defer w.Stop()
	missing := map[string]bool{}
	for _, reason := range reasons {
		missing[reason] = true
	}
	for e := range w.ResultChan() {
		if event, ok := e.Object.(*eventsv1.Event); ok && event.Regarding.Name == r.Name {
			delete(missing, event.Reason)
		}
		if len(missing) == 0 {
			return
		}
	}
	p.Errorf("nobody told of %v", missing)
}

// A Rollout that has no effect says why.
func TestNoEffect(t *testing.T) {
	p := newPlane(t)
	web := statev1.RolloutSubject{Kind: statev1.SubjectMultiClusterService, Name: "web"}
	p.says(p.rollout(p.team, "astray", web), "WrongNamespace", "has to be in namespace "+p.system)
	p.says(p.rollout(p.system, "early", web), "SubjectNotFound", "MultiClusterService web does not exist yet")
	p.says(p.rollout(p.team, "nameless", statev1.RolloutSubject{Kind: statev1.SubjectNamespaced}), "InvalidSpec", "spec.subject.name")
	p.wants("a", "x: 1")
	p.rollout(p.team, "many-a", statev1.RolloutSubject{Kind: statev1.SubjectClusterDeployment})
	p.says(p.rollout(p.team, "many-b", statev1.RolloutSubject{Kind: statev1.SubjectClusterDeployment}), "OlderRolloutCounts", "Rollout many-a is older")
}
