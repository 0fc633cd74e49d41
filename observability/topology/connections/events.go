package connections

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/kube/follow"
)

// Indexes over the cluster of a connection, and over the Secret with its credentials.
const (
	byCluster = "connections.cluster"
	bySecret  = "connections.secret"
)

// Setup registers the controller.
func (c *Controller) Setup(ctx context.Context, mgr ctrl.Manager) error {
	for name, of := range map[string]func(*kof.VMStorageConnection) string{
		byCluster: func(s *kof.VMStorageConnection) string { return keyOf(targetOf(s)) },
		bySecret: func(s *kof.VMStorageConnection) string {
			if s.Spec.TargetStorageNode.Secret == nil {
				return ""
			}
			return s.Spec.TargetStorageNode.Secret.Name
		},
	} {
		err := mgr.GetFieldIndexer().IndexField(ctx, &kof.VMStorageConnection{}, name, func(o client.Object) []string {
			return []string{of(o.(*kof.VMStorageConnection))}
		})
		if err != nil {
			return fmt.Errorf("indexing VMStorageConnections: %w", err)
		}
	}
	c.follow = follow.New(mgr.GetCache(), mgr.GetRESTMapper())
	secret := &metav1.PartialObjectMetadata{}
	secret.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	var err error
	c.control, err = ctrl.NewControllerManagedBy(mgr).Named("observability.connections").
		Watches(&kof.VMStorageConnection{}, handler.EnqueueRequestsFromMapFunc(ofConnection)).
		WatchesMetadata(secret, handler.EnqueueRequestsFromMapFunc(c.ofSecret)).
		WithOptions(controller.Options{MaxConcurrentReconciles: 1}).
		Build(c)
	return err
}

// keyOf is a cluster as the name of a request.
func keyOf(t target) string { return t.kind + "/" + t.Namespace + "/" + t.Name }

func parseKey(text string) (target, bool) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return target{}, false
	}
	return target{parts[0], types.NamespacedName{Namespace: parts[1], Name: parts[2]}}, true
}

func request(t target) reconcile.Request {
	return reconcile.Request{NamespacedName: types.NamespacedName{Name: keyOf(t)}}
}

// ofConnection wakes the cluster of a connection; of one that changes its cluster, both.
func ofConnection(_ context.Context, o client.Object) []reconcile.Request {
	s, ok := o.(*kof.VMStorageConnection)
	if !ok {
		return nil
	}
	return []reconcile.Request{request(targetOf(s))}
}

func (c *Controller) ofSecret(ctx context.Context, s client.Object) []reconcile.Request {
	var found kof.VMStorageConnectionList
	if err := c.Kube.List(ctx, &found, client.MatchingFields{bySecret: s.GetName()}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing VMStorageConnections")
		return nil
	}
	var out []reconcile.Request
	for i := range found.Items {
		if t := targetOf(&found.Items[i]); t.Namespace == s.GetNamespace() {
			out = append(out, request(t))
		}
	}
	return out
}

func (c *Controller) ofTarget(ctx context.Context, t target) []kof.VMStorageConnection {
	var found kof.VMStorageConnectionList
	if err := c.Kube.List(ctx, &found, client.MatchingFields{byCluster: keyOf(t)}); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "listing VMStorageConnections")
	}
	return found.Items
}
