package connections

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/follow"
	"portico.dev/portico/observability/topology"
)

// Found is how the look for a cluster ended.
type Found string

// How it ended.
const (
	// There means that the cluster exists.
	There Found = "There"
	// Missing means that it does not.
	Missing Found = "Missing"
	// NotServed means that the API server does not know the kind.
	NotServed Found = "NotServed"
)

// Observed is a cluster with all connections to it.
type Observed struct {
	Found Found `json:"found,omitempty"`
	// Component is the part of the cluster's spec that asks: its arguments and Secrets.
	Component map[string]any `json:"component,omitempty"`
	// Mounted are the Secrets that are there because of connections.
	Mounted []string `json:"mounted,omitempty"`
	// Connections are sorted by namespace and name.
	Connections []Connection `json:"connections,omitempty"`
	Now         time.Time    `json:"now"`

	object *unstructured.Unstructured
}

// Connection is a VMStorageConnection with what is known of its credentials.
type Connection struct {
	kof.VMStorageConnection
	// Keys are the keys of the Secret beside the cluster; Secret says whether it exists.
	Secret bool     `json:"secret,omitempty"`
	Keys   []string `json:"keys,omitempty"`
	// Refused is why the Secret may not be used.
	Refused string `json:"refused,omitempty"`
}

// components are the parts that ask, by kind.
var components = map[string]string{"VLCluster": "vlselect", "VTCluster": "select"}

// target is a cluster that connections refer to.
type target struct {
	kind string
	types.NamespacedName
}

func targetOf(c *kof.VMStorageConnection) target {
	ref := c.Spec.ClusterRef
	return target{ref.Kind, types.NamespacedName{Namespace: cmp.Or(ref.Namespace, c.Namespace), Name: ref.Name}}
}

func (t target) gvk() schema.GroupVersionKind {
	return schema.GroupVersionKind{Group: "operator.victoriametrics.com", Version: "v1", Kind: t.kind}
}

func (t target) String() string { return t.kind + " " + t.NamespacedName.String() }

func (c *Controller) observe(ctx context.Context, t target) (Observed, error) {
	saw := Observed{Now: c.Clock()}
	var found kof.VMStorageConnectionList
	if err := c.Kube.List(ctx, &found, client.MatchingFields{byCluster: keyOf(t)}); err != nil {
		return saw, fmt.Errorf("listing VMStorageConnections: %w", err)
	}
	for _, item := range found.Items {
		one := Connection{VMStorageConnection: item}
		if err := c.credentials(ctx, t, &one); err != nil {
			return saw, err
		}
		saw.Connections = append(saw.Connections, one)
	}
	slices.SortFunc(saw.Connections, func(a, b Connection) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return saw, c.cluster(ctx, t, &saw)
}

func (c *Controller) credentials(ctx context.Context, t target, one *Connection) error {
	ref := one.Spec.TargetStorageNode.Secret
	if ref == nil {
		return nil
	}
	var s corev1.Secret
	err := c.Live.Get(ctx, types.NamespacedName{Namespace: t.Namespace, Name: ref.Name}, &s)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading Secret %s/%s: %w", t.Namespace, ref.Name, err)
	}
	one.Secret = err == nil
	if one.Secret {
		// The cluster reads what is beside it, where the credentials of all regions are.
		if refused := topology.BorrowerOf(one, c.Trusted).MayUse(&s); refused != nil {
			one.Refused = fleet.Sentence(refused)
			return nil
		}
	}
	for key, value := range s.Data {
		if len(value) > 0 {
			one.Keys = append(one.Keys, key)
		}
	}
	slices.Sort(one.Keys)
	return nil
}

func (c *Controller) cluster(ctx context.Context, t target, saw *Observed) error {
	c.follow.Set(types.NamespacedName{Name: keyOf(t)}, []follow.Object{{Kind: t.gvk(), Key: t.NamespacedName}})
	if len(saw.Connections) == 0 {
		c.follow.Set(types.NamespacedName{Name: keyOf(t)}, nil)
	}
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(t.gvk())
	err := c.Live.Get(ctx, t.NamespacedName, o)
	switch {
	case apimeta.IsNoMatchError(err):
		saw.Found = NotServed
		return nil
	case apierrors.IsNotFound(err):
		saw.Found = Missing
		return nil
	case err != nil:
		return fmt.Errorf("reading %s: %w", t, err)
	}
	saw.Found, saw.object = There, o
	saw.Component, _, _ = unstructured.NestedMap(o.Object, "spec", components[t.kind])
	saw.Mounted = mounted(o)
	return nil
}
