package verdict

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// Rules are the rules of a set as kube/remote takes them.
func Rules(rules []engine.HealthRule) []helm.HealthRule {
	var out []helm.HealthRule
	for _, r := range rules {
		out = append(out, helm.HealthRule(r))
	}
	return out
}

// Unhealthy are problems by the kind of their objects.
func Unhealthy(problems []helm.Problem) []engine.Unhealthy {
	var out []engine.Unhealthy
	for _, ills := range helm.ByKind(problems) {
		out = append(out, engine.Unhealthy(ills))
	}
	return out
}

// Kinds are those that rules are about, sorted, each once.
func Kinds(rules []engine.HealthRule) []schema.GroupVersionKind {
	var out []schema.GroupVersionKind
	for _, r := range rules {
		out = append(out, schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind})
	}
	slices.SortFunc(out, func(a, b schema.GroupVersionKind) int { return strings.Compare(a.String(), b.String()) })
	return slices.Compact(out)
}

// Concerns says whether what has moved of one name may belong to a service: what has no namespace
// belongs to any of that name.
func Concerns(moved, service engine.Key) bool {
	return moved == service || moved.Namespace == "" && moved.Name == service.Name
}
