package deployment

import (
	"cmp"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
)

// The kinds of object that are a cluster.
const (
	capiClusterKind    = "Cluster"
	capiGroup          = "cluster.x-k8s.io"
	sveltosClusterKind = "SveltosCluster"
	sveltosGroup       = "lib.projectsveltos.io"
)

// render says what a chart makes of the values. It is pure.
func render(wanted helm.Wanted, ours []string) Rendering {
	wanted.Values, ours = known(wanted.Chart, wanted.Values, ours)
	out := Rendering{Digest: wanted.Digest(), wanted: wanted}
	if err := helm.Check(wanted.Chart, wanted.Values); err != nil {
		out.Problems = problemsOf(err, ours)
		return out
	}
	rendered, err := helm.Render(wanted.Chart, wanted.Values, helm.Release{Namespace: wanted.Namespace, Name: wanted.Name})
	if err != nil {
		out.Problems = []string{fleet.Sentence(err)}
		return out
	}
	out.Clusters = clustersIn(rendered.Objects, wanted.Namespace)
	return out
}

// known leaves out of what we inject whatever the chart has no use for: that it does not know
// a key which the user never wrote is no mistake.
func known(chart *helm.Chart, values helm.Values, ours []string) (helm.Values, []string) {
	var invalid *helm.ValuesError
	if !errors.As(helm.Check(chart, values), &invalid) {
		return values, ours
	}
	values = helm.MergeValues(values)
	ours = slices.DeleteFunc(slices.Clone(ours), func(key string) bool {
		unknown := slices.ContainsFunc(invalid.Problems, func(p helm.ValueProblem) bool { return p.Path == key })
		if unknown {
			delete(values, key)
		}
		return unknown
	})
	return values, ours
}

// problemsOf names the field of the ClusterDeployment that each problem is about.
func problemsOf(err error, ours []string) []string {
	var invalid *helm.ValuesError
	if !errors.As(err, &invalid) {
		return []string{fleet.Sentence(err)}
	}
	var out []string
	for _, p := range invalid.Problems {
		out = append(out, field(p.Path, ours)+": "+p.Message)
	}
	return out
}

func field(path string, ours []string) string {
	switch {
	case slices.Contains(ours, path):
		return "the value " + path + ", which Portico sets"
	case path == "":
		return "spec.config"
	}
	return "spec.config." + path
}

func clustersIn(objects []*unstructured.Unstructured, namespace string) []RenderedCluster {
	var out []RenderedCluster
	for _, o := range objects {
		switch o.GroupVersionKind().GroupKind() {
		case schema.GroupKind{Group: capiGroup, Kind: capiClusterKind},
			schema.GroupKind{Group: sveltosGroup, Kind: sveltosClusterKind}:
			out = append(out, RenderedCluster{o.GetKind(), cmp.Or(o.GetNamespace(), namespace), o.GetName()})
		}
	}
	slices.SortFunc(out, func(a, b RenderedCluster) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// wantedRelease is the release as it shall be.
func wantedRelease(d *kcm.ClusterDeployment, chart *helm.Chart, values helm.Values) helm.Wanted {
	return helm.Wanted{
		Namespace: d.Namespace, Name: d.Name, Chart: chart, Values: values,
		ObjectLabels: map[string]string{
			kcm.HelmReleaseNameLabel:      d.Name,
			kcm.HelmReleaseNamespaceLabel: d.Namespace,
		},
	}
}
