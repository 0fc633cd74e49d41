package webhook

import (
	"cmp"
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// engines asks what the engine of new or changed services cannot do; old is nil for new ones.
func (w world) engines(ctx context.Context, namespace string, spec kcm.ServiceSpec, old *kcm.ServiceSpec) (field.ErrorList, error) {
	if w.Engines == nil || !changed(spec, old) {
		return nil, nil
	}
	return w.Engines(ctx, namespace, spec)
}

// changed says whether services are new, or others than they were.
func changed(now kcm.ServiceSpec, old *kcm.ServiceSpec) bool {
	if old == nil {
		return len(now.Services) > 0 || now.Provider.Config != nil || now.Provider.Name != ""
	}
	return !equality.Semantic.DeepEqual(now, *old)
}

// serviceRefs reads what services of a namespace name.
func (w world) serviceRefs(ctx context.Context, namespace string, spec kcm.ServiceSpec) (admission.ServiceRefs, error) {
	refs := admission.ServiceRefs{
		Namespace:   namespace,
		Templates:   map[string]*kcm.ServiceTemplate{},
		Chains:      map[string]*kcm.ServiceTemplateChain{},
		ParseValues: w.ParseValues,
	}
	for _, s := range spec.Services {
		t, err := get[kcm.ServiceTemplate](ctx, w, in(namespace, s.Template))
		if err != nil {
			return refs, err
		}
		if t != nil {
			refs.Templates[s.Template] = t
		}
		c, err := get[kcm.ServiceTemplateChain](ctx, w, in(namespace, s.TemplateChain))
		if err != nil {
			return refs, err
		}
		if c != nil {
			refs.Chains[s.TemplateChain] = c
		}
	}
	var err error
	refs.Provider, err = get[kcm.StateManagementProvider](ctx, w, in("", spec.Provider.Name))
	return refs, err
}

// running are the templates that services have on clusters, by the ServiceSets of a namespace
// that a question is answered yes for. An empty namespace means all.
func (w world) running(ctx context.Context, namespace string, ask func(*kcm.ServiceSet) bool) (map[string][]string, error) {
	var all kcm.ServiceSetList
	if err := w.list(ctx, &all, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	return admission.RunningTemplates(slices.DeleteFunc(all.Items, func(s kcm.ServiceSet) bool { return !ask(&s) })), nil
}

// wide is an object of one of the two kinds that deploy services to many clusters.
type wide struct {
	kind string
	// namespace is the object's; empty for a MultiClusterService.
	namespace, name string
	now             kcm.MultiClusterServiceSpec
	// old is nil for a new object.
	old *kcm.MultiClusterServiceSpec
}

func (o wide) oldServices() *kcm.ServiceSpec {
	if o.old == nil {
		return nil
	}
	return &o.old.ServiceSpec
}

// owns says whether a ServiceSet has services of the object.
func (o wide) owns(s *kcm.ServiceSet) bool {
	if o.kind == kcm.MultiClusterServiceKind {
		return s.Spec.MultiClusterService == o.name
	}
	return s.Spec.NamespacedMultiClusterService == o.name
}

func (w world) wideRefs(ctx context.Context, o wide) (refs admission.MultiClusterServiceRefs, err error) {
	if refs.Services, err = w.serviceRefs(ctx, cmp.Or(o.namespace, w.SystemNamespace), o.now.ServiceSpec); err != nil {
		return refs, err
	}
	refs.Services.MayCome = true
	if admission.MovesAlongChain(o.now.ServiceSpec, o.oldServices()) {
		if refs.Services.Running, err = w.running(ctx, o.namespace, o.owns); err != nil {
			return refs, err
		}
	}
	refs.Others, err = w.dependencies(ctx, o)
	return refs, err
}

// dependencies are what the objects of the kind, and of the namespace, that are not on their
// way out depend on, by name. They are few, and read as they are now: two that were made in one
// delivery must not come to depend on each other.
func (w world) dependencies(ctx context.Context, o wide) (map[string][]string, error) {
	out := map[string][]string{}
	if o.kind == kcm.MultiClusterServiceKind {
		var all kcm.MultiClusterServiceList
		err := w.now().list(ctx, &all)
		for _, m := range all.Items {
			if m.DeletionTimestamp == nil {
				out[m.Name] = m.Spec.DependsOn
			}
		}
		return out, err
	}
	var all statev1.NamespacedMultiClusterServiceList
	err := w.now().list(ctx, &all, client.InNamespace(o.namespace))
	for _, m := range all.Items {
		if m.DeletionTimestamp == nil {
			out[m.Name] = m.Spec.DependsOn
		}
	}
	return out, err
}

// judge asks the rules of an object, and then its engine.
func (w world) judge(ctx context.Context, o wide, ask func(admission.MultiClusterServiceRefs) field.ErrorList) (field.ErrorList, error) {
	if o.old != nil && equality.Semantic.DeepEqual(o.now, *o.old) {
		return nil, nil // a finalizer can be taken away though nothing can be read
	}
	refs, err := w.wideRefs(ctx, o)
	if err != nil {
		return nil, err
	}
	if errs := ask(refs); len(errs) > 0 {
		return errs, nil
	}
	return w.engines(ctx, refs.Services.Namespace, o.now.ServiceSpec, o.oldServices())
}

func (w world) wideWarnings(ctx context.Context, o wide) ([]string, error) {
	if o.old != nil && equality.Semantic.DeepEqual(o.now, *o.old) {
		return nil, nil
	}
	refs, err := w.wideRefs(ctx, o)
	return admission.MultiClusterServiceWarnings(o.kind, o.now, refs), err
}

func (w world) wideDeletion(ctx context.Context, o wide) (field.ErrorList, error) {
	others, err := w.dependencies(ctx, o)
	return admission.ValidateMultiClusterServiceDeletion(o.kind, o.name, others), err
}

func (w world) multiClusterService() rules[kcm.MultiClusterService, *kcm.MultiClusterService] {
	as := func(m, old *kcm.MultiClusterService) wide {
		o := wide{kind: kcm.MultiClusterServiceKind, name: m.Name, now: m.Spec}
		if old != nil {
			o.old = &old.Spec
		}
		return o
	}
	return rules[kcm.MultiClusterService, *kcm.MultiClusterService]{
		validate: func(ctx context.Context, m, old *kcm.MultiClusterService) (field.ErrorList, error) {
			if m.DeletionTimestamp != nil {
				return nil, nil
			}
			return w.judge(ctx, as(m, old), func(refs admission.MultiClusterServiceRefs) field.ErrorList {
				return admission.ValidateMultiClusterService(m, old, refs)
			})
		},
		warnings: func(ctx context.Context, m, old *kcm.MultiClusterService) ([]string, error) {
			return w.wideWarnings(ctx, as(m, old))
		},
		deletion: func(ctx context.Context, m *kcm.MultiClusterService) (field.ErrorList, error) {
			return w.wideDeletion(ctx, as(m, nil))
		},
	}
}

func (w world) namespacedMultiClusterService() rules[statev1.NamespacedMultiClusterService, *statev1.NamespacedMultiClusterService] {
	as := func(m, old *statev1.NamespacedMultiClusterService) wide {
		o := wide{kind: statev1.NamespacedMultiClusterServiceKind, namespace: m.Namespace, name: m.Name, now: m.Spec}
		if old != nil {
			o.old = &old.Spec
		}
		return o
	}
	return rules[statev1.NamespacedMultiClusterService, *statev1.NamespacedMultiClusterService]{
		validate: func(ctx context.Context, m, old *statev1.NamespacedMultiClusterService) (field.ErrorList, error) {
			if m.DeletionTimestamp != nil {
				return nil, nil
			}
			return w.judge(ctx, as(m, old), func(refs admission.MultiClusterServiceRefs) field.ErrorList {
				return admission.ValidateNamespacedMultiClusterService(m, old, refs)
			})
		},
		warnings: func(ctx context.Context, m, old *statev1.NamespacedMultiClusterService) ([]string, error) {
			return w.wideWarnings(ctx, as(m, old))
		},
		deletion: func(ctx context.Context, m *statev1.NamespacedMultiClusterService) (field.ErrorList, error) {
			return w.wideDeletion(ctx, as(m, nil))
		},
	}
}

func (w world) rollout() rules[statev1.Rollout, *statev1.Rollout] {
	return rules[statev1.Rollout, *statev1.Rollout]{
		validate: func(ctx context.Context, r, old *statev1.Rollout) (field.ErrorList, error) {
			var all statev1.RolloutList
			if err := w.now().list(ctx, &all, client.InNamespace(r.Namespace)); err != nil {
				return nil, err
			}
			return admission.ValidateRollout(r, old, admission.RolloutRefs{SystemNamespace: w.SystemNamespace, Others: all.Items}), nil
		},
	}
}

func (w world) stateManagementProvider() rules[kcm.StateManagementProvider, *kcm.StateManagementProvider] {
	return rules[kcm.StateManagementProvider, *kcm.StateManagementProvider]{
		validate: func(_ context.Context, p, old *kcm.StateManagementProvider) (field.ErrorList, error) {
			return admission.ValidateStateManagementProvider(p, old, w.CompileRule), nil
		},
		deletion: func(ctx context.Context, p *kcm.StateManagementProvider) (field.ErrorList, error) {
			users, err := w.specUsers(ctx, "", func(s kcm.ServiceSpec) bool { return admission.NamesProvider(s, p.Name) })
			if err != nil {
				return nil, err
			}
			sets, err := w.serviceSets(ctx, "", func(s *kcm.ServiceSet) bool { return s.Spec.Provider.Name == p.Name })
			return admission.ValidateStateManagementProviderDeletion(append(users, sets...)), err
		},
	}
}

func (w world) serviceTemplate() rules[kcm.ServiceTemplate, *kcm.ServiceTemplate] {
	return rules[kcm.ServiceTemplate, *kcm.ServiceTemplate]{
		defaults: func(_ context.Context, t, _ *kcm.ServiceTemplate) error {
			admission.DefaultHelmSpec(t.GetHelmSpec())
			return nil
		},
		validate: func(_ context.Context, t, old *kcm.ServiceTemplate) (field.ErrorList, error) {
			return admission.ValidateServiceTemplate(t, old), nil
		},
		deletion: func(ctx context.Context, t *kcm.ServiceTemplate) (field.ErrorList, error) {
			users, err := w.serviceUsers(ctx, t.Namespace, func(s kcm.Service) bool { return s.Template == t.Name })
			if err != nil {
				return nil, err
			}
			sets, err := w.serviceSets(ctx, t.Namespace, func(s *kcm.ServiceSet) bool { return admission.ServiceSetHas(s, t.Name) })
			if err != nil {
				return nil, err
			}
			chains, err := owners[kcm.ServiceTemplateChain](ctx, w, t, kcm.ServiceTemplateChainKind)
			return admission.ValidateTemplateDeletion(slices.Concat(users, sets, chains)), err
		},
	}
}

func (w world) serviceTemplateChain() rules[kcm.ServiceTemplateChain, *kcm.ServiceTemplateChain] {
	return rules[kcm.ServiceTemplateChain, *kcm.ServiceTemplateChain]{
		validate: func(ctx context.Context, c, old *kcm.ServiceTemplateChain) (field.ErrorList, error) {
			refs, err := chainRefs[kcm.ServiceTemplate](ctx, w, c.Namespace, c.Spec.SupportedTemplates)
			return admission.ValidateServiceTemplateChain(c, old, refs), err
		},
		warnings: func(_ context.Context, c, _ *kcm.ServiceTemplateChain) ([]string, error) {
			return admission.ChainWarnings(&c.Spec), nil
		},
		deletion: func(ctx context.Context, c *kcm.ServiceTemplateChain) (field.ErrorList, error) {
			users, err := w.serviceUsers(ctx, c.Namespace, func(s kcm.Service) bool { return s.TemplateChain == c.Name })
			return admission.ValidateChainDeletion(users), err
		},
	}
}

// serviceSets are the ServiceSets of a namespace that a question is answered yes for, as text
// for people. An empty namespace means all.
func (w world) serviceSets(ctx context.Context, namespace string, ask func(*kcm.ServiceSet) bool) ([]string, error) {
	var all kcm.ServiceSetList
	if err := w.list(ctx, &all, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	var out []string
	for i := range all.Items {
		if s := &all.Items[i]; ask(s) {
			out = append(out, kcm.ServiceSetKind+" "+s.Namespace+"/"+s.Name)
		}
	}
	return out, nil
}

// serviceUsers are who has a service that a question is answered yes for, of those whose
// templates are in a namespace.
func (w world) serviceUsers(ctx context.Context, namespace string, ask func(kcm.Service) bool) ([]string, error) {
	return w.specUsers(ctx, namespace, func(s kcm.ServiceSpec) bool { return slices.ContainsFunc(s.Services, ask) })
}

// specUsers are the owners of services that a question is answered yes for: clusters and
// NamespacedMultiClusterServices of the namespace, and MultiClusterServices, whose templates are
// in the system namespace. An empty namespace means all. An owner that is on its way out is none any
// more: while there is something to remove, its ServiceSets are there.
func (w world) specUsers(ctx context.Context, namespace string, ask func(kcm.ServiceSpec) bool) ([]string, error) {
	users, err := w.clusters(ctx, namespace, func(d *kcm.ClusterDeployment) bool { return ask(d.Spec.ServiceSpec) })
	if err != nil {
		return nil, err
	}
	var teams statev1.NamespacedMultiClusterServiceList
	if err := w.list(ctx, &teams, client.InNamespace(namespace)); err != nil {
		return nil, err
	}
	for _, m := range teams.Items {
		if m.DeletionTimestamp == nil && ask(m.Spec.ServiceSpec) {
			users = append(users, statev1.NamespacedMultiClusterServiceKind+" "+m.Namespace+"/"+m.Name)
		}
	}
	if namespace != "" && namespace != w.SystemNamespace {
		return users, nil
	}
	var all kcm.MultiClusterServiceList
	if err := w.list(ctx, &all); err != nil {
		return nil, err
	}
	for _, m := range all.Items {
		if m.DeletionTimestamp == nil && ask(m.Spec.ServiceSpec) {
			users = append(users, kcm.MultiClusterServiceKind+" "+m.Name)
		}
	}
	return users, nil
}
