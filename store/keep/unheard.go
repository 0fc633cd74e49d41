package keep

import (
	"hash/maphash"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// A sender waits for an answer so long, and then tries again: of what is older it has heard.
	unheardAge = 30 * time.Second
	// So long after the keeper was opened a sender that has not heard of its request may come again.
	unheardTime = 15 * time.Minute
)

// unheard are requests that were kept, and of which the sender may not have heard: those that arrived last
// before the keeper was killed, and those whose sender hung up. It sends them again, byte by byte the same:
// they are there already.
type unheard struct {
	seed  maphash.Seed
	mu    sync.Mutex
	since map[uint64]time.Time // when they arrived, until all is loaded; then from when on they count
	last  time.Time
}

func newUnheard() *unheard { return &unheard{seed: maphash.MakeSeed(), since: map[uint64]time.Time{}} }

func (u *unheard) key(r Request) uint64 {
	var h maphash.Hash
	h.SetSeed(u.seed)
	_, _ = h.Write([]byte{byte(r.Signal), byte(r.Format), byte(r.Compression)}) // it never fails
	_, _ = h.WriteString(r.Tenant)
	_ = h.WriteByte(0)
	_, _ = h.Write(r.Body)
	return h.Sum64()
}

// closed is the file that says that the keeper was closed, and so everybody has heard.
func (k *Keeper) closed() string { return filepath.Join(k.cfg.Dir, "closed") }

// load takes an entry of the journal, one after the other as they arrived.
func (u *unheard) load(r Request) {
	u.since[u.key(r)] = r.Arrival
	u.last = r.Arrival
}

// loaded is called when the journal was read. Only what arrived last may be unheard of, and nothing where the
// keeper was closed.
func (u *unheard) loaded(now time.Time, closed string) {
	if os.Remove(closed) == nil {
		clear(u.since)
	}
	for key, arrival := range u.since {
		if u.last.Sub(arrival) > unheardAge {
			delete(u.since, key)
			continue
		}
		u.since[key] = now
	}
}

// add takes a request whose sender has hung up.
func (u *unheard) add(r Request) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.since[u.key(r)] = r.Arrival
}

// repeats says whether the request was kept before. It says so once: after that its sender has heard.
func (u *unheard) repeats(r Request) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.since) == 0 {
		return false
	}
	key := u.key(r)
	since, found := u.since[key]
	delete(u.since, key)
	for key, since := range u.since {
		if r.Arrival.Sub(since) > unheardTime {
			delete(u.since, key)
		}
	}
	return found && r.Arrival.Sub(since) <= unheardTime
}
