package serviceset_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engines/memory"
	"portico.dev/portico/state/serviceset"
)

// What left one set while nobody was at work is not removed before the other sets of the cluster
// were looked at: one of them wants it, and gets it as it is.
func TestMovesWhileNobodyIsAtWork(t *testing.T) {
	set := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: "dev", Name: "a"}, Spec: kcm.ServiceSetSpec{Cluster: "demo"}}
	set.Status.Services = []kcm.ServiceState{
		{Namespace: "default", Name: "web", Type: kcm.ServiceHelm, Template: "app-1", State: kcm.ServiceDeployed},
		{Namespace: "default", Name: "gone", Type: kcm.ServiceHelm, State: kcm.ServiceDeleted},
	}
	saw := serviceset.Observed{Unheard: []string{"b"}}
	saw.Leaving = serviceset.Staying(set, saw)
	if len(saw.Leaving) != 1 || saw.Leaving[0].Key.Name != "web" || saw.Leaving[0].Uninstall {
		t.Fatalf("what stays is %+v", saw.Leaving)
	}
	parts, err := serviceset.Resolve(set, saw)
	if err != nil || len(parts.Target.Services) != 1 {
		t.Fatalf("the engine is given %+v, %v", parts.Target.Services, err)
	}
	report := engine.Report{Services: []engine.ServiceReport{{Key: saw.Leaving[0].Key, Kind: engine.Helm, State: engine.Pending, Message: saw.Leaving[0].NotYet}}}
	status := serviceset.Status(set, serviceset.Outcome{Saw: saw, Parts: parts, Report: serviceset.Retold(report, saw)})
	if s := status.Services[0]; s.State != kcm.ServiceDeleting || s.FailureMessage != "The other ServiceSets of the cluster are looked at first: b." {
		t.Errorf("the service is %s: %q", s.State, s.FailureMessage)
	}
	if report.Services[0].State != engine.Pending {
		t.Error("what the engine has said was changed")
	}
}

// An engine lets go of its services only when all sets of the cluster are known; a set that nobody
// has looked at yet holds the removal up, and its end lets it go on.
func TestRemovalWaitsForUnheard(t *testing.T) {
	p := newPlane(t)
	p.provider()
	p.template(p.namespace, "app-1", "1.0.0")
	p.other.AddChart("sha256:"+strings.Repeat("1", 64), memory.Chart{Version: "1.0.0", Keys: []string{"text"}})
	cluster := p.world.AddCluster(p.solo())
	p.other.AddCluster(p.solo())
	first, second := p.onItsOwn("first", web("text: one")), p.onItsOwn("second")
	p.create(first)
	p.create(second)
	p.until(first.Name, "the deployment", deployed)
	p.until(second.Name, "its look", says(kcm.ServiceSetProfileCondition, metav1.ConditionTrue, ""))
	time.Sleep(time.Second) // the events of its own status have come by then
	p.controller.Unhear(second)

	change(p, first, func(s *kcm.ServiceSet) { s.Spec.Services = nil })
	p.until(first.Name, "the wait", func(s *kcm.ServiceSet, _ bool) bool {
		return len(s.Status.Services) == 1 && s.Status.Services[0].State == kcm.ServiceDeleting && strings.Contains(s.Status.Services[0].FailureMessage, "looked at first: second")
	})
	if len(cluster.Releases()) != 1 {
		t.Error("the service was removed")
	}
	change(p, first, func(s *kcm.ServiceSet) { s.Labels[statev1.EngineLabel] = "other" })
	p.until(first.Name, "the wait of the other engine", says(kcm.ServiceSetProfileCondition, metav1.ConditionFalse, "looked at first: second"))
	if len(cluster.Releases()) != 1 {
		t.Error("the service was removed for another engine")
	}
	change(p, second, func(s *kcm.ServiceSet) { s.Spec.Services = []kcm.ServiceWithValues{web("text: one")} })
	p.until(second.Name, "its turn", deployed)
	p.until(first.Name, "its removal", func(s *kcm.ServiceSet, _ bool) bool {
		return len(s.Status.Services) == 0 || s.Status.Services[0].State == kcm.ServiceDeleted
	})
	if r := cluster.Releases()[p.key("web")]; r.Revision != 1 {
		t.Errorf("the release was not handed over, but made anew: %+v", r)
	}
}
