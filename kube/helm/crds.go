package helm

import (
	"context"
	"fmt"
	"time"

	"helm.sh/helm/v4/pkg/kube"
	rcommon "helm.sh/helm/v4/pkg/release/common"
	release "helm.sh/helm/v4/pkg/release/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/metadata"

	"portico.dev/portico/fleet"
)

// applyCRDs does what Helm does with the crds folder of a chart, and waits until the kinds
// are served: Helm without --wait goes on at once and then knows no such kind. Those of a chart
// that was made of manifests are applied every time, as the release's own.
func (t *tools) applyCRDs(ctx context.Context, want Wanted, do deed) error {
	o, mine := want.Options, ofManifests(want.Chart.raw)
	if o.SkipCRDs || (do == upgrade && !o.Upgrade.CRDs && !mine) {
		return nil
	}
	crds, err := crdsOf(want.Chart.raw)
	if err != nil {
		return fmt.Errorf("reading the chart's CRDs: %w: %w", fleet.ErrInvalid, err)
	}
	if mine {
		return t.applyOwnCRDs(ctx, crds, want, do)
	}
	list, err := t.client.build(crds)
	if err != nil {
		return fmt.Errorf("reading the chart's CRDs: %w", err)
	}
	var served kube.ResourceList
	for _, info := range list {
		if do != upgrade && info.Get() == nil {
			continue
		}
		served.Append(info)
	}
	return t.serve(ctx, served, o)
}

func (t *tools) applyOwnCRDs(ctx context.Context, crds []*unstructured.Unstructured, want Wanted, do deed) error {
	for _, crd := range crds {
		crd.SetLabels(with(crd.GetLabels(), map[string]string{manifestsMark: "true"}))
		own(crd, want.key())
	}
	list, err := t.client.build(crds)
	if err != nil {
		return fmt.Errorf("reading the CRDs: %w", err)
	}
	take := want.Options.Install.TakeOwnership
	if do == upgrade {
		take = want.Options.Upgrade.TakeOwnership
	}
	for _, info := range list {
		live, err := resource.NewHelper(info.Client, info.Mapping).Get(info.Namespace, info.Name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading CRD %s: %w", info.Name, err)
		}
		if err := mayApply(live, want.key(), take); err != nil {
			return fmt.Errorf("applying CRD %s: %w", info.Name, err)
		}
	}
	return t.serve(ctx, list, want.Options)
}

func mayApply(live any, k key, take bool) error {
	object, err := meta.Accessor(live)
	if err != nil {
		return err
	}
	if object.GetDeletionTimestamp() != nil {
		return fmt.Errorf("%w: it is being deleted, and so are the objects of its kind: wait until they are gone", fleet.ErrNotYet)
	}
	a := object.GetAnnotations()
	if !take && (a[nameAnnotation] != k.name || a[namespaceAnnotation] != k.namespace) {
		return fmt.Errorf("%w: it exists and cannot be imported into the release: it belongs to somebody else; leave it out, or let the release take ownership", fleet.ErrNotYet)
	}
	return nil
}

// serve applies CRDs and waits until their kinds are served.
func (t *tools) serve(ctx context.Context, list kube.ResourceList, o Options) error {
	if len(list) == 0 {
		return nil
	}
	for _, info := range list {
		if _, err := t.client.Create(kube.ResourceList{info}, kube.ClientCreateOptionServerSideApply(true, true)); err != nil {
			return fmt.Errorf("applying CRD %s: %w", info.Name, err)
		}
	}
	waiter, err := t.client.GetWaiter(kube.StatusWatcherStrategy)
	if err != nil {
		return err
	}
	if err := waiter.Wait(list, o.timeout()); err != nil {
		return fmt.Errorf("waiting for the chart's CRDs to be served: %w", err)
	}
	for _, info := range list {
		if err := t.discover(ctx, info); err != nil {
			return err
		}
	}
	return nil
}

// discover waits until the cluster lists the kind of a CRD that it serves: that comes some
// milliseconds after it has said so, and no event tells of it. A cluster that does not list the
// kind in spite of that says itself, later, that it does not know it.
func (t *tools) discover(ctx context.Context, crd *resource.Info) error {
	object, ok := crd.Object.(*unstructured.Unstructured)
	if !ok {
		return nil
	}
	group, _, _ := unstructured.NestedString(object.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(object.Object, "spec", "names", "kind")
	versions, _, _ := unstructured.NestedSlice(object.Object, "spec", "versions")
	served := ""
	for _, v := range versions {
		if version, _ := v.(map[string]any); version["served"] == true {
			served, _ = version["name"].(string)
		}
	}
	for pause := 5 * time.Millisecond; pause < time.Second; pause *= 2 {
		if _, err := t.session.mapper.RESTMapping(schema.GroupKind{Group: group, Kind: kind}, served); err == nil {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// keepCRDs is called before a record is written. A revision counts as deployed only when the
// CRDs that it does not have any more are gone; not earlier, since what it does is undone if it
// fails, and what is brought back needs them.
func (t *tools) keepCRDs(ctx context.Context, next *release.Release, want Wanted) error {
	if next.Version < t.store.top || want.Options.SkipCRDs || next.Chart == nil {
		return nil
	}
	switch next.Info.Status {
	case rcommon.StatusPendingRollback:
		if !ofManifests(next.Chart) {
			return nil
		}
		crds, err := crdsOf(next.Chart)
		if err != nil {
			return err
		}
		return t.applyOwnCRDs(ctx, crds, want, upgrade)
	case rcommon.StatusDeployed:
		if !t.store.manifests && !ofManifests(next.Chart) {
			return nil
		}
		crds, err := crdsOf(next.Chart)
		if err != nil {
			return err
		}
		return t.dropCRDs(ctx, want.key(), append(crds, want.crdsElsewhere()...))
	}
	return nil
}

// dropCRDs deletes the release's CRDs but those to keep. It asks the cluster for them, not the
// records: a crash can come between a CRD and the first record of it.
func (t *tools) dropCRDs(ctx context.Context, k key, keep []*unstructured.Unstructured) error {
	left, err := t.ownCRDs(ctx, k)
	if err != nil {
		return fmt.Errorf("looking for the release's CRDs: %w", err)
	}
	for _, crd := range keep {
		delete(left, crd.GetName())
	}
	client, err := metadata.NewForConfig(t.session.config)
	if err != nil {
		return err
	}
	for name := range left {
		if err := client.Resource(crdResource()).Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("removing CRD %s: %w", name, err)
		}
	}
	return nil
}

func crdResource() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
}

// ownCRDs lists the CRDs that belong to the release, and go with it.
func (t *tools) ownCRDs(ctx context.Context, k key) (map[string]bool, error) {
	client, err := metadata.NewForConfig(t.session.config)
	if err != nil {
		return nil, err
	}
	chosen := labels.Set{managedLabel: managedValue, manifestsMark: "true"}.String()
	list, err := client.Resource(crdResource()).List(ctx, metav1.ListOptions{LabelSelector: chosen})
	if err != nil {
		return nil, err
	}
	mine := map[string]bool{}
	for _, crd := range list.Items {
		if belongs(&crd, k) {
			mine[crd.Name] = true
		}
	}
	return mine, nil
}

// removeCRDs takes the release's CRDs away, with all objects of their kinds, and waits for that
// if it is asked to.
func (t *tools) removeCRDs(ctx context.Context, k key, o RemoveOptions) error {
	names, err := t.ownCRDs(ctx, k)
	if err != nil || len(names) == 0 {
		return err
	}
	if err := t.dropCRDs(ctx, k, nil); err != nil || !o.Wait {
		return err
	}
	var crds []*unstructured.Unstructured
	for name := range names {
		crd := &unstructured.Unstructured{}
		crd.SetGroupVersionKind(crdResource().GroupVersion().WithKind("CustomResourceDefinition"))
		crd.SetName(name)
		crds = append(crds, crd)
	}
	list, err := t.client.build(crds)
	if err != nil {
		return err
	}
	waiter, err := t.client.GetWaiter(kube.StatusWatcherStrategy)
	if err != nil {
		return err
	}
	if err := waiter.WaitForDelete(list, o.timeout()); err != nil {
		return fmt.Errorf("waiting for the CRDs to be gone: %w", err)
	}
	return nil
}
