package sveltos

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

var (
	secretKind     = corev1.SchemeGroupVersion.WithKind("Secret")
	serviceSetKind = kcm.GroupVersion.WithKind(kcm.ServiceSetKind)
)

// profileSecret is the type of the Secrets that Sveltos reads.
const profileSecret = "addons.projectsveltos.io/cluster-profile"

// kept are the values of one service. What is in them may come from Secrets, and those who may
// read Profiles need not be those who may read Secrets. Sveltos takes what it finds in a Secret
// that is not annotated as a template as it is.
type kept struct {
	name types.NamespacedName
	text string
}

// keptValues are the values for a service of a set; their name is empty if there are none. Other
// values have another name.
func keptValues(at address, key engine.Key, values helm.Values) (kept, error) {
	if len(values) == 0 {
		return kept{}, nil
	}
	text, err := yaml.Marshal(map[string]any(values))
	if err != nil {
		return kept{}, fmt.Errorf("writing values: %w", err)
	}
	sum := sha256.Sum256([]byte(at.mark() + " " + key.String() + " " + values.Digest()))
	name := types.NamespacedName{Namespace: at.set.Namespace, Name: "sveltos-values-" + hex.EncodeToString(sum[:12])}
	return kept{name, string(text)}, nil
}

// valuesFrom refers to the values, in Sveltos' words.
func (k kept) valuesFrom() []any {
	if k.name.Name == "" {
		return []any{}
	}
	return []any{map[string]any{"kind": secretKind.Kind, "namespace": k.name.Namespace, "name": k.name.Name}}
}

// secret holds the values.
func (k kept) secret(at address) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{
			"name": k.name.Name, "namespace": k.name.Namespace,
			"labels": map[string]any{managedLabel: "true", setLabel: at.mark()},
		},
		"type": profileSecret, "immutable": true, "stringData": map[string]any{"values.yaml": k.text},
	}}
	obj.SetGroupVersionKind(secretKind)
	return obj
}

// secrets are the names of the Secrets that an entry refers to.
func (e entry) secrets() []string {
	var out []string
	refs, _ := e["valuesFrom"].([]any)
	for _, ref := range refs {
		if name, _ := fields(ref)["name"].(string); name != "" {
			out = append(out, name)
		}
	}
	return out
}

// ownedBy has an object collected once the ServiceSet is gone. It does not hold up its end.
func ownedBy(obj, set *unstructured.Unstructured) {
	obj.Object["metadata"].(map[string]any)["ownerReferences"] = []any{map[string]any{
		"apiVersion": serviceSetKind.GroupVersion().String(), "kind": serviceSetKind.Kind, "name": set.GetName(), "uid": string(set.GetUID()),
	}}
}
