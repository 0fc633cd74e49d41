package capi

import (
	"cmp"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Cluster is what we need to know of a Cluster API Cluster.
type Cluster struct {
	// Key is the Cluster's namespace and name, and UID its identity.
	Key types.NamespacedName
	UID types.UID
	// Deleting means that it is on its way out.
	Deleting bool
	// Infrastructure names the provider's object, empty if the Cluster refers to none.
	Infrastructure Infrastructure
	// Verdict says how it stands.
	Verdict Verdict
}

// Infrastructure names the object by which an infrastructure provider makes a cluster. It
// lives in the Cluster's namespace; its version is the provider's affair.
type Infrastructure struct {
	Group, Kind, Name string
}

func (i Infrastructure) groupKind() schema.GroupKind {
	return schema.GroupKind{Group: i.Group, Kind: i.Kind}
}

// Verdict is Cluster API's summary of a Cluster.
type Verdict struct {
	Status metav1.ConditionStatus
	// Reason is one of Cluster API's own words for a summary of conditions, or Deleting.
	Reason  string
	Message string
}

// summarized are the conditions that have to hold for a cluster to be of use, in the order in
// which a cluster comes up, so that the first that does not hold is nearest to the cause.
var summarized = []string{
	clusterv1.ClusterInfrastructureReadyCondition,
	clusterv1.ClusterControlPlaneInitializedCondition,
	clusterv1.ClusterControlPlaneAvailableCondition,
	clusterv1.ClusterControlPlaneMachinesReadyCondition,
	clusterv1.ClusterWorkersAvailableCondition,
	clusterv1.ClusterWorkerMachinesReadyCondition,
	clusterv1.ClusterRemoteConnectionProbeCondition,
}

func clusterOf(c *clusterv1.Cluster) *Cluster {
	return &Cluster{
		Key:      types.NamespacedName{Namespace: c.Namespace, Name: c.Name},
		UID:      c.UID,
		Deleting: !c.DeletionTimestamp.IsZero(),
		Infrastructure: Infrastructure{
			Group: c.Spec.InfrastructureRef.APIGroup,
			Kind:  c.Spec.InfrastructureRef.Kind,
			Name:  c.Spec.InfrastructureRef.Name,
		},
		Verdict: verdictOn(c),
	}
}

func verdictOn(c *clusterv1.Cluster) Verdict {
	switch {
	case !c.DeletionTimestamp.IsZero():
		return Verdict{metav1.ConditionFalse, kcm.DeletingReason, deletingMessage(c)}
	case c.Status.ObservedGeneration < c.Generation && c.Generation > 0:
		// What its conditions say is about what was wanted before.
		return Verdict{metav1.ConditionUnknown, kcm.CAPIUnknownReportedReason, "Cluster API has not looked at the newest version of this Cluster yet"}
	}
	return summary(c.Status.Conditions)
}

// summary is merged as Cluster API merges: what is wrong comes before what is unknown. A
// condition that nobody reported yet is unknown, so a young Cluster is never taken for ready.
func summary(conditions []metav1.Condition) Verdict {
	wrong := problems(conditions, metav1.ConditionFalse)
	unknown := problems(conditions, metav1.ConditionUnknown)
	switch {
	case len(wrong) > 0:
		return Verdict{metav1.ConditionFalse, kcm.CAPIIssuesReportedReason, strings.Join(append(wrong, unknown...), "\n")}
	case len(unknown) > 0:
		return Verdict{metav1.ConditionUnknown, kcm.CAPIUnknownReportedReason, strings.Join(unknown, "\n")}
	}
	return Verdict{metav1.ConditionTrue, kcm.CAPIInfoReportedReason, ""}
}

func problems(conditions []metav1.Condition, status metav1.ConditionStatus) []string {
	var out []string
	for _, kind := range summarized {
		c := find(conditions, kind)
		if c.Status == status {
			out = append(out, fmt.Sprintf("* %s: %s", kind, indented(cmp.Or(c.Message, c.Reason))))
		}
	}
	return out
}

func find(conditions []metav1.Condition, kind string) metav1.Condition {
	for _, c := range conditions {
		if c.Type == kind {
			return c
		}
	}
	return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Message: "not reported yet"}
}

// indented puts a message that has several lines below its own bullet.
func indented(message string) string {
	if !strings.Contains(message, "\n") {
		return message
	}
	return "\n  " + strings.ReplaceAll(message, "\n", "\n  ")
}

func deletingMessage(c *clusterv1.Cluster) string {
	d := find(c.Status.Conditions, clusterv1.ClusterDeletingCondition)
	if d.Status == metav1.ConditionTrue {
		return cmp.Or(d.Message, d.Reason)
	}
	return "Cluster API has not begun to delete the Cluster yet"
}
