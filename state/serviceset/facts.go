package serviceset

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/follow"
	"portico.dev/portico/state/values"
)

// The kinds that stand for a target.
var (
	clusterKind        = schema.GroupKind{Group: "cluster.x-k8s.io", Kind: "Cluster"}
	sveltosClusterKind = schema.GroupKind{Group: "lib.projectsveltos.io", Kind: "SveltosCluster"}
)

// Unknown says why the facts that expressions quote are not there; both empty where they are.
type Unknown struct {
	// Problem is for the user to mend, NotYet will come by itself.
	Problem, NotYet string
}

// facts reads what expressions may quote, once in a look and only if one asks.
func (l *look) facts(ctx context.Context) (values.Facts, Unknown, error) {
	if l.asked {
		return l.saw.Facts, l.saw.Unknown, nil
	}
	l.asked = true
	cluster, err := l.target(ctx)
	if err != nil {
		return l.saw.Facts, l.saw.Unknown, err
	}
	if cluster == nil {
		l.saw.Unknown.NotYet = fmt.Sprintf("its values quote the cluster, and there is no Cluster %s/%s yet", l.set.Namespace, l.set.Spec.Cluster)
		return l.saw.Facts, l.saw.Unknown, nil
	}
	l.saw.Facts.Cluster = cluster.Object
	if l.saw.Facts.InfrastructureProvider, err = l.part(ctx, cluster, "infrastructureRef"); err != nil {
		return l.saw.Facts, l.saw.Unknown, err
	}
	plane, err := l.part(ctx, cluster, "controlPlaneRef")
	if err != nil {
		return l.saw.Facts, l.saw.Unknown, err
	}
	if plane["kind"] == "KubeadmControlPlane" {
		l.saw.Facts.KubeadmControlPlane = plane
	}
	return l.saw.Facts, l.saw.Unknown, l.resources(ctx)
}

// target is the object that stands for the cluster: that of an adopted one goes first.
func (l *look) target(ctx context.Context) (*unstructured.Unstructured, error) {
	key := client.ObjectKey{Namespace: l.set.Namespace, Name: l.set.Spec.Cluster}
	switch {
	case l.set.Spec.Provider.SelfManagement:
		key = client.ObjectKey{Namespace: kcm.SelfClusterNamespace, Name: kcm.SelfClusterName}
	case key.Name == "":
		return nil, nil // it is judged before anybody knows for which cluster
	}
	for _, kind := range []schema.GroupKind{sveltosClusterKind, clusterKind} {
		found, err := l.read(ctx, kind, key)
		if err != nil || found != nil {
			return found, err
		}
	}
	if !l.set.Spec.Provider.SelfManagement {
		return nil, nil
	}
	// Nothing stands for the management cluster where Sveltos does not run.
	self := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{}}}
	self.SetGroupVersionKind(sveltosClusterKind.WithVersion("v1beta1"))
	self.SetNamespace(key.Namespace)
	self.SetName(key.Name)
	return self, nil
}

// part is what a field of the cluster refers to; nil if it refers to nothing that is there.
func (l *look) part(ctx context.Context, cluster *unstructured.Unstructured, field string) (map[string]any, error) {
	ref, ok, _ := unstructured.NestedMap(cluster.Object, "spec", field)
	if !ok {
		return nil, nil
	}
	name, _ := ref["name"].(string)
	kind, _ := ref["kind"].(string)
	group, _ := ref["apiGroup"].(string)
	if version, _ := ref["apiVersion"].(string); group == "" {
		group = schema.FromAPIVersionAndKind(version, kind).Group
	}
	found, err := l.read(ctx, schema.GroupKind{Group: group, Kind: kind}, client.ObjectKey{Namespace: cluster.GetNamespace(), Name: name})
	if err != nil || found == nil {
		return nil, err
	}
	return found.Object, nil
}

// resources reads the objects that the configuration names for expressions.
func (l *look) resources(ctx context.Context) error {
	l.saw.Facts.MgmtResources = map[string]map[string]any{}
	for _, ref := range l.config.TemplateResourceRefs {
		found, problem, err := l.resource(ctx, ref)
		if err != nil {
			return err
		}
		if problem != "" {
			l.saw.Unknown.Problem = cmp.Or(l.saw.Unknown.Problem, fmt.Sprintf("templateResourceRefs %s: %s", ref.Identifier, problem))
		}
		l.saw.Facts.MgmtResources[ref.Identifier] = found
	}
	return nil
}

func (l *look) resource(ctx context.Context, ref kcm.TemplateResourceRef) (_ map[string]any, problem string, err error) {
	key := client.ObjectKey{Namespace: cmp.Or(ref.Resource.Namespace, l.set.Namespace), Name: ref.Resource.Name}
	what := "the name in templateResourceRefs " + ref.Identifier
	for _, word := range []*string{&key.Namespace, &key.Name} {
		if *word, err = values.Text(what, *word, l.saw.Facts); err != nil {
			return nil, fleet.Sentence(err), nil
		}
	}
	kind := ref.Resource.GroupVersionKind()
	mapping, err := l.c.kube.RESTMapper().RESTMapping(kind.GroupKind(), kind.Version)
	switch {
	case apimeta.IsNoMatchError(err) && ref.Optional:
		return nil, "", nil
	case apimeta.IsNoMatchError(err):
		return nil, fmt.Sprintf("the management cluster has no kind %s in %s: correct kind and apiVersion, or set optional", kind.Kind, ref.Resource.APIVersion), nil
	case err != nil:
		return nil, "", fmt.Errorf("looking for the kind %s: %w", kind, err)
	}
	name := fmt.Sprintf("%s %s", kind.Kind, key)
	if mapping.Scope.Name() == apimeta.RESTScopeNameRoot {
		key.Namespace, name = "", kind.Kind+" "+key.Name
	}
	may, err := l.authority(ctx)
	if err != nil {
		return nil, "", err
	}
	if !may.mayQuote(ref, key.Namespace) {
		return nil, name + ": " + may.refusal(), nil
	}
	found, err := l.readVersion(ctx, kind, key)
	switch {
	case err != nil:
		return nil, "", err
	case found == nil && !ref.Optional:
		return nil, name + " does not exist: create it, or set optional", nil
	case found == nil:
		return nil, "", nil
	}
	return found.Object, "", nil
}

// read reads an object in the version that the API server prefers; nil if there is none.
func (l *look) read(ctx context.Context, kind schema.GroupKind, key client.ObjectKey) (*unstructured.Unstructured, error) {
	mapping, err := l.c.kube.RESTMapper().RESTMapping(kind)
	if apimeta.IsNoMatchError(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for the kind %s: %w", kind, err)
	}
	return l.readVersion(ctx, mapping.GroupVersionKind, key)
}

// readVersion reads an object, and has its changes followed, whether it is there or not.
func (l *look) readVersion(ctx context.Context, kind schema.GroupVersionKind, key client.ObjectKey) (*unstructured.Unstructured, error) {
	l.follow(follow.Object{Kind: kind, Key: key})
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(kind)
	err := l.c.live.Get(ctx, key, obj)
	switch {
	case apierrors.IsNotFound(err), apimeta.IsNoMatchError(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading %s %s: %w", kind.Kind, key, err)
	}
	obj.SetManagedFields(nil)
	return obj, nil
}

func (a authority) mayQuote(ref kcm.TemplateResourceRef, namespace string) bool {
	if a.platform || namespace == a.namespace {
		return true
	}
	return slices.ContainsFunc(a.named.TemplateResourceRefs, func(n kcm.TemplateResourceRef) bool { return n.Resource == ref.Resource })
}
