package serviceset_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/state/engine"
)

// A ServiceSet of a tenant does not reach the management cluster: it is refused, and its deletion
// waits for nothing there.
func TestSelfManagementOfTenant(t *testing.T) {
	p := newPlane(t)
	p.provider()
	p.template(p.namespace, "app-1", "1.0.0")
	management := p.world.AddCluster(engine.Target{Management: true})
	set := p.onItsOwn("reach", web("text: one"))
	set.Spec.Cluster, set.Spec.Provider.SelfManagement = "", true
	set.Finalizers = []string{kcm.ServiceSetFinalizer}
	p.create(set)
	p.until(set.Name, "the refusal", says(kcm.ServiceSetProfileCondition, metav1.ConditionFalse, "selfManagement is for the management cluster"))
	if n := management.Writes(); n != 0 {
		t.Errorf("the management cluster was written to %d times", n)
	}
	management.Hold() // whoever asks it waits
	must(t, p.kube.Delete(t.Context(), set))
	p.until(set.Name, "its end", func(_ *kcm.ServiceSet, there bool) bool { return !there })
	if n := p.engine.times()[set.Name]; n != 0 {
		t.Errorf("the engine was given the set %d times", n)
	}
}
