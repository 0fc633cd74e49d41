package direct

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

// SetLabel is the label of a release's record that says which ServiceSet it belongs to: a
// digest, since a label's value is shorter than a name can be.
const SetLabel = "portico.dev/serviceset"

// ownerOf is the set as the owner of its releases.
func ownerOf(set types.NamespacedName) helm.Owner {
	sum := sha256.Sum256([]byte(set.String()))
	return helm.Owner{Label: SetLabel, Value: hex.EncodeToString(sum[:16])}
}

// startListing reads from the target which releases there are, and whose: all that the engine
// has to remember. It is done once for all sets, whenever the target has not answered before.
func (w *worker) startListing(ctx context.Context) {
	w.listing, w.touched = true, map[engine.Key]bool{}
	cluster := w.cluster
	w.start(func() {
		bounded, cancel := context.WithTimeout(ctx, asking)
		defer cancel()
		found, err := cluster.Owners(bounded, SetLabel)
		w.mu.Lock()
		defer w.mu.Unlock()
		tardy := w.tardy
		w.listing, w.tardy = false, false
		switch {
		case cluster != w.cluster, ctx.Err() != nil, tardy && err == nil:
			return // it says nothing of what counts now
		case err != nil:
			w.lost(err)
			return
		}
		w.tries, w.again, w.unreachable = 0, time.Time{}, nil
		w.take(found)
	})
}

// take records which releases there are. Of one that was worked on meanwhile, the operation
// knows better.
func (w *worker) take(found map[engine.Key]helm.Owned) {
	was := w.releases
	w.releases, w.listed = map[engine.Key]helm.Owned{}, true
	for key := range w.touched {
		if r, ok := was[key]; ok {
			w.releases[key] = r
		}
	}
	for key, r := range found {
		if w.touched[key] || r.Status == helm.Uninstalled {
			continue
		}
		w.releases[key] = r
		if s := w.owners[r.Owner]; s != nil {
			w.service(s, key)
		}
	}
	for _, s := range w.sets {
		for key, svc := range s.services {
			svc.stale, svc.unread = true, true
			svc.unsure = svc.unsure && w.touched[key]
			svc.settleDoubt()
		}
	}
	w.disturbAll()
}

// settleDoubt records the failure that was doubted: the target answers.
func (svc *service) settleDoubt() {
	if svc.doubted != nil && !svc.unsure {
		svc.doubted()
		svc.doubted = nil
	}
}

// lost records that the target does not answer: it is asked again after half a second, then
// after twice as long each time, at most every half minute. What was known is read again then.
func (w *worker) lost(err error) {
	now := w.clock()
	if now.Before(w.again) {
		return // several operations have noticed the same
	}
	w.again = now.Add(pace.Doubled(500*time.Millisecond, 30*time.Second, w.tries))
	w.tries++
	if w.unreachable == nil {
		w.unreachable = &engine.Unreachable{Since: now, Message: fleet.Sentence(err)}
	}
	w.relist()
	for _, s := range w.sets {
		for _, svc := range s.services {
			svc.doubted = nil
		}
	}
}

// check reads one release from the target, of which something has become unsure.
func (e errand) check() operation {
	svc, cluster := e.svc, e.cluster
	return func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, asking)
		defer cancel()
		found, err := cluster.OwnerOf(ctx, e.key.Namespace, e.key.Name, SetLabel)
		return func() {
			if err != nil {
				e.lost(err)
				return
			}
			svc.unsure = false
			e.owned(e.key, found)
			svc.have(e.state(e.set, e.key))
			svc.settleDoubt()
		}
	}
}
