package deployment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// services are the states that all ServiceSets of the cluster report.
func services(saw Observed) []kcm.ServiceState {
	var out []kcm.ServiceState
	for _, set := range saw.ServiceSets {
		out = append(out, set.States...)
	}
	slices.SortStableFunc(out, func(a, b kcm.ServiceState) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// servicesReady counts: n of m services are as wanted.
func servicesReady(d *kcm.ClusterDeployment, saw Observed) metav1.Condition {
	wanted := wantedServices(d, saw)
	n := len(wanted) - len(waiting(saw, wanted))
	message := fmt.Sprintf("%d/%d", n, len(wanted))
	if n < len(wanted) {
		return control.False(kcm.ServicesInReadyStateCondition, kcm.ProgressingReason, message)
	}
	return succeeded(kcm.ServicesInReadyStateCondition, "%s", message)
}

// servicesPart is the same with the words that Ready needs: which service, and what of it.
func servicesPart(d *kcm.ClusterDeployment, saw Observed) metav1.Condition {
	c := servicesReady(d, saw)
	if left := waiting(saw, wantedServices(d, saw)); len(left) > 0 {
		// All of them, in the condition of a set of a hundred, would be a new text with each step of each.
		const few = 5
		more := ""
		if len(left) > few {
			left, more = left[:few], fmt.Sprintf("; and %d more", len(left)-few)
		}
		c.Message = fmt.Sprintf("Services %s ready: %s%s", c.Message, strings.Join(left, "; "), more)
	}
	return c
}

// wantedServices are the wishes that count for each service. What the ClusterDeployment says
// about its own services counts more than its ServiceSet, which may not have followed yet.
func wantedServices(d *kcm.ClusterDeployment, saw Observed) map[types.NamespacedName][]kcm.ServiceWithValues {
	wanted := map[types.NamespacedName][]kcm.ServiceWithValues{}
	for _, set := range saw.ServiceSets {
		for _, s := range set.Wanted {
			if !uninstalled(s.HelmAction) {
				wanted[keyOf(s)] = append(wanted[keyOf(s)], s)
			}
		}
	}
	if d.Spec.DryRun {
		return wanted // nothing follows a dry run
	}
	for _, s := range d.Spec.ServiceSpec.Services {
		wish := wishOf(s)
		switch {
		case uninstalled(s.HelmAction):
			delete(wanted, keyOf(wish))
		case !s.Disable:
			wanted[keyOf(wish)] = []kcm.ServiceWithValues{wish}
		}
	}
	return wanted
}

func keyOf(s kcm.ServiceWithValues) types.NamespacedName {
	return types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
}

// wishOf is the entry of a ServiceSet that a service asks for. Its version is empty unless the
// user names one: then it is that of the template.
func wishOf(s kcm.Service) kcm.ServiceWithValues {
	return kcm.ServiceWithValues{
		Name: s.Name, Namespace: cmp.Or(s.Namespace, metav1.NamespaceDefault), Template: s.Template, Version: s.Version,
		Values: s.Values, ValuesFrom: s.ValuesFrom, HelmOptions: s.HelmOptions, HelmAction: s.HelmAction,
	}
}

// fulfils says whether an entry of a ServiceSet is what is wished for.
func fulfils(entry, wish kcm.ServiceWithValues) bool {
	if wish.Version == "" {
		entry.Version = ""
	}
	entry.HelmAction, wish.HelmAction = nil, nil // both install: others are not wanted
	return equality.Semantic.DeepEqual(entry, wish)
}

func uninstalled(action *kcm.HelmAction) bool { return action != nil && *action == kcm.HelmUninstall }

// waiting names the services that are not as wanted, each with what is known: those first that
// have failed, then by name.
func waiting(saw Observed, wanted map[types.NamespacedName][]kcm.ServiceWithValues) []string {
	var out []string
	for key, wishes := range wanted {
		if words, ready := serviceWords(saw, key, wishes); !ready {
			out = append(out, key.String()+" "+words)
		}
	}
	failed := func(words string) int {
		if strings.Contains(words, " is "+string(kcm.ServiceFailed)) {
			return 0
		}
		return 1
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(failed(a), failed(b)), cmp.Compare(a, b)) })
	return out
}

// serviceWords says how a service stands. It is ready as soon as one ServiceSet that asks for a
// wish that counts has deployed it. What a ServiceSet reports of an older wish does not count.
func serviceWords(saw Observed, key types.NamespacedName, wishes []kcm.ServiceWithValues) (words string, ready bool) {
	words = "is not deployed yet"
	for _, set := range saw.ServiceSets {
		for _, s := range set.States {
			switch {
			case s.Namespace != key.Namespace || s.Name != key.Name:
			case s.State != kcm.ServiceDeployed:
				words = strings.TrimSuffix(fmt.Sprintf("is %s: %s", s.State, s.FailureMessage), ": ")
			case !slices.ContainsFunc(wishes, func(w kcm.ServiceWithValues) bool { return w.Template == s.Template }):
				words = fmt.Sprintf("is still deployed from template %q", s.Template)
			case set.Stale || !set.asks(key, wishes):
				words = "is deployed, and the change is about to be made"
			default:
				return "", true
			}
		}
	}
	return words, false
}

// asks says whether the ServiceSet has an entry for the service that is one of the wishes.
func (s ServiceSet) asks(key types.NamespacedName, wishes []kcm.ServiceWithValues) bool {
	return slices.ContainsFunc(s.Wanted, func(entry kcm.ServiceWithValues) bool {
		return keyOf(entry) == key && slices.ContainsFunc(wishes, func(w kcm.ServiceWithValues) bool { return fulfils(entry, w) })
	})
}

func names(sets []ServiceSet) string {
	var out []string
	for _, s := range sets {
		out = append(out, s.Name)
	}
	return listed(out)
}

// listed keeps a message short, however many names there are.
func listed(names []string) string {
	const few = 5
	if len(names) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}
