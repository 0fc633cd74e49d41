package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

const owner = client.FieldOwner("manifests-adapter")

// records is the namespace, on targets, of what we remember.
const records = "default"

// manifest is one object to be there.
type manifest = *unstructured.Unstructured

// target is a cluster, and what we remember on it of one ServiceSet: the objects that we made, by
// service. It is written before they are, so that nothing is ever forgotten.
type target struct {
	client.Client
	record string
}

// made names an object that we made.
type made struct {
	APIVersion, Kind, Namespace, Name string
}

// targetOf is what the status says of the target.
func targetOf(set *kcm.ServiceSet) *kcm.ObjectReference {
	if set.Spec.Provider.SelfManagement {
		return &kcm.ObjectReference{APIVersion: "lib.projectsveltos.io/v1beta1", Kind: "SveltosCluster", Namespace: kcm.SelfClusterNamespace, Name: kcm.SelfClusterName}
	}
	return &kcm.ObjectReference{APIVersion: kcm.GroupVersion.String(), Kind: "ClusterDeployment", Namespace: set.Namespace, Name: set.Spec.Cluster}
}

// target finds the cluster: the management cluster itself; an adopted one, whose SveltosCluster names
// the kubeconfig; or one of Cluster API's, whose kubeconfig is in the Secret of its name.
func (a *adapter) target(ctx context.Context, set *kcm.ServiceSet) (*target, error) {
	config := rest.CopyConfig(a.config)
	if !set.Spec.Provider.SelfManagement {
		text, err := a.kubeconfig(ctx, client.ObjectKey{Namespace: set.Namespace, Name: set.Spec.Cluster})
		if err != nil {
			return nil, err
		}
		if config, err = clientcmd.RESTConfigFromKubeConfig(text); err != nil {
			return nil, fmt.Errorf("reading the kubeconfig of cluster %s: %w", set.Spec.Cluster, err)
		}
	}
	config.Timeout = patience
	to, err := client.New(config, client.Options{})
	return &target{to, "manifests-" + set.Namespace + "-" + set.Name}, err
}

func (a *adapter) kubeconfig(ctx context.Context, cluster client.ObjectKey) ([]byte, error) {
	key := client.ObjectKey{Namespace: cluster.Namespace, Name: cluster.Name + kcm.KubeconfigSecretSuffix}
	inside := kcm.KubeconfigSecretKey
	adopted := &unstructured.Unstructured{}
	adopted.SetGroupVersionKind(schema.GroupVersionKind{Group: "lib.projectsveltos.io", Version: "v1beta1", Kind: "SveltosCluster"})
	err := a.kube.Get(ctx, cluster, adopted)
	if err == nil {
		if name, _, _ := unstructured.NestedString(adopted.Object, "spec", "kubeconfigName"); name != "" {
			key.Name = name
		}
		inside, _, _ = unstructured.NestedString(adopted.Object, "spec", "kubeconfigKeyName")
	} else if !apierrors.IsNotFound(err) && !apimeta.IsNoMatchError(err) {
		return nil, err
	}
	var secret corev1.Secret
	if err := a.kube.Get(ctx, key, &secret); err != nil {
		return nil, err
	}
	if inside == "" && len(secret.Data) > 0 {
		inside = slices.Min(slices.Collect(maps.Keys(secret.Data)))
	}
	if len(secret.Data[inside]) == 0 {
		return nil, fmt.Errorf("Secret %s has no kubeconfig under the key %q", key, inside)
	}
	return secret.Data[inside], nil
}

// parse reads the manifests of a ConfigMap, in the order of its keys.
func parse(data map[string]string, namespace string) ([]manifest, error) {
	var out []manifest
	for _, key := range slices.Sorted(maps.Keys(data)) {
		documents := utilyaml.NewYAMLReader(newReader(data[key]))
		for {
			document, err := documents.Read()
			if len(document) == 0 && err != nil {
				break
			}
			obj := &unstructured.Unstructured{}
			if err := yaml.Unmarshal(document, &obj.Object); err != nil {
				return nil, fmt.Errorf("key %s: %w", key, err)
			}
			if len(obj.Object) == 0 {
				continue
			}
			if obj.GetKind() == "" || obj.GetAPIVersion() == "" || obj.GetName() == "" {
				return nil, fmt.Errorf("key %s: a manifest lacks apiVersion, kind or metadata.name", key)
			}
			if obj.GetNamespace() == "" {
				obj.SetNamespace(namespace)
			}
			out = append(out, obj)
		}
	}
	return out, nil
}

// apply makes the target hold what is wanted, by service, and nothing else of what we made before.
// A service that is wanted and has no manifests keeps what it has: they could not be read. It returns
// which services failed; the error means that the target could not be worked on at all.
func (t *target) apply(ctx context.Context, want map[string][]manifest) (map[string]error, error) {
	before, err := t.remembered(ctx)
	if err != nil {
		return nil, err
	}
	next, both := map[string][]made{}, map[string][]made{}
	for service, manifests := range want {
		for _, m := range manifests {
			next[service] = append(next[service], made{m.GetAPIVersion(), m.GetKind(), m.GetNamespace(), m.GetName()})
		}
		if len(manifests) == 0 {
			next[service] = before[service]
		}
	}
	for _, record := range []map[string][]made{before, next} {
		for service, objects := range record {
			both[service] = append(both[service], objects...)
		}
	}
	if err := t.remember(ctx, both); err != nil {
		return nil, err
	}
	failures := map[string]error{}
	for _, service := range slices.Sorted(maps.Keys(want)) {
		for _, m := range want[service] {
			if err := t.put(ctx, m); err != nil {
				failures[service] = err
				break
			}
		}
	}
	for service, objects := range before {
		for _, o := range slices.Backward(objects) {
			if !slices.Contains(next[service], o) {
				if err := t.take(ctx, o); err != nil {
					failures[service] = err
				}
			}
		}
	}
	if len(failures) > 0 {
		return failures, nil // everything stays remembered until it has worked
	}
	return nil, t.remember(ctx, next)
}

// put applies one object. Its namespace is made where it is missing.
func (t *target) put(ctx context.Context, m manifest) error {
	m = m.DeepCopy()
	mapping, err := t.RESTMapper().RESTMapping(m.GroupVersionKind().GroupKind(), m.GroupVersionKind().Version)
	if err != nil {
		return err
	}
	if mapping.Scope.Name() == apimeta.RESTScopeNameRoot {
		m.SetNamespace("")
	} else if err := t.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: m.GetNamespace()}}); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return t.Apply(ctx, client.ApplyConfigurationFromUnstructured(m), owner, client.ForceOwnership)
}

// take deletes one object, and is content if it is gone already.
func (t *target) take(ctx context.Context, o made) error {
	obj := &unstructured.Unstructured{}
	obj.SetAPIVersion(o.APIVersion)
	obj.SetKind(o.Kind)
	obj.SetNamespace(o.Namespace)
	obj.SetName(o.Name)
	err := t.Delete(ctx, obj, client.PropagationPolicy(metav1.DeletePropagationBackground))
	if apierrors.IsNotFound(err) || apimeta.IsNoMatchError(err) {
		return nil
	}
	return err
}

func (t *target) remembered(ctx context.Context) (map[string][]made, error) {
	out := map[string][]made{}
	var record corev1.ConfigMap
	err := t.Get(ctx, client.ObjectKey{Namespace: records, Name: t.record}, &record)
	if err != nil {
		return out, client.IgnoreNotFound(err)
	}
	return out, json.Unmarshal([]byte(record.Data["objects"]), &out)
}

// remember writes the record, or takes it away when there is nothing to remember.
func (t *target) remember(ctx context.Context, objects map[string][]made) error {
	record := &unstructured.Unstructured{}
	record.SetAPIVersion("v1")
	record.SetKind("ConfigMap")
	record.SetNamespace(records)
	record.SetName(t.record)
	if len(objects) == 0 {
		return client.IgnoreNotFound(t.Delete(ctx, record))
	}
	text, err := json.Marshal(objects)
	if err != nil {
		return err
	}
	record.Object["data"] = map[string]any{"objects": string(text)}
	return t.Apply(ctx, client.ApplyConfigurationFromUnstructured(record), owner, client.ForceOwnership)
}

func newReader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }
