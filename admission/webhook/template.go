package webhook

import (
	"context"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
)

func (w world) clusterTemplate() rules[kcm.ClusterTemplate, *kcm.ClusterTemplate] {
	return rules[kcm.ClusterTemplate, *kcm.ClusterTemplate]{
		defaults: func(_ context.Context, t, _ *kcm.ClusterTemplate) error {
			admission.DefaultHelmSpec(t.GetHelmSpec())
			return nil
		},
		validate: func(_ context.Context, t, old *kcm.ClusterTemplate) (field.ErrorList, error) {
			return admission.ValidateClusterTemplate(t, old), nil
		},
		deletion: func(ctx context.Context, t *kcm.ClusterTemplate) (field.ErrorList, error) {
			users, err := w.clusters(ctx, t.Namespace, func(d *kcm.ClusterDeployment) bool { return d.Spec.Template == t.Name })
			if err != nil {
				return nil, err
			}
			chains, err := owners[kcm.ClusterTemplateChain](ctx, w, t, kcm.ClusterTemplateChainKind)
			return admission.ValidateTemplateDeletion(append(users, chains...)), err
		},
	}
}

func (w world) providerTemplate() rules[kcm.ProviderTemplate, *kcm.ProviderTemplate] {
	return rules[kcm.ProviderTemplate, *kcm.ProviderTemplate]{
		defaults: func(_ context.Context, t, _ *kcm.ProviderTemplate) error {
			admission.DefaultHelmSpec(t.GetHelmSpec())
			return nil
		},
		validate: func(_ context.Context, t, old *kcm.ProviderTemplate) (field.ErrorList, error) {
			return admission.ValidateProviderTemplate(t, old), nil
		},
		deletion: func(ctx context.Context, t *kcm.ProviderTemplate) (field.ErrorList, error) {
			users, err := w.componentUsers(ctx, []string{t.Name})
			if err != nil {
				return nil, err
			}
			releases, err := owners[kcm.Release](ctx, w, t, kcm.ReleaseKind)
			return admission.ValidateTemplateDeletion(append(users, releases...)), err
		},
	}
}

// chainRefs asks for each template by itself: a list is the cache's alone, and chains often come
// with their templates.
func chainRefs[T any, P object[T]](ctx context.Context, w world, namespace string, listed []kcm.SupportedTemplate) (admission.ChainRefs, error) {
	refs := admission.ChainRefs{SystemNamespace: w.SystemNamespace, Templates: map[string]bool{}}
	for _, t := range listed {
		template, err := get[T, P](ctx, w, in(namespace, t.Name))
		if err != nil {
			return refs, err
		}
		refs.Templates[t.Name] = template != nil
	}
	return refs, nil
}

func (w world) clusterTemplateChain() rules[kcm.ClusterTemplateChain, *kcm.ClusterTemplateChain] {
	return rules[kcm.ClusterTemplateChain, *kcm.ClusterTemplateChain]{
		validate: func(ctx context.Context, c, old *kcm.ClusterTemplateChain) (field.ErrorList, error) {
			refs, err := chainRefs[kcm.ClusterTemplate](ctx, w, c.Namespace, c.Spec.SupportedTemplates)
			return admission.ValidateClusterTemplateChain(c, old, refs), err
		},
		warnings: func(_ context.Context, c, _ *kcm.ClusterTemplateChain) ([]string, error) {
			return admission.ChainWarnings(&c.Spec), nil
		},
	}
}
