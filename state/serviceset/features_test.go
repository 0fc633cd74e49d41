package serviceset_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engines/memory"
	"portico.dev/portico/state/serviceset"
)

// onItsOwn is a ServiceSet without an owner, for a cluster that nobody else has services on.
func (p *plane) onItsOwn(name string, services ...kcm.ServiceWithValues) *kcm.ServiceSet {
	set := &kcm.ServiceSet{ObjectMeta: p.meta(name), Spec: kcm.ServiceSetSpec{Cluster: "solo", Provider: kcm.StateManagementProviderConfig{Name: "ksm-" + p.namespace}, Services: services}}
	set.Labels = map[string]string{kcm.AdapterLabel: kcm.AdapterBuiltIn}
	return set
}

// solo is the target of such sets.
func (p *plane) solo() engine.Target {
	return engine.Target{Cluster: types.NamespacedName{Namespace: p.namespace, Name: "solo"}}
}

// provider makes the StateManagementProvider of sets on their own, ready.
func (p *plane) provider() *kcm.StateManagementProvider {
	p.Helper()
	smp := &kcm.StateManagementProvider{ObjectMeta: metav1.ObjectMeta{Name: "ksm-" + p.namespace}, Spec: kcm.StateManagementProviderSpec{
		Selector: &metav1.LabelSelector{}, Adapter: kcm.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: p.namespace, Name: "x"},
		Provisioner: []kcm.ResourceReference{}, ProvisionerCRDs: []kcm.ProvisionerCRD{},
	}}
	p.create(smp)
	smp.Status = kcm.StateManagementProviderStatus{Ready: true}
	must(p.T, p.kube.Status().Update(p.Context(), smp))
	return smp
}

// until waits until a ServiceSet of any name is as wanted.
func (p *plane) until(name, what string, wanted func(set *kcm.ServiceSet, there bool) bool) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 30*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &kcm.ServiceSetList{}, client.InNamespace(p.namespace), client.MatchingFields{"metadata.name": name})
	must(p.T, err)
	defer w.Stop()
	var last *kcm.ServiceSet
	for e := range w.ResultChan() {
		if set, ok := e.Object.(*kcm.ServiceSet); ok {
			if last = set; wanted(set, e.Type != "DELETED") {
				return
			}
		}
	}
	p.Fatalf("%s: %s did not happen: %+v", name, what, last)
}

func says(kind string, status metav1.ConditionStatus, words string) func(*kcm.ServiceSet, bool) bool {
	return func(set *kcm.ServiceSet, _ bool) bool {
		return slices.ContainsFunc(set.Status.Conditions, func(c metav1.Condition) bool {
			return c.Type == kind && c.Status == status && strings.Contains(c.Message, words)
		})
	}
}

func deployed(set *kcm.ServiceSet, there bool) bool { return there && set.Status.Deployed }

// change changes an object as a user does.
func change[T client.Object](p *plane, obj T, how func(T)) {
	p.Helper()
	must(p.T, p.kube.Get(p.Context(), client.ObjectKeyFromObject(obj), obj))
	was := obj.DeepCopyObject().(client.Object)
	how(obj)
	must(p.T, p.kube.Patch(p.Context(), obj, client.MergeFrom(was)))
}

func web(values string) kcm.ServiceWithValues {
	return kcm.ServiceWithValues{Name: "web", Namespace: "default", Template: "app-1", Version: "1.0.0", Values: values}
}

// Another engine takes over after the one that made the services has removed them: never are both
// at work. One that does not exist is named, with those that do.
func TestAnotherEngine(t *testing.T) {
	p := newPlane(t)
	p.provider()
	p.template(p.namespace, "app-1", "1.0.0")
	p.other.AddChart("sha256:"+strings.Repeat("1", 64), memory.Chart{Version: "1.0.0", Keys: []string{"text"}})
	first, second := p.world.AddCluster(p.solo()), p.other.AddCluster(p.solo())
	set := p.onItsOwn("engines", web("text: one"))
	p.create(set)
	p.until(set.Name, "the first engine", deployed)

	change(p, set, func(s *kcm.ServiceSet) { s.Labels[statev1.EngineLabel] = "third" })
	p.until(set.Name, "the unknown engine", says(kcm.ServiceSetProfileCondition, metav1.ConditionFalse, `there is no engine "third", only memory, other`))
	first.Hold()
	change(p, set, func(s *kcm.ServiceSet) { s.Labels[statev1.EngineLabel] = "other" })
	p.until(set.Name, "the hand-over", says(kcm.ServiceSetProfileCondition, metav1.ConditionFalse, "engine memory removes its services"))
	if n := second.Writes(); n != 0 {
		t.Errorf("the second engine wrote %d times before the first had let go", n)
	}
	first.Mend()
	p.until(set.Name, "the second engine", func(s *kcm.ServiceSet, there bool) bool {
		return deployed(s, there) && len(second.Releases()) == 1
	})
	if left := first.Releases(); len(left) != 0 {
		t.Errorf("the first engine left %v", left)
	}
	must(t, p.kube.Delete(t.Context(), set))
	p.until(set.Name, "its end", func(_ *kcm.ServiceSet, there bool) bool { return !there })
	if left := second.Releases(); len(left) != 0 {
		t.Errorf("the second engine left %v", left)
	}
}

// While the provider is suspended nothing changes, and what is there is reported.
func TestSuspended(t *testing.T) {
	p := newPlane(t)
	smp := p.provider()
	p.template(p.namespace, "app-1", "1.0.0")
	cluster := p.world.AddCluster(p.solo())
	set := p.onItsOwn("suspended", web("text: one"))
	p.create(set)
	p.until(set.Name, "the deployment", deployed)
	change(p, smp, func(s *kcm.StateManagementProvider) { s.Spec.Suspend = true })
	p.until(set.Name, "the suspension", func(s *kcm.ServiceSet, _ bool) bool { return s.Status.Provider.Suspended })
	change(p, set, func(s *kcm.ServiceSet) { s.Spec.Services = []kcm.ServiceWithValues{web("text: two")} })
	p.until(set.Name, "the pause", func(s *kcm.ServiceSet, _ bool) bool {
		return len(s.Status.Services) == 1 && s.Status.Services[0].State == kcm.ServicePending
	})
	if r := cluster.Releases()[p.key("web")]; r.Revision != 1 {
		t.Errorf("the release was changed: %+v", r)
	}
	change(p, smp, func(s *kcm.StateManagementProvider) { s.Spec.Suspend = false })
	p.until(set.Name, "the change", deployed)
	if r := cluster.Releases()[p.key("web")]; r.Revision != 2 || r.Values["text"] != "two" {
		t.Errorf("the release is %+v", r)
	}
}

// Values that quote the cluster and other objects follow them, each by its watch, and what belongs
// to another namespace is not read for a tenant.
func TestFacts(t *testing.T) {
	p := newPlane(t)
	p.provider()
	p.template(p.namespace, "app-1", "1.0.0")
	cluster := p.world.AddCluster(p.solo())
	set := p.onItsOwn("facts", web(`text: '{{ .Cluster.metadata.labels.region }} {{ getField "note" "data.word" }}'`))
	refs := func(namespace string) {
		set.Spec.Provider.Config = &kcm.JSON{Raw: []byte(`{"templateResourceRefs":[{"identifier":"note","resource":{"apiVersion":"v1","kind":"ConfigMap","name":"note","namespace":"` + namespace + `"}}]}`)}
	}
	refs("default")
	p.create(set)
	text := func(want string) func(*kcm.ServiceSet, bool) bool {
		return func(s *kcm.ServiceSet, there bool) bool {
			return deployed(s, there) && cluster.Releases()[p.key("web")].Values["text"] == want
		}
	}
	message := func(words string) func(*kcm.ServiceSet, bool) bool {
		return func(s *kcm.ServiceSet, _ bool) bool {
			return len(s.Status.Services) == 1 && strings.Contains(s.Status.Services[0].FailureMessage, words)
		}
	}
	p.until(set.Name, "the missing cluster", message("there is no Cluster "+p.namespace+"/solo yet"))
	object := &sveltos.SveltosCluster{ObjectMeta: p.meta("solo")}
	object.Labels = map[string]string{"region": "eu"}
	p.create(object)
	p.until(set.Name, "the refusal", message("reads objects of that namespace only"))
	change(p, set, func(*kcm.ServiceSet) { refs("") })
	p.until(set.Name, "the missing object", message("ConfigMap "+p.namespace+"/note does not exist"))
	note := &corev1.ConfigMap{ObjectMeta: p.meta("note"), Data: map[string]string{"word": "one"}}
	p.create(note)
	p.until(set.Name, "the values", text("eu one"))
	change(p, object, func(c *sveltos.SveltosCluster) { c.Labels["region"] = "us" })
	p.until(set.Name, "the cluster's change", text("us one"))
	change(p, note, func(c *corev1.ConfigMap) { c.Data["word"] = "two" })
	p.until(set.Name, "the object's change", text("us two"))
	if r := cluster.Releases()[p.key("web")]; r.Revision != 3 {
		t.Errorf("the release has revision %d; want one for each change", r.Revision)
	}
}

// A policyRef is applied beside the services, follows its object, and goes with the set. Manifests
// of a template come out of a ConfigMap in the same way.
func TestManifests(t *testing.T) {
	p := newPlane(t)
	p.provider()
	cluster := p.world.AddCluster(p.solo())
	manifest := func(name string) map[string]string {
		return map[string]string{"any": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n"}
	}
	p.create(&corev1.ConfigMap{ObjectMeta: p.meta("rules"), Data: manifest("rules")})
	template := &kcm.ServiceTemplate{ObjectMeta: p.meta("rules-1"), Spec: kcm.ServiceTemplateSpec{Resources: &kcm.SourceSpec{
		DeploymentType: kcm.DeployRemote, LocalSourceRef: &kcm.LocalSourceRef{Kind: "ConfigMap", Name: "rules"},
	}}}
	p.create(template)
	template.Status.Valid = true
	template.Status.SourceStatus = &kcm.SourceStatus{Kind: "ConfigMap", Namespace: p.namespace, Name: "rules"}
	must(t, p.kube.Status().Update(t.Context(), template))
	set := p.onItsOwn("manifests", kcm.ServiceWithValues{Name: "rules", Namespace: "default", Template: "rules-1", Version: "1"})
	set.Spec.Provider.Config = &kcm.JSON{Raw: []byte(`{"policyRefs":[{"kind":"ConfigMap","name":"extra"}]}`)}
	p.create(set)
	p.until(set.Name, "the missing object", says(serviceset.PolicyRefsCondition, metav1.ConditionFalse, "does not exist"))
	extra := &corev1.ConfigMap{ObjectMeta: p.meta("extra"), Data: manifest("extra")}
	p.create(extra)
	p.until(set.Name, "both", func(s *kcm.ServiceSet, there bool) bool {
		return deployed(s, there) && says(serviceset.PolicyRefsCondition, metav1.ConditionTrue, "1/1")(s, there)
	})
	if n := len(cluster.Releases()); n != 2 {
		t.Errorf("there are %d of 2 things on the cluster", n)
	}
	writes := cluster.Writes()
	change(p, extra, func(c *corev1.ConfigMap) { c.Data = manifest("more") })
	p.until(set.Name, "the change", func(s *kcm.ServiceSet, there bool) bool {
		return deployed(s, there) && cluster.Writes() > writes
	})
	must(t, p.kube.Delete(t.Context(), set))
	p.until(set.Name, "its end", func(_ *kcm.ServiceSet, there bool) bool { return !there })
	if left := cluster.Releases(); len(left) != 0 {
		t.Errorf("%v is left", left)
	}
}

// A set that others depend on goes after them.
func TestAfter(t *testing.T) {
	p := newPlane(t)
	p.provider()
	p.template(p.namespace, "app-1", "1.0.0")
	cluster := p.world.AddCluster(p.solo())
	db := web("")
	db.Name = "db"
	base, above := p.onItsOwn("base", db), p.onItsOwn("above", web(""))
	above.Annotations = map[string]string{statev1.NotesAnnotation: `{"after":["base"]}`}
	for _, set := range []*kcm.ServiceSet{base, above} {
		p.create(set)
		p.until(set.Name, "the deployment", deployed)
	}
	cluster.Hold()
	must(t, p.kube.Delete(t.Context(), above))
	must(t, p.kube.Delete(t.Context(), base))
	p.until("base", "the wait", says(kcm.ServiceSetStatusesCollectedCondition, metav1.ConditionFalse, "What depends on it goes first: ServiceSet above"))
	cluster.Mend()
	p.until("base", "its end", func(_ *kcm.ServiceSet, there bool) bool { return !there })
	journal := strings.Join(cluster.Journal(), ", ")
	if !strings.HasSuffix(journal, "remove web, remove db") {
		t.Errorf("the order was %s", journal)
	}
}

// How a service is removed is remembered, also if its entry is gone and the plane began anew.
func TestOptionsOfWhatLeft(t *testing.T) {
	p := newPlane(t)
	p.provider()
	p.template(p.namespace, "app-1", "1.0.0")
	cluster := p.world.AddCluster(p.solo())
	svc := web("")
	svc.HelmOptions = &kcm.ServiceHelmOptions{UninstallOptions: &kcm.HelmUninstallOptions{KeepHistory: true}}
	set := p.onItsOwn("options", svc)
	p.create(set)
	p.until(set.Name, "the deployment", deployed)
	// A set that another adapter has is forgotten: the engine knows of it as little as a new one.
	change(p, set, func(s *kcm.ServiceSet) {
		s.Labels[kcm.AdapterLabel] = "elsewhere"
		s.Spec.Services = nil
	})
	change(p, set, func(s *kcm.ServiceSet) { s.Labels[kcm.AdapterLabel] = kcm.AdapterBuiltIn })
	p.until(set.Name, "the removal", func(s *kcm.ServiceSet, _ bool) bool {
		return len(s.Status.Services) == 0 || s.Status.Services[0].State == kcm.ServiceDeleted
	})
	if r, there := cluster.Releases()[p.key("web")]; !there || !r.Kept {
		t.Errorf("the history was not kept: %+v", r)
	}
}

// What is for the management cluster goes there, from the system namespace, and goes with the set.
func TestLocal(t *testing.T) {
	p := newPlane(t)
	err := p.kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	p.namespace = home
	here, there := p.world.AddCluster(engine.Target{Management: true}), p.world.AddCluster(p.solo())
	p.provider()
	p.template(home, "app-1", "1.0.0")
	p.create(&corev1.ConfigMap{ObjectMeta: p.meta("rules"), Data: map[string]string{"any": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: rules}\n"}})
	template := &kcm.ServiceTemplate{ObjectMeta: p.meta("rules-1"), Spec: kcm.ServiceTemplateSpec{Resources: &kcm.SourceSpec{
		DeploymentType: kcm.DeployLocal, LocalSourceRef: &kcm.LocalSourceRef{Kind: "ConfigMap", Name: "rules"},
	}}}
	p.create(template)
	template.Status.Valid = true
	template.Status.SourceStatus = &kcm.SourceStatus{Kind: "ConfigMap", Namespace: home, Name: "rules"}
	must(t, p.kube.Status().Update(t.Context(), template))
	local := kcm.ServiceWithValues{Name: "rules", Namespace: "default", Template: "rules-1", Version: "1"}
	set := p.onItsOwn("local", web(""), local)
	p.create(set)
	p.until(set.Name, "the deployment", deployed)
	if a, b := here.Releases(), there.Releases(); len(a) != 1 || len(b) != 1 {
		t.Errorf("the management cluster has %v, the target %v", a, b)
	}
	change(p, set, func(s *kcm.ServiceSet) { s.Spec.Services = s.Spec.Services[:1] })
	p.until(set.Name, "the removal", func(s *kcm.ServiceSet, _ bool) bool { return len(here.Releases()) == 0 && s.Status.Deployed })
	change(p, set, func(s *kcm.ServiceSet) { s.Spec.Services = append(s.Spec.Services, local) })
	p.until(set.Name, "the return", func(s *kcm.ServiceSet, is bool) bool { return deployed(s, is) && len(here.Releases()) == 1 })
	must(t, p.kube.Delete(t.Context(), set))
	p.until(set.Name, "its end", func(_ *kcm.ServiceSet, there bool) bool { return !there })
	if a, b := here.Releases(), there.Releases(); len(a)+len(b) != 0 {
		t.Errorf("left are %v and %v", a, b)
	}
}

// A changed value costs a look at the set that has it, and at no other.
func TestChangeTouchesOneSet(t *testing.T) {
	p := newPlane(t)
	p.provider()
	p.template(p.namespace, "app-1", "1.0.0")
	cluster := p.world.AddCluster(p.solo())
	var names []string
	for _, letter := range "abcdefgh" {
		name := "set-" + string(letter)
		names = append(names, name)
		svc := web("")
		svc.Name, svc.ValuesFrom = name, []kcm.ValuesFrom{{Kind: "ConfigMap", Name: name}}
		p.create(&corev1.ConfigMap{ObjectMeta: p.meta(name), Data: map[string]string{"values.yaml": "text: one"}})
		p.create(p.onItsOwn(name, svc))
	}
	for _, name := range names {
		p.until(name, "the deployment", deployed)
	}
	// What each set has caused itself, its own status, is over when nothing was handed on for a while.
	before := p.engine.times()
	for quiet := 0; quiet < 5; quiet++ {
		time.Sleep(100 * time.Millisecond)
		if now := p.engine.times(); !maps.Equal(before, now) {
			before, quiet = now, 0
		}
	}
	change(p, &corev1.ConfigMap{ObjectMeta: p.meta("set-c")}, func(c *corev1.ConfigMap) { c.Data["values.yaml"] = "text: two" })
	p.until("set-c", "the change", func(s *kcm.ServiceSet, there bool) bool {
		return deployed(s, there) && cluster.Releases()[p.key("set-c")].Values["text"] == "two"
	})
	for name, n := range p.engine.times() {
		if name != "set-c" && n != before[name] {
			t.Errorf("%s was handed on %d times more", name, n-before[name])
		}
	}
}
