package helm

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"

	"helm.sh/helm/v4/pkg/kube"
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
	// refusals are the errors of the last Delete, of which Helm tells only the number.
	refusals []error
}

func newClient(s *session, namespace string, labels map[string]string) *client {
	return &client{Client: &kube.Client{Factory: s, Namespace: namespace}, labels: labels}
}

// IsReachable implements kube.Interface. Any request tells; one more need not be made to
// ask.
func (c *client) IsReachable() error { return nil }

// Build implements kube.Interface. It labels the objects that it builds.
func (c *client) Build(reader io.Reader, validate bool) (kube.ResourceList, error) {
	list, err := c.Client.Build(reader, validate)
	if err != nil && c.removing && onlyUnknownKinds(err) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	for _, info := range list {
		if err := label(info, c.labels); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Delete implements kube.Interface. It remembers why objects could not be deleted.
func (c *client) Delete(list kube.ResourceList, policy metav1.DeletionPropagation) (*kube.Result, []error) {
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
