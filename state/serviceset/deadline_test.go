package serviceset_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/engines/memory"
)

// stubborn has a template's services go only when a hook ends, which nothing ends but the test.
func (p *plane) stubborn(digit string) {
	p.world.AddChart("sha256:"+strings.Repeat(digit, 64), memory.Chart{Version: digit, Keys: []string{"text", "run"}, RemovalHook: true})
}

// passes has the plane's clock be ahead, and the ServiceSet of that name looked at.
func (p *plane) passes(set string, by time.Duration) {
	p.Helper()
	p.ahead.Add(int64(by / time.Second))
	obj := &kcm.ServiceSet{ObjectMeta: p.meta(set)}
	change(p, obj, func(s *kcm.ServiceSet) {
		metav1.SetMetaDataAnnotation(&s.ObjectMeta, "test/touched", time.Now().String())
	})
}

// A service whose removal fails for ever holds up what it depends on for as long as the deadline says.
// Then that goes, the status and an event say so, and the other one goes on trying.
func TestDeadlineWithinSet(t *testing.T) {
	p := newPlane(t)
	p.template(p.namespace, "app-1", "1.0.0")
	p.template(p.namespace, "hook-3", "3.0.0")
	p.stubborn("3")
	db := kcm.Service{Name: "db", Template: "app-1"}
	web := kcm.Service{Name: "web", Template: "hook-3", DependsOn: []kcm.ServiceDependsOn{{Name: "db"}}}
	d := p.deploy(db, web, kcm.Service{Name: "stays", Template: "app-1"})
	p.reports("web", kcm.ServiceDeployed, "")
	p.services(kcm.Service{Name: "stays", Template: "app-1"})
	p.reports("db", kcm.ServiceDeleting, "waits until what depends on it is removed: default/web")
	p.cluster.EndHook(p.key("web"), "the disk is full")
	p.reports("web", kcm.ServiceDeleting, "the disk is full")
	p.passes("dev", 9*time.Minute)
	p.reports("db", kcm.ServiceDeleting, "waits until what depends on it is removed: default/web")
	if _, there := p.cluster.Releases()[p.key("db")]; !there {
		t.Fatal("db is gone before the deadline")
	}
	change(p, d, func(d *kcm.ClusterDeployment) {
		d.Annotations = map[string]string{statev1.RemovalDeadlineAnnotation: "9m"}
	})
	p.until("dev", "the end of db", func(set *kcm.ServiceSet, _ bool) bool {
		return stateIn(set, "db") == nil && stateIn(set, "web") != nil && deployedState(set, "stays")
	})
	set := &kcm.ServiceSet{ObjectMeta: p.meta("dev")}
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(set), set))
	c := control.Find(stateIn(set, "web").Conditions, statev1.OverdueCondition)
	if c == nil || !strings.Contains(c.Message, "(default/db)") || !strings.Contains(c.Message, "within 9m0s, since ") || !strings.Contains(c.Message, "the disk is full") {
		t.Errorf("who, for how long, since when and what it said is not in %+v", c)
	}
	p.told("RemovalOverdue")
	p.cluster.EndHook(p.key("web"), "")
	p.until("dev", "the end of web", func(set *kcm.ServiceSet, _ bool) bool { return stateIn(set, "web") == nil && set.Status.Deployed })
	if journal := strings.Join(p.cluster.Journal(), ", "); !strings.HasSuffix(journal, "remove db, remove web") {
		t.Errorf("the order was %s", journal)
	}
}

func stateIn(set *kcm.ServiceSet, name string) *kcm.ServiceState {
	for i := range set.Status.Services {
		if set.Status.Services[i].Name == name {
			return &set.Status.Services[i]
		}
	}
	return nil
}

func deployedState(set *kcm.ServiceSet, name string) bool {
	s := stateIn(set, name)
	return s != nil && s.State == kcm.ServiceDeployed
}

// So it is with a set that others depend on. The time that a cluster does not answer does not count.
func TestDeadlineAcrossSets(t *testing.T) {
	p := newPlane(t)
	p.provider()
	p.template(p.namespace, "app-1", "1.0.0")
	p.template(p.namespace, "hook-3", "3.0.0")
	p.stubborn("3")
	p.deploy() // the cluster lives
	db, stubborn := web(""), web("")
	db.Name, stubborn.Template, stubborn.Version = "db", "hook-3", "3.0.0"
	base, above := p.onItsOwn("base", db), p.onItsOwn("above", stubborn)
	above.Annotations = map[string]string{statev1.NotesAnnotation: `{"after":["base"]}`}
	for _, set := range []*kcm.ServiceSet{base, above} {
		set.Spec.Cluster = "dev"
		p.create(set)
		p.until(set.Name, "the deployment", deployed)
	}
	p.cluster.Sever()
	must(t, p.kube.Delete(t.Context(), above))
	must(t, p.kube.Delete(t.Context(), base))
	first := says(kcm.ServiceSetStatusesCollectedCondition, metav1.ConditionFalse, "What depends on it goes first: ServiceSet above")
	p.until("base", "the wait", first)
	p.until("above", "the silence", says(kcm.ServiceSetStatusesCollectedCondition, metav1.ConditionFalse, "does not answer"))
	p.passes("base", time.Hour)
	p.cluster.Mend()
	p.until("above", "the removal", says(statev1.RemovingCondition, metav1.ConditionTrue, ""))
	p.until("base", "the wait after the silence", first)
	p.passes("base", 11*time.Minute)
	p.until("base", "its end", func(_ *kcm.ServiceSet, there bool) bool { return !there })
	if _, there := p.cluster.Releases()[p.key("web")]; !there {
		t.Error("the dependent is gone, although its hook has not ended")
	}
	p.told("RemovalOverdue")
	p.cluster.EndHook(p.key("web"), "")
	p.until("above", "its end", func(_ *kcm.ServiceSet, there bool) bool { return !there })
}
