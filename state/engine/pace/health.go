package pace

import (
	"time"

	"portico.dev/portico/state/engine"
)

// Health is how the objects of a release stand, as far as somebody has looked.
type Health struct {
	Ready   bool
	Message string
	// Ill are the objects that do not run, by their names, as far as somebody keeps them.
	Ill []string
	// Unhealthy are those, and the ones of which rules do not hold, by their kinds, as far as somebody
	// tells of them.
	Unhealthy []engine.Unhealthy
	// At is when somebody looked, Looks how often in a row it was not ready.
	At    time.Time
	Looks int
}

// Again is when to look at what is not ready, although nothing was heard: not every object
// whose change matters is watched. One second later at first, then twice as long each time, at
// most half a minute.
func (h Health) Again() time.Time {
	return h.At.Add(Doubled(time.Second, 30*time.Second, h.Looks-1))
}

// Sight is how a service stands whose release is as it is wanted.
type Sight struct {
	State   engine.State
	Message string
	// Look says that its objects have to be looked at now; At is when else, zero for: when
	// something changes.
	Look bool
	At   time.Time
}

// See says how such a service stands. Health is nil until somebody looked; seen says that the
// service's state was known before: until it is, one that an engine may have installed in an
// earlier life is not called anything.
func See(health *Health, seen bool, now time.Time) Sight {
	switch {
	case health == nil && !seen:
		return Sight{Look: true, State: engine.Unseen}
	case health == nil:
		return Sight{Look: true, State: engine.Provisioning, Message: "checking what was installed"}
	case health.Ready:
		return Sight{State: engine.Deployed}
	}
	s := Sight{State: engine.Provisioning, Message: health.Message, At: health.Again()}
	if !now.Before(s.At) {
		s.Look, s.At = true, time.Time{}
	}
	return s
}
