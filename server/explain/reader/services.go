package reader

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/server/explain"
)

// services reads the ServiceSets of a cluster and what they run on it, and those that shall
// deploy services to it.
func (g *gathering) services(ctx context.Context, namespace, cluster string) error {
	all, err := g.list(ctx, kcmKind(kcm.ServiceSetKind), namespace)
	if err != nil {
		return err
	}
	places := map[string]bool{}
	for i := range all {
		if text(&all[i], "spec", "cluster") != cluster {
			continue
		}
		if err := g.ofSet(ctx, &all[i], places); err != nil {
			return err
		}
	}
	// A team that sees its own namespace alone gets its own part of the answer.
	if err := allowed(g.besides(ctx, kcmKind(kcm.MultiClusterServiceKind), "")); err != nil {
		return err
	}
	if err := allowed(g.besides(ctx, stateKind(statev1.NamespacedMultiClusterServiceKind), namespace)); err != nil {
		return err
	}
	if err := allowed(g.besides(ctx, stateKind(statev1.RolloutKind), "")); err != nil {
		return err
	}
	g.child(ctx, types.NamespacedName{Namespace: namespace, Name: cluster}, places)
	return nil
}

// besides adds the objects of a kind.
func (g *gathering) besides(ctx context.Context, gk schema.GroupKind, namespace string) error {
	_, err := g.list(ctx, gk, namespace)
	return err
}

// allowed passes over what the reader may not see.
func allowed(err error) error {
	if apierrors.IsForbidden(err) {
		return nil
	}
	return err
}

// ofSet reads what a ServiceSet is made from: its provider and the templates of its services. It
// notes the namespaces that the services run in.
func (g *gathering) ofSet(ctx context.Context, set *unstructured.Unstructured, places map[string]bool) error {
	name := text(set, "spec", "provider", "name")
	if !g.seen[kcmKind(kcm.StateManagementProviderKind)][types.NamespacedName{Name: name}] {
		if err := allowed(g.stateManagementProvider(ctx, name)); err != nil {
			return err
		}
	}
	for _, part := range []string{"spec", "status"} {
		services, _, _ := unstructured.NestedSlice(set.Object, part, "services")
		for _, s := range services {
			service, _ := s.(map[string]any)
			namespace, _ := service["namespace"].(string)
			template, _ := service["template"].(string)
			places[namespace] = true
			if g.seen[kcmKind(kcm.ServiceTemplateKind)][types.NamespacedName{Namespace: set.GetNamespace(), Name: template}] {
				continue
			}
			if err := g.template(ctx, kcm.ServiceTemplateKind, set.GetNamespace(), template); err != nil {
				return err
			}
		}
	}
	return nil
}

// stateManagementProvider reads a provider with the programs that it consists of.
func (g *gathering) stateManagementProvider(ctx context.Context, name string) error {
	p, err := g.get(ctx, kcmKind(kcm.StateManagementProviderKind), "", name)
	if err != nil || p == nil {
		return err
	}
	parts, _, _ := unstructured.NestedSlice(p.Object, "spec", "provisioner")
	if adapter, ok, _ := unstructured.NestedMap(p.Object, "spec", "adapter"); ok {
		parts = append(parts, adapter)
	}
	for _, part := range parts {
		o := &unstructured.Unstructured{}
		if o.Object, _ = part.(map[string]any); o.Object == nil {
			continue
		}
		gk := schema.FromAPIVersionAndKind(text(o, "apiVersion"), text(o, "kind")).GroupKind()
		if _, err := g.get(ctx, gk, text(o, "namespace"), text(o, "name")); allowed(err) != nil {
			return err
		}
	}
	return nil
}

func (g *gathering) serviceSet(ctx context.Context, namespace, name string) error {
	set, err := g.get(ctx, kcmKind(kcm.ServiceSetKind), namespace, name)
	if err != nil || set == nil {
		return err
	}
	places := map[string]bool{}
	if err := g.ofSet(ctx, set, places); err != nil {
		return err
	}
	if err := g.ownerOf(ctx, set); err != nil {
		return err
	}
	// Others may have a release that this one wants, or be in an earlier wave.
	if err := allowed(g.besides(ctx, kcmKind(kcm.ServiceSetKind), namespace)); err != nil {
		return err
	}
	if err := allowed(g.besides(ctx, stateKind(statev1.RolloutKind), "")); err != nil {
		return err
	}
	cluster := text(set, "spec", "cluster")
	if _, err := g.get(ctx, kcmKind(kcm.ClusterDeploymentKind), namespace, cluster); err != nil || cluster == "" {
		return err
	}
	g.child(ctx, types.NamespacedName{Namespace: namespace, Name: cluster}, places)
	return nil
}

// ownerOf reads who wants the services of a ServiceSet, where that is not its cluster.
func (g *gathering) ownerOf(ctx context.Context, set *unstructured.Unstructured) error {
	_, err := g.get(ctx, kcmKind(kcm.MultiClusterServiceKind), "", text(set, "spec", "multiClusterService"))
	if allowed(err) != nil {
		return err
	}
	_, err = g.get(ctx, stateKind(statev1.NamespacedMultiClusterServiceKind), set.GetNamespace(), text(set, "spec", "namespacedMultiClusterService"))
	return allowed(err)
}

// multiClusterService reads a MultiClusterService or NamespacedMultiClusterService with its
// ServiceSets, its Rollout, and the others that it depends on. The clusters are not asked: there
// may be many.
func (g *gathering) multiClusterService(ctx context.Context, of explain.Ref) error {
	gk := kcmKind(of.Kind)
	if of.Kind == statev1.NamespacedMultiClusterServiceKind {
		gk = stateKind(of.Kind)
	}
	m, err := g.get(ctx, gk, of.Namespace, of.Name)
	if err != nil || m == nil {
		return err
	}
	if err := allowed(g.besides(ctx, stateKind(statev1.RolloutKind), of.Namespace)); err != nil {
		return err
	}
	wanted := map[string]bool{of.Name: true}
	needs, _, _ := unstructured.NestedStringSlice(m.Object, "spec", "dependsOn")
	for _, name := range needs {
		wanted[name] = true
		if _, err := g.get(ctx, gk, of.Namespace, name); err != nil {
			return err
		}
	}
	at := "multiClusterService"
	if of.Namespace != "" {
		at = "namespacedMultiClusterService"
	}
	return g.sets(ctx, of.Namespace, func(set *unstructured.Unstructured) bool { return wanted[text(set, "spec", at)] })
}

// sets reads the ServiceSets of a namespace, all where it is empty, and what those are made from
// that a question is answered yes for.
func (g *gathering) sets(ctx context.Context, namespace string, ask func(*unstructured.Unstructured) bool) error {
	all, err := g.list(ctx, kcmKind(kcm.ServiceSetKind), namespace)
	if err != nil {
		return err
	}
	for i := range all {
		if !ask(&all[i]) {
			continue
		}
		if err := g.ofSet(ctx, &all[i], map[string]bool{}); err != nil {
			return err
		}
	}
	return nil
}

// rollout reads a Rollout, its subject, and the ServiceSets that it may be about.
func (g *gathering) rollout(ctx context.Context, namespace, name string) error {
	r, err := g.get(ctx, stateKind(statev1.RolloutKind), namespace, name)
	if err != nil || r == nil {
		return err
	}
	subject := text(r, "spec", "subject", "name")
	undeployed := func(set *unstructured.Unstructured) bool {
		deployed, _, _ := unstructured.NestedBool(set.Object, "status", "deployed")
		return !deployed
	}
	switch statev1.SubjectKind(text(r, "spec", "subject", "kind")) {
	case statev1.SubjectMultiClusterService:
		if _, err := g.get(ctx, kcmKind(kcm.MultiClusterServiceKind), "", subject); err != nil {
			return err
		}
		return g.sets(ctx, "", func(set *unstructured.Unstructured) bool {
			return text(set, "spec", "multiClusterService") == subject && undeployed(set)
		})
	case statev1.SubjectNamespaced:
		if _, err := g.get(ctx, stateKind(statev1.NamespacedMultiClusterServiceKind), namespace, subject); err != nil {
			return err
		}
	case statev1.SubjectClusterDeployment:
		if err := g.besides(ctx, kcmKind(kcm.ClusterDeploymentKind), namespace); err != nil {
			return err
		}
	}
	return g.sets(ctx, namespace, undeployed)
}
