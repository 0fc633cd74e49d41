package serviceset

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
)

// overdue is the reason of the event that tells of a removal that goes on without what depends on it.
const overdue = "RemovalOverdue"

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

// tellWithout says that the services of a set are removed although other sets that depend on it are
// still there, once: the status keeps it.
func (c *Controller) tellWithout(set *kcm.ServiceSet, cluster *kcm.ClusterDeployment, saw Departure) {
	if saw.Without == "" || control.IsTrue(set.Status.Conditions, statev1.UnorderedCondition) {
		return
	}
	var about client.Object = set
	if cluster != nil {
		about = cluster
	}
	c.events.Eventf(about, set, corev1.EventTypeWarning, overdue, "Delete", "The services of ServiceSet %s are removed. %s", set.Name, saw.Without)
}

// tellOverdue says which services are not waited for any more. It is said before anything follows
// from it: the engine hears of it when it stands in the status.
func (c *Controller) tellOverdue(ctx context.Context, was, set *kcm.ServiceSet) error {
	sentences := newlyOverdue(was.Status, set.Status)
	if len(sentences) == 0 {
		return nil
	}
	cluster, err := c.cluster(ctx, set)
	if err != nil {
		return err
	}
	var about client.Object = set
	if cluster != nil {
		about = cluster
	}
	for _, sentence := range sentences {
		c.events.Eventf(about, set, corev1.EventTypeWarning, overdue, "Remove", "%s", sentence)
	}
	return nil
}

func abandonment(set *kcm.ServiceSet, end Ending) string {
	return fmt.Sprintf("The services of ServiceSet %s were not removed from their cluster. %s", set.Name, end.Abandoned)
}
