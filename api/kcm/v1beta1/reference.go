package v1beta1

import (
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// JSON is any JSON value, kept as it was written.
type JSON struct {
	// Raw is the value as JSON text. Empty means null.
	Raw []byte `json:"-"`
}

// MarshalJSON returns the value as it was written.
func (j JSON) MarshalJSON() ([]byte, error) {
	if len(j.Raw) == 0 {
		return []byte("null"), nil
	}
	return j.Raw, nil
}

// UnmarshalJSON keeps a copy of the text; null is kept as nothing.
func (j *JSON) UnmarshalJSON(text []byte) error {
	j.Raw = nil
	if len(text) > 0 && string(text) != "null" {
		j.Raw = append([]byte(nil), text...)
	}
	return nil
}

// ObjectReference points to an object of any kind. It has the JSON of the core API's type.
// +structType=atomic
type ObjectReference struct {
	// Kind of the object.
	// +optional
	Kind string `json:"kind,omitempty"`
	// Namespace of the object; empty for objects without one.
	// +optional
	Namespace string `json:"namespace,omitempty"`
	// Name of the object.
	// +optional
	Name string `json:"name,omitempty"`
	// UID of the object, if one certain incarnation is meant.
	// +optional
	UID types.UID `json:"uid,omitempty"`
	// APIVersion of the object: group/version, or the version alone for the core group.
	// +optional
	APIVersion string `json:"apiVersion,omitempty"`
	// ResourceVersion of the object, if one certain state is meant.
	// +optional
	ResourceVersion string `json:"resourceVersion,omitempty"`
	// FieldPath names a part of the object, for instance spec.containers{name}.
	// +optional
	FieldPath string `json:"fieldPath,omitempty"`
}

// GroupVersionKind of the object.
func (r ObjectReference) GroupVersionKind() schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(r.APIVersion, r.Kind)
}

// SecretReference points to a Secret.
// +structType=atomic
type SecretReference struct {
	// Name of the Secret.
	// +optional
	Name string `json:"name,omitempty"`
	// Namespace of the Secret. Empty means the namespace of the object that refers to it.
	// +optional
	Namespace string `json:"namespace,omitempty"`
}

// SecretKeyReference points to one key of a Secret.
// +structType=atomic
type SecretKeyReference struct {
	SecretReference `json:",inline"`
	// Key within the data of the Secret.
	// +kubebuilder:validation:MinLength=1
	Key string `json:"key"`
}

// LocalObjectReference names an object in the namespace of the object that refers to it.
type LocalObjectReference struct {
	// Name of the object.
	Name string `json:"name"`
}
