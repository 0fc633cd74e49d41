package gate

import (
	"errors"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/topology"
)

// Accesses are those who report to a region, and its admin, by the ConfigMaps of clusters and the
// Secrets with credentials. One whose credentials are not there yet, or are none, is left out: the error names all
// of those that are none.
func Accesses(region types.NamespacedName, configs []corev1.ConfigMap, secrets []corev1.Secret) ([]topology.Access, error) {
	bySecret := map[string]*corev1.Secret{}
	for i := range secrets {
		bySecret[secrets[i].Name] = &secrets[i]
	}
	var out []topology.Access
	var errs []error
	seen := map[string]bool{}
	for i := range configs {
		cm := &configs[i]
		user, role := cm.Annotations[topology.UserAnnotation], cm.Labels[kof.ClusterRoleLabel]
		if user == "" || seen[user] || role == "" || topology.ReportsTo(cm) != region {
			continue
		}
		s := bySecret[topology.Credentials(user)]
		if s == nil || !madeFor(cm, s, region) {
			continue
		}
		a, err := topology.AccessOf(s)
		if err == nil && a.Tenant == "" && role != kof.RegionalRole {
			// Without a tenant it would be everybody.
			err = topology.NoTenant(s)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		seen[user] = true
		out = append(out, a)
	}
	return out, errors.Join(errs...)
}

// madeFor says whether credentials were made for the cluster of a ConfigMap. Whoever may write
// ConfigMaps in some namespace could else let in a user that was made for a store of their own, and who
// is everybody there.
func madeFor(cm *corev1.ConfigMap, s *corev1.Secret, region types.NamespacedName) bool {
	of, _ := topology.ParseOwner(s.Annotations[topology.ForAnnotation])
	if cm.Labels[kof.ClusterRoleLabel] == kof.RegionalRole {
		self := types.NamespacedName{Namespace: cm.Namespace, Name: cm.Name}
		return cm.Namespace == region.Namespace && of.Kind == "ConfigMap" && of.NamespacedName == self
	}
	return of.Kind == "ClusterDeployment" && of.Namespace == cm.Namespace && cm.Name == topology.ChildConfig(of.Name)
}
