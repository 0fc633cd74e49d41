package service

import (
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// Notes are what the owner of a ServiceSet knows of its services and the spec has no field for.
// They stand in the annotation statev1.NotesAnnotation, so that they outlive the owner.
type Notes struct {
	// DependsOn says what services depend on, both as namespace/name: they are removed in the
	// reverse order. Services that are on their way out stay in it until they are gone.
	DependsOn map[string][]string `json:"dependsOn,omitempty"`
	// After are the names of ServiceSets of the same cluster that this one depends on: they go
	// after it.
	After []string `json:"after,omitempty"`
	// Held are the services that may not be installed or changed yet, sorted by namespace and name.
	Held []HeldNote `json:"held,omitempty"`
	// Reached are the templates in which services that follow a chain were deployed last, by
	// namespace/name: the next step begins there, even when the one that is on its way fails.
	Reached map[string]Reached `json:"reached,omitempty"`
	// Labels are the keys of the provider's labels that are not among k0rdent's and ours, sorted:
	// with another provider they go.
	Labels []string `json:"labels,omitempty"`
}

// Reached is what a service was deployed as.
type Reached struct {
	Template string `json:"template"`
	Version  string `json:"version"`
}

// HeldNote is a service that waits.
type HeldNote struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Template  string `json:"template"`
	// Reason is one of statev1.Held…, in one word. Message is a sentence for the reader.
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

// Key names the service.
func (h HeldNote) Key() types.NamespacedName { return KeyOf(h.Namespace, h.Name) }

// NotesOf reads the notes of a ServiceSet; none are no error.
func NotesOf(set *kcm.ServiceSet) (Notes, error) {
	var n Notes
	text := set.Annotations[statev1.NotesAnnotation]
	if text == "" {
		return n, nil
	}
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return Notes{}, fmt.Errorf("reading annotation %s of ServiceSet %s/%s: %w", statev1.NotesAnnotation, set.Namespace, set.Name, err)
	}
	return n, nil
}

// write puts the notes on a ServiceSet. Where there are none, there is no annotation.
func (n Notes) write(set *kcm.ServiceSet) error {
	if reflect.ValueOf(n).IsZero() {
		annotate(set, statev1.NotesAnnotation, "")
		return nil
	}
	text, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("writing the notes of ServiceSet %s/%s: %w", set.Namespace, set.Name, err)
	}
	annotate(set, statev1.NotesAnnotation, string(text))
	return nil
}

// DeadlineOf is the annotation by which an owner limits how long removals wait; nil where there is
// none.
func DeadlineOf(annotations map[string]string) *string {
	if text, said := annotations[statev1.RemovalDeadlineAnnotation]; said {
		return &text
	}
	return nil
}

// Limit puts it on a ServiceSet, or takes it off.
func Limit(set *kcm.ServiceSet, deadline *string) {
	if deadline == nil {
		delete(set.Annotations, statev1.RemovalDeadlineAnnotation)
		return
	}
	if set.Annotations == nil {
		set.Annotations = map[string]string{}
	}
	set.Annotations[statev1.RemovalDeadlineAnnotation] = *deadline
}

// annotate sets an annotation; an empty one is taken off.
func annotate(set *kcm.ServiceSet, key, value string) {
	if value == "" {
		delete(set.Annotations, key)
		return
	}
	if set.Annotations == nil {
		set.Annotations = map[string]string{}
	}
	set.Annotations[key] = value
}
