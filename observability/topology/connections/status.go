package connections

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// Reasons of the conditions.
const (
	reasonValid     = "Valid"
	reasonInvalid   = "Invalid"
	reasonFound     = "Found"
	reasonNotNeeded = "NotNeeded"
	reasonMissing   = "SecretNotFound"
	reasonRefused   = "SecretRefused"
	reasonConnected = "Connected"
	reasonNoCluster = "ClusterNotFound"
	reasonNoKind    = "KindNotServed"
	reasonLeftOut   = "LeftOut"
)

// Status folds what was seen and decided into the status of one of the connections.
func Status(saw Observed, p Plan, i int) kof.VMStorageConnectionStatus {
	c := saw.Connections[i]
	facts := []metav1.Condition{address(c), credentials(c), connected(saw, p, i)}
	at := control.Stamp{Now: saw.Now, Generation: c.Generation}
	return kof.VMStorageConnectionStatus{
		Conditions: control.Fold(c.Status.Conditions, at, append(facts, control.Summary(kof.ReadyCondition, facts...))...),
	}
}

func address(c Connection) metav1.Condition {
	if err := checkAddress(c.Spec.TargetStorageNode.Address); err != nil {
		return control.False(kof.AddressValidCondition, reasonInvalid, fleet.Sentence(err))
	}
	return control.True(kof.AddressValidCondition, reasonValid, "")
}

func credentials(c Connection) metav1.Condition {
	if c.Spec.TargetStorageNode.Secret == nil {
		return control.True(kof.CredentialsReadyCondition, reasonNotNeeded, "")
	}
	if c.Refused != "" {
		return control.False(kof.CredentialsReadyCondition, reasonRefused, c.Refused)
	}
	if text := missing(c); text != "" {
		return control.False(kof.CredentialsReadyCondition, reasonMissing, text)
	}
	return control.True(kof.CredentialsReadyCondition, reasonFound, "")
}

func connected(saw Observed, p Plan, i int) metav1.Condition {
	const kind = kof.ConnectedCondition
	t := targetOf(&saw.Connections[i].VMStorageConnection)
	switch {
	case saw.Found == NotServed:
		return control.False(kind, reasonNoKind, "The management cluster serves no kind "+t.kind+": install VictoriaMetrics' operator")
	case saw.Found == Missing:
		return control.False(kind, reasonNoCluster, t.String()+" does not exist: create it, or name another in spec.cluster_ref")
	case !slices.Contains(p.Ask, i):
		return control.False(kind, reasonLeftOut, t.String()+" does not ask this node: see the other conditions")
	}
	return control.True(kind, reasonConnected, t.String()+" asks this node")
}
