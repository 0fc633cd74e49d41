package engine

import (
	"context"
	"sync"
)

// Notices tell of sets whose report has changed, as Engine.Changes promises: those that nobody
// has read yet are merged, never dropped. It is safe for concurrent use.
type Notices struct {
	out  chan Ref
	more chan struct{}

	mu      sync.Mutex
	waiting []Ref
	queued  map[Ref]bool
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
	select {
	case n.more <- struct{}{}:
	default:
	}
}

// Deliver hands the notices out until ctx ends.
func (n *Notices) Deliver(ctx context.Context) {
	for {
		ref, ok := n.next()
		if !ok {
			select {
			case <-n.more:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case n.out <- ref:
		case <-ctx.Done():
			return
		}
	}
}

func (n *Notices) next() (Ref, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.waiting) == 0 {
		return Ref{}, false
	}
	ref := n.waiting[0]
	n.waiting = n.waiting[1:]
	delete(n.queued, ref)
	return ref, true
}
