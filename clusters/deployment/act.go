package deployment

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	metav1ac "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/clusters/capi"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/helm"
)

const owner = client.FieldOwner("portico.clusters.deployment")

// work is a plan in progress.
type work struct {
	*Controller
	d    *kcm.ClusterDeployment
	saw  Observed
	done Outcome
}

// act carries out a plan, in order, up to the first operation that fails.
func (c *Controller) act(ctx context.Context, d *kcm.ClusterDeployment, saw Observed, plan Plan) Outcome {
	w := &work{Controller: c, d: d, saw: saw, done: Outcome{Release: saw.Release}}
	for _, op := range plan.Operations {
		if err := w.carryOut(ctx, op); err != nil {
			w.done.Failed, w.done.Err = op, err
			break
		}
		w.done.Done = append(w.done.Done, op)
	}
	return w.done
}

func (w *work) carryOut(ctx context.Context, op Operation) (err error) {
	switch op := op.(type) {
	case Claim:
		return w.claim(ctx)
	case StoreDocument:
		return w.store(ctx, op)
	case DropDocument:
		return w.drop(ctx, op.Kind)
	case ApplyRelease:
		wanted := w.saw.Rendering.wanted
		wanted.Retry = op.Retry
		w.done.Release, err = w.Releases.Apply(ctx, wanted)
		return err
	case DeleteServiceSets:
		return w.deleteServiceSets(ctx, op.Names)
	case CleanCloud:
		return w.cleanCloud(ctx)
	case DeleteCluster:
		return capi.Delete(ctx, w.Kube, op.Cluster)
	case Unblock:
		return capi.Unblock(ctx, w.Kube, op.Cluster)
	case RemoveRelease:
		if err := w.Releases.Remove(ctx, w.d.Namespace, w.d.Name, helm.RemoveOptions{}); err != nil {
			return err
		}
		w.done.Release = helm.State{Status: helm.Absent}
		return nil
	case Disclaim:
		return control.ReleaseFinalizer(ctx, w.Kube, w.d, kcm.ClusterDeploymentFinalizer)
	}
	return fmt.Errorf("carrying out %T: nobody knows how", op)
}

func claimed(d *kcm.ClusterDeployment) bool {
	return hasFinalizer(d) && d.Labels[kcm.ComponentLabel] == kcm.ComponentKCM
}

func hasFinalizer(d *kcm.ClusterDeployment) bool {
	return controllerutil.ContainsFinalizer(d, kcm.ClusterDeploymentFinalizer)
}

func (w *work) claim(ctx context.Context) error {
	was := w.d.DeepCopy()
	controllerutil.AddFinalizer(w.d, kcm.ClusterDeploymentFinalizer)
	metav1.SetMetaDataLabel(&w.d.ObjectMeta, kcm.ComponentLabel, kcm.ComponentKCM)
	return control.Patch(ctx, w.Kube, was, w.d)
}

func (w *work) store(ctx context.Context, op StoreDocument) error {
	if err := w.Kube.Apply(ctx, document(w.d, op), owner, client.ForceOwnership); err != nil {
		return fmt.Errorf("storing the %s of %s/%s: %w", op.Kind, w.d.Namespace, w.d.Name, err)
	}
	return nil
}

// document belongs to the ClusterDeployment, so that it goes when that goes.
func document(d *kcm.ClusterDeployment, op StoreDocument) runtime.ApplyConfiguration {
	at := places[op.Kind]
	name, labels := d.Name+at.suffix, map[string]string{kcm.ManagedLabel: kcm.LabelTrue, kcm.ComponentLabel: kcm.ComponentKCM}
	by := metav1ac.OwnerReference().
		WithAPIVersion(kcm.GroupVersion.String()).WithKind(kcm.ClusterDeploymentKind).
		WithName(d.Name).WithUID(d.UID).WithController(true).WithBlockOwnerDeletion(true)
	if op.Kind == AuthenticationDocument {
		return corev1ac.Secret(name, d.Namespace).WithLabels(labels).WithOwnerReferences(by).
			WithData(map[string][]byte{at.key: []byte(op.Text)})
	}
	return corev1ac.ConfigMap(name, d.Namespace).WithLabels(labels).WithOwnerReferences(by).
		WithData(map[string]string{at.key: op.Text})
}

func (w *work) drop(ctx context.Context, kind DocumentKind) error {
	at := metav1.ObjectMeta{Namespace: w.d.Namespace, Name: w.d.Name + places[kind].suffix}
	var obj client.Object = &corev1.ConfigMap{ObjectMeta: at}
	if kind == AuthenticationDocument {
		obj = &corev1.Secret{ObjectMeta: at}
	}
	if err := w.Kube.Delete(ctx, obj); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting the %s of %s/%s: %w", kind, w.d.Namespace, w.d.Name, err)
	}
	return nil
}

func (w *work) deleteServiceSets(ctx context.Context, names []string) error {
	for _, name := range names {
		set := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: w.d.Namespace, Name: name}}
		if err := w.Kube.Delete(ctx, set); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("deleting ServiceSet %s/%s: %w", w.d.Namespace, name, err)
		}
	}
	return nil
}
