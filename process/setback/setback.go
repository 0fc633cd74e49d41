package setback

import (
	"sync"
	"time"
)

const (
	// steady is how long a program has to run for its end not to count as a setback.
	steady = time.Minute
	// firstPause and longestPause bound the pause before the next start.
	firstPause, longestPause = time.Second, time.Minute
)

// Book notes setbacks by key. It is safe for concurrent use.
type Book[K comparable] struct {
	now func() time.Time

	mu      sync.Mutex
	entries map[K]entry
}

type entry struct {
	count  int
	until  time.Time
	digest string
}

// New returns an empty Book that reads the clock.
func New[K comparable](now func() time.Time) *Book[K] {
	return &Book[K]{now: now, entries: map[K]entry{}}
}

// Ended notes that the program of key ended by itself after it had lived so long, and returns
// the pause before it may be started again.
func (b *Book[K]) Ended(key K, lived time.Duration) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if lived >= steady {
		delete(b.entries, key)
		return 0
	}
	e := b.entries[key]
	e.count++
	wait := pause(e.count)
	e.until = b.now().Add(wait)
	b.entries[key] = e
	return wait
}

// Held says whether the pause of key lasts. A program with another digest is a new one: the
// change may be the remedy.
func (b *Book[K]) Held(key K, digest string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.entries[key]
	if !ok || e.digest != digest {
		b.entries[key] = entry{digest: digest}
		return false
	}
	return b.now().Before(e.until)
}

// Troubled says whether the program of key ended soon after its last start.
func (b *Book[K]) Troubled(key K) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.entries[key].count > 0
}

// Forget removes what is known of key.
func (b *Book[K]) Forget(key K) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.entries, key)
}

// pause doubles with every setback.
func pause(count int) time.Duration {
	if count > 6 {
		return longestPause
	}
	return min(firstPause<<(count-1), longestPause)
}
