package helm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"helm.sh/helm/v4/pkg/kube"
	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/cli-runtime/pkg/resource"
	"sigs.k8s.io/yaml"
)

// client is Helm's client of the cluster, with our differences.
type client struct {
	*kube.Client
	// labels are put on every object.
	labels map[string]string
	// removing says that objects of kinds which the cluster no longer has are gone.
	removing bool
	// before says that what is built next, without being validated, are the manifests of the revision
	// before: an upgrade that was broken off may have done away with their kinds already.
	before bool
	// spare says which objects of the revision before are left in place; nil is none that it does not
	// share with the next one.
	spare func(*resource.Info) (bool, error)
	// own is the release whose objects alone are deleted; empty where nobody asks whose they are.
	own key
	// refusals are the errors of the last Delete, of which Helm tells only the number.
	refusals []error
	// built are the lists that were made of manifests. What Helm applies of them, it replaces in
	// place by the cluster's answer.
	built map[string]kube.ResourceList
}

func newClient(s *session, namespace string) *client {
	return &client{Client: &kube.Client{Factory: s, Namespace: namespace}, built: map[string]kube.ResourceList{}}
}

// IsReachable implements kube.Interface. Any request tells; one more need not be made to
// ask.
func (c *client) IsReachable() error { return nil }

// Build implements kube.Interface. It labels the objects that it builds.
func (c *client) Build(reader io.Reader, validate bool) (kube.ResourceList, error) {
	text, err := io.ReadAll(reader)
	if err != nil {
		return nil, err
	}
	list, err := c.Client.Build(bytes.NewReader(text), validate)
	gone, previous := c.removing || c.before && !validate, c.before && !validate
	if !validate {
		c.before = false
	}
	if err != nil && gone && onlyUnknownKinds(err) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if previous && c.spare != nil {
		if list, err = without(list, c.spare); err != nil {
			return nil, err
		}
	}
	for _, info := range list {
		if err := label(info, c.labels); err != nil {
			return nil, err
		}
	}
	if c.built != nil {
		c.built[string(text)] = list
	}
	return list, nil
}

// answers are the objects of a revision as the cluster has answered when they were applied; nil
// if that is not known of all of them.
func (c *client) answers(r *release.Release) []liveObject {
	if ofManifests(r.Chart) && len(r.Chart.CRDObjects()) > 0 {
		return nil // they are applied apart from the manifest
	}
	var all []liveObject
	for _, info := range c.built[r.Manifest] {
		object, ok := info.Object.(*unstructured.Unstructured)
		if !ok || object.GetUID() == "" || object.GetResourceVersion() == "" {
			return nil
		}
		all = append(all, liveObject{name: identity(object).String(), object: object})
	}
	return all
}

// GetWaiterWithOptions implements kube.InterfaceWaitOptions. Without hooks, nobody waits: what
// waiting needs is prepared only then.
func (c *client) GetWaiterWithOptions(by kube.WaitStrategy, o ...kube.WaitOption) (kube.Waiter, error) {
	if by != kube.HookOnlyStrategy {
		return c.Client.GetWaiterWithOptions(by, o...)
	}
	return hookWaiter{prepare: func() (kube.Waiter, error) { return c.Client.GetWaiterWithOptions(by, o...) }}, nil
}

// hookWaiter waits for hooks, and for nothing else.
type hookWaiter struct {
	prepare func() (kube.Waiter, error)
}

// WatchUntilReady implements kube.Waiter.
func (w hookWaiter) WatchUntilReady(hooks kube.ResourceList, atMost time.Duration) error {
	waiter, err := w.prepare()
	if err != nil {
		return err
	}
	return waiter.WatchUntilReady(hooks, atMost)
}

// Wait implements kube.Waiter.
func (hookWaiter) Wait(kube.ResourceList, time.Duration) error { return nil }

// WaitWithJobs implements kube.Waiter.
func (hookWaiter) WaitWithJobs(kube.ResourceList, time.Duration) error { return nil }

// WaitForDelete implements kube.Waiter.
func (hookWaiter) WaitForDelete(kube.ResourceList, time.Duration) error { return nil }

// Delete implements kube.Interface. It remembers why objects could not be deleted.
func (c *client) Delete(list kube.ResourceList, policy metav1.DeletionPropagation) (*kube.Result, []error) {
	if c.own != (key{}) {
		var err error
		if list, err = without(list, func(info *resource.Info) (bool, error) { return c.foreign(c.own, info) }); err != nil {
			c.refusals = []error{err}
			return nil, c.refusals
		}
	}
	if len(list) == 0 {
		return &kube.Result{}, nil
	}
	result, errs := c.Client.Delete(list, policy)
	c.refusals = errs
	return result, errs
}

func label(info *resource.Info, labels map[string]string) error {
	if len(labels) == 0 {
		return nil
	}
	object, err := meta.Accessor(info.Object)
	if err != nil {
		return fmt.Errorf("labelling %s: %w", info.Name, err)
	}
	all := maps.Clone(object.GetLabels())
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, labels)
	object.SetLabels(all)
	return nil
}

// onlyUnknownKinds says whether nothing is wrong but kinds that the cluster does not have.
func onlyUnknownKinds(err error) bool {
	var all utilerrors.Aggregate
	if !errors.As(err, &all) {
		_, unknown := find[*meta.NoKindMatchError](err)
		return unknown
	}
	for _, err := range utilerrors.Flatten(all).Errors() {
		if _, unknown := find[*meta.NoKindMatchError](err); !unknown {
			return false
		}
	}
	return true
}

// build makes Helm's list of some objects.
func (c *client) build(objects []*unstructured.Unstructured) (kube.ResourceList, error) {
	var text bytes.Buffer
	for _, o := range objects {
		doc, err := yaml.Marshal(o.Object)
		if err != nil {
			return nil, fmt.Errorf("writing %s %s: %w", o.GetKind(), o.GetName(), err)
		}
		text.WriteString("---\n")
		text.Write(doc)
	}
	return c.Build(&text, false)
}
