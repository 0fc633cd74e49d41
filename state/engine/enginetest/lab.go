package enginetest

import (
	"testing"

	"portico.dev/portico/state/engine"
)

// Lab is where engines are tried. Its targets outlive the engines.
type Lab interface {
	// Engine makes an engine that knows nothing but what it finds on the targets.
	Engine(t testing.TB) engine.Engine
	// Target makes a target that nothing is installed on.
	Target(t testing.TB) Target
	// Chart is where the suite's chart is, in this version: 1.0.0 or 2.0.0; any other does
	// not exist. The chart takes the value "text" and keeps it on the target. With "run: true"
	// it makes a workload, which is ready only after Target.Heal. It takes no other value.
	Chart(version string) engine.Source
}

// Target is a cluster that the suite can do to what happens to clusters.
type Target interface {
	// Name is how engines call it.
	Name() engine.Target
	// Namespace is one for releases. It does not exist yet, and no other target has it.
	Namespace() string
	// Releases are all in that namespace, as they are on the target now.
	Releases(t testing.TB) map[engine.Key]Release
	// Writes counts what was written to the target; looking is free.
	Writes() int
	// Journal lists the releases that were made and removed, in order: "make name",
	// "remove name". One that is changed or made again is made.
	Journal() []string

	// Sever cuts the target off: it does not answer before Mend.
	Sever()
	// SeverAfter cuts it off after so many more writes. The last one gets through, but the
	// answer to it does not.
	SeverAfter(writes int)
	// Hold makes the target so slow that nothing ends before Mend.
	Hold()
	// Mend undoes Sever, SeverAfter and Hold.
	Mend()

	// Crash makes the workload of a release end again and again, with these words.
	Crash(t testing.TB, key engine.Key, words string)
	// Heal makes it ready.
	Heal(t testing.TB, key engine.Key)
}

// Release is one release on a target.
type Release struct {
	// Revision counts from one; every change makes a new one.
	Revision int
	// Whole says that its last revision was made completely, and stands.
	Whole bool
	// Kept says that it was removed, and only its history was kept.
	Kept bool
	// Version is the chart's; Text the value of that name.
	Version, Text string
}
