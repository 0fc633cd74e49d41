package helm

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// Mount is a workload of a release, with the ConfigMaps and Secrets that its pods read.
type Mount struct {
	Workload Object
	// Sources are the ConfigMaps and Secrets that its pods mount, or read into their
	// environment, sorted by kind and name.
	Sources []Object
	// Digest identifies the contents of the sources as they are now.
	Digest string
	// Loaded is the digest that the workload was last marked with, see remote.Cluster's Restart
	// and MarkLoaded; empty if it never was.
	Loaded string
}

// LoadedAnnotation is the annotation, of a workload and of its pods, with the Digest of the
// Mount that the pods were started with.
const LoadedAnnotation = "state.portico.dev/reloaded"

// WorkloadResource returns the resource of a workload's kind; ok is false for kinds without pods
// that can be restarted.
func WorkloadResource(kind schema.GroupKind) (resource schema.GroupVersionResource, ok bool) {
	if kind.Group != appsv1.GroupName {
		return resource, false
	}
	names := map[string]string{"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
	name, ok := names[kind.Kind]
	return appsv1.SchemeGroupVersion.WithResource(name), ok
}

// Mounts lists the workloads (Deployments, StatefulSets, DaemonSets) of a release that read
// ConfigMaps or Secrets and that are there, sorted by workload. A release that is not there has
// none.
func (r *Releases) Mounts(ctx context.Context, namespace, name string) ([]Mount, error) {
	k := key{namespace, name}
	objects, err := r.lastObjects(ctx, k)
	if err != nil {
		return nil, fmt.Errorf("observing release %s: %w", k, classify(err))
	}
	client, err := r.cluster.session(ctx).DynamicClient()
	if err != nil {
		return nil, err
	}
	var mounts []Mount
	for _, o := range objects {
		m, err := mountOf(ctx, client, o, namespace)
		if err != nil {
			return nil, fmt.Errorf("reading what %s %s mounts: %w", o.Kind, o.Name, classify(err))
		}
		if len(m.Sources) > 0 {
			mounts = append(mounts, m)
		}
	}
	slices.SortFunc(mounts, func(a, b Mount) int { return compareObjects(a.Workload, b.Workload) })
	return mounts, nil
}

func compareObjects(a, b Object) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// mountOf looks at one object of a release. It has no sources if it is no workload.
func mountOf(ctx context.Context, client dynamic.Interface, o Object, namespace string) (Mount, error) {
	resource, isWorkload := WorkloadResource(o.GroupKind())
	if !isWorkload {
		return Mount{}, nil
	}
	namespace = cmp.Or(o.Namespace, namespace)
	live, err := client.Resource(resource).Namespace(namespace).Get(ctx, o.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return Mount{}, nil
	}
	if err != nil {
		return Mount{}, err
	}
	m := Mount{
		Workload: Object{resource.GroupVersion().WithKind(o.Kind), namespace, o.Name},
		Loaded:   live.GetAnnotations()[LoadedAnnotation],
	}
	var pods corev1.PodSpec
	spec, _, err := unstructured.NestedMap(live.Object, "spec", "template", "spec")
	if err != nil {
		return m, err
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(spec, &pods); err != nil {
		return m, err
	}
	m.Sources = sourcesOf(pods, namespace)
	if len(m.Sources) > 0 {
		m.Digest, err = contents(ctx, client, m.Sources)
	}
	return m, err
}

// sourcesOf lists the ConfigMaps and Secrets that pods read.
func sourcesOf(pods corev1.PodSpec, namespace string) []Object {
	found := map[Object]bool{}
	add := func(kind, name string) {
		if name != "" {
			found[Object{corev1.SchemeGroupVersion.WithKind(kind), namespace, name}] = true
		}
	}
	for _, v := range pods.Volumes {
		if v.ConfigMap != nil {
			add("ConfigMap", v.ConfigMap.Name)
		}
		if v.Secret != nil {
			add("Secret", v.Secret.SecretName)
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.ConfigMap != nil {
				add("ConfigMap", s.ConfigMap.Name)
			}
			if s.Secret != nil {
				add("Secret", s.Secret.Name)
			}
		}
	}
	for _, c := range slices.Concat(pods.InitContainers, pods.Containers) {
		addEnvironment(c, add)
	}
	var all []Object
	for o := range found {
		all = append(all, o)
	}
	slices.SortFunc(all, compareObjects)
	return all
}

func addEnvironment(c corev1.Container, add func(kind, name string)) {
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef != nil {
			add("ConfigMap", from.ConfigMapRef.Name)
		}
		if from.SecretRef != nil {
			add("Secret", from.SecretRef.Name)
		}
	}
	for _, e := range c.Env {
		switch from := e.ValueFrom; {
		case from == nil:
		case from.ConfigMapKeyRef != nil:
			add("ConfigMap", from.ConfigMapKeyRef.Name)
		case from.SecretKeyRef != nil:
			add("Secret", from.SecretKeyRef.Name)
		}
	}
}

// contents identifies what the sources hold; one that is not there holds nothing.
func contents(ctx context.Context, client dynamic.Interface, sources []Object) (string, error) {
	sum := sha256.New()
	for _, s := range sources {
		resource := corev1.SchemeGroupVersion.WithResource("configmaps")
		if s.Kind == "Secret" {
			resource.Resource = "secrets"
		}
		live, err := client.Resource(resource).Namespace(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			live, err = &unstructured.Unstructured{}, nil
		}
		if err != nil {
			return "", fmt.Errorf("reading %s %s/%s: %w", s.Kind, s.Namespace, s.Name, err)
		}
		addContent(sum, s, live)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16]), nil
}

func addContent(sum hash.Hash, s Object, live *unstructured.Unstructured) {
	said := []any{s.Kind, s.Namespace, s.Name, live.Object["data"], live.Object["binaryData"]}
	if s.Kind == "Secret" {
		// The digest ends up where more people may look than into the Secret. What they cannot
		// know keeps them from trying out passwords.
		said = append(said, string(live.GetUID()))
	}
	// What came as JSON always encodes.
	data, _ := json.Marshal(said)
	sum.Write(data)
}
