package sveltos

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"portico.dev/portico/state/engine"
)

// told is a Profile as it is.
type told struct {
	object   *unstructured.Unstructured
	entries  []entry
	paused   bool
	deleting bool
	leaves   bool
}

func readProfile(obj *unstructured.Unstructured) *told {
	if obj == nil {
		return nil
	}
	list, _, _ := unstructured.NestedSlice(obj.Object, "spec", "helmCharts")
	t := &told{object: obj, deleting: obj.GetDeletionTimestamp() != nil}
	_, t.paused = obj.GetAnnotations()[pausedAnnotation]
	behavior, _, _ := unstructured.NestedString(obj.Object, "spec", "stopMatchingBehavior")
	t.leaves = behavior == leavePolicies
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			t.entries = append(t.entries, m)
		}
	}
	return t
}

func (t *told) entry(key engine.Key) (entry, bool) {
	if t == nil {
		return nil, false
	}
	i := slices.IndexFunc(t.entries, func(e entry) bool { return e.key() == key })
	if i < 0 {
		return nil, false
	}
	return t.entries[i], true
}

// heard is a ClusterSummary: what Sveltos says.
type heard struct {
	// current says that it speaks of the Profile as it is.
	current bool
	// settled says that Sveltos has done all that it means to do; failed that it has not
	// worked out.
	settled, failed bool
	// at is when Sveltos said so last; failures how often in a row it did.
	at       time.Time
	message  string
	releases map[engine.Key]heardOf
}

// heardOf is Sveltos' word about one release.
type heardOf struct {
	// mine says that this set has the release, taken that another one has it.
	mine, taken bool
	failure     string
}

func readSummary(obj *unstructured.Unstructured, profile *told) *heard {
	if obj == nil {
		return nil
	}
	h := &heard{releases: map[engine.Key]heardOf{}}
	if profile != nil {
		mine, _, _ := unstructured.NestedSlice(obj.Object, "spec", "clusterProfileSpec", "helmCharts")
		theirs, _, _ := unstructured.NestedSlice(profile.object.Object, "spec", "helmCharts")
		// Sveltos leaves out what is empty.
		h.current = covers(mine, theirs) && covers(theirs, mine) && obj.GetDeletionTimestamp() == nil
	}
	h.message, _, _ = unstructured.NestedString(obj.Object, "status", "failureMessage")
	features, _, _ := unstructured.NestedSlice(obj.Object, "status", "featureSummaries")
	for _, f := range features {
		h.readFeature(f)
	}
	releases, _, _ := unstructured.NestedSlice(obj.Object, "status", "helmReleaseSummaries")
	for _, r := range releases {
		m, _ := r.(map[string]any)
		namespace, _ := m["releaseNamespace"].(string)
		name, _ := m["releaseName"].(string)
		failure, _ := m["failureMessage"].(string)
		h.releases[engine.Key{Namespace: namespace, Name: name}] = heardOf{
			mine: m["status"] == "Managing", taken: m["status"] == "Conflict", failure: strings.TrimSpace(failure),
		}
	}
	return h
}

func (h *heard) readFeature(f any) {
	m, _ := f.(map[string]any)
	if m["featureID"] != "Helm" {
		return
	}
	switch m["status"] {
	case "Provisioned":
		h.settled = true
	case "Failed":
		h.failed = true
	case "FailedNonRetriable":
		h.settled, h.failed = true, true
	}
	if text, _ := m["failureMessage"].(string); text != "" && h.failed {
		h.message = strings.TrimSpace(text)
	}
	if text, _ := m["lastAppliedTime"].(string); text != "" {
		h.at, _ = time.Parse(time.RFC3339, text)
	}
}

// passing says whether a failure is not the service's: its cluster did not answer, or Sveltos
// is about to go on by itself.
func passing(failure string) bool {
	for _, words := range []string{
		"connection refused", "connection reset", "i/o timeout", "no such host", "TLS handshake", "EOF", "cluster unreachable",
		"context deadline exceeded", "client rate limiter", "tried recovering", "another operation", "yielded to lower-tier",
	} {
		if strings.Contains(failure, words) {
			return true
		}
	}
	return false
}

// profileWith is a Profile as it is, but for its entries, and not paused.
func profileWith(t *told, p plan) *unstructured.Unstructured {
	spec, _, _ := unstructured.NestedMap(t.object.Object, "spec")
	spec["helmCharts"] = p.charts()
	if p.leave {
		spec["stopMatchingBehavior"] = leavePolicies
	}
	metadata := map[string]any{"name": t.object.GetName()}
	if labels := t.object.GetLabels(); len(labels) > 0 {
		kept := map[string]any{}
		for name, value := range labels {
			kept[name] = value
		}
		metadata["labels"] = kept
	}
	if t.object.GetNamespace() != "" {
		metadata["namespace"] = t.object.GetNamespace()
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"metadata": metadata, "spec": spec}}
	obj.SetGroupVersionKind(t.object.GroupVersionKind())
	return obj
}

// covers says whether what is there is as wanted; what the API server has added makes no
// difference.
func covers(there, wanted any) bool {
	switch w := wanted.(type) {
	case entry:
		return covers(there, map[string]any(w))
	case map[string]any:
		t, ok := asMap(there)
		if !ok {
			return false
		}
		for name, value := range w {
			if name == "labels" && !reflect.DeepEqual(t[name], value) {
				return false
			}
			if !covers(t[name], value) {
				return false
			}
		}
		return true
	case []any:
		t, _ := there.([]any)
		if len(t) != len(w) {
			return false
		}
		for i := range w {
			if !covers(t[i], w[i]) {
				return false
			}
		}
		return true
	case nil:
		return there == nil
	}
	return there == nil && empty(wanted) || reflect.DeepEqual(there, wanted)
}

func fields(v any) map[string]any {
	m, _ := asMap(v)
	return m
}

func asMap(v any) (map[string]any, bool) {
	switch m := v.(type) {
	case nil:
		return map[string]any{}, true
	case entry:
		return m, true
	case map[string]any:
		return m, true
	}
	return nil, false
}

// empty says whether a value may be left out.
func empty(v any) bool { return v == nil || reflect.ValueOf(v).IsZero() }

// tierIn is the tier by which a ClusterSummary is ranked.
func tierIn(summary *unstructured.Unstructured) int64 {
	tier, _, _ := unstructured.NestedInt64(summary.Object, "spec", "clusterProfileSpec", "tier")
	return tier
}

// sameProfile says whether a Profile is as it shall be.
func sameProfile(t *told, wanted *unstructured.Unstructured) bool {
	_, paused := wanted.GetAnnotations()[pausedAnnotation]
	there, _, _ := unstructured.NestedFieldNoCopy(t.object.Object, "spec")
	spec, _, _ := unstructured.NestedFieldNoCopy(wanted.Object, "spec")
	for _, optional := range []string{"maxConsecutiveFailures", "patches", "driftExclusions"} {
		_, wants := fields(spec)[optional]
		if _, has := fields(there)[optional]; has != wants {
			return false
		}
	}
	return paused == t.paused && covers(there, spec)
}
