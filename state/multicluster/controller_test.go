package multicluster_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/state/multicluster"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/rollout"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds"}}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	os.Exit(shared.Run(m))
}

// plane is a management cluster with the controllers of services of many clusters. The test
// plays the adapter, by what a third party's has to do: finalizer, status, removal.
type plane struct {
	*testing.T
	kube client.WithWatch
	// system and team are namespaces; tag is a label that only this test's clusters have.
	system, team, tag string
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	api := shared.Cluster(t)
	kube := api.Client(t, clientgoscheme.AddToScheme, kcm.AddToScheme, statev1.AddToScheme)
	p := &plane{T: t, kube: kube, system: api.Namespace(t), team: api.Namespace(t)}
	p.tag = p.team
	api.Control(t, ctrl.Options{Scheme: kube.Scheme()}, func(_ context.Context, mgr ctrl.Manager) error {
		must(t, multicluster.New(multicluster.Parts{
			Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), Events: mgr.GetEventRecorder("test"), Clock: time.Now, System: p.system,
		}).SetupWithManager(mgr))
		return rollout.New(mgr, time.Now, p.system).SetupWithManager(mgr)
	})
	t.Cleanup(p.sweep)
	return p
}

// sweep leaves nothing that the next test's controllers would work on.
func (p *plane) sweep() {
	ctx := context.Background()
	var all kcm.MultiClusterServiceList
	must(p.T, p.kube.List(ctx, &all))
	for _, m := range all.Items {
		must(p.T, client.IgnoreNotFound(p.kube.Delete(ctx, &m)))
		must(p.T, client.IgnoreNotFound(p.kube.Patch(ctx, &m, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *plane) create(obj client.Object) {
	p.Helper()
	must(p.T, p.kube.Create(p.Context(), obj))
}

// change patches an object to what edit makes of it.
func change[T client.Object](p *plane, obj T, edit func(T)) {
	p.Helper()
	must(p.T, p.kube.Get(p.Context(), client.ObjectKeyFromObject(obj), obj))
	was := obj.DeepCopyObject().(client.Object)
	edit(obj)
	must(p.T, p.kube.Patch(p.Context(), obj, client.MergeFrom(was)))
}

func (p *plane) cluster(name string, labels map[string]string) *kcm.ClusterDeployment {
	p.Helper()
	all := map[string]string{"test": p.tag}
	for k, v := range labels {
		all[k] = v
	}
	cd := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.team, Name: name, Labels: all}, Spec: kcm.ClusterDeploymentSpec{Template: "none", Credential: "none"}}
	p.create(cd)
	return cd
}

// template makes a ServiceTemplate as its controller leaves it.
func (p *plane) template(namespace, name string) {
	p.Helper()
	ref := &kcm.CrossNamespaceSourceReference{Kind: "HelmChart", Name: name, Namespace: namespace}
	t := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: kcm.ServiceTemplateSpec{Version: "1.0.0", Helm: &kcm.HelmSpec{ChartRef: ref}}}
	p.create(t)
	p.judge(t)
}

// judge makes a template valid.
func (p *plane) judge(t *kcm.ServiceTemplate) {
	p.Helper()
	t.Status.Valid, t.Status.ChartRef = true, t.Spec.Helm.ChartRef
	must(p.T, p.kube.Status().Update(p.Context(), t))
}

func (p *plane) mcs(name string, spec kcm.MultiClusterServiceSpec) *kcm.MultiClusterService {
	p.Helper()
	if spec.ClusterSelector.MatchLabels == nil && !spec.ServiceSpec.Provider.SelfManagement {
		spec.ClusterSelector.MatchLabels = map[string]string{"test": p.tag}
	}
	m := &kcm.MultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: name + "-" + p.tag}, Spec: spec}
	p.create(m)
	return m
}

func services(names ...string) kcm.ServiceSpec {
	var spec kcm.ServiceSpec
	for _, name := range names {
		spec.Services = append(spec.Services, kcm.Service{Name: name, Template: "app-1"})
	}
	return spec
}

func (p *plane) setOf(o placement.Owner, cluster string) types.NamespacedName {
	t := placement.Management()
	if cluster != "" {
		t = placement.Target{Cluster: types.NamespacedName{Namespace: p.team, Name: cluster}}
	}
	return placement.SetKey(o, t, p.system)
}

func owner(m *kcm.MultiClusterService) placement.Owner {
	return placement.Owner{Kind: statev1.SubjectMultiClusterService, Name: m.Name}
}

// await waits until an object of that name is as wanted; there is false while there is none.
func await[T client.Object](p *plane, obj T, what string, wanted func(obj T, there bool) bool) {
	p.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := p.kube.Get(p.Context(), client.ObjectKeyFromObject(obj), obj)
		if client.IgnoreNotFound(err) != nil {
			p.Fatal(err)
		}
		if wanted(obj, err == nil) {
			return
		}
		if time.Now().After(deadline) {
			p.Fatalf("%s did not happen; last seen: %+v", what, obj)
		}
		time.Sleep(10 * time.Millisecond) // a test may look again and again; controllers may not
	}
}

// set waits for a ServiceSet.
func (p *plane) set(key types.NamespacedName) *kcm.ServiceSet {
	p.Helper()
	set := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	await(p, set, "ServiceSet "+key.String(), func(_ *kcm.ServiceSet, there bool) bool { return there })
	return set
}

func (p *plane) gone(key types.NamespacedName) {
	p.Helper()
	set := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
	await(p, set, "the end of ServiceSet "+key.String(), func(_ *kcm.ServiceSet, there bool) bool { return !there })
}

func (p *plane) absent(key types.NamespacedName) {
	p.Helper()
	if err := p.kube.Get(p.Context(), key, &kcm.ServiceSet{}); !apierrors.IsNotFound(err) {
		p.Errorf("ServiceSet %s is there (%v), and should not be yet", key, err)
	}
}

// report is what an adapter says of a set: all of it is in that state.
func (p *plane) report(key types.NamespacedName, state kcm.ServicePhase, message string) {
	p.Helper()
	set := p.set(key)
	change(p, set, func(s *kcm.ServiceSet) { s.Finalizers = []string{kcm.ServiceSetFinalizer} })
	now := metav1.Now()
	set.Status = kcm.ServiceSetStatus{Deployed: state == kcm.ServiceDeployed}
	for _, s := range set.Spec.Services {
		set.Status.Services = append(set.Status.Services, kcm.ServiceState{
			LastStateTransitionTime: &now, Type: kcm.ServiceHelm, Name: s.Name, Namespace: s.Namespace,
			Template: s.Template, Version: s.Version, State: state, FailureMessage: message,
		})
	}
	set.Status.Conditions = control.Fold(nil, control.Stamp{Now: now.Time, Generation: set.Generation},
		control.Bool(kcm.ServicesInReadyStateCondition, set.Status.Deployed, "X", ""))
	must(p.T, p.kube.Status().Update(p.Context(), set))
}

func (p *plane) deployed(key types.NamespacedName) {
	p.Helper()
	p.report(key, kcm.ServiceDeployed, "")
}

// removed takes the adapter's finalizer off a set that is being deleted.
func (p *plane) removed(key types.NamespacedName) {
	p.Helper()
	set := p.set(key)
	await(p, set, "the deletion of "+key.String(), func(s *kcm.ServiceSet, there bool) bool { return there && s.DeletionTimestamp != nil })
	change(p, set, func(s *kcm.ServiceSet) { s.Finalizers = nil })
	p.gone(key)
}

// says waits until Ready has that status and these words.
func says[T interface {
	client.Object
	GetConditions() []metav1.Condition
}](p *plane, obj T, status metav1.ConditionStatus, words string) {
	p.Helper()
	await(p, obj, fmt.Sprintf("Ready %s %q", status, words), func(o T, there bool) bool {
		c := control.Find(o.GetConditions(), kcm.ReadyCondition)
		return there && c != nil && c.Status == status && strings.Contains(c.Message, words)
	})
}

// still checks that nothing is written any more, though an owner is looked at again.
func (p *plane) still(owner client.Object, set types.NamespacedName) {
	p.Helper()
	time.Sleep(300 * time.Millisecond) // whatever is on its way arrives
	version := func() string {
		must(p.T, p.kube.Get(p.Context(), client.ObjectKeyFromObject(owner), owner))
		return p.set(set).ResourceVersion + " " + owner.GetResourceVersion()
	}
	cd := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.team, Name: "a"}}
	before := version()
	change(p, cd, func(cd *kcm.ClusterDeployment) { cd.Labels["touched"] = "yes" })
	time.Sleep(300 * time.Millisecond)
	if after := version(); after != before {
		p.Errorf("the set and its owner went from %s to %s though nothing changed", before, after)
	}
}

// From a MultiClusterService to ServiceSets and back: templates are copied to where they are
// needed, sets come and go with labels, and the status says what is missing.
func TestLife(t *testing.T) {
	p := newPlane(t)
	p.cluster("a", nil)
	b := p.cluster("b", nil)
	m := p.mcs("web", kcm.MultiClusterServiceSpec{ServiceSpec: services("web")})
	says(p, m, metav1.ConditionFalse, fmt.Sprintf(`ServiceTemplate "app-1" does not exist in namespace %q`, p.system))
	p.template(p.system, "app-1")

	made := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: p.team, Name: "app-1"}}
	await(p, made, "the copy", func(_ *kcm.ServiceTemplate, there bool) bool { return there })
	if made.Labels[kcm.ManagedLabel] != kcm.LabelTrue || made.OwnerReferences[0].UID != m.UID || made.Spec.Helm.ChartRef.Namespace != p.system {
		t.Errorf("the copy is %+v", made)
	}
	says(p, m, metav1.ConditionFalse, "has not been judged yet")
	p.judge(made)
	keyA, keyB := p.setOf(owner(m), "a"), p.setOf(owner(m), "b")
	set := p.set(keyA)
	if got := set.OwnerReferences[0]; set.Spec.Cluster != "a" || set.Spec.MultiClusterService != m.Name || got.Kind != "ClusterDeployment" || got.Name != "a" {
		t.Errorf("the set is %+v", set)
	}
	p.deployed(keyA)
	p.report(keyB, kcm.ServiceFailed, "no image")
	says(p, m, metav1.ConditionFalse, fmt.Sprintf("1/2 clusters are ready; cluster %s/b: Service default/web failed: no image", p.team))
	p.deployed(keyB)
	says(p, m, metav1.ConditionTrue, "")
	if c := control.Find(m.Status.Conditions, kcm.ClusterInReadyStateCondition); c.Message != "2/2" {
		t.Errorf("the count is %q", c.Message)
	}
	p.still(m, keyA)
	var revisions appsv1.ControllerRevisionList
	must(t, p.kube.List(t.Context(), &revisions, client.InNamespace(p.system), client.MatchingLabels{statev1.OwnerLabel: m.Name}))
	if len(revisions.Items) != 1 || set.Annotations[statev1.RevisionAnnotation] != revisions.Items[0].Name {
		t.Errorf("revisions %v, and the set has %q", revisions.Items, set.Annotations[statev1.RevisionAnnotation])
	}

	change(p, b, func(cd *kcm.ClusterDeployment) { cd.Labels = nil })
	p.removed(keyB)
	says(p, m, metav1.ConditionTrue, "")
	change(p, m, func(m *kcm.MultiClusterService) { m.Spec.KeepServicesOnSelectorMismatch = true })
	a := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.team, Name: "a"}}
	change(p, a, func(cd *kcm.ClusterDeployment) { cd.Labels = nil })
	await(p, m, "no cluster", func(m *kcm.MultiClusterService, _ bool) bool { return len(m.Status.MatchingClusters) == 0 })
	if set := p.set(keyA); set.DeletionTimestamp != nil {
		t.Error("the set goes although its services shall be kept")
	}
	must(t, p.kube.Delete(t.Context(), m))
	p.removed(keyA)
	await(p, m, "its end", func(_ *kcm.MultiClusterService, there bool) bool { return !there })
}

// A dependent waits for what it depends on, on each cluster by itself; a whole chain that is
// deleted at once goes in the reverse order, and a cluster that does not answer holds no other.
func TestDependencies(t *testing.T) {
	p := newPlane(t)
	p.cluster("a", nil)
	p.cluster("b", nil)
	p.template(p.system, "app-1")
	p.template(p.team, "app-1")
	db := p.mcs("db", kcm.MultiClusterServiceSpec{ServiceSpec: services("db", "off")})
	change(p, db, func(m *kcm.MultiClusterService) { m.Spec.ServiceSpec.Services[1].Disable = true })
	web := p.mcs("web", kcm.MultiClusterServiceSpec{ServiceSpec: services("web"), DependsOn: []string{db.Name}})
	dbA, dbB, webA, webB := p.setOf(owner(db), "a"), p.setOf(owner(db), "b"), p.setOf(owner(web), "a"), p.setOf(owner(web), "b")
	says(p, web, metav1.ConditionFalse, "Waits for "+db.Name)
	p.deployed(dbA)
	p.set(webA)
	p.absent(webB)
	p.report(dbB, kcm.ServiceFailed, "no disk")
	says(p, web, metav1.ConditionFalse, "Service default/db failed: no disk")
	p.absent(webB)
	p.deployed(dbB)
	p.deployed(webA)
	p.deployed(webB)
	says(p, web, metav1.ConditionTrue, "")

	must(t, p.kube.Delete(t.Context(), db))
	says(p, db, metav1.ConditionFalse, "depends on it")
	if set := p.set(dbA); set.DeletionTimestamp != nil {
		t.Error("what others depend on goes before them")
	}
	must(t, p.kube.Delete(t.Context(), web))
	// b does not answer: its sets stay, and a goes on.
	p.removed(webA)
	p.removed(dbA)
	if set := p.set(dbB); set.DeletionTimestamp != nil {
		t.Error("the dependency goes first on the cluster that does not answer")
	}
	says(p, db, metav1.ConditionFalse, fmt.Sprintf("cluster %s/b", p.team))
	p.removed(webB)
	p.removed(dbB)
	for _, m := range []*kcm.MultiClusterService{db, web} {
		await(p, m, "its end", func(_ *kcm.MultiClusterService, there bool) bool { return !there })
	}
}

// Services that others depend on wait for them for as long as the deadline says, counted from when these
// began to be removed, which their ServiceSet tells: also to controllers that have just been started. Then
// they go, and the owner and an event say without whom.
func TestDeadline(t *testing.T) {
	p := newPlane(t)
	p.cluster("a", nil)
	p.template(p.system, "app-1")
	p.template(p.team, "app-1")
	db := p.mcs("db", kcm.MultiClusterServiceSpec{ServiceSpec: services("db")})
	web := p.mcs("web", kcm.MultiClusterServiceSpec{ServiceSpec: services("web"), DependsOn: []string{db.Name}})
	dbA, webA := p.setOf(owner(db), "a"), p.setOf(owner(web), "a")
	p.deployed(dbA)
	p.deployed(webA)
	says(p, web, metav1.ConditionTrue, "")
	for _, m := range []*kcm.MultiClusterService{web, db} {
		must(t, p.kube.Delete(t.Context(), m))
	}
	says(p, db, metav1.ConditionFalse, "The services of "+web.Name+" depend on these, and are removed first")
	p.removing(webA, time.Now().Add(-5*time.Minute), "its hook has failed: the disk is full")
	says(p, db, metav1.ConditionFalse, "Of "+web.Name+": Service default/web: its hook has failed: the disk is full")
	if set := p.set(dbA); set.DeletionTimestamp != nil {
		t.Fatal("what others depend on goes before the deadline")
	}
	change(p, db, func(m *kcm.MultiClusterService) {
		m.Annotations = map[string]string{statev1.RemovalDeadlineAnnotation: "302s"}
	})
	set := p.set(dbA)
	await(p, set, "the deletion after the deadline", func(s *kcm.ServiceSet, there bool) bool { return there && s.DeletionTimestamp != nil })
	if got := set.Annotations[statev1.RemovalDeadlineAnnotation]; got != "302s" {
		t.Errorf("the set does not know the deadline: %q", got)
	}
	if set := p.set(webA); set.DeletionTimestamp == nil {
		t.Error("the dependent is not being removed")
	}
	p.told(db, "RemovalOverdue", web.Name, "within 5m2s, since ", "the disk is full")
	p.removed(dbA)
	await(p, db, "its end", func(_ *kcm.MultiClusterService, there bool) bool { return !there })
	p.removed(webA)
	await(p, web, "its end", func(_ *kcm.MultiClusterService, there bool) bool { return !there })
}

// removing is what our adapter says of a set whose services are being removed since then.
func (p *plane) removing(key types.NamespacedName, since time.Time, message string) {
	p.Helper()
	set := p.set(key)
	await(p, set, "the deletion of "+key.String(), func(s *kcm.ServiceSet, there bool) bool { return there && s.DeletionTimestamp != nil })
	p.report(key, kcm.ServiceDeleting, message)
	set = p.set(key)
	set.Status.Conditions = control.Fold(nil, control.Stamp{Now: since}, control.True(statev1.RemovingCondition, statev1.RemovingCondition, ""))
	must(p.T, p.kube.Status().Update(p.Context(), set))
}

// told waits for an event about an owner that has these words.
func (p *plane) told(about client.Object, reason string, words ...string) {
	p.Helper()
	var last eventsv1.EventList
	for begun := time.Now(); time.Since(begun) < 20*time.Second; time.Sleep(20 * time.Millisecond) {
		must(p.T, p.kube.List(p.Context(), &last))
		for _, e := range last.Items {
			missing := slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(e.Note, w) })
			if e.Regarding.Name == about.GetName() && e.Reason == reason && !missing {
				return
			}
		}
	}
	p.Errorf("no event %s about %s has %q", reason, about.GetName(), words)
}

// A change goes to the canary first; the others keep what they have until it is deployed there.
func TestWaves(t *testing.T) {
	p := newPlane(t)
	p.cluster("a", nil)
	p.cluster("b", map[string]string{"stage": "canary"})
	p.template(p.system, "app-1")
	p.template(p.team, "app-1")
	m := p.mcs("web", kcm.MultiClusterServiceSpec{ServiceSpec: services("web")})
	keyA, keyB := p.setOf(owner(m), "a"), p.setOf(owner(m), "b")
	p.deployed(keyA)
	p.deployed(keyB)
	r := &statev1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: p.system, Name: "web"}, Spec: statev1.RolloutSpec{
		Subject: statev1.RolloutSubject{Kind: statev1.SubjectMultiClusterService, Name: m.Name},
		Waves: []statev1.Wave{
			{Name: "canary", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"stage": "canary"}}, Soak: &metav1.Duration{Duration: time.Second}},
			{Name: "all"},
		},
	}}
	p.create(r)
	says(p, r, metav1.ConditionTrue, "all 2 clusters")
	stable := r.Status.Stable
	change(p, m, func(m *kcm.MultiClusterService) { m.Spec.ServiceSpec.Services[0].Values = "a: 1" })
	says(p, r, metav1.ConditionFalse, "wave canary waits for 1 of 1 clusters, cluster "+p.team+"/b")
	await(p, p.set(keyB), "the change", func(s *kcm.ServiceSet, _ bool) bool { return strings.Contains(s.Spec.Services[0].Values, "a: 1") })
	says(p, m, metav1.ConditionFalse, "waits for its wave")
	if s := p.set(keyA); s.Spec.Services[0].Values != "" || s.Annotations[statev1.RevisionAnnotation] != stable {
		t.Errorf("a has the change before its wave: %+v", s)
	}
	p.report(keyB, kcm.ServiceFailed, "no image")
	says(p, r, metav1.ConditionFalse, "It stopped because cluster "+p.team+"/b failed")
	change(p, r, func(r *statev1.Rollout) { r.Spec.Abort = r.Status.Revision })
	await(p, p.set(keyB), "the way back", func(s *kcm.ServiceSet, _ bool) bool { return s.Annotations[statev1.RevisionAnnotation] == stable })
	p.deployed(keyB)
	change(p, m, func(m *kcm.MultiClusterService) { m.Spec.ServiceSpec.Services[0].Values = "a: 2" })
	await(p, p.set(keyB), "the next change", func(s *kcm.ServiceSet, _ bool) bool { return strings.Contains(s.Spec.Services[0].Values, "a: 2") })
	p.deployed(keyB)
	await(p, p.set(keyA), "the second wave, after the soak time", func(s *kcm.ServiceSet, _ bool) bool { return strings.Contains(s.Spec.Services[0].Values, "a: 2") })
	p.deployed(keyA)
	says(p, r, metav1.ConditionTrue, "all 2 clusters")
	says(p, m, metav1.ConditionTrue, "")

	younger := &statev1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: p.system, Name: "younger"}, Spec: r.Spec}
	time.Sleep(time.Second) // creation is told in whole seconds
	p.create(younger)
	says(p, younger, metav1.ConditionFalse, "Rollout web of the same subject is older")
	must(t, p.kube.Delete(t.Context(), r))
	says(p, younger, metav1.ConditionTrue, "all 2 clusters")
}

// A team's services stay in its namespace and below the platform's; the management cluster is a
// target of the platform's alone.
func TestNamespaced(t *testing.T) {
	p := newPlane(t)
	p.cluster("a", nil)
	p.template(p.team, "app-1")
	elsewhere := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.system, Name: "other", Labels: map[string]string{"test": p.tag}}, Spec: kcm.ClusterDeploymentSpec{Template: "none", Credential: "none"}}
	p.create(elsewhere)
	n := &statev1.NamespacedMultiClusterService{ObjectMeta: metav1.ObjectMeta{Namespace: p.team, Name: "web"}, Spec: kcm.MultiClusterServiceSpec{
		ClusterSelector: metav1.LabelSelector{MatchLabels: map[string]string{"test": p.tag}}, ServiceSpec: services("web"),
	}}
	p.create(n)
	key := p.setOf(placement.Owner{Kind: statev1.SubjectNamespaced, Namespace: p.team, Name: "web"}, "a")
	set := p.set(key)
	if set.Spec.NamespacedMultiClusterService != "web" || set.Spec.MultiClusterService != "" || !strings.Contains(string(set.Spec.Provider.Config.Raw), `"priority":-`) {
		t.Errorf("the set is %+v with %s", set.Spec, set.Spec.Provider.Config.Raw)
	}
	p.deployed(key)
	says(p, n, metav1.ConditionTrue, "")
	p.still(n, key)
	if len(n.Status.MatchingClusters) != 1 {
		t.Errorf("it goes to %+v", n.Status.MatchingClusters)
	}
	change(p, n, func(n *statev1.NamespacedMultiClusterService) {
		n.Spec.ServiceSpec.Provider.SelfManagement = true
	})
	says(p, n, metav1.ConditionFalse, "selfManagement is refused")
	must(t, p.kube.Delete(t.Context(), n))
	p.removed(key)

	p.template(p.system, "app-1")
	m := p.mcs("self", kcm.MultiClusterServiceSpec{ServiceSpec: kcm.ServiceSpec{
		Provider: kcm.StateManagementProviderConfig{SelfManagement: true}, Services: services("web").Services,
	}})
	self := p.set(p.setOf(owner(m), ""))
	if self.Spec.Cluster != "" || !self.Spec.Provider.SelfManagement || self.OwnerReferences[0].UID != m.UID || !strings.HasPrefix(self.Name, "management-") {
		t.Errorf("the set is %+v", self)
	}
	p.deployed(client.ObjectKeyFromObject(self))
	says(p, m, metav1.ConditionTrue, "")
}

// copied makes a copy valid once it is there.
func (p *plane) copied(namespace, name string) *kcm.ServiceTemplate {
	p.Helper()
	t := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	await(p, t, "the copy "+name, func(_ *kcm.ServiceTemplate, there bool) bool { return there })
	p.judge(t)
	return t
}

// On a cluster outside the system namespace a service goes along its chain by a template that
// nobody names, and that is copied for it. What several owners use belongs to all of them.
func TestHops(t *testing.T) {
	p := newPlane(t)
	p.cluster("a", nil)
	for _, name := range []string{"app-1", "app-2", "app-3"} {
		p.template(p.system, name)
	}
	chain := &kcm.ServiceTemplateChain{ObjectMeta: metav1.ObjectMeta{Namespace: p.system, Name: "app"}, Spec: kcm.TemplateChainSpec{SupportedTemplates: []kcm.SupportedTemplate{
		{Name: "app-1", AvailableUpgrades: []kcm.AvailableUpgrade{{Name: "app-2"}}},
		{Name: "app-2", AvailableUpgrades: []kcm.AvailableUpgrade{{Name: "app-3"}}},
		{Name: "app-3"},
	}}}
	p.create(chain)
	chain.Status.Valid = true
	must(t, p.kube.Status().Update(t.Context(), chain))
	spec := services("web")
	spec.Services[0].TemplateChain = "app"
	m := p.mcs("web", kcm.MultiClusterServiceSpec{ServiceSpec: spec})
	made := p.copied(p.team, "app-1")
	key := p.setOf(owner(m), "a")
	p.deployed(key)
	change(p, m, func(m *kcm.MultiClusterService) { m.Spec.ServiceSpec.Services[0].Template = "app-3" })
	p.copied(p.team, "app-2")
	p.copied(p.team, "app-3")
	at := func(template string) {
		t.Helper()
		await(p, p.set(key), "the step to "+template, func(s *kcm.ServiceSet, _ bool) bool {
			return s.Spec.Services[0].Template == template && s.Spec.Services[0].Version == "1.0.0"
		})
		p.deployed(key)
	}
	at("app-2")
	at("app-3")
	says(p, m, metav1.ConditionTrue, "")

	other := p.mcs("other", kcm.MultiClusterServiceSpec{ServiceSpec: services("other")})
	await(p, made, "its second user", func(made *kcm.ServiceTemplate, _ bool) bool {
		return len(made.OwnerReferences) == 2 && made.OwnerReferences[1].UID == other.UID
	})
}

// A cluster that joins while a change goes round gets what is stable, with the templates of that.
func TestJoin(t *testing.T) {
	p := newPlane(t)
	p.cluster("a", nil)
	for _, name := range []string{"app-1", "app-2"} {
		p.template(p.system, name)
	}
	m := p.mcs("web", kcm.MultiClusterServiceSpec{ServiceSpec: services("web")})
	p.copied(p.team, "app-1")
	p.deployed(p.setOf(owner(m), "a"))
	r := &statev1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: p.system, Name: "web"}, Spec: statev1.RolloutSpec{
		Subject: statev1.RolloutSubject{Kind: statev1.SubjectMultiClusterService, Name: m.Name},
		Waves: []statev1.Wave{
			{Name: "one", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"first": "yes"}}}, {Name: "all"},
		},
	}}
	p.create(r)
	says(p, r, metav1.ConditionTrue, "all 1 clusters")
	stable := r.Status.Stable
	change(p, r, func(r *statev1.Rollout) { r.Spec.Paused = true })
	change(p, m, func(m *kcm.MultiClusterService) { m.Spec.ServiceSpec.Services[0].Template = "app-2" })
	says(p, m, metav1.ConditionFalse, "waits for its wave")
	elsewhere := shared.Cluster(t).Namespace(t)
	p.create(&kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: elsewhere, Name: "b", Labels: map[string]string{"test": p.tag}}, Spec: kcm.ClusterDeploymentSpec{Template: "none", Credential: "none"}})
	p.copied(elsewhere, "app-1")
	set := p.set(placement.SetKey(owner(m), placement.Target{Cluster: types.NamespacedName{Namespace: elsewhere, Name: "b"}}, p.system))
	if set.Annotations[statev1.RevisionAnnotation] != stable || set.Spec.Services[0].Template != "app-1" {
		t.Errorf("the set of the cluster that joined is %+v; want revision %s", set, stable)
	}
}

// A set of an owner that is gone goes too, on clusters and on the management cluster; and a set
// that has only the name of a dependent's holds nobody up.
func TestOrphan(t *testing.T) {
	p := newPlane(t)
	p.cluster("a", nil)
	p.template(p.system, "app-1")
	p.template(p.team, "app-1")
	late := placement.Owner{Kind: statev1.SubjectMultiClusterService, Name: "late-" + p.tag}
	for _, cluster := range []string{"a", ""} {
		key := p.setOf(late, cluster)
		p.create(&kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}, Spec: kcm.ServiceSetSpec{
			Cluster: cluster, MultiClusterService: late.Name,
			Provider: kcm.StateManagementProviderConfig{Name: kcm.DefaultStateManagementProviderName, SelfManagement: cluster == ""},
		}})
		p.gone(key)
	}

	db := p.mcs("db", kcm.MultiClusterServiceSpec{ServiceSpec: services("db")})
	web := placement.Owner{Kind: statev1.SubjectMultiClusterService, Name: "web-" + p.tag}
	key := p.setOf(web, "a")
	p.create(&kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}, Spec: kcm.ServiceSetSpec{
		Cluster: key.Name, Provider: kcm.StateManagementProviderConfig{Name: kcm.DefaultStateManagementProviderName},
	}})
	m := p.mcs("web", kcm.MultiClusterServiceSpec{ServiceSpec: services("web"), DependsOn: []string{db.Name}})
	says(p, m, metav1.ConditionFalse, "has the name of its set")
	p.deployed(p.setOf(owner(db), "a"))
	says(p, db, metav1.ConditionTrue, "")
}
