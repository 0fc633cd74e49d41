package service

import (
	"encoding/json"
	"fmt"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// Notes are what the owner of a ServiceSet knows of its services and the spec has no field for.
// They stand in the annotation statev1.NotesAnnotation, so that they outlive the owner.
type Notes struct {
	// DependsOn says what services depend on, both as namespace/name: they are removed in the
	// reverse order.
	DependsOn map[string][]string `json:"dependsOn,omitempty"`
	// After are the names of ServiceSets of the same cluster that this one depends on: they go
	// after it.
	After []string `json:"after,omitempty"`
	// Held are the services that may not be installed or changed yet, sorted by namespace and name.
	Held []HeldNote `json:"held,omitempty"`
}

// HeldNote is a service that waits.
type HeldNote struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Template  string `json:"template"`
	// Reason in one word: Dependency, Chain or Wave. Message is a sentence for the reader.
	Reason  string `json:"reason"`
	Message string `json:"message"`
}

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
