package serviceset

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/state/engine"
)

// heard remembers which ServiceSets were looked at since this process began. Until all of a cluster
// were, its engine does not know who else wants a release, and would uninstall what it could hand
// over. It is safe for concurrent use.
type heard struct {
	mu   sync.Mutex
	sets map[client.ObjectKey]bool
	// waiting are those that stay, and have something to remove once all others were looked at.
	waiting map[client.ObjectKey]bool
}

// add says that a set was looked at, and returns whether that is news.
func (h *heard) add(set client.ObjectKey) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sets == nil {
		h.sets = map[client.ObjectKey]bool{}
	}
	news := !h.sets[set]
	h.sets[set] = true
	return news
}

func (h *heard) forget(set client.ObjectKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.sets, set)
	delete(h.waiting, set)
}

// wait says whether a set waits for others. It is said before one asks for them, so that none of
// them is missed.
func (h *heard) wait(set client.ObjectKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.waiting == nil {
		h.waiting = map[client.ObjectKey]bool{}
	}
	h.waiting[set] = true
}

func (h *heard) goOn(set client.ObjectKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiting, set)
}

func (h *heard) waits(set client.ObjectKey) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiting[set]
}

// missing are the names of those sets that are ours, stay, and were not looked at yet.
func (h *heard) missing(sets []kcm.ServiceSet) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []string
	for i := range sets {
		set := &sets[i]
		if set.DeletionTimestamp == nil && set.Labels[kcm.AdapterLabel] == kcm.AdapterBuiltIn && !h.sets[client.ObjectKeyFromObject(set)] {
			out = append(out, set.Name)
		}
	}
	return out
}

// hear notes that a set was looked at, and has those of the cluster looked at that wait for it.
func (c *Controller) hear(ctx context.Context, set *kcm.ServiceSet) {
	if !c.heard.add(client.ObjectKeyFromObject(set)) {
		return
	}
	for _, other := range c.beside(ctx, set) {
		c.bell.Ring(other.NamespacedName)
	}
}

// unheard are the other sets of the cluster that were not looked at yet. While there are any, the
// set waits for them.
func (c *Controller) unheard(ctx context.Context, set *kcm.ServiceSet) ([]string, error) {
	c.heard.wait(client.ObjectKeyFromObject(set))
	var beside kcm.ServiceSetList
	if err := c.kube.List(ctx, &beside, client.InNamespace(set.Namespace), client.MatchingFields{byCluster: set.Spec.Cluster}); err != nil {
		return nil, fmt.Errorf("listing the ServiceSets of cluster %s/%s: %w", set.Namespace, set.Spec.Cluster, err)
	}
	others := slices.DeleteFunc(beside.Items, func(other kcm.ServiceSet) bool { return other.Name == set.Name })
	missing := c.heard.missing(others)
	if len(missing) == 0 {
		c.heard.goOn(client.ObjectKeyFromObject(set))
	}
	return missing, nil
}

// othersFirst says that a removal waits for these sets to be looked at.
func othersFirst(sets []string) string {
	return fmt.Sprintf("The other ServiceSets of the cluster are looked at first: %s.", strings.Join(sets, ", "))
}

// staying are services that left the spec, and stay until the other sets of the cluster were looked
// at: the engine leaves them as they are.
func staying(set *kcm.ServiceSet, was Record, saw Observed) []engine.Service {
	options, held := was.options(), heldOf(set, Outcome{Saw: saw})
	var out []engine.Service
	for _, s := range set.Status.Services {
		key := keyOfState(s)
		if _, waits := held[key]; waits || s.State == kcm.ServiceDeleted || stored(set, key) {
			continue
		}
		manner, unusual := options[key]
		if !unusual {
			manner = optionsOf(&kcm.ServiceHelmOptions{})
		}
		out = append(out, engine.Service{Key: key, Kind: engine.Kind(s.Type), Template: s.Template, Version: s.Version, Options: manner, NotYet: othersFirst(saw.Unheard)})
	}
	return out
}

// stay has what left the spec, and what another engine than to has made, stay until the other sets
// of the cluster were looked at: one of them may want it.
func (c *Controller) stay(ctx context.Context, set *kcm.ServiceSet, was Record, to engine.Engine, saw *Observed) error {
	moves := was.Engine != "" && was.Engine != to.Name()
	if !moves && !was.Local && len(staying(set, was, *saw)) == 0 {
		return nil
	}
	var err error
	if saw.Unheard, err = c.unheard(ctx, set); err != nil || len(saw.Unheard) == 0 {
		return err
	}
	saw.Leaving = staying(set, was, *saw)
	if moves && saw.Provider.Held == "" {
		saw.Provider.Held = othersFirst(saw.Unheard) // who has the services keeps them until then
	}
	return nil
}

// retold is the report with what stays in the words for what is on its way out.
func retold(report engine.Report, saw Observed) engine.Report {
	if len(saw.Unheard) == 0 {
		return report
	}
	report.Services = slices.Clone(report.Services)
	for i, r := range report.Services {
		stays := slices.ContainsFunc(saw.Leaving, func(s engine.Service) bool { return s.Key == r.Key })
		if stays && r.State == engine.Pending {
			report.Services[i].State, report.Services[i].Message = engine.Deleting, othersFirst(saw.Unheard)
		}
	}
	return report
}
