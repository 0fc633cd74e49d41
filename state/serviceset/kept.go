package serviceset

import (
	"crypto/sha256"
	"sync"
)

// keptResults bounds how many merged values are kept; when there are more, the older half goes.
const keptResults = 4096

// kept keeps the results of working on values by the digest of what they were made from: in a fleet
// many services have the same, and most looks at a set change none. A nil one keeps nothing. It is
// safe for concurrent use.
type kept struct {
	mu         sync.Mutex
	young, old map[[sha256.Size]byte]result
}

type result struct {
	text string
	err  error
}

func (k *kept) get(digest [sha256.Size]byte, work func() (string, error)) (string, error) {
	if k == nil {
		return work()
	}
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
	found.text, found.err = work()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.put(digest, found)
	return found.text, found.err
}

// put is called with the lock held.
func (k *kept) put(digest [sha256.Size]byte, r result) {
	if len(k.young) >= keptResults/2 {
		k.old, k.young = k.young, nil
	}
	if k.young == nil {
		k.young = map[[sha256.Size]byte]result{}
	}
	k.young[digest] = r
}
