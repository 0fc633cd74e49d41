package serviceset

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// abandoned is the reason of the event that tells of services which were not removed.
const abandoned = "ServicesAbandoned"

// tell says that services were left where they are. It is an event of the ClusterDeployment,
// which outlives its ServiceSets; of the ServiceSet if there is none.
func (c *Controller) tell(set *kcm.ServiceSet, cluster *kcm.ClusterDeployment, end Ending) {
	if end.Abandoned == "" {
		return
	}
	var about client.Object = set
	if cluster != nil {
		about = cluster
	}
	c.events.Eventf(about, set, corev1.EventTypeWarning, abandoned, "Delete", "%s", abandonment(set, end))
}

func abandonment(set *kcm.ServiceSet, end Ending) string {
	return fmt.Sprintf("The services of ServiceSet %s were not removed from their cluster. %s", set.Name, end.Abandoned)
}
