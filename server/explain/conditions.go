package explain

import (
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"portico.dev/portico/kube/control"
)

// verdict is how an object stands.
type verdict struct {
	mark    Mark
	message string
	since   time.Time
	phrase  string
}

// Phrases that say how a node stands where its mark alone would not.
const (
	absent  = "does not exist"
	paused  = "is paused"
	leaving = "is on its way out"
)

func verdictOf(c *metav1.Condition, mark Mark) verdict {
	return verdict{mark: mark, message: said(c), since: c.LastTransitionTime.Time}
}

// conditionsOf are the conditions of any object that has them in the usual place.
func conditionsOf(o *unstructured.Unstructured) []metav1.Condition {
	type conditioned struct {
		Status struct {
			Conditions []metav1.Condition `json:"conditions"`
		} `json:"status"`
	}
	return typed[conditioned](o).Status.Conditions
}

// judge is the verdict on an object whose conditions of the given types all have to be true;
// the first that is not speaks, one that is false before one that is unknown. Types that
// nobody reports do not count, but one has to be there.
func judge(o *unstructured.Unstructured, kinds ...string) verdict {
	all := conditionsOf(o)
	if v, going := deletion(o, all); going {
		return v
	}
	v := fold(all, kinds)
	switch {
	case v.mark == "":
		v = verdict{mark: Working, message: "nobody has reported on it yet", since: o.GetCreationTimestamp().Time}
	case v.mark == OK && unobserved(o):
		v = verdict{mark: Working, message: "its newest version has not been looked at yet", since: v.since}
	}
	if v.mark != OK && pausedBy(o, all) != "" {
		return verdict{Broken, pausedBy(o, all), pausedSince(all), paused}
	}
	return v
}

// fold sums conditions up; the mark is empty if none of them is there.
func fold(all []metav1.Condition, kinds []string) verdict {
	var good, unknown *metav1.Condition
	for _, kind := range kinds {
		c := control.Find(all, kind)
		switch {
		case c == nil:
		case c.Status == metav1.ConditionFalse:
			return verdictOf(c, markOf(c.Reason))
		case c.Status != metav1.ConditionTrue && unknown == nil:
			unknown = c
		case good == nil:
			good = c
		}
	}
	switch {
	case unknown != nil:
		return verdictOf(unknown, Working)
	case good != nil:
		return verdict{mark: OK, since: good.LastTransitionTime.Time}
	}
	return verdict{}
}

// said are a condition's words.
func said(c *metav1.Condition) string {
	if c.Message != "" {
		return c.Message
	}
	return c.Reason
}

// brokenWords are what reasons of conditions hold when waiting does not help. Reasons are
// words for programs; the messages for people are never searched.
var brokenWords = []string{"Fail", "Invalid", "Error", "NotFound", "Missing", "Denied", "Forbidden", "Unhealthy", "Stopped", "Timeout", "Exceeded", "BackOff", "DoesNotExist"}

func markOf(reason string) Mark {
	for _, word := range brokenWords {
		if strings.Contains(reason, word) {
			return Broken
		}
	}
	return Working
}

// deletion is the verdict on an object that is on its way out.
func deletion(o *unstructured.Unstructured, all []metav1.Condition) (verdict, bool) {
	since := o.GetDeletionTimestamp()
	if since == nil {
		return verdict{}, false
	}
	v := verdict{Working, "being deleted", since.Time, leaving}
	if left := o.GetFinalizers(); len(left) > 0 {
		v.message += "; waits for " + strings.Join(left, ", ")
	}
	if c := control.Find(all, "Deleting"); c != nil && c.Status == metav1.ConditionTrue {
		v.mark, v.message = markOf(c.Reason), "being deleted: "+oneLine(said(c))
	}
	return v, true
}

func unobserved(o *unstructured.Unstructured) bool {
	seen := number(o, "status", "observedGeneration")
	return seen > 0 && seen < o.GetGeneration()
}

// PausedAnnotation is Cluster API's: an object that has it is left alone.
const PausedAnnotation = "cluster.x-k8s.io/paused"

// pausedBy says by what an object is paused; empty means that it is not.
func pausedBy(o *unstructured.Unstructured, all []metav1.Condition) string {
	c := control.Find(all, "Paused")
	_, annotated := o.GetAnnotations()[PausedAnnotation]
	switch {
	case annotated:
		return "it is paused by its annotation " + PausedAnnotation + ", so nothing is done"
	case flag(o, "spec", "paused"):
		return "it is paused by its spec.paused, so nothing is done"
	case c != nil && c.Status == metav1.ConditionTrue:
		return "it is paused, so nothing is done"
	}
	return ""
}

// pausedSince is when an object was paused, as far as anybody has said.
func pausedSince(all []metav1.Condition) time.Time {
	if c := control.Find(all, "Paused"); c != nil && c.Status == metav1.ConditionTrue {
		return c.LastTransitionTime.Time
	}
	return time.Time{}
}
