package clusters

import (
	"errors"
	"maps"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/ensure"
)

// label gives a cluster the labels by which MultiClusterServices choose it, where the admission has
// not: in the one that was there before.
func label(d *kcm.ClusterDeployment) {
	next := maps.Clone(d.Labels)
	for key, value := range fleet.TelemetryLabels(d.Namespace, d.Name, d.Labels) {
		next[key] = value // who has a role has labels
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
