package planning

import (
	"context"
	"fmt"
	"slices"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/admission"
)

// heads reads the copy for the admission. Where that asks for the metadata of all clusters of a tenant, the
// changed one is not among them: an API server has not stored it when it asks, and it would be a reason for itself.
type heads struct {
	client.Reader
	changed client.Object
}

// List lists objects.
func (h heads) List(ctx context.Context, list client.ObjectList, o ...client.ListOption) error {
	if err := h.Reader.List(ctx, list, o...); err != nil {
		return err
	}
	if all, is := list.(*metav1.PartialObjectMetadataList); is {
		own := h.changed.GetObjectKind().GroupVersionKind()
		all.Items = slices.DeleteFunc(all.Items, func(i metav1.PartialObjectMetadata) bool {
			return i.Kind == own.Kind && client.ObjectKeyFromObject(&i) == client.ObjectKeyFromObject(h.changed)
		})
	}
	return nil
}

// mayUse says whether whoever the client speaks for may let clusters of any namespace be the tenant's.
func (p *Planner) mayUse(ctx context.Context, _ authenticationv1.UserInfo, tenant string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Group: admission.TenantGroup, Resource: admission.TenantResource, Verb: admission.TenantVerb, Name: tenant},
	}}
	if err := p.Kube.Create(ctx, review); err != nil {
		return false, fmt.Errorf("asking whether you may use tenant %s: %w", tenant, err)
	}
	return review.Status.Allowed, nil
}
