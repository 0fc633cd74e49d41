package enginetest

import "testing"

// Run tries the engine of a lab. The factory is called once for each part of the suite. A part
// that needs what the engine refuses is skipped, with the engine's words; see SourceLab and the
// other abilities for what a lab needs beyond Lab.
func Run(t *testing.T, factory func(t *testing.T) Lab) {
	for _, part := range parts {
		t.Run(part.name, func(t *testing.T) {
			lab := factory(t)
			if limited, ok := lab.(LimitedLab); ok && limited.Limits()[part.name] != "" {
				t.Skip("NOT TRIED: " + limited.Limits()[part.name])
			}
			part.run(t, lab)
		})
	}
}

// part is one thing that an engine does.
type part struct {
	name string
	run  func(t *testing.T, lab Lab)
}

// parts are what an engine does, in the order in which they are tried.
var parts = []part{
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
	{"RemoveUnawaited", removeUnawaited},
	{"LeaveUnawaited", leaveUnawaited},
	{"UninstallInOrder", uninstallInOrder},
	{"RemoveWhileWaiting", removeWhileWaiting},
	{"RemoveWithOptions", removeWithOptions},
	{"TwoSets", twoSets},
	{"TwoSetsOneRelease", twoSetsOneRelease},
	{"TwoTargets", twoTargets},
	{"Restart", restart},
	{"KilledInstalling", killedInstalling},
	{"KilledUpgrading", killedUpgrading},
	{"KilledRemoving", killedRemoving},
	{"SlowTarget", slowTarget},
	{"Paused", paused},
	{"Forget", forget},
	{"Priority", priority},
	{"PriorityChanges", priorityChanges},
	{"StopOnConflict", stopOnConflict},
	{"StopOnError", stopOnError},
	{"MaxFailures", maxFailures},
	{"OneTime", oneTime},
	{"DryRun", dryRun},
	{"LeaveOnRemove", leaveOnRemove},
	{"DriftMended", driftMended},
	{"DriftReported", driftReported},
	{"DriftIgnored", driftIgnored},
	{"DriftExcluded", driftExcluded},
	{"Reload", reload},
	{"HealthRules", healthRules},
	{"HealthRulesChange", healthRulesChange},
	{"HealthRulesLabels", healthRulesLabels},
	{"HealthRulesOrder", healthRulesOrder},
	{"Resource", resource},
	{"Kustomize", kustomize},
	{"BrokenFiles", brokenFiles},
	{"Yields", yields},
	{"Namespaces", namespaces},
	{"Patches", patches},
	{"Schema", schema},
	{"FailingHook", failingHook},
	{"LateKind", lateKind},
	{"Terminating", terminating},
	{"OneUnreachable", oneUnreachable},
	{"Graphs", graphs},
}
