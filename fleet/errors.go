package fleet

import "errors"

// The three kinds of error. Whatever wraps neither of these two is the third kind: try again.
var (
	// ErrInvalid says that the user has to act: retrying the same input cannot help.
	ErrInvalid = errors.New("invalid")
	// ErrNotYet says that the world has to move first; an event will tell when it did.
	ErrNotYet = errors.New("not yet")
)
