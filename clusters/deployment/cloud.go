package deployment

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/clusters/adopted"
	"portico.dev/portico/fleet"
	kubeconfigs "portico.dev/portico/kube/kubeconfig"
)

// Children reaches into child clusters. It is safe for concurrent use.
type Children interface {
	// Look lists the load balancers and volume claims of a cluster. A cluster that cannot
	// be reached is a Problem, not an error.
	Look(ctx context.Context, kubeconfig []byte) Cloud
	// Clean deletes them, with what would make them again. Deleting twice is deleting once.
	Clean(ctx context.Context, kubeconfig []byte) error
}

// Direct reaches child clusters by their kubeconfig.
type Direct struct{}

// childTimeout bounds each request: a child that does not answer must not hold up others.
const childTimeout = 10 * time.Second

func (w *work) cleanCloud(ctx context.Context) error {
	kubeconfig, err := w.kubeconfig(ctx, w.d)
	if err != nil || kubeconfig == nil {
		return err
	}
	return w.Children.Clean(ctx, kubeconfig)
}

// Look implements Children.
func (Direct) Look(ctx context.Context, kubeconfig []byte) Cloud {
	config, err := childConfig(kubeconfig)
	if err != nil {
		return Cloud{Problem: fleet.Sentence(err)}
	}
	child, err := childClient(config)
	if err != nil {
		return Cloud{Problem: adopted.Sentence(config.Host, err, childTimeout)}
	}
	objects, err := outliving(ctx, child)
	if err != nil {
		return Cloud{Problem: adopted.Sentence(config.Host, err, childTimeout)}
	}
	var left []string
	for _, o := range objects {
		left = append(left, fmt.Sprintf("%s %s/%s", o.GetObjectKind().GroupVersionKind().Kind, o.GetNamespace(), o.GetName()))
	}
	slices.Sort(left)
	return Cloud{Looked: true, Left: left}
}

// Clean implements Children.
func (Direct) Clean(ctx context.Context, kubeconfig []byte) error {
	config, err := childConfig(kubeconfig)
	if err != nil {
		return err
	}
	child, err := childClient(config)
	if err != nil {
		return err
	}
	objects, err := outliving(ctx, child)
	if err != nil {
		return err
	}
	users, err := usersOf(ctx, child, objects)
	if err != nil {
		return err
	}
	// Users first: a claim that a pod has mounted stays until the pod is gone.
	for _, o := range append(users, objects...) {
		top, err := topOwner(ctx, child, o)
		if err != nil {
			return err
		}
		for _, victim := range []client.Object{top, o} {
			if err := child.Delete(ctx, victim, client.PropagationPolicy(metav1.DeletePropagationBackground)); client.IgnoreNotFound(err) != nil {
				return fmt.Errorf("deleting %s/%s on the child: %w", victim.GetNamespace(), victim.GetName(), err)
			}
		}
	}
	return nil
}

func childConfig(kubeconfig []byte) (*rest.Config, error) {
	config, err := kubeconfigs.Read(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the child's kubeconfig: %w", err)
	}
	config.Timeout = childTimeout
	return config, nil
}

func childClient(config *rest.Config) (client.Client, error) {
	child, err := client.New(config, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("connecting to the child: %w", err)
	}
	return child, nil
}

// outliving are the objects that stand for something outside of the cluster.
func outliving(ctx context.Context, child client.Client) ([]client.Object, error) {
	var out []client.Object
	var services corev1.ServiceList
	if err := child.List(ctx, &services); err != nil {
		return nil, fmt.Errorf("listing Services: %w", err)
	}
	for i := range services.Items {
		if s := &services.Items[i]; s.Spec.Type == corev1.ServiceTypeLoadBalancer {
			s.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Service"))
			out = append(out, s)
		}
	}
	var claims corev1.PersistentVolumeClaimList
	if err := child.List(ctx, &claims); err != nil {
		return nil, fmt.Errorf("listing PersistentVolumeClaims: %w", err)
	}
	for i := range claims.Items {
		claims.Items[i].SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaim"))
		out = append(out, &claims.Items[i])
	}
	return out, nil
}

// usersOf are the pods that have one of the claims mounted.
func usersOf(ctx context.Context, child client.Client, objects []client.Object) ([]client.Object, error) {
	claimed := map[client.ObjectKey]bool{}
	for _, o := range objects {
		if _, isClaim := o.(*corev1.PersistentVolumeClaim); isClaim {
			claimed[client.ObjectKeyFromObject(o)] = true
		}
	}
	if len(claimed) == 0 {
		return nil, nil
	}
	var pods corev1.PodList
	if err := child.List(ctx, &pods); err != nil {
		return nil, fmt.Errorf("listing Pods: %w", err)
	}
	var out []client.Object
	for i := range pods.Items {
		pod := &pods.Items[i]
		if slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool {
			claim := v.PersistentVolumeClaim
			return claim != nil && claimed[client.ObjectKey{Namespace: pod.Namespace, Name: claim.ClaimName}]
		}) {
			out = append(out, pod)
		}
	}
	return out, nil
}

// topOwner follows the controllers of an object to the one that nobody controls: deleting less
// would only make somebody create it again.
func topOwner(ctx context.Context, child client.Client, obj client.Object) (client.Object, error) {
	by := metav1.GetControllerOf(obj)
	if by == nil {
		return obj, nil
	}
	up := &unstructured.Unstructured{}
	up.SetAPIVersion(by.APIVersion)
	up.SetKind(by.Kind)
	switch err := child.Get(ctx, client.ObjectKey{Namespace: obj.GetNamespace(), Name: by.Name}, up); {
	case apierrors.IsNotFound(err):
		return obj, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s %s/%s on the child: %w", by.Kind, obj.GetNamespace(), by.Name, err)
	}
	return topOwner(ctx, child, up)
}
