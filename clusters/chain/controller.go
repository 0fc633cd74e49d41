package chain

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// controller reconciles the chains of one kind.
type controller struct {
	kube   client.Client
	events events.EventRecorder
	home   string
	kind   kind
}

// Reconcile implements reconcile.Reconciler.
func (c *controller) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	chain := c.kind.empty()
	if err := c.kube.Get(ctx, req.NamespacedName, chain); err != nil || chain.GetDeletionTimestamp() != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	if err := control.EnsureLabel(ctx, c.kube, chain, kcm.ComponentLabel, kcm.ComponentKCM); err != nil {
		return reconcile.Result{}, err
	}
	saw, err := c.observe(ctx, chain)
	if err != nil {
		return reconcile.Result{}, err
	}
	failure := c.act(ctx, chain, saw, Decide(chain, saw))
	was := chain.DeepCopyObject().(Chain)
	*chain.GetChainStatus() = Status(c.kind, chain, saw)
	return reconcile.Result{}, errors.Join(failure, control.PatchStatus(ctx, c.kube, was, chain))
}

// act carries out the operations. One that fails does not keep the others from being tried.
func (c *controller) act(ctx context.Context, chain Chain, saw Observed, plan []Operation) error {
	var errs []error
	for _, op := range plan {
		for _, listed := range saw.Templates {
			if listed.Name != op.Template {
				continue
			}
			if err := c.do(ctx, chain, listed, op.Do); err != nil {
				c.tell(chain, "Warning", c.kind.template+"CreationFailed", err.Error())
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func (c *controller) do(ctx context.Context, chain Chain, listed Listed, verb Verb) error {
	if verb == Own {
		was := listed.found.DeepCopyObject().(client.Object)
		now := listed.found.DeepCopyObject().(client.Object)
		now.SetOwnerReferences(append(now.GetOwnerReferences(), c.owner(chain)))
		return control.Patch(ctx, c.kube, was, now)
	}
	made, err := c.kind.copy(listed.Original.template)
	if err != nil {
		return fmt.Errorf("copying %s %s: %w", c.kind.template, listed.Name, err)
	}
	made.SetNamespace(chain.GetNamespace())
	made.SetName(listed.Name)
	made.SetLabels(map[string]string{kcm.ManagedLabel: kcm.LabelTrue, kcm.ComponentLabel: kcm.ComponentKCM})
	made.SetOwnerReferences([]metav1.OwnerReference{c.owner(chain)})
	err = c.kube.Create(ctx, made)
	if apierrors.IsAlreadyExists(err) {
		return nil // the cache has not heard of it; its event will come
	}
	if err != nil {
		return fmt.Errorf("creating %s %s/%s: %w", c.kind.template, chain.GetNamespace(), listed.Name, err)
	}
	c.tell(chain, "Normal", c.kind.template+"Created", "Created "+c.kind.template+" "+listed.Name)
	return nil
}

// owner is a reference without a controller: a template may have several chains.
func (c *controller) owner(chain Chain) metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: kcm.GroupVersion.String(), Kind: c.kind.name, Name: chain.GetName(), UID: chain.GetUID()}
}

func ownerOf(chain Chain) func(metav1.OwnerReference) bool {
	return func(ref metav1.OwnerReference) bool { return ref.UID == chain.GetUID() }
}

func (c *controller) tell(chain Chain, typ, reason, message string) {
	c.events.Eventf(chain, nil, typ, reason, "Reconcile", "%s", message)
}
