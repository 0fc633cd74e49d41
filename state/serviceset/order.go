package serviceset

import (
	"context"
	"fmt"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet/graph"
	"portico.dev/portico/state/service"
)

// goFirst are the ServiceSets of the same cluster that depend on this one and are going as well,
// and those that stay and were not looked at since this process began.
func (c *Controller) goFirst(ctx context.Context, set *kcm.ServiceSet) (first, unheard []string, err error) {
	var beside kcm.ServiceSetList
	if err := c.kube.List(ctx, &beside, client.InNamespace(set.Namespace), client.MatchingFields{byCluster: set.Spec.Cluster}); err != nil {
		return nil, nil, fmt.Errorf("listing the ServiceSets of cluster %s/%s: %w", set.Namespace, set.Spec.Cluster, err)
	}
	after := map[string][]string{}
	for i := range beside.Items {
		if beside.Items[i].DeletionTimestamp == nil {
			continue
		}
		// Notes that cannot be read hold nobody up.
		notes, _ := service.NotesOf(&beside.Items[i])
		after[beside.Items[i].Name] = notes.After
	}
	return GoFirst(set.Name, after), c.heard.missing(beside.Items), nil
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
