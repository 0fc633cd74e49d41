package deployment

import (
	"context"
	"fmt"
	"strings"
	"time"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/clusters/adopted"
	"portico.dev/portico/clusters/capi"
	"portico.dev/portico/kube/control"
)

// workers is how many ClusterDeployments are looked at at the same time.
const workers = 8

// Back-off after errors that nobody but time can mend.
const (
	firstRetry = 200 * time.Millisecond
	lastRetry  = 2 * time.Minute
)

// Indexes over what refers to what. The names are ours, since a cache is shared.
const (
	byTemplate       = "deployment.template"
	byCredential     = "deployment.credential"
	byAuthentication = "deployment.clusterAuth"
	byAuditPolicy    = "deployment.auditPolicy"
	byCluster        = "deployment.cluster"
	byChart          = "deployment.chart"
	byCASecret       = "deployment.caSecret"
)

// Setup registers the controller. Everything that a pass reads is watched, so nobody polls.
func (c *Controller) Setup(ctx context.Context, mgr manager.Manager) error {
	if err := index(ctx, mgr.GetFieldIndexer()); err != nil {
		return err
	}
	return builder.ControllerManagedBy(mgr).
		Named("clusterdeployment").
		For(&kcm.ClusterDeployment{}).
		Watches(&kcm.ClusterTemplate{}, c.referring(byTemplate)).
		Watches(&sourcev1.HelmChart{}, handler.EnqueueRequestsFromMapFunc(c.chartChanged)).
		Watches(&kcm.Credential{}, c.referring(byCredential)).
		Watches(&kcm.ClusterAuthentication{}, c.referring(byAuthentication)).
		Watches(&kcm.ClusterAuditPolicy{}, c.referring(byAuditPolicy)).
		Watches(&kcm.ClusterTemplateChain{}, handler.EnqueueRequestsFromMapFunc(c.chainChanged)).
		Watches(&kcm.Management{}, handler.EnqueueRequestsFromMapFunc(c.all), builder.WithPredicates(predicate.Funcs{UpdateFunc: offersOthers})).
		Watches(&kcm.ProviderInterface{}, handler.EnqueueRequestsFromMapFunc(c.all), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		Watches(&kcm.ServiceSet{}, handler.EnqueueRequestsFromMapFunc(ofServiceSet)).
		Watches(capi.Watched(), handler.EnqueueRequestsFromMapFunc(ofRelease)).
		Watches(adopted.Watched(), handler.EnqueueRequestsFromMapFunc(ofRelease)).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(c.secretChanged)).
		WatchesMetadata(&corev1.ConfigMap{}, handler.EnqueueRequestsFromMapFunc(ofDocument)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: workers,
			RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](firstRetry, lastRetry),
		}).
		Complete(c)
}

func index(ctx context.Context, indexer client.FieldIndexer) error {
	spec := func(field func(kcm.ClusterDeploymentSpec) string) client.IndexerFunc {
		return func(obj client.Object) []string { return []string{field(obj.(*kcm.ClusterDeployment).Spec)} }
	}
	for _, i := range []struct {
		of    client.Object
		name  string
		value client.IndexerFunc
	}{
		{&kcm.ClusterDeployment{}, byTemplate, spec(func(s kcm.ClusterDeploymentSpec) string { return s.Template })},
		{&kcm.ClusterDeployment{}, byCredential, spec(func(s kcm.ClusterDeploymentSpec) string { return s.Credential })},
		{&kcm.ClusterDeployment{}, byAuthentication, spec(func(s kcm.ClusterDeploymentSpec) string { return s.ClusterAuth })},
		{&kcm.ClusterDeployment{}, byAuditPolicy, spec(func(s kcm.ClusterDeploymentSpec) string { return s.AuditPolicy })},
		{&kcm.ServiceSet{}, byCluster, clusterOfServiceSet},
		{&kcm.ClusterTemplate{}, byChart, chartOfTemplate},
		{&kcm.ClusterAuthentication{}, byCASecret, secretOfAuthentication},
	} {
		if err := indexer.IndexField(ctx, i.of, i.name, i.value); err != nil {
			return fmt.Errorf("indexing %s: %w", i.name, err)
		}
	}
	if err := capi.Index(ctx, indexer); err != nil {
		return err
	}
	return adopted.Index(ctx, indexer)
}

func clusterOfServiceSet(obj client.Object) []string {
	return []string{obj.(*kcm.ServiceSet).Spec.Cluster}
}

func chartOfTemplate(obj client.Object) []string {
	ref := obj.(*kcm.ClusterTemplate).Status.ChartRef
	if ref == nil {
		return nil
	}
	return []string{chartOf(ref, obj.GetNamespace()).String()}
}

func secretOfAuthentication(obj client.Object) []string {
	ref := obj.(*kcm.ClusterAuthentication).Spec.CASecret
	if ref == nil {
		return nil
	}
	return []string{caSecretOf(ref, obj.GetNamespace()).String()}
}

// referring maps an object to the ClusterDeployments of its namespace that name it.
func (c *Controller) referring(index string) handler.EventHandler {
	return handler.EnqueueRequestsFromMapFunc(func(ctx context.Context, obj client.Object) []reconcile.Request {
		return c.requests(ctx, client.InNamespace(obj.GetNamespace()), client.MatchingFields{index: obj.GetName()})
	})
}

func (c *Controller) chainChanged(ctx context.Context, obj client.Object) []reconcile.Request {
	return c.requests(ctx, client.InNamespace(obj.GetNamespace()))
}

func (c *Controller) all(ctx context.Context, _ client.Object) []reconcile.Request {
	return c.requests(ctx)
}

// offersOthers says whether a Management offers other providers than before: little else of it
// changes for clusters.
func offersOthers(e event.UpdateEvent) bool {
	was, now := e.ObjectOld.(*kcm.Management).Status, e.ObjectNew.(*kcm.Management).Status
	return !equality.Semantic.DeepEqual(was.AvailableProviders, now.AvailableProviders) || !equality.Semantic.DeepEqual(was.CAPIContracts, now.CAPIContracts)
}

func (c *Controller) chartChanged(ctx context.Context, obj client.Object) []reconcile.Request {
	var list kcm.ClusterTemplateList
	if err := c.Kube.List(ctx, &list, client.MatchingFields{byChart: client.ObjectKeyFromObject(obj).String()}); err != nil {
		return nil
	}
	var out []reconcile.Request
	for _, t := range list.Items {
		out = append(out, c.requests(ctx, client.InNamespace(t.Namespace), client.MatchingFields{byTemplate: t.Name})...)
	}
	return out
}

func (c *Controller) secretChanged(ctx context.Context, obj client.Object) []reconcile.Request {
	var list kcm.ClusterAuthenticationList
	if err := c.Kube.List(ctx, &list, client.MatchingFields{byCASecret: client.ObjectKeyFromObject(obj).String()}); err != nil {
		return nil
	}
	out := ofDocument(ctx, obj)
	for _, a := range list.Items {
		out = append(out, c.requests(ctx, client.InNamespace(a.Namespace), client.MatchingFields{byAuthentication: a.Name})...)
	}
	return out
}

// requests lists ClusterDeployments. It reads the cache, which fails only while it stops.
func (c *Controller) requests(ctx context.Context, opts ...client.ListOption) []reconcile.Request {
	var list kcm.ClusterDeploymentList
	if err := c.Kube.List(ctx, &list, opts...); err != nil {
		return nil
	}
	return control.Requests(&list)
}

func ofServiceSet(_ context.Context, obj client.Object) []reconcile.Request {
	set, ok := obj.(*kcm.ServiceSet)
	if !ok || set.Spec.Cluster == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: set.Namespace, Name: set.Spec.Cluster}}}
}

// ofDocument is the ClusterDeployment that a stored document belongs to: should somebody edit
// or delete it, it is stored again.
func ofDocument(_ context.Context, obj client.Object) []reconcile.Request {
	by := metav1.GetControllerOf(obj)
	if by == nil || by.Kind != kcm.ClusterDeploymentKind || !strings.HasPrefix(by.APIVersion, kcm.GroupVersion.Group+"/") {
		return nil
	}
	return []reconcile.Request{{NamespacedName: client.ObjectKey{Namespace: obj.GetNamespace(), Name: by.Name}}}
}

func ofRelease(_ context.Context, obj client.Object) []reconcile.Request {
	release, ok := capi.ReleaseOf(obj)
	if !ok {
		return nil
	}
	return []reconcile.Request{{NamespacedName: release}}
}
