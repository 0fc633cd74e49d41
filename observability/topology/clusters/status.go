package clusters

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/ensure"
)

// label gives a cluster the labels by which MultiClusterServices choose it. They say nothing
// that the cluster's own name does not.
func label(d *kcm.ClusterDeployment) {
	want := map[string]string{kof.ClusterNameLabel: d.Name, topology.NamespaceLabel: d.Namespace}
	next := make(map[string]string, len(d.Labels)+len(want))
	for key, value := range d.Labels {
		next[key] = value
	}
	for key, value := range want {
		if len(value) <= 63 { // a name may be longer than the value of a label
			next[key] = value
		}
	}
	d.Labels = next
}

// taken is what an object says that was not made because its name is somebody else's.
func taken(err error) topology.Readiness {
	if !errors.Is(err, ensure.ErrTaken) {
		return topology.Readiness{}
	}
	return topology.Readiness{
		Status: metav1.ConditionFalse, Reason: topology.ReasonTaken,
		Message: fleet.Sentence(err) + ": rename it, or remove it if it is not needed",
	}
}
