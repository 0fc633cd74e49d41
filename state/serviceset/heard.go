package serviceset

import (
	"sync"

	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// heard remembers which ServiceSets were looked at since this process began. Until all of a cluster
// were, its engine does not know who else wants a release, and would uninstall what it could hand
// over. It is safe for concurrent use.
type heard struct {
	mu   sync.Mutex
	sets map[client.ObjectKey]bool
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
