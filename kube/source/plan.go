package source

import "time"

// step is what to do with an object.
type step string

const (
	// leave: nothing is to be done now.
	leave step = "leave"
	// look: find out what the source holds, and store it if it is new.
	look step = "look"
	// release: the object is going, and only a finalizer that Flux has left keeps it.
	release step = "release"
	// forget: the object is gone, its files go too.
	forget step = "forget"
)

// seen is all that decides about an object.
type seen struct {
	// Aside: Flux's source-controller is there, the object is not ours.
	Aside bool
	// Found: the object exists. Deleting: not for long.
	Found, Deleting bool
	Suspended       bool
	// Static: the object describes a place and has no artifact of its own (an OCI HelmRepository).
	Static bool
	// Current: the status is about this spec and this request, and says that all is well.
	Current bool
	// Stored: the artifact that the status names is in the store, under the URL that it names.
	Stored bool
	// Due: the interval is over, or another object gave a reason.
	Due bool
}

// decide says what to do. It is the whole policy.
func decide(s seen) step {
	switch {
	case s.Aside:
		return leave
	case !s.Found:
		return forget
	case s.Deleting:
		return release
	case s.Suspended, s.Static:
		return leave
	case !s.Current, !s.Stored, s.Due:
		return look
	}
	return leave
}

// nextLook is the first moment after now on the grid that begins at anchor and has a point every
// interval. The grid is what the object itself says, so it survives a restart.
func nextLook(anchor, now time.Time, interval time.Duration) time.Time {
	if now.Before(anchor) {
		return anchor.Add(interval)
	}
	points := now.Sub(anchor)/interval + 1
	return anchor.Add(points * interval)
}
