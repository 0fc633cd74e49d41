package placement

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet/graph"
	"portico.dev/portico/kube/control"
)

// Dependency is another owner whose services have to be deployed on a target first.
type Dependency struct {
	Wish
	// Set is its ServiceSet for the target, nil if there is none.
	Set *kcm.ServiceSet
	// Revision is the revision that the ServiceSet has to have; empty where any will do.
	Revision string
}

// Behind says what of a dependency is not deployed yet on the target; empty means that nothing
// is. A dependency whose services do not go to the target holds nothing back there, and a
// service that is disabled or shall not be there is not waited for.
func Behind(d Dependency, t Target) string {
	if !d.Applies(t) {
		return ""
	}
	services := wanted(d.Spec.ServiceSpec.Services)
	if len(services) == 0 {
		return ""
	}
	switch {
	case d.Set == nil:
		return "it is not there yet"
	case d.Set.DeletionTimestamp != nil:
		return "it is being removed"
	case d.Revision != "" && d.Set.Annotations[statev1.RevisionAnnotation] != d.Revision:
		return "its last change has not been made yet"
	}
	s := StandingOf(d.Set)
	switch {
	case s.Deployed:
		return ""
	case s.Failed != "":
		return s.Failed
	case s.Waiting != "":
		return s.Waiting
	}
	return fmt.Sprintf("%d/%d services are deployed", s.Ready, s.All)
}

func wanted(services []kcm.Service) []kcm.Service {
	return slices.DeleteFunc(slices.Clone(services), func(s kcm.Service) bool {
		return s.Disable || s.HelmAction != nil && *s.HelmAction == kcm.HelmUninstall
	})
}

// Dependent is another owner that depends on the one whose ServiceSet shall go.
type Dependent struct {
	Wish
	// Present says that it has a ServiceSet for the target, which is Set as far as it is known.
	Present bool
	Set     *kcm.ServiceSet
}

// Before are the dependents whose ServiceSets for the target have to be gone before that of the owner
// they depend on may go, sorted by name; how long is Deadline.Judge's to say. A dependent that stays on the target without
// it is not waited for: it needs what it depends on only where that goes as well. Those in a
// circle with the owner do not wait for each other, since none of them could be first.
func Before(dependents []Dependent, t Target) []Leaver {
	var out []Leaver
	for _, d := range dependents {
		goes := d.Deleting || t.Leaving || !d.Applies(t) && !d.Spec.KeepServicesOnSelectorMismatch
		if d.Present && goes {
			out = append(out, LeaverOf(d.Name, d.Set))
		}
	}
	slices.SortFunc(out, func(a, b Leaver) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// LeaverOf is a ServiceSet that goes, under the name by which the reader knows it; nil for one of
// which nothing is known. Our adapter says by a condition since when it removes the services; any
// other one does so since the ServiceSet is deleted.
func LeaverOf(name string, set *kcm.ServiceSet) Leaver {
	l := Leaver{Name: name}
	if set == nil || set.DeletionTimestamp == nil {
		return l
	}
	l.Since, l.Said = set.DeletionTimestamp.Time, saidOf(set)
	if set.Labels[kcm.AdapterLabel] != kcm.AdapterBuiltIn {
		return l
	}
	if c := control.Find(set.Status.Conditions, statev1.RemovingCondition); c != nil {
		l.Since = c.LastTransitionTime.Time
		return l
	}
	l.Since = time.Time{}
	if c := control.Find(set.Status.Conditions, kcm.ServiceSetStatusesCollectedCondition); c != nil && c.Status == metav1.ConditionFalse {
		l.Said = c.Message
	}
	return l
}

// saidOf is what is said of the service that keeps a ServiceSet: one that others wait for, if there is
// one.
func saidOf(set *kcm.ServiceSet) string {
	said := ""
	for _, s := range set.Status.Services {
		if s.State == kcm.ServiceDeleted || s.FailureMessage == "" {
			continue
		}
		sentence := fmt.Sprintf("Service %s/%s: %s", s.Namespace, s.Name, s.FailureMessage)
		if control.IsTrue(s.Conditions, statev1.RemovingCondition) {
			return sentence
		}
		said = cmp.Or(said, sentence)
	}
	return said
}

// NamesOf are the names of leavers.
func NamesOf(leavers []Leaver) []string {
	var out []string
	for _, l := range leavers {
		out = append(out, l.Name)
	}
	return out
}

// Graph says for owners, by name, which others they depend on.
type Graph map[string][]string

// Circle is a way from name into a circle of dependencies, ending where the circle closes;
// nil if there is none. The same graph always leads to the same answer.
func (g Graph) Circle(name string) []string {
	const (
		open = 1 + iota
		closed
	)
	state := map[string]int{}
	var way []string
	var walk func(name string) []string
	walk = func(name string) []string {
		switch state[name] {
		case closed:
			return nil
		case open:
			return append(slices.Clone(way[slices.Index(way, name):]), name)
		}
		state[name] = open
		way = append(way, name)
		for _, next := range slices.Sorted(slices.Values(g[name])) {
			if found := walk(next); found != nil {
				return found
			}
		}
		way, state[name] = way[:len(way)-1], closed
		return nil
	}
	return walk(name)
}

// Needs says whether one owner depends on another, be it by way of others.
func (g Graph) Needs(one, other string) bool {
	return graph.Reaches(func(name string) []string { return g[name] }, one, other)
}

// Arrows writes a circle for the reader.
func Arrows(circle []string) string { return strings.Join(circle, " -> ") }

// Few lists at most three names.
func Few(names []string) string {
	const few = 3
	if len(names) > few {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}
