package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Ref names an object.
type Ref struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Cluster is the child cluster that the object is on; empty means the management cluster.
	Cluster string `json:"cluster,omitempty"`
}

// String is "Kind namespace/name", and the cluster where it is a child.
func (r Ref) String() string {
	s := r.Kind + " " + r.Name
	if r.Namespace != "" {
		s = fmt.Sprintf("%s %s/%s", r.Kind, r.Namespace, r.Name)
	}
	if r.Cluster != "" {
		s += " on cluster " + r.Cluster
	}
	return s
}

// Snapshot is everything that was read to explain one object.
type Snapshot struct {
	// Now is when it was taken.
	Now time.Time `json:"now"`
	// Objects are those of the management cluster, in no order.
	Objects []unstructured.Unstructured `json:"objects"`
	// Children are the child clusters that were looked at.
	Children []Child `json:"children,omitempty"`
}

// Child is what was seen of a child cluster.
type Child struct {
	// Namespace and Name are those of the ClusterDeployment.
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Problem is why nothing could be seen of it; empty if it answered.
	Problem string `json:"problem,omitempty"`
	// Objects are nodes, and the workloads and pods of services, in no order.
	Objects []unstructured.Unstructured `json:"objects,omitempty"`
}

// find returns an object of the management cluster, nil if it is not there.
func (s Snapshot) find(kind, namespace, name string) *unstructured.Unstructured {
	return find(s.Objects, kind, namespace, name)
}

// list returns the objects of a kind that are wanted, sorted by namespace and name.
func (s Snapshot) list(kind string, wanted func(*unstructured.Unstructured) bool) []*unstructured.Unstructured {
	return list(s.Objects, kind, wanted)
}

func (s Snapshot) child(namespace, name string) *Child {
	for i, c := range s.Children {
		if c.Namespace == namespace && c.Name == name {
			return &s.Children[i]
		}
	}
	return nil
}

func find(objects []unstructured.Unstructured, kind, namespace, name string) *unstructured.Unstructured {
	for i := range objects {
		if o := &objects[i]; o.GetKind() == kind && o.GetNamespace() == namespace && o.GetName() == name {
			return o
		}
	}
	return nil
}

func list(objects []unstructured.Unstructured, kind string, wanted func(*unstructured.Unstructured) bool) []*unstructured.Unstructured {
	var found []*unstructured.Unstructured
	for i := range objects {
		if o := &objects[i]; o.GetKind() == kind && wanted(o) {
			found = append(found, o)
		}
	}
	slices.SortFunc(found, func(a, b *unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return found
}

// typed returns the object as T. What does not fit stays zero: the API server has checked the
// object against the schema of T, so nothing should.
func typed[T any](o *unstructured.Unstructured) T {
	var t T
	_ = runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &t)
	return t
}

func refOf(o *unstructured.Unstructured) Ref {
	return Ref{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}
}

func labelled(key, value string) func(*unstructured.Unstructured) bool {
	return func(o *unstructured.Unstructured) bool { return o.GetLabels()[key] == value }
}

// ownedBy says whether an object is controlled by another one.
func ownedBy(owner *unstructured.Unstructured) func(*unstructured.Unstructured) bool {
	return func(o *unstructured.Unstructured) bool {
		ref := metav1.GetControllerOf(o)
		return ref != nil && ref.Kind == owner.GetKind() && ref.Name == owner.GetName() && o.GetNamespace() == owner.GetNamespace()
	}
}

func text(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}

func number(o *unstructured.Unstructured, path ...string) int64 {
	// Numbers out of JSON are int64, those out of YAML may be float64.
	v, _, _ := unstructured.NestedFieldNoCopy(o.Object, path...)
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	}
	return 0
}

func flag(o *unstructured.Unstructured, path ...string) bool {
	b, _, _ := unstructured.NestedBool(o.Object, path...)
	return b
}
