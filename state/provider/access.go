package provider

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/follow"
)

const owner = client.FieldOwner("state.provider")

// crdKind is what kinds are defined by.
var crdKind = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

// resources are the resources of the kinds that a provider names; those that are not served are left
// out, and said to be.
func (c *Controller) resources(p *kcm.StateManagementProvider) (map[schema.GroupKind]schema.GroupVersionResource, error) {
	out := map[schema.GroupKind]schema.GroupVersionResource{}
	for _, ref := range references(p) {
		kind := schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind)
		mapping, err := c.kube.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
		if apimeta.IsNoMatchError(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("looking for the kind %s: %w", kind, err)
		}
		out[kind.GroupKind()] = mapping.Resource
	}
	return out, nil
}

func references(p *kcm.StateManagementProvider) []kcm.ResourceReference {
	return append([]kcm.ResourceReference{p.Spec.Adapter}, p.Spec.Provisioner...)
}

// rulesOf are what the account of a provider may do: look at the kinds that it names, and at CRDs.
// The same kinds lead to the same rules, whatever their order.
func rulesOf(resources map[schema.GroupKind]schema.GroupVersionResource) []rbacv1.PolicyRule {
	groups := map[string][]string{crdKind.Group: {"customresourcedefinitions"}}
	for _, r := range resources {
		if !slices.Contains(groups[r.Group], r.Resource) {
			groups[r.Group] = append(groups[r.Group], r.Resource)
		}
	}
	var out []rbacv1.PolicyRule
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		slices.Sort(groups[group])
		out = append(out, rbacv1.PolicyRule{APIGroups: []string{group}, Resources: groups[group], Verbs: []string{"get", "list", "watch"}})
	}
	return out
}

// ensureAccess makes the account of a provider and what it may do. They go with the provider.
func (c *Controller) ensureAccess(ctx context.Context, p *kcm.StateManagementProvider, rules []rbacv1.PolicyRule) error {
	meta := func(suffix string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Name: p.Name + suffix, Labels: map[string]string{kcm.ManagedLabel: kcm.LabelTrue},
			OwnerReferences: []metav1.OwnerReference{control.ControlledBy(p, kcm.GroupVersion.WithKind("StateManagementProvider"))},
		}
	}
	account := &corev1.ServiceAccount{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: meta(accountSuffix)}
	account.Namespace = c.home
	role := &rbacv1.ClusterRole{TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRole"}, ObjectMeta: meta(roleSuffix), Rules: rules}
	binding := &rbacv1.ClusterRoleBinding{
		TypeMeta: metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "ClusterRoleBinding"}, ObjectMeta: meta(bindingSuffix),
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: c.home, Name: account.Name}},
	}
	for _, one := range []struct {
		obj    client.Object
		reason string
	}{{account, kcm.FailedToEnsureServiceAccountReason}, {role, kcm.FailedToEnsureClusterRoleReason}, {binding, kcm.FailedToEnsureClusterRoleBindingReason}} {
		c.follow.Add(client.ObjectKeyFromObject(p), follow.Object{Kind: one.obj.GetObjectKind().GroupVersionKind(), Key: client.ObjectKeyFromObject(one.obj)})
		if err := c.ensure(ctx, one.obj); err != nil {
			return failed{Failure{one.reason, err.Error()}, err}
		}
	}
	return nil
}

// ensure applies an object unless it is as wanted.
func (c *Controller) ensure(ctx context.Context, want client.Object) error {
	have, ok := want.DeepCopyObject().(client.Object)
	if !ok {
		return nil
	}
	err := c.live.Get(ctx, client.ObjectKeyFromObject(want), have)
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("reading %s: %w", control.Name(want), err)
	}
	if err == nil && equality.Semantic.DeepDerivative(want.GetOwnerReferences(), have.GetOwnerReferences()) && equality.Semantic.DeepEqual(grants(want), grants(have)) {
		return nil
	}
	return control.Apply(ctx, c.kube, owner, want)
}

// grants is what an object of access control allows, and to whom.
func grants(obj client.Object) any {
	switch obj := obj.(type) {
	case *rbacv1.ClusterRole:
		return obj.Rules
	case *rbacv1.ClusterRoleBinding:
		return []any{obj.RoleRef, obj.Subjects}
	}
	return nil
}

// What the names of a provider's objects end with.
const (
	roleSuffix    = "-cr"
	bindingSuffix = "-crb"
	accountSuffix = "-sa"
)

// failed is an error with what a condition says of it.
type failed struct {
	Failure
	err error
}

// Error implements error.
func (f failed) Error() string { return f.err.Error() }

// Unwrap gives the cause.
func (f failed) Unwrap() error { return f.err }

// asAccount is how to reach the management cluster as the account of a provider.
func asAccount(config *rest.Config, namespace, name string) *rest.Config {
	out := rest.CopyConfig(config)
	// Its groups are added by the API server, which asks for no right to them then.
	out.Impersonate = rest.ImpersonationConfig{UserName: fmt.Sprintf("system:serviceaccount:%s:%s", namespace, name)}
	return out
}
