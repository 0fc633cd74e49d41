package manifest

import (
	"cmp"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// place is an object's, whatever the version of its API.
type place struct {
	kind            schema.GroupKind
	namespace, name string
}

func placeOf(o *unstructured.Unstructured, namespace string) place {
	return place{o.GroupVersionKind().GroupKind(), cmp.Or(o.GetNamespace(), namespace), o.GetName()}
}

// Without takes the objects that stand in others as well out of manifests, and returns both. Objects
// without a namespace are in this one. The error is a fleet.ErrInvalid.
func Without(manifests []byte, namespace string, others ...[]byte) (left []byte, taken []*unstructured.Unstructured, err error) {
	objects, err := Objects(manifests)
	if err != nil {
		return nil, nil, err
	}
	theirs := map[place]bool{}
	for _, other := range others {
		found, err := Objects(other)
		if err != nil {
			return nil, nil, err
		}
		for _, o := range found {
			theirs[placeOf(o, namespace)] = true
		}
	}
	var own []*unstructured.Unstructured
	for _, o := range objects {
		if theirs[placeOf(o, namespace)] {
			taken = append(taken, o)
			continue
		}
		own = append(own, o)
	}
	left, err = Encode(own)
	return left, taken, err
}

// Namespaces are those that objects say they are in, without those that stand among the objects
// themselves; sorted.
func Namespaces(objects []*unstructured.Unstructured) []string {
	defined, needed := scopes(objects), map[string]bool{}
	for _, o := range objects {
		if o.GetNamespace() != "" && !withoutNamespace(o, defined, nil) {
			needed[o.GetNamespace()] = true
		}
	}
	for _, o := range objects {
		if o.GroupVersionKind().GroupKind() == (schema.GroupKind{Kind: "Namespace"}) {
			delete(needed, o.GetName())
		}
	}
	return slices.Sorted(maps.Keys(needed))
}
