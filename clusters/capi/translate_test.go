package capi

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// reported are conditions that all hold, but for those given.
func reported(but ...metav1.Condition) []metav1.Condition {
	var out []metav1.Condition
	for _, kind := range summarized {
		c := metav1.Condition{Type: kind, Status: metav1.ConditionTrue}
		for _, b := range but {
			if b.Type == kind {
				c = b
			}
		}
		out = append(out, c)
	}
	return out
}

func cluster(change func(*clusterv1.Cluster)) *clusterv1.Cluster {
	c := &clusterv1.Cluster{}
	c.Namespace, c.Name, c.Generation = "team", "dev", 2
	c.Status.ObservedGeneration = 2
	c.Status.Conditions = reported()
	change(c)
	return c
}

func TestVerdict(t *testing.T) {
	broken := metav1.Condition{Type: clusterv1.ClusterWorkersAvailableCondition, Status: metav1.ConditionFalse, Message: "* MachineDeployment md:\n  * 0 of 1 available"}
	terse := metav1.Condition{Type: clusterv1.ClusterInfrastructureReadyCondition, Status: metav1.ConditionFalse, Reason: "NotReady"}
	unseen := metav1.Condition{Type: clusterv1.ClusterRemoteConnectionProbeCondition, Status: metav1.ConditionUnknown, Message: "not probed"}
	now := metav1.Now()
	tests := []struct {
		name, why string
		change    func(*clusterv1.Cluster)
		want      Verdict
	}{
		{"AllHold", "Everything that makes a cluster usable is reported and holds.", func(*clusterv1.Cluster) {}, Verdict{metav1.ConditionTrue, kcm.CAPIInfoReportedReason, ""}},
		{"Wrong", "What is wrong comes first, in the order in which a cluster comes up; then what is unknown.",
			func(c *clusterv1.Cluster) { c.Status.Conditions = reported(broken, terse, unseen) },
			Verdict{metav1.ConditionFalse, kcm.CAPIIssuesReportedReason, "* InfrastructureReady: NotReady\n* WorkersAvailable: \n  * MachineDeployment md:\n    * 0 of 1 available\n* RemoteConnectionProbe: not probed"}},
		{"Unknown", "Not known is not ready.", func(c *clusterv1.Cluster) { c.Status.Conditions = reported(unseen) },
			Verdict{metav1.ConditionUnknown, kcm.CAPIUnknownReportedReason, "* RemoteConnectionProbe: not probed"}},
		{"Half", "A condition that nobody reported yet is unknown, or a young Cluster would flash ready.",
			func(c *clusterv1.Cluster) { c.Status.Conditions = reported()[:6] },
			Verdict{metav1.ConditionUnknown, kcm.CAPIUnknownReportedReason, "* RemoteConnectionProbe: not reported yet"}},
		{"Stale", "Conditions that speak for an older spec prove nothing.", func(c *clusterv1.Cluster) { c.Generation = 3 },
			Verdict{metav1.ConditionUnknown, kcm.CAPIUnknownReportedReason, "Cluster API has not looked at the newest version of this Cluster yet"}},
		{"DeletionBegins", "A Cluster on its way out is not ready, whatever its conditions say.", func(c *clusterv1.Cluster) { c.DeletionTimestamp = &now },
			Verdict{metav1.ConditionFalse, kcm.DeletingReason, "Cluster API has not begun to delete the Cluster yet"}},
		{"Deleting", "Cluster API says what its deletion waits for.", func(c *clusterv1.Cluster) {
			c.DeletionTimestamp = &now
			c.Status.Conditions = []metav1.Condition{{Type: clusterv1.ClusterDeletingCondition, Status: metav1.ConditionTrue, Message: "* Worker Machines: a, b"}}
		}, Verdict{metav1.ConditionFalse, kcm.DeletingReason, "* Worker Machines: a, b"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, clusterOf(cluster(tc.change)).Verdict); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}

func TestReleaseOf(t *testing.T) {
	c := cluster(func(c *clusterv1.Cluster) {
		c.Labels = map[string]string{kcm.HelmReleaseNameLabel: "dev", kcm.HelmReleaseNamespaceLabel: "team"}
	})
	if got, ok := ReleaseOf(c); !ok || got.String() != "team/dev" {
		t.Errorf("ReleaseOf() = %v, %v; want team/dev, true", got, ok)
	}
	delete(c.Labels, kcm.HelmReleaseNamespaceLabel)
	if got, ok := ReleaseOf(c); ok {
		t.Errorf("ReleaseOf() = %v, true; a name alone is not enough, since namespaces may share it", got)
	}
}
