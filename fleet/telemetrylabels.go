package fleet

import (
	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
)

// ClusterNamespaceLabel repeats the namespace of a ClusterDeployment, as KOF's kof-cluster-name repeats
// its name: a selector by name alone would choose the clusters of that name in all namespaces.
const ClusterNamespaceLabel = "observability.portico.dev/cluster-namespace"

// LabelForTelemetry gives a cluster with a role in telemetry the labels by which it is chosen. Labels
// are values of its chart: later ones are another revision of its release.
func LabelForTelemetry(d *kcm.ClusterDeployment) {
	for key, value := range TelemetryLabels(d.Namespace, d.Name, d.Labels) {
		d.Labels[key] = value // who has a role has labels
	}
}

// TelemetryLabels are the labels by which selectors choose one cluster that has a role in telemetry;
// none for one that has no role or no name yet. What is longer than the value of a label is left out.
func TelemetryLabels(namespace, name string, labels map[string]string) map[string]string {
	out := map[string]string{}
	if labels[kof.ClusterRoleLabel] == "" || name == "" {
		return out
	}
	for key, value := range map[string]string{kof.ClusterNameLabel: name, ClusterNamespaceLabel: namespace} {
		if len(value) <= 63 {
			out[key] = value
		}
	}
	return out
}
