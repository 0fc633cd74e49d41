package keep

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"portico.dev/portico/store/row"
	"portico.dev/portico/store/tables"
	"portico.dev/portico/store/wire"
)

// Bounds of following.
const (
	mostFollowers = 64
	// So many records, and so many bytes of them, wait for a follower. One record is always taken.
	followedRecords = 1000
	followedBytes   = 1 << 20
)

// followers are those who want to know of records as they are acknowledged.
type followers struct {
	mu  sync.RWMutex
	all map[*Follower]struct{}
	// dismissed is closed when nobody may follow any more.
	dismissed chan struct{}
	once      sync.Once
}

func newFollowers() *followers {
	return &followers{all: map[*Follower]struct{}{}, dismissed: make(chan struct{})}
}

// ErrDismissed means that the keeper is about to be closed.
var ErrDismissed = errors.New("the store ends: follow again in a moment")

// Dismiss has everybody who follows end: a server that shuts down waits for its answers.
func (k *Keeper) Dismiss() { k.followers.once.Do(func() { close(k.followers.dismissed) }) }

// Follower gets the records that match a search once they would survive the death of the machine. What it
// does not take in time is counted and left out: it holds up no write.
type Follower struct {
	keeper *Keeper
	search tables.LogSearch

	mu      sync.Mutex
	waiting []wire.Record
	bytes   int
	skipped int
	ready   chan struct{} // has room for one
}

// Arrived is what came since the last time: records, and after them so many that were left out.
type Arrived struct {
	Records []wire.Record
	Skipped int
}

// Follow begins to follow what matches a search; its time, its order and its limit do not count. Its
// caller closes it.
func (k *Keeper) Follow(s tables.LogSearch) (*Follower, error) {
	f := &Follower{keeper: k, search: s, ready: make(chan struct{}, 1)}
	k.followers.mu.Lock()
	defer k.followers.mu.Unlock()
	if len(k.followers.all) >= mostFollowers {
		return nil, fmt.Errorf("%w: %d follow the logs already", ErrBusy, mostFollowers)
	}
	k.followers.all[f] = struct{}{}
	return f, nil
}

// Close ends following.
func (f *Follower) Close() {
	f.keeper.followers.mu.Lock()
	defer f.keeper.followers.mu.Unlock()
	delete(f.keeper.followers.all, f)
}

// Next waits until there is something, the context ends, or the keeper dismisses all.
func (f *Follower) Next(ctx context.Context) (Arrived, error) {
	for {
		if a := f.take(); len(a.Records) > 0 || a.Skipped > 0 {
			return a, nil
		}
		select {
		case <-f.ready:
		case <-ctx.Done():
			return Arrived{}, ctx.Err()
		case <-f.keeper.followers.dismissed:
			return Arrived{}, ErrDismissed
		}
	}
}

func (f *Follower) take() Arrived {
	f.mu.Lock()
	defer f.mu.Unlock()
	a := Arrived{f.waiting, f.skipped}
	f.waiting, f.bytes, f.skipped = nil, 0, 0
	return a
}

// tell hands a batch that was acknowledged to those who follow.
func (k *Keeper) tell(b *row.Batch) {
	k.followers.mu.RLock()
	defer k.followers.mu.RUnlock()
	for f := range k.followers.all {
		f.hear(b)
	}
}

func (f *Follower) hear(b *row.Batch) {
	heard := false
	for r := range f.search.Arrivals(b) {
		f.add(r)
		heard = true
	}
	if heard {
		select {
		case f.ready <- struct{}{}:
		default: // it knows
		}
	}
}

// add keeps the order: from the first record that is left out, all are until the others are taken.
func (f *Follower) add(r wire.Record) {
	size := len(r.Body)
	for _, of := range []map[string]string{r.Resource, r.Attributes} {
		for name, value := range of {
			size += len(name) + len(value)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	full := len(f.waiting) >= followedRecords || f.bytes+size > followedBytes && len(f.waiting) > 0
	if f.skipped > 0 || full {
		f.skipped++
		return
	}
	f.waiting, f.bytes = append(f.waiting, r), f.bytes+size
}
