package webhook

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
)

// TenantReviews asks an API server whether somebody may use a tenant.
func TenantReviews(kube client.Client) func(context.Context, authenticationv1.UserInfo, string) (bool, error) {
	return func(ctx context.Context, who authenticationv1.UserInfo, tenant string) (bool, error) {
		extra := map[string]authorizationv1.ExtraValue{}
		for key, value := range who.Extra {
			extra[key] = authorizationv1.ExtraValue(value)
		}
		// Without a namespace it is asked for all of them: whoever administers one can give himself
		// every right in that one.
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: who.Username, UID: who.UID, Groups: who.Groups, Extra: extra,
			ResourceAttributes: &authorizationv1.ResourceAttributes{Group: admission.TenantGroup, Resource: admission.TenantResource, Verb: admission.TenantVerb, Name: tenant},
		}}
		if err := kube.Create(ctx, review); err != nil {
			return false, fmt.Errorf("asking whether %s may use tenant %s: %w", who.Username, tenant, err)
		}
		return review.Status.Allowed, nil
	}
}

func (w world) claimTenant(ctx context.Context, by author, d, old *kcm.ClusterDeployment) (field.ErrorList, error) {
	tenant := admission.ClaimedTenant(d, old)
	if w.MayUseTenant == nil || tenant == "" {
		return nil, nil
	}
	refs, err := w.tenantRefs(ctx, d.Namespace, tenant)
	if err != nil {
		return nil, err
	}
	if len(refs.Homes) == 0 && !by.dry {
		refs.Homes = w.firsts.claim(tenant, d.Namespace)
	}
	if errs := admission.ValidateTenant(d, old, refs); len(errs) == 0 {
		return nil, nil
	}
	if refs.MayUse, err = w.MayUseTenant(ctx, by.UserInfo, tenant); err != nil {
		return nil, err
	}
	return admission.ValidateTenant(d, old, refs), nil
}

// tenantRefs reads until it is known whether the namespace is one of the tenant's: a tenant may have
// thousands of clusters, and the next one of a namespace costs no more than the second one.
func (w world) tenantRefs(ctx context.Context, namespace, tenant string) (refs admission.TenantRefs, err error) {
	refs.SystemNamespace = w.SystemNamespace
	if refs.Namespace, err = w.namespaceTenant(ctx, namespace); err != nil || refs.Namespace == tenant || namespace == w.SystemNamespace {
		return refs, err
	}
	// A tenant is not free when its last cluster is gone.
	remembered, err := get[corev1.ConfigMap](ctx, w, in(w.SystemNamespace, fleet.TenantsConfigMap))
	if err != nil {
		return refs, err
	}
	if remembered != nil {
		refs.Homes = fleet.TenantHomes(remembered.Data, tenant)
	}
	// What was made a moment ago is not remembered yet. Of clusters on their way out there is telemetry still.
	clusters, named := kcm.GroupVersion.WithKind(kcm.ClusterDeploymentKind+"List"), client.MatchingLabels{kof.TenantLabel: tenant}
	for _, look := range []struct {
		kind schema.GroupVersionKind
		in   client.InNamespace
	}{{clusters, client.InNamespace(namespace)}, {clusters, ""}, {corev1.SchemeGroupVersion.WithKind("NamespaceList"), ""}} {
		if slices.Contains(refs.Homes, namespace) || len(refs.Homes) > 0 && look.in == "" {
			return refs, nil
		}
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(look.kind)
		if err := w.list(ctx, list, named, look.in, client.Limit(1)); err != nil {
			return refs, err
		}
		for _, o := range list.Items {
			refs.Homes = append(refs.Homes, cmp.Or(o.Namespace, o.Name))
		}
	}
	return refs, nil
}

// firsts are tenants that were free a moment ago, by the namespace that asked first: until its cluster is
// stored, no other one gets the tenant.
type firsts struct {
	clock fleet.Clock

	mu sync.Mutex
	of map[string]first
}

type first struct {
	namespace string
	until     time.Time
}

const (
	// What is admitted is stored, or refused by somebody else, within this time.
	storedWithin = time.Minute
	mostFirsts   = 10_000
)

// claim gives a free tenant to a namespace, and returns which one has it.
func (f *firsts) claim(tenant, namespace string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.clock()
	if was, taken := f.of[tenant]; taken && now.Before(was.until) && was.namespace != namespace {
		return []string{was.namespace}
	}
	if len(f.of) >= mostFirsts {
		maps.DeleteFunc(f.of, func(_ string, was first) bool { return !now.Before(was.until) })
	}
	f.of[tenant] = first{namespace, now.Add(storedWithin)}
	return []string{namespace}
}

// namespaceTenant is the tenant that the label of a namespace names.
func (w world) namespaceTenant(ctx context.Context, name string) (string, error) {
	n := &metav1.PartialObjectMetadata{}
	n.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	err := w.Reader.Get(ctx, in("", name), n)
	if apierrors.IsNotFound(err) {
		return "", nil // the API server says so
	}
	if err != nil {
		return "", fmt.Errorf("reading Namespace %s: %w", name, err)
	}
	return n.Labels[kof.TenantLabel], nil
}

func (w world) defaultTenant(ctx context.Context, d, old *kcm.ClusterDeployment) error {
	if d.Labels[kof.ClusterRoleLabel] == "" || d.Labels[kof.TenantLabel] != "" {
		return nil
	}
	namespace, err := w.namespaceTenant(ctx, d.Namespace)
	if err != nil {
		return err
	}
	admission.DefaultTenant(d, old, namespace)
	return nil
}
