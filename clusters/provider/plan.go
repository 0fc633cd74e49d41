package provider

import (
	"slices"
	"time"
)

// Verb is one thing that can be done for an object.
type Verb string

// The verbs that every provider has.
const (
	AddFinalizer     Verb = "add the finalizer"
	ReleaseFinalizer Verb = "release the finalizer"
	// Wait is no deed: the world has to move, and an event will tell.
	Wait Verb = "wait"
	// Stop is no deed either: the user has to move.
	Stop Verb = "stop"
)

// Step is a verb and why.
type Step struct {
	Do  Verb
	Why string
	// AtMost limits a step that waits for a moment which is known; zero trusts the event.
	AtMost time.Duration
}

// String is the step as a line of a plan.
func (s Step) String() string {
	out := string(s.Do)
	if s.Why != "" {
		out += ": " + s.Why
	}
	if s.AtMost > 0 {
		out += " (in " + s.AtMost.String() + ")"
	}
	return out
}

// Plan is what to do now, in this order.
type Plan []Step

// Has says whether the verb is planned.
func (p Plan) Has(verb Verb) bool {
	return slices.ContainsFunc(p, func(s Step) bool { return s.Do == verb })
}

// Why is why the verb is planned, empty if it is not.
func (p Plan) Why(verb Verb) string {
	for _, s := range p {
		if s.Do == verb {
			return s.Why
		}
	}
	return ""
}

// Outcome is how far a plan came.
type Outcome struct {
	// Failed is the verb that did not succeed, empty if all did.
	Failed Verb
	Err    error
}
