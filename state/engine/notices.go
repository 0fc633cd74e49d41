package engine

import (
	"context"
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Notices tell of sets whose report has changed, as Engine.Changes promises: those that nobody
// has read yet are merged, never dropped. It is safe for concurrent use.
type Notices struct {
	out  chan Ref
	more chan struct{}

	mu      sync.Mutex
	waiting []Ref
	queued  map[Ref]bool
	// offered is the one that whoever reads next gets. What is added while it is offered may
	// be another change, and waits behind it.
	offered *Ref
}

// NewNotices returns an empty queue.
func NewNotices() *Notices {
	return &Notices{out: make(chan Ref), more: make(chan struct{}, 1), queued: map[Ref]bool{}}
}

// C is the channel to read from.
func (n *Notices) C() <-chan Ref { return n.out }

// Add tells of a set. It never blocks.
func (n *Notices) Add(ref Ref) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.queued[ref] {
		return
	}
	n.queued[ref] = true
	n.waiting = append(n.waiting, ref)
	n.stir()
}

// Drop takes back what waits to be told of a set, on whichever target.
func (n *Notices) Drop(set types.NamespacedName) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.offered != nil && n.offered.Set == set {
		n.offered = nil
	}
	n.waiting = slices.DeleteFunc(n.waiting, func(ref Ref) bool { return ref.Set == set })
	maps.DeleteFunc(n.queued, func(ref Ref, _ bool) bool { return ref.Set == set })
	n.stir()
}

// stir has Deliver look again at what waits.
func (n *Notices) stir() {
	select {
	case n.more <- struct{}{}:
	default:
	}
}

// Deliver hands the notices out until ctx ends.
func (n *Notices) Deliver(ctx context.Context) {
	for {
		ref, out := n.offer()
		select {
		case out <- ref:
			n.taken()
		case <-n.more:
		case <-ctx.Done():
			return
		}
	}
}

// offer is the notice that waits longest and where to send it; a nil channel if none waits.
func (n *Notices) offer() (Ref, chan<- Ref) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.offered == nil && len(n.waiting) > 0 {
		ref := n.waiting[0]
		n.waiting = n.waiting[1:]
		delete(n.queued, ref)
		n.offered = &ref
	}
	if n.offered == nil {
		return Ref{}, nil
	}
	return *n.offered, n.out
}

func (n *Notices) taken() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.offered = nil
}
