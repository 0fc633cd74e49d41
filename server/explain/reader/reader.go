package reader

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/server/explain"
)

// Patience is how long a child cluster may take to answer everything that is asked of it.
const Patience = 3 * time.Second

// Children connects to child clusters. It returns fleet.ErrNotYet while there is no
// kubeconfig.
type Children func(ctx context.Context, key types.NamespacedName) (client.Reader, error)

// Reader makes snapshots. It is safe for concurrent use.
type Reader struct {
	kube     client.Client
	children Children
	clock    fleet.Clock
}

// New returns the reader of the management cluster that kube leads to, past any cache.
func New(kube client.Client, children Children, clock fleet.Clock) *Reader {
	return &Reader{kube: kube, children: children, clock: clock}
}

// Read reads all that bears on one object. If the object itself is not there, it is not in the
// snapshot either.
func (r *Reader) Read(ctx context.Context, of explain.Ref) (explain.Snapshot, error) {
	g := &gathering{Reader: r, seen: map[schema.GroupKind]map[types.NamespacedName]bool{}}
	g.out.Now = r.clock()
	var err error
	switch of.Kind {
	case kcm.ClusterDeploymentKind:
		err = g.cluster(ctx, of.Namespace, of.Name)
	case kcm.ClusterTemplateKind, kcm.ServiceTemplateKind:
		err = g.template(ctx, of.Kind, of.Namespace, of.Name)
	case kcm.CredentialKind:
		err = g.credential(ctx, of.Namespace, of.Name)
	case kcm.ServiceSetKind:
		err = g.serviceSet(ctx, of.Namespace, of.Name)
	case kcm.MultiClusterServiceKind, statev1.NamespacedMultiClusterServiceKind:
		err = g.multiClusterService(ctx, of)
	case statev1.RolloutKind:
		err = g.rollout(ctx, of.Namespace, of.Name)
	case kcm.StateManagementProviderKind:
		err = g.stateManagementProvider(ctx, of.Name)
	case kcm.ManagementKind:
		_, err = g.get(ctx, kcmKind(of.Kind), "", of.Name)
	case "Machine":
		err = g.machine(ctx, of.Namespace, of.Name)
	}
	return g.out, err
}

// List reads the objects of some kinds, of one namespace or of all where it is empty.
func (r *Reader) List(ctx context.Context, namespace string, kinds ...string) (explain.Snapshot, error) {
	g := &gathering{Reader: r, seen: map[schema.GroupKind]map[types.NamespacedName]bool{}}
	g.out.Now = r.clock()
	for _, kind := range kinds {
		gk := kcmKind(kind)
		switch kind {
		case "Machine":
			gk.Group = clusterAPI
		case statev1.NamespacedMultiClusterServiceKind, statev1.RolloutKind:
			gk.Group = statev1.GroupVersion.Group
		}
		if _, err := g.list(ctx, gk, namespace); err != nil {
			return g.out, err
		}
	}
	return g.out, nil
}

// The groups that are read beside our own.
const (
	clusterAPI = "cluster.x-k8s.io"
	flux       = "source.toolkit.fluxcd.io"
	sveltos    = "lib.projectsveltos.io"
)

func kcmKind(kind string) schema.GroupKind {
	return schema.GroupKind{Group: kcm.GroupVersion.Group, Kind: kind}
}

func stateKind(kind string) schema.GroupKind {
	return schema.GroupKind{Group: statev1.GroupVersion.Group, Kind: kind}
}

// gathering is one snapshot in the making.
type gathering struct {
	*Reader
	out  explain.Snapshot
	seen map[schema.GroupKind]map[types.NamespacedName]bool
}

// get adds an object and returns it, nil if it is not there.
func (g *gathering) get(ctx context.Context, gk schema.GroupKind, namespace, name string) (*unstructured.Unstructured, error) {
	if name == "" || gk.Kind == "" {
		return nil, nil
	}
	mapping, err := g.mapping(gk)
	if err != nil || mapping == nil {
		return nil, err
	}
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(mapping.GroupVersionKind)
	err = g.kube.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, o)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", gk.Kind, types.NamespacedName{Namespace: namespace, Name: name}, err)
	}
	if gk.Group == "" && gk.Kind == "Secret" {
		unstructured.RemoveNestedField(o.Object, "data") // nobody has to know more than that it is there
	}
	g.add(gk, o)
	return o, nil
}

// list adds objects and returns them.
func (g *gathering) list(ctx context.Context, gk schema.GroupKind, namespace string, options ...client.ListOption) ([]unstructured.Unstructured, error) {
	mapping, err := g.mapping(gk)
	if err != nil || mapping == nil {
		return nil, err
	}
	if mapping.Scope.Name() == meta.RESTScopeNameRoot {
		namespace = ""
	}
	found := &unstructured.UnstructuredList{}
	found.SetGroupVersionKind(mapping.GroupVersionKind.GroupVersion().WithKind(gk.Kind + "List"))
	if err := g.kube.List(ctx, found, append(options, client.InNamespace(namespace))...); err != nil {
		return nil, fmt.Errorf("listing objects of kind %s: %w", gk.Kind, err)
	}
	for i := range found.Items {
		g.add(gk, &found.Items[i])
	}
	return found.Items, nil
}

func (g *gathering) add(gk schema.GroupKind, o *unstructured.Unstructured) {
	key := types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
	if g.seen[gk] == nil {
		g.seen[gk] = map[types.NamespacedName]bool{}
	}
	if !g.seen[gk][key] {
		g.seen[gk][key] = true
		g.out.Objects = append(g.out.Objects, *o)
	}
}

// mapping finds the version in which the API server prefers to show a kind; nil if it does not
// know the kind. Our own kinds have to be known.
func (g *gathering) mapping(gk schema.GroupKind) (*meta.RESTMapping, error) {
	mapping, err := g.kube.RESTMapper().RESTMapping(gk)
	switch {
	case meta.IsNoMatchError(err) && gk.Group != kcm.GroupVersion.Group:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("looking up the kind %s: %w", gk, err)
	}
	return mapping, nil
}

// releases adds the metadata of the Secrets in which Helm keeps the revisions of a release.
// Their contents are large, and nobody here needs them.
func (g *gathering) releases(ctx context.Context, namespace, name string) error {
	found := &metav1.PartialObjectMetadataList{}
	found.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "SecretList"})
	err := g.kube.List(ctx, found, client.InNamespace(namespace), client.MatchingLabels{"owner": "helm", "name": name})
	if err != nil {
		return fmt.Errorf("listing the revisions of release %s/%s: %w", namespace, name, err)
	}
	for i := range found.Items {
		raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&found.Items[i])
		if err != nil {
			return fmt.Errorf("reading revision %s: %w", found.Items[i].Name, err)
		}
		o := &unstructured.Unstructured{Object: raw}
		o.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "Secret"})
		g.add(schema.GroupKind{Kind: "Secret"}, o)
	}
	return nil
}

// problem says in a few words why a child cluster could not be looked at.
func problem(err error) string {
	var lost *url.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &lost) && lost.Timeout():
		return fmt.Sprintf("it does not answer within %s", Patience)
	case lost != nil:
		return "it does not answer: " + lost.Err.Error()
	}
	return fleet.Sentence(err)
}
