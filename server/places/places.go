package places

import (
	"errors"
	"fmt"
	"sync"
)

// ErrTaken means that there is no place at present. Asking again later helps.
var ErrTaken = errors.New("too many at once")

// Places are handed out to users. They are safe for concurrent use.
type Places struct {
	// what they are for, in the plural.
	what       string
	most, each int

	mu    sync.Mutex
	taken int
	of    map[string]int
}

// New returns most places, of which each user has at most each. What they are for is said to those
// who get none: it is a word in the plural.
func New(what string, most, each int) *Places {
	return &Places{what: what, most: most, each: each, of: map[string]int{}}
}

// Take takes a place for a user, until release is called; calling it again does nothing. The error
// wraps ErrTaken.
func (p *Places) Take(user string) (release func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.of[user] >= p.each:
		return nil, fmt.Errorf("%w: you have %d %s under way, which is all that one user may", ErrTaken, p.of[user], p.what)
	case p.taken >= p.most:
		return nil, fmt.Errorf("%w: %d %s are under way", ErrTaken, p.taken, p.what)
	}
	p.taken++
	p.of[user]++
	return sync.OnceFunc(func() { p.leave(user) }), nil
}

func (p *Places) leave(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.of[user]--; p.of[user] == 0 {
		delete(p.of, user)
	}
}
