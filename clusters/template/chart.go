package template

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"portico.dev/portico/admission"
	"portico.dev/portico/fleet"
)

// Annotations of charts, as k0rdent and Cluster API define them.
const (
	annotationProviders     = "cluster.x-k8s.io/provider"
	annotationPrefix        = "cluster.x-k8s.io/"
	annotationK8sVersion    = "k0rdent.mirantis.com/k8s-version"
	annotationK8sConstraint = "k0rdent.mirantis.com/k8s-version-constraint"
)

// Chart is what a chart says about itself.
type Chart struct {
	Name, Version, Description string
	// Annotations are those of Chart.yaml.
	Annotations map[string]string
	// Values are the default values as JSON.
	Values []byte
	// Schema is values.schema.json, empty if the chart has none.
	Schema []byte
}

// providerKinds are the prefixes by which an annotation is known to name a provider.
var providerKinds = []string{"infrastructure-", "bootstrap-", "control-plane-"}

// Providers are the names in spec, or else in the chart's annotation: sorted, each once.
func Providers(spec []string, chart Chart) []string {
	names := spec
	if len(names) == 0 {
		names = strings.Split(chart.Annotations[annotationProviders], ",")
	}
	var out []string
	for _, n := range names {
		if n = strings.TrimSpace(n); n != "" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// ProviderContracts are what a cluster template requires: for each provider one contract
// version. Spec wins over the chart's annotations as a whole.
func ProviderContracts(spec map[string]string, chart Chart) (map[string]string, error) {
	found := maps.Clone(spec)
	if len(found) == 0 {
		found = annotated(chart, isProvider)
	}
	for _, provider := range slices.Sorted(maps.Keys(found)) {
		if !admission.IsContract(found[provider]) {
			return nil, fmt.Errorf("%w: provider %q requires the contract %q: want one version such as v1beta2", fleet.ErrInvalid, provider, found[provider])
		}
	}
	return found, nil
}

// CAPIContracts are what a provider template offers: for each version of Cluster API's
// contract the provider contracts, several joined with "_". Cluster API itself offers empty ones.
func CAPIContracts(spec map[string]string, chart Chart) (map[string]string, error) {
	found := maps.Clone(spec)
	if len(found) == 0 {
		found = annotated(chart, admission.IsContract)
	}
	for _, core := range slices.Sorted(maps.Keys(found)) {
		if !admission.IsContract(core) {
			return nil, fmt.Errorf("%w: %q is not a version of Cluster API's contract: want one such as v1beta2", fleet.ErrInvalid, core)
		}
		for offered := range strings.SplitSeq(found[core], "_") {
			if offered != "" && !admission.IsContract(offered) {
				return nil, fmt.Errorf("%w: the contracts %q offered for %s hold %q: want versions such as v1beta1_v1beta2", fleet.ErrInvalid, found[core], core, offered)
			}
		}
	}
	return found, nil
}

// annotated are the annotations of the chart below Cluster API's prefix whose rest is wanted.
func annotated(chart Chart, wanted func(string) bool) map[string]string {
	out := map[string]string{}
	for key, value := range chart.Annotations {
		if rest, ok := strings.CutPrefix(key, annotationPrefix); ok && wanted(rest) {
			out[rest] = strings.TrimSpace(value)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

func isProvider(name string) bool {
	return slices.ContainsFunc(providerKinds, func(kind string) bool { return strings.HasPrefix(name, kind) })
}

// KubernetesVersion is the version of the clusters that a cluster template makes: spec's, or
// else the chart's annotation; empty if neither says.
func KubernetesVersion(spec string, chart Chart) (string, error) {
	version := firstOf(spec, chart.Annotations[annotationK8sVersion])
	if version == "" {
		return "", nil
	}
	if _, err := semver.NewVersion(version); err != nil {
		return "", fmt.Errorf("%w: the Kubernetes version %q is not a semantic version such as v1.36.4", fleet.ErrInvalid, version)
	}
	return version, nil
}

// KubernetesConstraint is which versions of Kubernetes a service runs on: spec's, or else the
// chart's annotation; empty if any will do.
func KubernetesConstraint(spec string, chart Chart) (string, error) {
	constraint := firstOf(spec, chart.Annotations[annotationK8sConstraint])
	if constraint == "" {
		return "", nil
	}
	if _, err := semver.NewConstraint(constraint); err != nil {
		return "", fmt.Errorf("%w: the Kubernetes constraint %q cannot be read: want one such as \">= 1.30\"", fleet.ErrInvalid, constraint)
	}
	return constraint, nil
}

func firstOf(words ...string) string {
	for _, w := range words {
		if w = strings.TrimSpace(w); w != "" {
			return w
		}
	}
	return ""
}

// problem turns an error into the sentence that a status shows.
func problem(err error) string {
	text := err.Error()
	for _, kind := range []error{fleet.ErrInvalid, fleet.ErrNotYet} {
		if errors.Is(err, kind) {
			text = strings.Replace(text, kind.Error()+": ", "", 1)
		}
	}
	return text
}
