package webhook

import (
	"context"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
)

//lint:file-ignore SA1019 k0rdent's users still write the deprecated fields

func (w world) clusterDeployment() rules[kcm.ClusterDeployment, *kcm.ClusterDeployment] {
	return rules[kcm.ClusterDeployment, *kcm.ClusterDeployment]{
		defaults: func(ctx context.Context, d, old *kcm.ClusterDeployment) error {
			fleet.LabelForTelemetry(d)
			if err := w.defaultTenant(ctx, d, old); err != nil {
				return err
			}
			// An object that lives without values goes on without.
			if d.Spec.Config != nil || old != nil && old.Spec.Config == nil {
				return nil
			}
			template, err := get[kcm.ClusterTemplate](ctx, w, in(d.Namespace, d.Spec.Template))
			if err != nil {
				return err
			}
			admission.DefaultClusterDeployment(d, template)
			return nil
		},
		validate: func(ctx context.Context, d, old *kcm.ClusterDeployment) (field.ErrorList, error) {
			refs, err := w.clusterRefs(ctx, d, old)
			if err != nil {
				return nil, err
			}
			errs := admission.ValidateClusterDeployment(d, old, refs)
			if len(errs) > 0 || d.DeletionTimestamp != nil {
				return errs, nil
			}
			return w.engines(ctx, d.Namespace, d.Spec.ServiceSpec, oldServices(old))
		},
		warnings: w.clusterWarnings,
		claims:   w.claimTenant,
		deletion: func(ctx context.Context, d *kcm.ClusterDeployment) (field.ErrorList, error) {
			var regions kcm.RegionList
			if err := w.list(ctx, &regions); err != nil {
				return nil, err
			}
			return admission.ValidateClusterDeploymentDeletion(d, regions.Items), nil
		},
	}
}

func (w world) clusterWarnings(ctx context.Context, d, old *kcm.ClusterDeployment) ([]string, error) {
	if d.DeletionTimestamp != nil {
		return nil, nil
	}
	var out []string
	if changed(d.Spec.ServiceSpec, oldServices(old)) {
		refs, err := w.serviceRefs(ctx, d.Namespace, d.Spec.ServiceSpec)
		if err != nil {
			return nil, err
		}
		out = admission.ServiceWarnings(d.Spec.ServiceSpec, refs)
	}
	if old == nil || old.Spec.Template == d.Spec.Template {
		return out, nil
	}
	template, err := get[kcm.ClusterTemplate](ctx, w, in(d.Namespace, d.Spec.Template))
	if err != nil {
		return nil, err
	}
	was, err := get[kcm.ClusterTemplate](ctx, w, in(d.Namespace, old.Spec.Template))
	return append(admission.ClusterDeploymentWarnings(old, template, was), out...), err
}

// oldServices is the service spec of an object as it was; nil for a new one.
func oldServices(old *kcm.ClusterDeployment) *kcm.ServiceSpec {
	if old == nil {
		return nil
	}
	return &old.Spec.ServiceSpec
}

func (w world) clusterRefs(ctx context.Context, d, old *kcm.ClusterDeployment) (admission.ClusterDeploymentRefs, error) {
	refs := admission.ClusterDeploymentRefs{AnyUpgrade: w.AnyUpgrade}
	var err error
	if refs.Template, err = get[kcm.ClusterTemplate](ctx, w, in(d.Namespace, d.Spec.Template)); err != nil {
		return refs, err
	}
	if refs.Credential, err = get[kcm.Credential](ctx, w, in(d.Namespace, d.Spec.Credential)); err != nil {
		return refs, err
	}
	if old != nil {
		if refs.OldCredential, err = get[kcm.Credential](ctx, w, in(d.Namespace, old.Spec.Credential)); err != nil {
			return refs, err
		}
	}
	region := ""
	if refs.Credential != nil {
		region = refs.Credential.Spec.Region
	}
	if refs.Parent, err = w.parent(ctx, region); err != nil {
		return refs, err
	}
	// What providers of a region understand is said on the region, out of our reach here.
	if region == "" {
		if refs.Accepted, err = w.acceptedIdentities(ctx); err != nil {
			return refs, err
		}
	}
	if refs.Services, err = w.serviceRefs(ctx, d.Namespace, d.Spec.ServiceSpec); err != nil {
		return refs, err
	}
	if admission.MovesAlongChain(d.Spec.ServiceSpec, oldServices(old)) {
		refs.Services.Running, err = w.running(ctx, d.Namespace, func(s *kcm.ServiceSet) bool {
			return s.Spec.Cluster == d.Name && s.Spec.MultiClusterService == "" && s.Spec.NamespacedMultiClusterService == ""
		})
		if err != nil {
			return refs, err
		}
	}
	return refs, w.clusterDocuments(ctx, d, &refs)
}

func (w world) clusterDocuments(ctx context.Context, d *kcm.ClusterDeployment, refs *admission.ClusterDeploymentRefs) error {
	var err error
	if refs.Authentication, err = get[kcm.ClusterAuthentication](ctx, w, in(d.Namespace, d.Spec.ClusterAuth)); err != nil {
		return err
	}
	if refs.AuditPolicy, err = get[kcm.ClusterAuditPolicy](ctx, w, in(d.Namespace, d.Spec.AuditPolicy)); err != nil {
		return err
	}
	if refs.DataSource, err = get[kcm.DataSource](ctx, w, in(d.Namespace, d.Spec.DataSource)); err != nil {
		return err
	}
	refs.IPAMClaim, err = get[kcm.ClusterIPAMClaim](ctx, w, in(d.Namespace, d.Spec.IPAMClaim.ClusterIPAMClaimRef))
	return err
}

// acceptedIdentities are, by provider, the kinds of identity that it says it understands.
func (w world) acceptedIdentities(ctx context.Context) (map[string][]string, error) {
	var all kcm.ProviderInterfaceList
	if err := w.list(ctx, &all); err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, p := range all.Items {
		provider := p.Labels[kcm.CAPIProviderLabel]
		if provider == "" {
			continue
		}
		for _, identity := range p.Spec.ClusterIdentities {
			out[provider] = append(out[provider], identity.Kind)
		}
		out[provider] = append(out[provider], p.Spec.ClusterIdentityKinds...)
	}
	return out, nil
}

func (w world) credential() rules[kcm.Credential, *kcm.Credential] {
	return rules[kcm.Credential, *kcm.Credential]{
		validate: func(_ context.Context, c, old *kcm.Credential) (field.ErrorList, error) {
			return admission.ValidateCredential(c, old), nil
		},
	}
}

func (w world) clusterIPAMClaim() rules[kcm.ClusterIPAMClaim, *kcm.ClusterIPAMClaim] {
	return rules[kcm.ClusterIPAMClaim, *kcm.ClusterIPAMClaim]{
		validate: func(_ context.Context, c, old *kcm.ClusterIPAMClaim) (field.ErrorList, error) {
			return admission.ValidateClusterIPAMClaim(c, old), nil
		},
	}
}

func (w world) clusterAuthentication() rules[kcm.ClusterAuthentication, *kcm.ClusterAuthentication] {
	return rules[kcm.ClusterAuthentication, *kcm.ClusterAuthentication]{
		validate: func(_ context.Context, a, old *kcm.ClusterAuthentication) (field.ErrorList, error) {
			return admission.ValidateClusterAuthentication(a, old), nil
		},
		deletion: func(ctx context.Context, a *kcm.ClusterAuthentication) (field.ErrorList, error) {
			users, err := w.clusters(ctx, a.Namespace, func(d *kcm.ClusterDeployment) bool { return d.Spec.ClusterAuth == a.Name })
			return admission.ValidateDocumentDeletion(kcm.ClusterAuthenticationKind, users), err
		},
	}
}

func (w world) clusterAuditPolicy() rules[kcm.ClusterAuditPolicy, *kcm.ClusterAuditPolicy] {
	return rules[kcm.ClusterAuditPolicy, *kcm.ClusterAuditPolicy]{
		validate: func(_ context.Context, p, old *kcm.ClusterAuditPolicy) (field.ErrorList, error) {
			return admission.ValidateClusterAuditPolicy(p, old), nil
		},
		deletion: func(ctx context.Context, p *kcm.ClusterAuditPolicy) (field.ErrorList, error) {
			users, err := w.clusters(ctx, p.Namespace, func(d *kcm.ClusterDeployment) bool { return d.Spec.AuditPolicy == p.Name })
			return admission.ValidateDocumentDeletion(kcm.ClusterAuditPolicyKind, users), err
		},
	}
}
