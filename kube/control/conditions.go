package control

import (
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// True is the fact that kind holds.
func True(kind, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: message}
}

// False is the fact that kind does not hold; message says what is missing and who moves next.
func False(kind, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason, Message: message}
}

// Unknown is the admission that kind could not be looked at.
func Unknown(kind, reason, message string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: reason, Message: message}
}

// Bool is True or False with the same words.
func Bool(kind string, holds bool, reason, message string) metav1.Condition {
	if holds {
		return True(kind, reason, message)
	}
	return False(kind, reason, message)
}

// Stamp is the moment and the generation that a fold speaks for.
type Stamp struct {
	Now        time.Time
	Generation int64
}

// Fold returns facts as the conditions of an object whose conditions were old: a fact whose
// status did not change keeps its transition time. What is not among the facts is gone, since
// a status is computed whole. The result is sorted by type.
func Fold(old []metav1.Condition, at Stamp, facts ...metav1.Condition) []metav1.Condition {
	out := make([]metav1.Condition, 0, len(facts))
	for _, fact := range facts {
		fact.ObservedGeneration = at.Generation
		fact.LastTransitionTime = metav1.NewTime(at.Now.Truncate(time.Second))
		if was := Find(old, fact.Type); was != nil && was.Status == fact.Status {
			fact.LastTransitionTime = was.LastTransitionTime
		}
		out = append(out, fact)
	}
	slices.SortStableFunc(out, func(a, b metav1.Condition) int { return strings.Compare(a.Type, b.Type) })
	return out
}

// Summary is the roll-up kind of parts: the first part that is not True speaks for the whole,
// a False one before an Unknown one.
func Summary(kind string, parts ...metav1.Condition) metav1.Condition {
	for _, status := range []metav1.ConditionStatus{metav1.ConditionFalse, metav1.ConditionUnknown} {
		i := slices.IndexFunc(parts, func(c metav1.Condition) bool { return c.Status == status })
		if i >= 0 {
			return metav1.Condition{Type: kind, Status: status, Reason: parts[i].Reason, Message: parts[i].Message}
		}
	}
	return True(kind, kind, "")
}

// Find returns the condition of that type, nil if there is none.
func Find(conditions []metav1.Condition, kind string) *metav1.Condition {
	i := slices.IndexFunc(conditions, func(c metav1.Condition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &conditions[i]
}

// Without are the conditions that are of none of these types.
func Without(conditions []metav1.Condition, kinds ...string) []metav1.Condition {
	return slices.DeleteFunc(slices.Clone(conditions), func(c metav1.Condition) bool { return slices.Contains(kinds, c.Type) })
}

// IsTrue says whether the condition of that type is there and True.
func IsTrue(conditions []metav1.Condition, kind string) bool {
	c := Find(conditions, kind)
	return c != nil && c.Status == metav1.ConditionTrue
}
