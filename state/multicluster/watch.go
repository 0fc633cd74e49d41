package multicluster

import (
	"context"
	"maps"
	"slices"

	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/chain"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/revision"
)

// byOwner is the index by which the ServiceSets of an owner are found.
const byOwner = "portico.multicluster.owner"

// Controllers are those of both kinds of owner.
type Controllers struct{ chassis chassis }

// New returns the controllers; SetupWithManager registers them.
func New(p Parts) *Controllers {
	return &Controllers{chassis{Parts: p, store: revision.NewStore(p.Kube)}}
}

// Index makes the index by which the controllers find ServiceSets.
func Index(ctx context.Context, indexer client.FieldIndexer) error {
	index := func(obj client.Object) []string {
		if o, ok := placement.OwnerOfSet(obj.(*kcm.ServiceSet)); ok {
			return []string{o.String()}
		}
		return nil
	}
	return indexer.IndexField(ctx, &kcm.ServiceSet{}, byOwner, index)
}

// SetupWithManager registers the controllers.
func (c *Controllers) SetupWithManager(mgr ctrl.Manager) error {
	if err := Index(context.Background(), mgr.GetFieldIndexer()); err != nil {
		return err
	}
	for name, subject := range map[string]statev1.SubjectKind{
		"state.multicluster": statev1.SubjectMultiClusterService, "state.namespacedmulticluster": statev1.SubjectNamespaced,
	} {
		if err := c.setupOwners(mgr, name, kinds[subject]); err != nil {
			return err
		}
	}
	return c.setupSites(mgr)
}

func (c *Controllers) setupOwners(mgr ctrl.Manager, name string, k kind) error {
	n := news{&c.chassis, k}
	on := handler.EnqueueRequestsFromMapFunc
	return ctrl.NewControllerManagedBy(mgr).Named(name).
		For(k.empty()).
		Watches(k.empty(), on(n.related), builder.WithPredicates(meant())).
		Watches(&kcm.ServiceSet{}, on(n.ofSet)).
		Watches(&kcm.ClusterDeployment{}, on(n.within), builder.WithPredicates(moved())).
		Watches(&kcm.ServiceTemplate{}, on(n.around)).
		Watches(&kcm.ServiceTemplateChain{}, on(n.within)).
		Watches(&kcm.StateManagementProvider{}, on(n.all), builder.WithPredicates(meant())).
		Watches(&statev1.Rollout{}, on(n.ofRollout)).
		Complete(ownerController{&c.chassis, k})
}

func (c *Controllers) setupSites(mgr ctrl.Manager) error {
	n := siteNews{&c.chassis}
	on := handler.TypedEnqueueRequestsFromMapFunc[client.Object, siteRequest]
	// One cluster's set does not wait for another's to be written.
	options := controller.TypedOptions[siteRequest]{MaxConcurrentReconciles: 4}
	b := builder.TypedControllerManagedBy[siteRequest](mgr).Named("state.multicluster.site").WithOptions(options)
	for _, subject := range []statev1.SubjectKind{statev1.SubjectMultiClusterService, statev1.SubjectNamespaced} {
		b = b.Watches(kinds[subject].empty(), on(n.ofOwner), builder.WithPredicates(meant()))
	}
	return b.
		Watches(&kcm.ServiceSet{}, on(n.ofSet)).
		Watches(&kcm.ClusterDeployment{}, on(n.ofCluster), builder.WithPredicates(moved())).
		Watches(&kcm.ServiceTemplate{}, on(n.ofTemplate)).
		Watches(&kcm.ServiceTemplateChain{}, on(n.ofChain)).
		Watches(&kcm.StateManagementProvider{}, on(n.ofProvider), builder.WithPredicates(meant())).
		Watches(&statev1.Rollout{}, n.rollouts()).
		Complete(siteController{&c.chassis})
}

// meant lets through what somebody wants, not what we say about it.
func meant() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() ||
			!slices.Equal(e.ObjectOld.GetFinalizers(), e.ObjectNew.GetFinalizers()) ||
			e.ObjectOld.GetAnnotations()[statev1.RemovalDeadlineAnnotation] != e.ObjectNew.GetAnnotations()[statev1.RemovalDeadlineAnnotation] ||
			(e.ObjectOld.GetDeletionTimestamp() == nil) != (e.ObjectNew.GetDeletionTimestamp() == nil)
	}}
}

// moved lets through what matters of a ClusterDeployment: its labels, whether it is only tried out,
// its end, and where it lives in which version. What else is wanted of it concerns others.
func moved() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, now := e.ObjectOld.(*kcm.ClusterDeployment), e.ObjectNew.(*kcm.ClusterDeployment)
		return !maps.Equal(was.Labels, now.Labels) || was.Spec.DryRun != now.Spec.DryRun ||
			(was.DeletionTimestamp == nil) != (now.DeletionTimestamp == nil) ||
			was.Status.Region != now.Status.Region || was.Status.KubernetesVersion != now.Status.KubernetesVersion
	}}
}

// news says which owners of a kind an event is news for.
type news struct {
	*chassis
	kind kind
}

// those are the owners of the kind that are wanted, in a namespace where the kind has one.
func (n news) those(ctx context.Context, namespace string, wanted func(placement.Wish) bool) []reconcile.Request {
	if n.kind.subject == statev1.SubjectMultiClusterService {
		namespace = ""
	}
	owners, err := n.owners(ctx, n.kind, namespace)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "looking for whom an event concerns")
		return nil
	}
	var out []reconcile.Request
	for _, o := range owners {
		if w, _ := wishOf(o); wanted(w) {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(o)})
		}
	}
	return out
}

func everybody(placement.Wish) bool { return true }

// within are the owners that an object of a namespace may concern; all is the same for objects
// without one.
func (n news) within(ctx context.Context, obj client.Object) []reconcile.Request {
	return n.those(ctx, obj.GetNamespace(), everybody)
}

func (n news) all(ctx context.Context, _ client.Object) []reconcile.Request {
	return n.those(ctx, "", everybody)
}

// around are the owners that use a template.
func (n news) around(ctx context.Context, obj client.Object) []reconcile.Request {
	chains := n.listing(ctx, obj)
	return n.those(ctx, obj.GetNamespace(), func(w placement.Wish) bool { return uses(w, obj.GetName(), chains) })
}

// uses says whether an owner names a template, or a chain that lists it.
func uses(w placement.Wish, template string, chains map[string]bool) bool {
	return slices.ContainsFunc(w.Spec.ServiceSpec.Services, func(s kcm.Service) bool {
		return s.Template == template || chains[s.TemplateChain]
	})
}

// listing are the names of the chains that list a template, beside it and at the platform's home:
// the ways of services may lead over it.
func (c *chassis) listing(ctx context.Context, template client.Object) map[string]bool {
	out := map[string]bool{}
	for _, namespace := range unique([]string{template.GetNamespace(), c.System}) {
		var list kcm.ServiceTemplateChainList
		if err := c.Kube.List(ctx, &list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "listing the chains of a service template", "template", template.GetName())
			continue
		}
		for i := range list.Items {
			if chain.New(list.Items[i].Spec).Lists(template.GetName()) {
				out[list.Items[i].Name] = true
			}
		}
	}
	return out
}

// related are the owners that depend on another, or that it depends on.
func (n news) related(ctx context.Context, obj client.Object) []reconcile.Request {
	return n.those(ctx, obj.GetNamespace(), func(w placement.Wish) bool { return near(w, obj) })
}

func near(w placement.Wish, obj client.Object) bool {
	return slices.Contains(w.Spec.DependsOn, obj.GetName()) || slices.Contains(specOf(obj).DependsOn, w.Name)
}

// ofSet are the owner of a ServiceSet, and those around it.
func (n news) ofSet(ctx context.Context, obj client.Object) []reconcile.Request {
	o, ok := placement.OwnerOfSet(obj.(*kcm.ServiceSet))
	if !ok || o.Kind != n.kind.subject {
		return nil
	}
	owner, err := n.owner(ctx, o)
	return n.those(ctx, o.Namespace, func(w placement.Wish) bool {
		return w.Owner == o || slices.Contains(w.Spec.DependsOn, o.Name) || err == nil && owner != nil && near(w, owner)
	})
}

func (n news) ofRollout(ctx context.Context, obj client.Object) []reconcile.Request {
	s := obj.(*statev1.Rollout).Spec.Subject
	return n.those(ctx, obj.GetNamespace(), func(w placement.Wish) bool { return w.Kind == s.Kind && w.Name == s.Name })
}

// siteNews says which sites an event is news for.
type siteNews struct{ *chassis }

// sites are those of the owners of both kinds that are wanted.
func (n siteNews) sites(ctx context.Context, namespace string, wanted func(placement.Wish) bool) []siteRequest {
	var out []siteRequest
	n.each(ctx, namespace, func(w placement.Wish) {
		if wanted(w) {
			out = append(out, n.of(ctx, w)...)
		}
	})
	return out
}

// each calls with the owners that an object of the namespace may concern; empty is all of them.
func (n siteNews) each(ctx context.Context, namespace string, do func(placement.Wish)) {
	for _, k := range []kind{kinds[statev1.SubjectMultiClusterService], kinds[statev1.SubjectNamespaced]} {
		in := namespace
		if k.subject == statev1.SubjectMultiClusterService {
			in = ""
		}
		owners, err := n.owners(ctx, k, in)
		if err != nil {
			ctrl.LoggerFrom(ctx).Error(err, "looking for whom an event concerns")
		}
		for _, o := range owners {
			w, _ := wishOf(o)
			do(w)
		}
	}
}

// of are all sites of an owner.
func (n siteNews) of(ctx context.Context, w placement.Wish) []siteRequest {
	keys, err := n.sitesOf(ctx, w)
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "looking for the clusters of an owner", "owner", w.String())
	}
	var out []siteRequest
	for _, key := range keys {
		out = append(out, siteRequest{w.Owner, key})
	}
	return out
}

// ofOwner are the sites of an owner, also of one that is gone, and of those around it.
func (n siteNews) ofOwner(ctx context.Context, obj client.Object) []siteRequest {
	own, _ := wishOf(obj)
	return append(n.of(ctx, own), n.sites(ctx, own.Namespace, func(w placement.Wish) bool {
		return w.Kind == own.Kind && w.Owner != own.Owner && near(w, obj)
	})...)
}

// ofSet is the site of a ServiceSet, also of one whose owner is gone, and those of the owners around
// its own on the same cluster.
func (n siteNews) ofSet(ctx context.Context, obj client.Object) []siteRequest {
	set := obj.(*kcm.ServiceSet)
	o, ok := placement.OwnerOfSet(set)
	if !ok {
		return nil
	}
	cluster := placement.TargetOfSet(set).Cluster
	owner, err := n.owner(ctx, o)
	out := []siteRequest{{o, cluster}}
	n.each(ctx, o.Namespace, func(w placement.Wish) {
		if w.Kind == o.Kind && w.Owner != o && (slices.Contains(w.Spec.DependsOn, o.Name) || err == nil && owner != nil && near(w, owner)) {
			out = append(out, siteRequest{w.Owner, cluster})
		}
	})
	return out
}

// ofCluster are the sites that a ClusterDeployment may be.
func (n siteNews) ofCluster(ctx context.Context, obj client.Object) []siteRequest {
	var out []siteRequest
	n.each(ctx, obj.GetNamespace(), func(w placement.Wish) {
		out = append(out, siteRequest{w.Owner, client.ObjectKeyFromObject(obj)})
	})
	return out
}

// ofTemplate are the sites that may need a template: all of its users where it is at their home,
// those in its own namespace elsewhere. Users of older revisions have a Rollout.
func (n siteNews) ofTemplate(ctx context.Context, obj client.Object) []siteRequest {
	chains := n.listing(ctx, obj)
	return n.beside(ctx, obj, func(w placement.Wish) bool { return uses(w, obj.GetName(), chains) || n.waits(ctx, w) })
}

// waits says whether a Rollout may leave sites of an owner at an older revision.
func (n siteNews) waits(ctx context.Context, w placement.Wish) bool {
	r, err := n.rollout(ctx, w.Owner)
	return err == nil && r != nil
}

func (n siteNews) ofChain(ctx context.Context, obj client.Object) []siteRequest {
	return n.beside(ctx, obj, func(w placement.Wish) bool {
		return n.waits(ctx, w) || slices.ContainsFunc(w.Spec.ServiceSpec.Services, func(s kcm.Service) bool { return s.TemplateChain == obj.GetName() })
	})
}

func (n siteNews) beside(ctx context.Context, obj client.Object, wanted func(placement.Wish) bool) []siteRequest {
	all := n.sites(ctx, obj.GetNamespace(), wanted)
	return slices.DeleteFunc(all, func(r siteRequest) bool {
		return n.home(r.Owner) != obj.GetNamespace() && r.Cluster.Namespace != obj.GetNamespace()
	})
}

func (n siteNews) ofProvider(ctx context.Context, obj client.Object) []siteRequest {
	return n.sites(ctx, "", func(w placement.Wish) bool {
		name := w.Spec.ServiceSpec.Provider.Name
		return name == obj.GetName() || name == "" && obj.GetName() == kcm.DefaultStateManagementProviderName || n.waits(ctx, w)
	})
}

// rollouts are the sites for which a Rollout says something else than before: as it goes on,
// these are few.
func (n siteNews) rollouts() handler.TypedEventHandler[client.Object, siteRequest] {
	type queue = workqueue.TypedRateLimitingInterface[siteRequest]
	all := func(ctx context.Context, obj client.Object, q queue) {
		s := obj.(*statev1.Rollout).Spec.Subject
		for _, r := range n.sites(ctx, obj.GetNamespace(), func(w placement.Wish) bool {
			return w.Kind == s.Kind && w.Name == s.Name && n.home(w.Owner) == obj.GetNamespace()
		}) {
			q.Add(r)
		}
	}
	return handler.TypedFuncs[client.Object, siteRequest]{
		CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { all(ctx, e.Object, q) },
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { all(ctx, e.Object, q) },
		UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
			was, now := e.ObjectOld.(*statev1.Rollout), e.ObjectNew.(*statev1.Rollout)
			if was.Generation != now.Generation || was.Status.Phase != now.Status.Phase || was.Status.Stable != now.Status.Stable {
				all(ctx, now, q)
				return
			}
			for _, r := range n.admitted(was, now) {
				q.Add(r)
			}
		},
	}
}

// admitted are the sites whose admission has changed, be it that there is one or none any more.
func (n siteNews) admitted(was, now *statev1.Rollout) []siteRequest {
	o := placement.Owner{Kind: now.Spec.Subject.Kind, Name: now.Spec.Subject.Name}
	if o.Kind == statev1.SubjectNamespaced {
		o.Namespace = now.Namespace
	}
	var out []siteRequest
	for _, pair := range [][2][]statev1.AdmittedCluster{{now.Status.Admitted, was.Status.Admitted}, {was.Status.Admitted, now.Status.Admitted}} {
		for _, a := range pair[0] {
			if !slices.Contains(pair[1], a) {
				out = append(out, siteRequest{o, placement.ParseCluster(a.Cluster)})
			}
		}
	}
	return out
}
