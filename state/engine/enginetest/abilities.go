package enginetest

import (
	"testing"
	"time"

	"portico.dev/portico/state/engine"
)

// The interfaces of this file are what a Lab and its Targets may be able to do besides. A part
// of the suite that needs one of them asks the engine first whether it refuses the set: what
// it refuses is skipped, with the engine's own words, which have its name. What it does not
// refuse its lab must be able to try.

// SourceLab is a Lab with sources other than charts.
type SourceLab interface {
	// Source makes these files a source for services of that kind, Kustomize or Resource,
	// where the lab's engine looks for it. The files that the suite makes hold a ConfigMap
	// that is called like the service, without a namespace.
	Source(t testing.TB, kind engine.Kind, files map[string]string) engine.Source
}

// OddLab is a Lab with charts that are like version 1.0.0 of Lab.Chart, but for one thing.
type OddLab interface {
	Odd(t testing.TB, odd Odd) engine.Source
}

// Odd is what is odd about a chart.
type Odd string

const (
	// StrictSchema is a chart whose schema allows lower case letters alone in "text".
	StrictSchema Odd = "strict schema"
	// FailingHook is a chart with a hook before installs and upgrades, which goes on until
	// HookTarget ends it.
	FailingHook Odd = "failing hook"
	// RemovalHook is a chart with a hook before its removal, which goes on until HookTarget ends it.
	RemovalHook Odd = "removal hook"
	// LateKind is a chart with an object of kind Late, which the target does not have before
	// KindTarget.Serve.
	LateKind Odd = "late kind"
)

// ManagementLab is a Lab with the management cluster as a target beside its clusters.
type ManagementLab interface {
	// Management is the management cluster, with a namespace that nothing is installed in.
	Management(t testing.TB) Target
}

// HookTarget is a Target that plays the hooks of FailingHook and RemovalHook.
type HookTarget interface {
	// FailHook waits until the hook of a release runs, and has it fail with these words.
	FailHook(t testing.TB, key engine.Key, words string)
	// PassHook waits until it runs, and has it end well.
	PassHook(t testing.TB, key engine.Key)
}

// KindTarget is a Target that learns a kind.
type KindTarget interface {
	// Serve has the target know the kind Late from now on.
	Serve(t testing.TB)
}

// NamespaceTarget is a Target whose namespace can be on its way out.
type NamespaceTarget interface {
	// Terminate makes the target's Namespace, and deletes it so that it does not go.
	Terminate(t testing.TB)
	// Finish lets it go.
	Finish(t testing.TB)
}

// ObjectTarget is a Target on which the suite changes objects by hand.
type ObjectTarget interface {
	// Text is what the ConfigMap of a service, which is called like it, keeps under "text";
	// there is none where it says false.
	Text(t testing.TB, key engine.Key) (text string, there bool)
	// Edit writes another text there, past the engine.
	Edit(t testing.TB, key engine.Key, text string)
	// Delete takes the ConfigMap away, past the engine.
	Delete(t testing.TB, key engine.Key)
}

// HealthTarget is an ObjectTarget on which others make ConfigMaps, too.
type HealthTarget interface {
	ObjectTarget
	// Put makes a ConfigMap that no release has, with these labels and, under "text", this text.
	Put(t testing.TB, key engine.Key, labels map[string]string, text string)
}

// ReloadTarget is an ObjectTarget on which the workload that the chart makes with "run: true"
// mounts the ConfigMap.
type ReloadTarget interface {
	ObjectTarget
	// Restarts counts how often the workload of a release was told to start its pods anew.
	Restarts(t testing.TB, key engine.Key) int
}

// GraphLab is a Lab that says how many random graphs of services it can bear: three if it does
// not say.
type GraphLab interface{ Graphs() int }

// LimitedLab is a Lab of an engine that lacks something which it cannot refuse, since a set does
// not say that it needs it: reporting drift that is not mended, for example. Its parts are
// skipped, with the reason.
type LimitedLab interface {
	// Limits says why, by the name of the part.
	Limits() map[string]string
}

// PatientLab is a Lab of an engine that works by the clock, so that what must happen takes
// longer than a minute.
type PatientLab interface{ Patience() time.Duration }
