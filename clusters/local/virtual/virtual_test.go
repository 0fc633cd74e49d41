package virtual

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/kwok/pkg/apis/internalversion"
)

func TestNode(t *testing.T) {
	n := Node{
		Name: "n", ProviderID: "portico://n", IP: "100.64.0.1", Version: "v1.36.4", CPUs: 3, Memory: resource.MustParse("5Gi"),
		Labels: map[string]string{"example.com/pool": "a", Label: "real", corev1.LabelHostname: "other"},
	}
	got := n.object()
	if got.Labels[Label] != LabelValue {
		t.Errorf("label %s=%s; a user's label must not hide that the node pretends, or nobody keeps it Ready", Label, got.Labels[Label])
	}
	if got.Labels["example.com/pool"] != "a" || got.Spec.ProviderID != n.ProviderID {
		t.Errorf("labels %v, provider ID %s; want the user's, and what Cluster API finds the node by", got.Labels, got.Spec.ProviderID)
	}
	want := map[string]string{
		Annotation: AnnotationValue, given + "ip": "100.64.0.1", given + "version": "v1.36.4", given + "cpus": "3", given + "memory": "5Gi",
	}
	if diff := cmp.Diff(want, got.Annotations); diff != "" {
		t.Errorf("annotations, from which the node's status is made (-want +got):\n%s", diff)
	}
	if len(got.Spec.PodCIDRs) != 0 {
		t.Errorf("pod ranges %v, want none", got.Spec.PodCIDRs)
	}
}

// The stages are text, of ours and of a library: nobody but a test reads them before a user does.
func TestLifecycles(t *testing.T) {
	got, err := lifecycles()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[internalversion.StageResourceRef]int{}
	for ref, stages := range got {
		counts[ref] = len(stages)
	}
	want := map[internalversion.StageResourceRef]int{{APIGroup: "v1", Kind: "Node"}: 2, {APIGroup: "v1", Kind: "Pod"}: 3}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("a node begins and beats; a pod becomes ready, completes, and goes (-want +got):\n%s", diff)
	}
}

func TestEnsureRefusesWhatIsNoKubeconfig(t *testing.T) {
	s := NewSimulator()
	defer s.Close()
	key := types.NamespacedName{Namespace: "team", Name: "demo"}
	if err := s.Ensure(key, []byte("no kubeconfig")); err == nil {
		t.Error("it simulates a cluster that cannot be reached")
	}
	if len(s.running) != 0 {
		t.Error("a simulation that could not begin counts as running, so it would never begin")
	}
	s.Stop(key) // what does not run ends without a word
}
