package serviceset

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet/graph"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/service"
)

// order sees which ServiceSets of the same cluster depend on this one and are going as well, and which
// stay and were not looked at since this process began.
func (c *Controller) order(ctx context.Context, set *kcm.ServiceSet, saw *Departure) error {
	var beside kcm.ServiceSetList
	if err := c.kube.List(ctx, &beside, client.InNamespace(set.Namespace), client.MatchingFields{byCluster: set.Spec.Cluster}); err != nil {
		return fmt.Errorf("listing the ServiceSets of cluster %s/%s: %w", set.Namespace, set.Spec.Cluster, err)
	}
	going := map[string]*kcm.ServiceSet{set.Name: set}
	for i := range beside.Items {
		if beside.Items[i].DeletionTimestamp != nil {
			going[beside.Items[i].Name] = &beside.Items[i]
		}
	}
	Order(set, going, saw)
	saw.Unheard = c.heard.missing(beside.Items)
	return nil
}

// Order says for whom the removal of a set waits, of those that are going, by their names; at the time
// that saw has. It is pure. Once it goes on without one of them it waits for nobody any more.
func Order(set *kcm.ServiceSet, going map[string]*kcm.ServiceSet, saw *Departure) {
	after := map[string][]string{}
	for name, other := range going {
		// Notes that cannot be read hold nobody up.
		notes, _ := service.NotesOf(other)
		after[name] = notes.After
	}
	var leavers []placement.Leaver
	for _, name := range GoFirst(set.Name, after) {
		l := placement.LeaverOf(name, going[name])
		l.Overdue = control.IsTrue(set.Status.Conditions, statev1.UnorderedCondition)
		leavers = append(leavers, l)
	}
	deadline := placement.DeadlineOf(set.Annotations)
	verdict := deadline.Judge(leavers, saw.Now)
	saw.First, saw.Again = placement.NamesOf(verdict.Waits), verdict.Again
	saw.Misread, saw.Without = deadline.Problem, deadline.Without(verdict.Overdue)
}

// GoFirst are those that go before the set of that name, sorted: who names it in after, which says
// for each set that is going whom it depends on. Of those that depend on each other nobody waits.
// It is pure.
func GoFirst(name string, after map[string][]string) []string {
	var out []string
	for other, on := range after {
		if other != name && slices.Contains(on, name) && !graph.Reaches(func(set string) []string { return after[set] }, name, other) {
			out = append(out, other)
		}
	}
	slices.Sort(out)
	return out
}
