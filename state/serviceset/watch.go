package serviceset

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/follow"
)

// Names of the indexes by which ServiceSets are found, and templates by their chart.
const (
	byTemplate = "portico.serviceset.template"
	byProvider = "portico.serviceset.provider"
	byCluster  = "portico.serviceset.cluster"
	byChart    = "portico.serviceset.chart"
)

func index(indexer client.FieldIndexer) error {
	for name, value := range map[string]client.IndexerFunc{byTemplate: templatesOf, byCluster: clusterOf, byProvider: providersOf} {
		if err := indexer.IndexField(context.Background(), &kcm.ServiceSet{}, name, value); err != nil {
			return err
		}
	}
	return indexer.IndexField(context.Background(), &kcm.ServiceTemplate{}, byChart, chartsOf)
}

func chartsOf(obj client.Object) []string {
	if ref := obj.(*kcm.ServiceTemplate).Status.ChartRef; ref != nil {
		return []string{ref.Namespace + "/" + ref.Name}
	}
	return nil
}

// turned lets through what may matter of a ClusterDeployment: another wish, its deletion, and
// that one of its conditions has turned, since it may be reached from then on. How its services
// stand is what we have told it ourselves.
func turned() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		was, ok := e.ObjectOld.(*kcm.ClusterDeployment)
		now, isNow := e.ObjectNew.(*kcm.ClusterDeployment)
		return !ok || !isNow || was.Generation != now.Generation || !was.DeletionTimestamp.Equal(now.DeletionTimestamp) ||
			!maps.Equal(statuses(was.Status.Conditions), statuses(now.Status.Conditions))
	}}
}

func statuses(conditions []metav1.Condition) map[string]metav1.ConditionStatus {
	out := map[string]metav1.ConditionStatus{}
	for _, c := range conditions {
		if c.Type != kcm.ServicesInReadyStateCondition && c.Type != kcm.ReadyCondition {
			out[c.Type] = c.Status
		}
	}
	return out
}

func templatesOf(obj client.Object) []string {
	var names []string
	for _, svc := range obj.(*kcm.ServiceSet).Spec.Services {
		names = append(names, svc.Template)
	}
	return names
}

func clusterOf(obj client.Object) []string { return []string{obj.(*kcm.ServiceSet).Spec.Cluster} }

func providersOf(obj client.Object) []string {
	return []string{cmp.Or(obj.(*kcm.ServiceSet).Spec.Provider.Name, kcm.DefaultStateManagementProviderName)}
}

// The kinds of content, which are watched from the start.
var configMapKind, secretKind = corev1.SchemeGroupVersion.WithKind("ConfigMap"), corev1.SchemeGroupVersion.WithKind("Secret")

// usersOfContent are the sets that read a ConfigMap or Secret, or, of a Secret, whose target it
// leads to, of a ConfigMap, which it has health rules for.
func (c *Controller) usersOfContent(kind schema.GroupVersionKind) handler.MapFunc {
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		out := c.follow.Followers(follow.Object{Kind: kind, Key: client.ObjectKeyFromObject(obj)})
		if kind == configMapKind {
			out = append(out, c.judged(ctx, obj)...)
		}
		if cluster, ok := kubeconfigOf(obj); ok && kind == secretKind {
			out = append(out, c.list(ctx, obj.GetNamespace(), client.MatchingFields{byCluster: cluster})...)
		}
		return out
	}
}

// usersOfProvider are the sets of every namespace that name a StateManagementProvider.
func (c *Controller) usersOfProvider(ctx context.Context, obj client.Object) []reconcile.Request {
	return c.list(ctx, "", client.MatchingFields{byProvider: obj.GetName()})
}

// beside are the sets of the same cluster that are going, or have something to remove: one of them
// may have waited.
func (c *Controller) beside(ctx context.Context, obj client.Object) []reconcile.Request {
	var found kcm.ServiceSetList
	where := []client.ListOption{client.InNamespace(obj.GetNamespace()), client.MatchingFields{byCluster: obj.(*kcm.ServiceSet).Spec.Cluster}}
	if err := c.kube.List(ctx, &found, where...); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the ServiceSets of a cluster")
		return nil
	}
	found.Items = slices.DeleteFunc(found.Items, func(s kcm.ServiceSet) bool {
		return s.DeletionTimestamp == nil && !c.heard.waits(client.ObjectKeyFromObject(&s))
	})
	return control.Requests(&found)
}

// kubeconfigOf is the cluster whose kubeconfig a Secret of this name holds.
func kubeconfigOf(obj client.Object) (string, bool) {
	for _, suffix := range []string{sveltos.KubeconfigSecretSuffix, kcm.KubeconfigSecretSuffix} {
		if name, ok := strings.CutSuffix(obj.GetName(), suffix); ok {
			return name, true
		}
	}
	return "", false
}

// usersOfChart are the sets whose templates read the chart.
func (c *Controller) usersOfChart(ctx context.Context, obj client.Object) []reconcile.Request {
	var templates kcm.ServiceTemplateList
	if err := c.kube.List(ctx, &templates, client.MatchingFields{byChart: client.ObjectKeyFromObject(obj).String()}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the templates of a chart")
		return nil
	}
	var out []reconcile.Request
	for _, t := range templates.Items {
		out = append(out, c.list(ctx, t.Namespace, client.MatchingFields{byTemplate: t.Name})...)
	}
	return out
}

func (c *Controller) usersOf(index string, key func(client.Object) string) handler.MapFunc {
	return func(ctx context.Context, obj client.Object) []reconcile.Request {
		return c.list(ctx, obj.GetNamespace(), client.MatchingFields{index: key(obj)})
	}
}

func (c *Controller) list(ctx context.Context, namespace string, which client.MatchingFields) []reconcile.Request {
	var found kcm.ServiceSetList
	if err := c.kube.List(ctx, &found, client.InNamespace(namespace), which); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing the users of an object")
		return nil
	}
	return control.Requests(&found)
}
