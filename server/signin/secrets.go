package signin

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"portico.dev/portico/fleet"
)

// secretBytes is how long a secret is: 256 bits.
const secretBytes = 32

// Secrets are given to people, and prove later who they are. Of a secret only its hash is kept, and
// nothing of it outlives the process. It is safe for concurrent use.
type Secrets struct {
	clock  fleet.Clock
	random io.Reader
	life   time.Duration
	most   int

	mu    sync.Mutex
	known map[[sha256.Size]byte]grant
}

type grant struct {
	who Identity
	// key is who's, where secrets are counted.
	key     string
	expires time.Time
}

// SecretsConfig says how secrets are made.
type SecretsConfig struct {
	Clock  fleet.Clock
	Random io.Reader
	// Life is how long a secret works, Most how many may be known at a time: beyond that, whoever
	// has most of them loses the one that would expire first. Nobody puts others out by asking
	// for many.
	Life time.Duration
	Most int
}

// NewSecrets returns none.
func NewSecrets(c SecretsConfig) *Secrets {
	return &Secrets{clock: c.Clock, random: c.Random, life: c.Life, most: c.Most, known: map[[sha256.Size]byte]grant{}}
}

// Issue returns a new secret of somebody, and when it ends.
func (s *Secrets) Issue(who Identity) (string, time.Time, error) {
	secret, err := newSecret(s.random)
	if err != nil {
		return "", time.Time{}, err
	}
	now := s.clock()
	g := grant{who: who, key: who.Key(), expires: now.Add(s.life)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(now)
	s.known[sha256.Sum256([]byte(secret))] = g
	return secret, g.expires, nil
}

func newSecret(random io.Reader) (string, error) {
	raw := make([]byte, secretBytes)
	if _, err := io.ReadFull(random, raw); err != nil {
		return "", fmt.Errorf("making a secret: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(raw), nil
}

// forget makes room for one more.
func (s *Secrets) forget(now time.Time) {
	maps.DeleteFunc(s.known, func(_ [sha256.Size]byte, g grant) bool { return !now.Before(g.expires) })
	if len(s.known) < s.most {
		return
	}
	has := map[string]int{}
	for _, g := range s.known {
		has[g.key]++
	}
	first := slices.MinFunc(slices.Collect(maps.Keys(s.known)), func(a, b [sha256.Size]byte) int {
		one, other := s.known[a], s.known[b]
		return cmp.Or(cmp.Compare(has[other.key], has[one.key]), one.expires.Compare(other.expires))
	})
	delete(s.known, first)
}

// Look says whose secret it is; false if nobody's.
func (s *Secrets) Look(secret string) (Identity, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.known[sha256.Sum256([]byte(secret))]
	if !ok || !s.clock().Before(g.expires) {
		return Identity{}, false
	}
	return g.who, true
}

// Take is Look for the last time: of all who ask at once, one is told whose it is.
func (s *Secrets) Take(secret string) (Identity, bool) {
	hash := sha256.Sum256([]byte(secret))
	s.mu.Lock()
	defer s.mu.Unlock()
	g, ok := s.known[hash]
	delete(s.known, hash)
	if !ok || !s.clock().Before(g.expires) {
		return Identity{}, false
	}
	return g.who, true
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
