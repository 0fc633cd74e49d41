package flux

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/state/engine"
)

// valuesKey is where in their Secret the values are, as Flux has it by default.
const valuesKey = "values.yaml"

// valuesName names the one Secret of a release on a target that holds these values. Other values
// are another Secret: so Flux hears of them by the HelmRelease, and by nothing else.
func valuesName(t engine.Target, key engine.Key, values string) string {
	return fmt.Sprintf("values-%.8s-%.8s-%.16s", targetID(t), short(key.Namespace, key.Name), short(values))
}

// valuesFrom refers to the Secret of these values; no values need none. What is in them may come
// from Secrets, and those who may read HelmReleases need not be those who may read Secrets.
func valuesFrom(t engine.Target, key engine.Key, values string) []valuesRef {
	if values == "" {
		return nil
	}
	return []valuesRef{{Kind: "Secret", Name: valuesName(t, key, values), Key: valuesKey}}
}

// secretOf holds the values of a wish for the release r; nil where it has none.
func secretOf(r *helmRelease, values string) *corev1.Secret {
	if values == "" || r.Spec == nil || len(r.Spec.ValuesFrom) == 0 {
		return nil
	}
	fixed := true
	out := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.Namespace, Name: r.Spec.ValuesFrom[0].Name,
			Labels: map[string]string{targetLabel: r.Labels[targetLabel], setLabel: r.Labels[setLabel]},
		},
		Immutable: &fixed, Type: corev1.SecretTypeOpaque, Data: map[string][]byte{valuesKey: []byte(values)},
	}
	if r.UID != "" {
		out.OwnerReferences = ownedBy(helmReleases.WithKind("HelmRelease").GroupVersion().String(), "HelmRelease", r)
	}
	return out
}

// ownedBy has an object collected once its owner is gone. It does not hold up the owner's end.
func ownedBy(version, kind string, owner metav1.Object) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: owner.GetName(), UID: owner.GetUID()}}
}
