package enginetest

import (
	"testing"
)

// Run tries the engine of a lab. The factory is called once for each part of the suite.
func Run(t *testing.T, factory func(t *testing.T) Lab) {
	for _, part := range []struct {
		name string
		run  func(t *testing.T, lab Lab)
	}{
		{"Install", install},
		{"Idle", idle},
		{"Upgrade", upgrade},
		{"OtherWords", otherWords},
		{"NotWantedAnyMore", notWantedAnyMore},
		{"Uninstall", uninstall},
		{"Unreachable", unreachable},
		{"LostWhileIdle", lostWhileIdle},
		{"Failures", failures},
		{"NotYet", notYet},
		{"Crash", crash},
		{"CrashWhileWaiting", crashWhileWaiting},
		{"Overtaken", overtaken},
		{"Order", order},
		{"Remove", remove},
		{"RemoveInOrder", removeInOrder},
		{"RemoveWhileWaiting", removeWhileWaiting},
		{"RemoveWithOptions", removeWithOptions},
		{"TwoSets", twoSets},
		{"TwoSetsOneRelease", twoSetsOneRelease},
		{"Restart", restart},
		{"KilledInstalling", killedInstalling},
		{"KilledUpgrading", killedUpgrading},
		{"KilledRemoving", killedRemoving},
		{"SlowTarget", slowTarget},
		{"Paused", paused},
		{"Forget", forget},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, factory(t)) })
	}
}
