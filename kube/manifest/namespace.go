package manifest

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// InNamespace sets the namespace of the namespaced objects that have none. clusterScoped says
// which kinds have no namespaces; nil goes by Kubernetes' own kinds. The
// CustomResourceDefinitions among the manifests are heeded in either case.
//
// What becomes a release needs it only for objects whose namespace is not that of the release:
// applying sets the release's own, by what the cluster knows of the kinds.
func InNamespace(manifests []byte, namespace string, clusterScoped func(schema.GroupKind) bool) ([]byte, error) {
	objects, err := Objects(manifests)
	if err != nil {
		return nil, err
	}
	defined := scopes(objects)
	for _, o := range objects {
		if o.GetNamespace() == "" && !withoutNamespace(o, defined, clusterScoped) {
			o.SetNamespace(namespace)
		}
	}
	return Encode(objects)
}

func withoutNamespace(o *unstructured.Unstructured, defined map[schema.GroupKind]bool, clusterScoped func(schema.GroupKind) bool) bool {
	kind := o.GroupVersionKind().GroupKind()
	if cluster, here := defined[kind]; here {
		return cluster
	}
	if clusterScoped != nil {
		return clusterScoped(kind)
	}
	namespaced, known := openapi.IsNamespaceScoped(yaml.TypeMeta{APIVersion: o.GetAPIVersion(), Kind: o.GetKind()})
	return known && !namespaced
}

// scopes says of the kinds that the objects themselves define whether they are cluster-scoped.
func scopes(objects []*unstructured.Unstructured) map[schema.GroupKind]bool {
	defined := map[schema.GroupKind]bool{}
	for _, o := range objects {
		if !IsCRD(o) {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		kind, _, _ := unstructured.NestedString(o.Object, "spec", "names", "kind")
		scope, _, _ := unstructured.NestedString(o.Object, "spec", "scope")
		defined[schema.GroupKind{Group: group, Kind: kind}] = scope == "Cluster"
	}
	return defined
}

// IsCRD says whether an object defines a kind.
func IsCRD(o *unstructured.Unstructured) bool {
	return o.GroupVersionKind().GroupKind() == schema.GroupKind{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}
}
