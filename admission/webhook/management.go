package webhook

import (
	"context"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
)

func (w world) management() rules[kcm.Management, *kcm.Management] {
	return rules[kcm.Management, *kcm.Management]{
		validate: func(ctx context.Context, m, old *kcm.Management) (field.ErrorList, error) {
			refs, err := w.componentRefs(ctx, "")
			if err != nil {
				return nil, err
			}
			if refs.Release, err = get[kcm.Release](ctx, w, in("", m.Spec.Release)); err != nil {
				return nil, err
			}
			if old != nil {
				if refs.OldRelease, err = get[kcm.Release](ctx, w, in("", old.Spec.Release)); err != nil {
					return nil, err
				}
			}
			return admission.ValidateManagement(m, old, refs), nil
		},
		deletion: func(ctx context.Context, _ *kcm.Management) (field.ErrorList, error) {
			var users admission.ManagementUsers
			var regions kcm.RegionList
			if err := w.list(ctx, &regions); err != nil {
				return nil, err
			}
			for _, r := range regions.Items {
				users.Regions = append(users.Regions, r.Name)
			}
			var clusters kcm.ClusterDeploymentList
			if err := w.list(ctx, &clusters); err != nil {
				return nil, err
			}
			for _, d := range clusters.Items {
				users.Clusters = append(users.Clusters, d.Namespace+"/"+d.Name)
			}
			return admission.ValidateManagementDeletion(users), nil
		},
	}
}

func (w world) region() rules[kcm.Region, *kcm.Region] {
	return rules[kcm.Region, *kcm.Region]{
		validate: func(ctx context.Context, r, old *kcm.Region) (field.ErrorList, error) {
			refs, err := w.regionRefs(ctx, r)
			if err != nil {
				return nil, err
			}
			return admission.ValidateRegion(r, old, refs), nil
		},
		deletion: func(ctx context.Context, r *kcm.Region) (field.ErrorList, error) {
			regions, err := w.credentialRegions(ctx)
			if err != nil {
				return nil, err
			}
			// A cluster that is on its way out is removed in its region.
			users, err := w.clustersEver(ctx, "", func(d *kcm.ClusterDeployment) bool {
				return regions[in(d.Namespace, d.Spec.Credential).String()] == r.Name
			})
			return admission.ValidateRegionDeletion(users), err
		},
	}
}

func (w world) regionRefs(ctx context.Context, r *kcm.Region) (admission.RegionRefs, error) {
	refs := admission.RegionRefs{SystemNamespace: w.SystemNamespace}
	var err error
	if refs.ComponentRefs, err = w.componentRefs(ctx, r.Name); err != nil {
		return refs, err
	}
	m, err := get[kcm.Management](ctx, w, in("", kcm.ManagementName))
	if err != nil {
		return refs, err
	}
	if m != nil {
		if refs.Release, err = get[kcm.Release](ctx, w, in("", m.Spec.Release)); err != nil {
			return refs, err
		}
	}
	if refs.Kubeconfig, err = w.kubeconfig(ctx, r.Spec.KubeConfig); err != nil {
		return refs, err
	}
	if c := r.Spec.ClusterDeployment; c != nil {
		if refs.Cluster, err = get[kcm.ClusterDeployment](ctx, w, in(c.Namespace, c.Name)); err != nil {
			return refs, err
		}
	}
	var all kcm.RegionList
	err = w.now().list(ctx, &all)
	refs.Others = all.Items
	return refs, err
}

// componentRefs reads the templates of providers, and what the clusters of a region need; the
// empty region is the management cluster.
func (w world) componentRefs(ctx context.Context, region string) (admission.ComponentRefs, error) {
	refs := admission.ComponentRefs{Templates: map[string]*kcm.ProviderTemplate{}}
	var providers kcm.ProviderTemplateList
	if err := w.list(ctx, &providers); err != nil {
		return refs, err
	}
	for i := range providers.Items {
		refs.Templates[providers.Items[i].Name] = &providers.Items[i]
	}
	regions, err := w.credentialRegions(ctx)
	if err != nil {
		return refs, err
	}
	var templates kcm.ClusterTemplateList
	if err := w.list(ctx, &templates); err != nil {
		return refs, err
	}
	var clusters kcm.ClusterDeploymentList
	if err := w.list(ctx, &clusters); err != nil {
		return refs, err
	}
	for _, d := range clusters.Items {
		if regions[in(d.Namespace, d.Spec.Credential).String()] != region {
			continue
		}
		for _, t := range templates.Items {
			if t.Namespace == d.Namespace && t.Name == d.Spec.Template {
				refs.Uses = addUses(refs.Uses, &t, d.Namespace+"/"+d.Name)
			}
		}
	}
	return refs, nil
}

func addUses(uses []admission.ProviderUse, t *kcm.ClusterTemplate, cluster string) []admission.ProviderUse {
	for _, p := range t.Status.Providers {
		contract := t.Status.ProviderContracts[p]
		i := slices.IndexFunc(uses, func(u admission.ProviderUse) bool { return u.Provider == p && u.Contract == contract })
		if i < 0 {
			uses = append(uses, admission.ProviderUse{Provider: p, Contract: contract})
			i = len(uses) - 1
		}
		uses[i].Clusters = append(uses[i].Clusters, cluster)
	}
	return uses
}

// credentialRegions are the regions of all credentials, by namespace/name.
func (w world) credentialRegions(ctx context.Context) (map[string]string, error) {
	var all kcm.CredentialList
	if err := w.list(ctx, &all); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, c := range all.Items {
		out[in(c.Namespace, c.Name).String()] = c.Spec.Region
	}
	return out, nil
}

// componentUsers are the Management and Regions that name one of these ProviderTemplates.
func (w world) componentUsers(ctx context.Context, templates []string) ([]string, error) {
	uses := func(core *kcm.Core, providers []kcm.Provider) bool {
		if core != nil && (slices.Contains(templates, core.KCM.Template) || slices.Contains(templates, core.CAPI.Template)) {
			return true
		}
		return slices.ContainsFunc(providers, func(p kcm.Provider) bool { return slices.Contains(templates, p.Template) })
	}
	var users []string
	m, err := get[kcm.Management](ctx, w, in("", kcm.ManagementName))
	if err != nil {
		return nil, err
	}
	if m != nil && uses(m.Spec.Core, m.Spec.Providers) {
		users = append(users, kcm.ManagementKind+" "+m.Name)
	}
	var regions kcm.RegionList
	if err := w.list(ctx, &regions); err != nil {
		return nil, err
	}
	for _, r := range regions.Items {
		if uses(r.Spec.Core, r.Spec.Providers) {
			users = append(users, kcm.RegionKind+" "+r.Name)
		}
	}
	return users, nil
}

func (w world) release() rules[kcm.Release, *kcm.Release] {
	return rules[kcm.Release, *kcm.Release]{
		validate: func(_ context.Context, r, old *kcm.Release) (field.ErrorList, error) {
			return admission.ValidateRelease(r, old), nil
		},
		deletion: func(ctx context.Context, r *kcm.Release) (field.ErrorList, error) {
			users, err := w.componentUsers(ctx, admission.ReleaseTemplates(r))
			if err != nil {
				return nil, err
			}
			m, err := get[kcm.Management](ctx, w, in("", kcm.ManagementName))
			if err != nil {
				return nil, err
			}
			if m != nil && m.Spec.Release == r.Name {
				users = append(users, kcm.ManagementKind+" "+m.Name)
			}
			return admission.ValidateReleaseDeletion(users), nil
		},
	}
}

func (w world) accessManagement() rules[kcm.AccessManagement, *kcm.AccessManagement] {
	return rules[kcm.AccessManagement, *kcm.AccessManagement]{
		defaults: func(_ context.Context, a, _ *kcm.AccessManagement) error {
			admission.DefaultAccessManagement(a)
			return nil
		},
		validate: func(_ context.Context, a, old *kcm.AccessManagement) (field.ErrorList, error) {
			scopes := map[schema.GroupKind]admission.ResourceScope{}
			for _, gk := range admission.AccessKinds(a) {
				scope, err := w.scope(gk)
				if err != nil {
					return nil, err
				}
				scopes[gk] = scope
			}
			return admission.ValidateAccessManagement(a, old, scopes), nil
		},
		deletion: func(ctx context.Context, _ *kcm.AccessManagement) (field.ErrorList, error) {
			m, err := get[kcm.Management](ctx, w, in("", kcm.ManagementName))
			return admission.ValidateAccessManagementDeletion(m), err
		},
	}
}

func (w world) scope(gk schema.GroupKind) (admission.ResourceScope, error) {
	mapping, err := w.Mapper.RESTMapping(gk)
	switch {
	case meta.IsNoMatchError(err):
		return admission.NotServed, nil
	case err != nil:
		return admission.NotServed, fmt.Errorf("looking for kind %s: %w", gk, err)
	case mapping.Scope.Name() == meta.RESTScopeNameNamespace:
		return admission.NamespacedResource, nil
	}
	return admission.ClusterResource, nil
}

func (w world) managementBackup() rules[kcm.ManagementBackup, *kcm.ManagementBackup] {
	return rules[kcm.ManagementBackup, *kcm.ManagementBackup]{
		validate: func(_ context.Context, b, old *kcm.ManagementBackup) (field.ErrorList, error) {
			return admission.ValidateManagementBackup(b, old), nil
		},
	}
}
