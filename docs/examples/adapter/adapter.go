package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// The label of our ServiceSets. It is in the selector of our StateManagementProvider, and so whoever
// makes ServiceSets puts it on those that name the provider.
const (
	adapterLabel = "example.org/adapter"
	adapterName  = "manifests"
)

type adapter struct {
	kube   client.Client
	config *rest.Config
}

// Reconcile keeps the whole contract, step by step.
func (a *adapter) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	// 1. Other adapters' ServiceSets are none of our business.
	var set kcm.ServiceSet
	if err := a.kube.Get(ctx, req.NamespacedName, &set); err != nil || set.Labels[adapterLabel] != adapterName {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	was := set.DeepCopy()

	// 2. While our provider is not ready, or suspended, we change nothing, and say so.
	provider, err := a.provider(ctx, &set)
	if err != nil {
		return reconcile.Result{}, err
	}
	set.Status.Provider = provider
	if set.DeletionTimestamp != nil {
		return reconcile.Result{}, a.remove(ctx, was, &set)
	}
	if !provider.Ready || provider.Suspended {
		return reconcile.Result{}, a.writeStatus(ctx, was, &set)
	}

	// 3. From now on the ServiceSet must not go before what we have made.
	if controllerutil.AddFinalizer(&set, kcm.ServiceSetFinalizer) {
		if err := a.kube.Patch(ctx, &set, client.MergeFrom(was)); err != nil {
			return reconcile.Result{}, err
		}
		was = set.DeepCopy()
		set.Status.Provider = provider
	}

	// 4. to 6. The target, the templates, the services.
	failure := a.deploy(ctx, &set)

	// 7. Whatever became of it, the status says so; a failure is tried again with back-off.
	return reconcile.Result{}, errors.Join(failure, a.writeStatus(ctx, was, &set))
}

// provider is how our StateManagementProvider stands.
func (a *adapter) provider(ctx context.Context, set *kcm.ServiceSet) (kcm.ProviderState, error) {
	var p kcm.StateManagementProvider
	err := a.kube.Get(ctx, client.ObjectKey{Name: set.Spec.Provider.Name}, &p)
	if apierrors.IsNotFound(err) {
		return kcm.ProviderState{}, nil
	}
	return kcm.ProviderState{Ready: p.Status.Ready, Suspended: p.Spec.Suspend}, err
}

// deploy makes the services so, and puts how they stand into the status.
func (a *adapter) deploy(ctx context.Context, set *kcm.ServiceSet) error {
	set.Status.Cluster = targetOf(set)
	to, err := a.target(ctx, set)
	if err != nil {
		collected(set, err)
		return err
	}
	// A pause is the user's: nothing changes, what was said before holds.
	if _, paused := set.Annotations[kcm.ServiceSetPausedAnnotation]; paused {
		collected(set, nil)
		return nil
	}
	want := map[string][]manifest{}
	var states []kcm.ServiceState
	for _, svc := range set.Spec.Services {
		manifests, err := a.manifests(ctx, set.Namespace, svc)
		states = append(states, stateOf(svc, err))
		want[svc.Namespace+"/"+svc.Name] = manifests // none if they cannot be read: see apply
	}
	failures, err := to.apply(ctx, want)
	if err != nil {
		collected(set, err)
		return err
	}
	var errs []error
	for i, svc := range set.Spec.Services {
		if failed := failures[svc.Namespace+"/"+svc.Name]; failed != nil && states[i].State == kcm.ServiceDeployed {
			states[i] = stateOf(svc, failed)
			errs = append(errs, failed)
		}
	}
	set.Status.Services = settled(set.Status.Services, states)
	collected(set, nil)
	return errors.Join(errs...)
}

// manifests are those of a service's template. Of all that a template can be made of, this adapter
// does one thing, and says so of the others: it ignores nothing.
func (a *adapter) manifests(ctx context.Context, namespace string, svc kcm.ServiceWithValues) ([]manifest, error) {
	var t kcm.ServiceTemplate
	if err := a.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: svc.Template}, &t); err != nil {
		return nil, err
	}
	if !t.Status.Valid {
		return nil, fmt.Errorf("ServiceTemplate %s is not valid: %s", t.Name, t.Status.ValidationError)
	}
	if t.Spec.Resources == nil || t.Spec.Resources.LocalSourceRef == nil || t.Spec.Resources.LocalSourceRef.Kind != "ConfigMap" {
		return nil, fmt.Errorf("ServiceTemplate %s: this adapter applies resources of a ConfigMap only", t.Name)
	}
	if svc.Values != "" || len(svc.ValuesFrom) > 0 {
		return nil, fmt.Errorf("service %s: manifests take no values", svc.Name)
	}
	var source corev1.ConfigMap
	if err := a.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: t.Spec.Resources.LocalSourceRef.Name}, &source); err != nil {
		return nil, err
	}
	return parse(source.Data, svc.Namespace)
}

// remove takes everything off the target; then the ServiceSet may go.
func (a *adapter) remove(ctx context.Context, was, set *kcm.ServiceSet) error {
	if !controllerutil.ContainsFinalizer(set, kcm.ServiceSetFinalizer) || set.Status.Provider.Suspended {
		return nil
	}
	to, err := a.target(ctx, set)
	switch {
	case apierrors.IsNotFound(err): // the cluster is gone, and its services with it
	case err != nil:
		return err
	default:
		if failures, err := to.apply(ctx, nil); err != nil || len(failures) > 0 {
			for i := range set.Status.Services {
				set.Status.Services[i].State = kcm.ServiceDeleting
			}
			collected(set, err)
			for _, failed := range failures {
				err = errors.Join(err, failed)
			}
			return errors.Join(err, a.writeStatus(ctx, was, set))
		}
	}
	controllerutil.RemoveFinalizer(set, kcm.ServiceSetFinalizer)
	return client.IgnoreNotFound(a.kube.Patch(ctx, set, client.MergeFrom(was)))
}

// stateOf says how a service stands. Version must be that of the spec once it is deployed: what
// depends on the service waits for that.
func stateOf(svc kcm.ServiceWithValues, failed error) kcm.ServiceState {
	now := metav1.Now()
	s := kcm.ServiceState{
		Type: kcm.ServiceResource, Name: svc.Name, Namespace: svc.Namespace, Template: svc.Template,
		State: kcm.ServiceDeployed, LastStateTransitionTime: &now,
	}
	if failed != nil {
		s.State, s.FailureMessage = kcm.ServiceFailed, failed.Error()
		return s
	}
	s.Version = svc.Version
	if s.Version == "" {
		s.Version = svc.Template
	}
	return s
}

// settled keeps the times of states that have not changed, so that a status which says the same
// is the same.
func settled(before, now []kcm.ServiceState) []kcm.ServiceState {
	for i := range now {
		for _, old := range before {
			if old.Name == now[i].Name && old.Namespace == now[i].Namespace && old.State == now[i].State {
				now[i].LastStateTransitionTime = old.LastStateTransitionTime
			}
		}
	}
	return now
}

// collected sets what the conditions say: whether the states are those of now, and how many services
// are deployed.
func collected(set *kcm.ServiceSet, failure error) {
	seen := metav1.Condition{Type: kcm.ServiceSetStatusesCollectedCondition, Status: metav1.ConditionTrue, Reason: kcm.ServiceSetStatusesCollectedReason}
	if failure != nil {
		seen.Status, seen.Reason, seen.Message = metav1.ConditionFalse, kcm.ServiceSetStatusesNotCollectedReason, failure.Error()
	}
	ready := 0
	for _, s := range set.Status.Services {
		if s.State == kcm.ServiceDeployed {
			ready++
		}
	}
	set.Status.Deployed = ready == len(set.Spec.Services)
	all := metav1.Condition{
		Type: kcm.ServicesInReadyStateCondition, Status: metav1.ConditionFalse, Reason: kcm.ServicesInReadyStateCondition,
		Message: fmt.Sprintf("%d/%d", ready, len(set.Spec.Services)),
	}
	if set.Status.Deployed {
		all.Status = metav1.ConditionTrue
	}
	for _, c := range []metav1.Condition{seen, all} {
		c.ObservedGeneration = set.Generation
		apimeta.SetStatusCondition(&set.Status.Conditions, c)
	}
}

func (a *adapter) writeStatus(ctx context.Context, was, set *kcm.ServiceSet) error {
	if equality.Semantic.DeepEqual(was.Status, set.Status) {
		return nil
	}
	// The whole status, since required fields that are zero would be missing from a difference.
	return client.IgnoreNotFound(a.kube.Status().Update(ctx, set))
}

// setup watches all that a ServiceSet is made from: nothing is polled.
func (a *adapter) setup(mgr ctrl.Manager) error {
	again := handler.EnqueueRequestsFromMapFunc(a.sets)
	return ctrl.NewControllerManagedBy(mgr).Named("manifests-adapter").
		For(&kcm.ServiceSet{}).
		Watches(&kcm.StateManagementProvider{}, again).
		Watches(&kcm.ServiceTemplate{}, again).
		WatchesMetadata(&corev1.ConfigMap{}, again).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(a.reached)).
		Complete(a)
}

// sets are our ServiceSets in the namespace of an object, or all for a provider. Many more than a few
// hundred would want an index here.
func (a *adapter) sets(ctx context.Context, obj client.Object) []reconcile.Request {
	var list kcm.ServiceSetList
	if err := a.kube.List(ctx, &list, client.InNamespace(obj.GetNamespace()), client.MatchingLabels{adapterLabel: adapterName}); err != nil {
		return nil
	}
	var out []reconcile.Request
	for _, set := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&set)})
	}
	return out
}

// reached are our ServiceSets if a kubeconfig has come, or changed.
func (a *adapter) reached(ctx context.Context, obj client.Object) []reconcile.Request {
	if !strings.Contains(obj.GetName(), "kubeconfig") {
		return nil
	}
	return a.sets(ctx, obj)
}

// patience bounds every request to a target: one that does not answer holds up the others no longer.
const patience = 10 * time.Second
