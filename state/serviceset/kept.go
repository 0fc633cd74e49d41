package serviceset

import (
	"crypto/sha256"
	"sync"

	"portico.dev/portico/state/values"
)

// keptBytes bounds how much of merged values is kept; when there is more, the older half goes. What
// is kept of a result beside its text counts as keptBeside.
const keptBytes, keptBeside = 16 << 20, 128

// kept keeps the results of working on values by the digest of what they were made from: in a fleet
// many services have the same, and most looks at a set change none. A nil one keeps nothing. It is
// safe for concurrent use.
type kept struct {
	mu         sync.Mutex
	young, old map[[sha256.Size]byte]result
	// size is how much the young ones are.
	size int
}

type result struct {
	text string
	err  error
}

func (k *kept) get(in values.Input) (string, error) {
	if k == nil {
		return values.Merge(in)
	}
	digest := digestOf(in)
	k.mu.Lock()
	found, ok := k.young[digest]
	if !ok {
		if found, ok = k.old[digest]; ok {
			k.put(digest, found)
		}
	}
	k.mu.Unlock()
	if ok {
		return found.text, found.err
	}
	found.text, found.err = values.Merge(in)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.put(digest, found)
	return found.text, found.err
}

// put is called with the lock held.
func (k *kept) put(digest [sha256.Size]byte, r result) {
	size := r.size()
	switch _, there := k.young[digest]; {
	case there, size > keptBytes/2:
		return
	case k.young == nil || k.size+size > keptBytes/2:
		k.old, k.young, k.size = k.young, map[[sha256.Size]byte]result{}, 0
	}
	k.young[digest] = r
	k.size += size
}

func (r result) size() int {
	if r.err != nil {
		return keptBeside + len(r.text) + len(r.err.Error())
	}
	return keptBeside + len(r.text)
}
