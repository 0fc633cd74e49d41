package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// digestAnnotation tells which content a definition was applied from.
const digestAnnotation = "portico.dev/digest"

// Define makes the server know the definitions and returns when it serves them all. What it
// holds already is not sent again. The rest is created or replaced as a whole rather than
// applied: merging a schema field by field takes the server ten times as long.
func (i *Installer) Define(ctx context.Context, definitions []*unstructured.Unstructured) error {
	known, err := i.known(ctx)
	if err != nil {
		return fmt.Errorf("listing the kinds that are there: %w", err)
	}
	err = each(definitions, func(d *unstructured.Unstructured) error { return i.define(ctx, d, known[d.GetName()]) })
	if err != nil {
		return err
	}
	waiting := map[string]bool{}
	for _, d := range definitions {
		waiting[d.GetName()] = true
	}
	for len(waiting) > 0 {
		if err := i.awaitEstablished(ctx, waiting); err != nil {
			return fmt.Errorf("waiting for %d kinds to be served: %w", len(waiting), err)
		}
	}
	return nil
}

// Defines says whether the server has the definition of that name.
func (i *Installer) Defines(ctx context.Context, name string) (bool, error) {
	known, err := i.known(ctx)
	if err != nil {
		return false, fmt.Errorf("listing the kinds that are there: %w", err)
	}
	return known[name] != nil, nil
}

// known returns the metadata of the definitions that are there, by name.
func (i *Installer) known(ctx context.Context) (map[string]*metav1.PartialObjectMetadata, error) {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(definitionKind)
	if err := i.client.List(ctx, list); err != nil {
		return nil, err
	}
	known := map[string]*metav1.PartialObjectMetadata{}
	for n := range list.Items {
		known[list.Items[n].Name] = &list.Items[n]
	}
	return known, nil
}

func (i *Installer) define(ctx context.Context, d *unstructured.Unstructured, old *metav1.PartialObjectMetadata) error {
	digest, err := digest(d)
	if err != nil {
		return err
	}
	if old != nil && old.Annotations[digestAnnotation] == digest {
		return nil
	}
	d = d.DeepCopy()
	if old == nil {
		annotate(d, map[string]string{digestAnnotation: digest})
		err = i.client.Create(ctx, d, owner)
	} else {
		// Others note things on definitions too, such as Cluster API how far it migrated.
		annotate(d, old.Annotations)
		annotate(d, map[string]string{digestAnnotation: digest})
		d.SetResourceVersion(old.ResourceVersion)
		err = i.client.Update(ctx, d, owner)
	}
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("defining %s: %w", d.GetName(), err)
	}
	return nil
}

func annotate(d client.Object, more map[string]string) {
	all := d.GetAnnotations()
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, more)
	d.SetAnnotations(all)
}

func digest(d *unstructured.Unstructured) (string, error) {
	content, err := json.Marshal(d.Object)
	if err != nil {
		return "", fmt.Errorf("encoding %s: %w", d.GetName(), err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])[:16], nil
}

// awaitEstablished removes from waiting what a watch shows as established, until nothing
// is left or the server ends the watch.
func (i *Installer) awaitEstablished(ctx context.Context, waiting map[string]bool) error {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(definitionKind)
	// Without a version to begin from, a watch tells first of everything that is there.
	w, err := i.client.Watch(ctx, list)
	if err != nil {
		return err
	}
	defer w.Stop()
	for len(waiting) > 0 {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case e, open := <-w.ResultChan():
			if !open {
				return nil
			}
			if d, ok := e.Object.(*unstructured.Unstructured); ok && established(d) {
				delete(waiting, d.GetName())
			}
		}
	}
	return nil
}

func established(d *unstructured.Unstructured) bool {
	conditions, _, _ := unstructured.NestedSlice(d.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == "Established" {
			return c["status"] == "True"
		}
	}
	return false
}
