package fleet

import (
	"maps"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
)

// ClusterNamespaceLabel repeats the namespace of a ClusterDeployment, as KOF's kof-cluster-name repeats
// its name: a selector by name alone would choose the clusters of that name in all namespaces.
const ClusterNamespaceLabel = "observability.portico.dev/cluster-namespace"

// longestValue is how long the value of a label may be.
const longestValue = 63

// LabelForTelemetry gives a cluster with a part in telemetry the labels by which it is chosen, and takes
// away what others say there: the credentials of a region go to whoever carries its name. Labels are
// values of its chart: later ones are another revision of its release.
func LabelForTelemetry(d *kcm.ClusterDeployment) {
	want := TelemetryLabels(d.Namespace, d.Name, d.Labels)
	for _, key := range []string{kof.ClusterNameLabel, ClusterNamespaceLabel} {
		if value, wanted := want[key]; wanted {
			d.Labels[key] = value // who is given labels has labels
			continue
		}
		delete(d.Labels, key)
	}
}

// TelemetryLabels are the labels by which selectors choose one cluster that has a part in telemetry: a
// role, or the work for the clusters of a region. There are none for one that has no part or no name
// yet; KOF names all clusters, so that the name alone, where it is there, stays and is right. What is longer
// than the value of a label is left out.
func TelemetryLabels(namespace, name string, labels map[string]string) map[string]string {
	out := map[string]string{}
	_, named := labels[kof.ClusterNameLabel]
	has := labels[kof.ClusterRoleLabel] != "" || labels[kof.KCMRegionClusterLabel] == kcm.LabelTrue
	if name != "" && len(name) <= longestValue && (has || named) {
		out[kof.ClusterNameLabel] = name
	}
	if name != "" && len(namespace) <= longestValue && has {
		out[ClusterNamespaceLabel] = namespace
	}
	return out
}

// Selectable are the labels of a cluster as selectors see them: what they say about its name and
// namespace is true, whatever somebody has written there. The map is not to be changed.
func Selectable(d *kcm.ClusterDeployment) map[string]string {
	said, names := d.Labels[kof.ClusterNameLabel]
	place, places := d.Labels[ClusterNamespaceLabel]
	if (!names || said == d.Name) && (!places || place == d.Namespace) {
		return d.Labels
	}
	out := maps.Clone(d.Labels)
	if names {
		out[kof.ClusterNameLabel] = d.Name
	}
	if places {
		out[ClusterNamespaceLabel] = d.Namespace
	}
	return out
}
