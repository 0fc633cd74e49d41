package deployment

import (
	"cmp"
	"errors"
	"slices"
	"strings"

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
	err := helm.Check(wanted.Chart, wanted.Values)
	var invalid *helm.ValuesError
	if errors.As(err, &invalid) {
		wanted.Values = known(invalid.Problems, wanted.Values, ours)
		err = helm.Check(wanted.Chart, wanted.Values)
	}
	out := Rendering{Digest: wanted.Digest(), wanted: wanted}
	if err != nil {
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
// a key which the user never wrote is no mistake. k0rdent's charts, for one, declare no more of
// the identity than they read.
func known(problems []helm.ValueProblem, values helm.Values, ours []string) helm.Values {
	values = helm.MergeValues(values)
	for _, p := range problems {
		if p.Unknown && within(p.Path, ours) {
			forget(values, p.Path)
		}
	}
	return values
}

// within says whether a path is one of some paths, or leads below it.
func within(path string, paths []string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return path == p || strings.HasPrefix(path, p+".") })
}

// forget deletes the value at a path. A key may have dots of its own.
func forget(values map[string]any, path string) {
	delete(values, path)
	for key, value := range values {
		rest, below := strings.CutPrefix(path, key+".")
		if inner, isMap := value.(map[string]any); below && isMap {
			forget(inner, rest)
		}
	}
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
	case within(path, ours):
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
