package signin

import (
	"crypto/sha256"
	"maps"
	"sync"
	"time"

	"portico.dev/portico/fleet"
)

// mostRemembered bounds how many tokens are remembered.
const mostRemembered = 10_000

// memory remembers for a short time whose tokens they are, or that something was used.
type memory struct {
	clock fleet.Clock
	life  time.Duration

	mu    sync.Mutex
	known map[[sha256.Size]byte]grant
}

func newMemory(clock fleet.Clock, life time.Duration) *memory {
	return &memory{clock: clock, life: life, known: map[[sha256.Size]byte]grant{}}
}

func (m *memory) get(hash [sha256.Size]byte) (Identity, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g, ok := m.known[hash]
	return g.who, ok && m.clock().Before(g.expires)
}

// put remembers whose it is, and says whether it was known.
func (m *memory) put(hash [sha256.Size]byte, who Identity) (known bool) {
	now := m.clock()
	m.mu.Lock()
	defer m.mu.Unlock()
	before, known := m.known[hash]
	if len(m.known) >= mostRemembered {
		maps.DeleteFunc(m.known, func(_ [sha256.Size]byte, g grant) bool { return !now.Before(g.expires) })
	}
	if len(m.known) >= mostRemembered {
		clear(m.known) // they can all be asked for again
	}
	m.known[hash] = grant{who: who, expires: now.Add(m.life)}
	return known && now.Before(before.expires)
}
