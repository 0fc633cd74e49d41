package service

import (
	"cmp"
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// Names of the indexes by which ClusterDeployments are found, and chains by their templates.
const (
	byTemplate = "portico.service.template"
	byChain    = "portico.service.chain"
	byProvider = "portico.service.provider"
	byListed   = "portico.service.listed"
)

// SetupWithManager registers the controller.
func (c *Controller) SetupWithManager(mgr ctrl.Manager) error {
	if err := index(mgr.GetFieldIndexer()); err != nil {
		return err
	}
	c.events = mgr.GetEventRecorder("portico-state")
	b := ctrl.NewControllerManagedBy(mgr).Named("state.service").
		For(&kcm.ClusterDeployment{}).
		Owns(&kcm.ServiceSet{}).
		Watches(&kcm.ServiceTemplate{}, handler.EnqueueRequestsFromMapFunc(c.usersOfTemplate)).
		Watches(&kcm.ServiceTemplateChain{}, handler.EnqueueRequestsFromMapFunc(c.usersOf(byChain))).
		Watches(&kcm.StateManagementProvider{}, handler.EnqueueRequestsFromMapFunc(c.usersOf(byProvider)))
	if changes := c.gate.Changes(); changes != nil {
		b = b.WatchesRawSource(changes)
	}
	return b.Complete(c)
}

func index(indexer client.FieldIndexer) error {
	for name, of := range map[string]func(kcm.Service) string{
		byTemplate: func(s kcm.Service) string { return s.Template },
		byChain:    func(s kcm.Service) string { return s.TemplateChain },
	} {
		err := indexer.IndexField(context.Background(), &kcm.ClusterDeployment{}, name, func(obj client.Object) []string {
			var out []string
			for _, svc := range obj.(*kcm.ClusterDeployment).Spec.ServiceSpec.Services {
				if word := of(svc); word != "" {
					out = append(out, word)
				}
			}
			return out
		})
		if err != nil {
			return err
		}
	}
	err := indexer.IndexField(context.Background(), &kcm.ClusterDeployment{}, byProvider, func(obj client.Object) []string {
		return []string{cmp.Or(obj.(*kcm.ClusterDeployment).Spec.ServiceSpec.Provider.Name, kcm.DefaultStateManagementProviderName)}
	})
	if err != nil {
		return err
	}
	return indexer.IndexField(context.Background(), &kcm.ServiceTemplateChain{}, byListed, func(obj client.Object) []string {
		var out []string
		for _, t := range obj.(*kcm.ServiceTemplateChain).Spec.SupportedTemplates {
			out = append(out, t.Name)
		}
		return out
	})
}

// usersOf finds the ClusterDeployments that name an object: in its namespace, or in all if it has
// none.
func (c *Controller) usersOf(index string) handler.MapFunc {
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		var found kcm.ClusterDeploymentList
		if err := c.kube.List(ctx, &found, client.InNamespace(obj.GetNamespace()), client.MatchingFields{index: obj.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "listing the ClusterDeployments that name an object", "index", index, "name", obj.GetName())
			return nil
		}
		return control.Requests(&found)
	}
}

// usersOfTemplate finds those that use a template, and those whose way leads over it.
func (c *Controller) usersOfTemplate(ctx context.Context, obj client.Object) []reconcile.Request {
	out := c.usersOf(byTemplate)(ctx, obj)
	var chains kcm.ServiceTemplateChainList
	if err := c.kube.List(ctx, &chains, client.InNamespace(obj.GetNamespace()), client.MatchingFields{byListed: obj.GetName()}, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the chains of a service template", "template", obj.GetName())
		return out
	}
	for i := range chains.Items {
		out = append(out, c.usersOf(byChain)(ctx, &chains.Items[i])...)
	}
	return out
}
