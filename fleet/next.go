package fleet

import (
	"errors"
	"time"
)

// Next says what comes after a pass over an object. The zero value is Done.
type Next struct {
	kind   nextKind
	reason string
	atMost time.Duration
}

type nextKind int

const (
	done nextKind = iota
	wait
	stop
)

// Done means that there is nothing to do until something changes.
func Done() Next { return Next{} }

// Wait means that the world has to move: an event is expected, and if none came we look again
// after atMost. Zero means that we trust the event alone.
func Wait(reason string, atMost time.Duration) Next {
	return Next{kind: wait, reason: reason, atMost: atMost}
}

// Stop means that the user has to move.
func Stop(reason string) Next { return Next{kind: stop, reason: reason} }

// Waiting says whether the world has to move, and for how long at most we wait for an event.
func (n Next) Waiting() (atMost time.Duration, ok bool) { return n.atMost, n.kind == wait }

// Stopped says whether the user has to move.
func (n Next) Stopped() bool { return n.kind == stop }

// Reason is a sentence for the reader, empty when there is nothing to say.
func (n Next) Reason() string { return n.reason }

// NextOf sorts an error into one of the three kinds: ok is false for the kind that is
// retried with back-off.
func NextOf(err error) (next Next, ok bool) {
	switch {
	case err == nil:
		return Done(), true
	case errors.Is(err, ErrInvalid):
		return Stop(err.Error()), true
	case errors.Is(err, ErrNotYet):
		return Wait(err.Error(), 0), true
	}
	return Next{}, false
}
