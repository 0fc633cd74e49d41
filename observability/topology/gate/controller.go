package gate

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/topology"
)

// Publish hands a configuration over to whoever runs vmauth. It is called again after an error,
// and not with what it took before.
type Publish func(ctx context.Context, config []byte) error

// Controller keeps one vmauth's configuration.
type Controller struct {
	// Live reads ConfigMaps and Secrets, without keeping them in memory.
	Live client.Reader
	// Region is the one whose vmauth it is.
	Region types.NamespacedName
	// Backends are the stores behind it.
	Backends topology.Backends
	// More are those who may pass besides.
	More    []topology.Access
	Publish Publish

	handover
}

// all is the only request.
var all = reconcile.Request{NamespacedName: types.NamespacedName{Name: "vmauth"}}

// Reconcile reads who may pass, and hands the configuration over if it is another one.
func (c *Controller) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	ours := client.MatchingLabels{kof.ManagedByLabel: kof.ManagedBy}
	var configs corev1.ConfigMapList
	if err := c.Live.List(ctx, &configs, client.HasLabels{kof.ClusterRoleLabel}); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing the ConfigMaps of clusters: %w", err)
	}
	var secrets corev1.SecretList
	if err := c.Live.List(ctx, &secrets, ours, client.InNamespace(kof.Namespace)); err != nil {
		return reconcile.Result{}, fmt.Errorf("listing credentials: %w", err)
	}
	who, err := Accesses(c.Region, configs.Items, secrets.Items)
	if err != nil {
		// One whose Secret somebody has spoilt must not lock the others out.
		log.FromContext(ctx).Error(err, "leaving out users of stores")
	}
	return reconcile.Result{}, c.hand(ctx, c.Publish, passing{c.Backends, append(who, c.More...)})
}

// passing is what a configuration says: who may pass, to what.
type passing struct {
	to  topology.Backends
	who []topology.Access
}

// handover keeps what was handed over last.
type handover struct {
	mu   sync.Mutex
	last []byte
}

func (h *handover) hand(ctx context.Context, publish Publish, p passing) error {
	text, err := topology.Vmauth(p.to, p.who)
	if err != nil {
		return fmt.Errorf("writing vmauth's configuration: %w", err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last != nil && bytes.Equal(h.last, text) {
		return nil
	}
	if err := publish(ctx, text); err != nil {
		return fmt.Errorf("handing over vmauth's configuration: %w", err)
	}
	h.last = text
	return nil
}

// Setup registers the controller.
func (c *Controller) Setup(mgr ctrl.Manager) error {
	b := ctrl.NewControllerManagedBy(mgr).Named("observability.gate").WithOptions(controller.Options{MaxConcurrentReconciles: 1})
	for _, kind := range []string{"ConfigMap", "Secret"} {
		o := &metav1.PartialObjectMetadata{}
		o.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(kind))
		b = b.WatchesMetadata(o, handler.EnqueueRequestsFromMapFunc(matters))
	}
	return b.Complete(c)
}

// matters wakes for what has a user.
func matters(_ context.Context, o client.Object) []reconcile.Request {
	_, user := o.GetAnnotations()[topology.UserAnnotation]
	if !user && o.GetLabels()[kof.ClusterRoleLabel] == "" {
		return nil
	}
	return []reconcile.Request{all}
}
