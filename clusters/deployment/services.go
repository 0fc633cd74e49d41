package deployment

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

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
		c.Message = fmt.Sprintf("Services %s ready: %s", c.Message, strings.Join(left, "; "))
	}
	return c
}

// wantedServices are the templates that count for each service. What the ClusterDeployment
// says about its own services counts more than its ServiceSet, which may not have followed yet.
func wantedServices(d *kcm.ClusterDeployment, saw Observed) map[types.NamespacedName][]string {
	wanted := map[types.NamespacedName][]string{}
	for _, set := range saw.ServiceSets {
		for _, s := range set.Wanted {
			if !uninstalled(s.HelmAction) {
				key := types.NamespacedName{Namespace: s.Namespace, Name: s.Name}
				wanted[key] = append(wanted[key], s.Template)
			}
		}
	}
	for _, s := range d.Spec.ServiceSpec.Services {
		key := types.NamespacedName{Namespace: cmp.Or(s.Namespace, metav1.NamespaceDefault), Name: s.Name}
		switch {
		case uninstalled(s.HelmAction):
			delete(wanted, key)
		case !s.Disable:
			wanted[key] = []string{s.Template}
		}
	}
	return wanted
}

func uninstalled(action *kcm.HelmAction) bool { return action != nil && *action == kcm.HelmUninstall }

// waiting names the services that are not as wanted, sorted, each with what is known.
func waiting(saw Observed, wanted map[types.NamespacedName][]string) []string {
	var out []string
	for key, templates := range wanted {
		if words, ready := serviceWords(saw, key, templates); !ready {
			out = append(out, key.String()+" "+words)
		}
	}
	slices.Sort(out)
	return out
}

// serviceWords says how a service stands. It is ready as soon as one ServiceSet has deployed
// it from a template that counts.
func serviceWords(saw Observed, key types.NamespacedName, templates []string) (words string, ready bool) {
	words = "is not deployed yet"
	for _, set := range saw.ServiceSets {
		for _, s := range set.States {
			switch {
			case s.Namespace != key.Namespace || s.Name != key.Name:
			case s.State == kcm.ServiceDeployed && slices.Contains(templates, s.Template):
				return "", true
			case s.State == kcm.ServiceDeployed:
				words = fmt.Sprintf("is still deployed from template %q", s.Template)
			default:
				words = strings.TrimSuffix(fmt.Sprintf("is %s: %s", s.State, s.FailureMessage), ": ")
			}
		}
	}
	return words, false
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
