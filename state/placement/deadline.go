package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// DefaultDeadline is how long a removal waits for one dependent where nobody says.
const DefaultDeadline = 10 * time.Minute

// Deadline is how long a removal waits for one dependent whose own removal is under way.
type Deadline struct {
	// Within is that time; 0 is for as long as it takes.
	Within time.Duration
	// Problem is why what was written does not count, as a sentence; empty if it does.
	Problem string
}

// DeadlineOf reads it from the annotations of an object. What cannot be read does not count, and the
// default does.
func DeadlineOf(annotations map[string]string) Deadline {
	text, said := annotations[statev1.RemovalDeadlineAnnotation]
	if !said {
		return Deadline{Within: DefaultDeadline}
	}
	if text == statev1.NoDeadline {
		return Deadline{}
	}
	within, err := time.ParseDuration(text)
	if err != nil || within <= 0 {
		return Deadline{Within: DefaultDeadline, Problem: fmt.Sprintf("the annotation %s is %q, which is no duration: %s counts; write one like 90s, 10m or 1h, or %s",
			statev1.RemovalDeadlineAnnotation, text, DefaultDeadline, statev1.NoDeadline)}
	}
	return Deadline{Within: within}
}

// Leaver is something that goes, and that has to be gone before what it depends on is removed: a
// service, or the services of an owner.
type Leaver struct {
	Name string
	// Since is when its own removal got under way; zero while that waits for others, or cannot be
	// made, for example because the cluster does not answer: that time does not count.
	Since time.Time
	// Said is what its removal says, empty for nothing.
	Said string
	// Overdue says that it was not waited for before. That lasts.
	Overdue bool
}

// Verdict is how a removal goes on.
type Verdict struct {
	// Waits are those that are waited for, Overdue those that are not any more.
	Waits, Overdue []Leaver
	// Again is when the next of Waits becomes overdue; zero if time alone changes nothing.
	Again time.Time
}

// Judge says which of those that depend on something its removal waits for. It is pure. Each has the
// whole time, from when its own removal got under way.
func (d Deadline) Judge(leavers []Leaver, now time.Time) Verdict {
	var v Verdict
	for _, l := range leavers {
		end := l.Since.Add(d.Within)
		timed := d.Within > 0 && !l.Since.IsZero()
		if l.Overdue || timed && !now.Before(end) {
			v.Overdue = append(v.Overdue, l)
			continue
		}
		v.Waits = append(v.Waits, l)
		if timed && (v.Again.IsZero() || end.Before(v.Again)) {
			v.Again = end
		}
	}
	return v
}

// Late says of one that is overdue since when it goes, and what it says. The sentence does not change
// while nothing changes.
func (d Deadline) Late(l Leaver) string {
	out := "its removal has not ended within " + d.Within.String()
	if d.Within == 0 {
		out = "its removal has not ended"
	}
	if !l.Since.IsZero() {
		out += ", since " + l.Since.UTC().Format(time.RFC3339)
	}
	if l.Said != "" {
		out += ": " + strings.TrimSuffix(l.Said, ".")
	}
	return out
}

// Without says that a removal goes on without those that are overdue; empty if there are none.
func (d Deadline) Without(overdue []Leaver) string {
	overdue = slices.SortedFunc(slices.Values(overdue), func(a, b Leaver) int { return cmp.Compare(a.Name, b.Name) })
	var parts []string
	for _, l := range overdue {
		parts = append(parts, fmt.Sprintf("%s (%s)", l.Name, d.Late(l)))
	}
	if len(parts) == 0 {
		return ""
	}
	return "What depends on it is still there, and not waited for any more: " + strings.Join(parts, "; ")
}
