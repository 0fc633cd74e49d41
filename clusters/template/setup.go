package template

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// byOrigin finds templates by "<kind>/<namespace>/<name>" of the source that they read.
const byOrigin = "portico.origin"

// Setup registers a controller for each kind of template.
func Setup(mgr ctrl.Manager, deps Dependencies) error {
	for _, k := range kinds() {
		c := &controller{kube: mgr.GetClient(), kind: k, deps: deps}
		if err := c.setup(mgr); err != nil {
			return err
		}
	}
	return nil
}

func (c *controller) setup(mgr ctrl.Manager) error {
	index := func(obj client.Object) []string {
		from, err := originOf(obj.(Template), c.deps.Home)
		if err != nil {
			return nil
		}
		return []string{from.kind + "/" + from.key.String()}
	}
	if err := mgr.GetFieldIndexer().IndexField(context.Background(), c.kind.empty(), byOrigin, index); err != nil {
		return err
	}
	b := ctrl.NewControllerManagedBy(mgr).Named("clusters.template." + c.kind.name).
		For(c.kind.empty())
	for _, name := range c.sources() {
		obj := &unstructured.Unstructured{}
		obj.SetGroupVersionKind(sourceGroup.WithKind(name))
		b = b.Watches(obj, handler.EnqueueRequestsFromMapFunc(c.readersOf(name)))
	}
	switch c.kind.name {
	case "ProviderTemplate":
		b = b.Watches(&kcm.Release{}, handler.EnqueueRequestsFromMapFunc(c.listed))
	case "ServiceTemplate":
		b = b.WatchesMetadata(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(c.readersOf("ConfigMap"))).
			WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(c.readersOf("Secret")))
	}
	return b.Complete(c)
}

// sources are the source kinds that templates of this kind may read.
func (c *controller) sources() []string {
	if c.kind.name == "ServiceTemplate" {
		return []string{"HelmChart", "GitRepository", "Bucket", "OCIRepository"}
	}
	return []string{"HelmChart"}
}

func (c *controller) readersOf(kind string) handler.MapFunc {
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		list := c.kind.list()
		key := kind + "/" + client.ObjectKeyFromObject(obj).String()
		if err := c.kube.List(ctx, list, client.MatchingFields{byOrigin: key}); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "listing the templates of a source", "source", key)
			return nil
		}
		return control.Requests(list)
	}
}

// listed are the provider templates that a release names.
func (c *controller) listed(_ context.Context, obj client.Object) []reconcile.Request {
	var out []reconcile.Request
	for _, n := range admission.ReleaseTemplates(obj.(*kcm.Release)) {
		if n != "" {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKey{Name: n}})
		}
	}
	return out
}
