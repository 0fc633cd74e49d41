package direct

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

func TestTranslate(t *testing.T) {
	const all = -1 // of Helm's history
	tests := []struct {
		name, reason string
		options      engine.Options
		want         helm.Options
	}{
		{"Nothing", "No bound on the history is none, not Helm's own.", engine.Options{}, helm.Options{MaxHistory: all}},
		{"MaxHistory", "A bound is one.", engine.Options{Upgrade: engine.UpgradeOptions{MaxHistory: 2}}, helm.Options{MaxHistory: 2}},
		{"DisableHooks", "Whoever wants no hooks at all gets none.", engine.Options{DisableHooks: true}, helm.Options{DisableHooks: true, MaxHistory: all}},
		{"InstallOptions", "What is said of installs says nothing of upgrades.",
			engine.Options{Install: engine.InstallOptions{DisableHooks: true, TakeOwnership: true}},
			helm.Options{MaxHistory: all, Install: helm.InstallOptions{DisableHooks: true, TakeOwnership: true}}},
		{"UpgradeOptions", "What is said of upgrades says nothing of installs.",
			engine.Options{Upgrade: engine.UpgradeOptions{
				DisableHooks: true, TakeOwnership: true, Force: true, ReuseValues: true, ResetThenReuseValues: true,
				CleanupOnFail: true, UpgradeCRDs: true, SubNotes: true, MaxHistory: 3,
			}},
			helm.Options{MaxHistory: 3, SubNotes: true, Upgrade: helm.UpgradeOptions{
				DisableHooks: true, TakeOwnership: true, Force: true, ReuseValues: true, ResetThenReuseValues: true, CleanupOnFail: true, CRDs: true,
			}}},
		{"UninstallOptions", "What is said of removals says nothing of either.",
			engine.Options{Uninstall: engine.UninstallOptions{DisableHooks: true, KeepHistory: true}}, helm.Options{MaxHistory: all}},
		{"Rest", "Everything else is passed on.",
			engine.Options{
				Wait: true, WaitForJobs: true, Atomic: true, Timeout: time.Minute, CreateNamespace: true, SkipCRDs: true,
				SkipSchemaValidation: true, Labels: map[string]string{"team": "a"}, Description: "why",
			},
			helm.Options{
				Wait: true, WaitForJobs: true, Atomic: true, Timeout: time.Minute, CreateNamespace: true, SkipCRDs: true,
				SkipSchemaValidation: true, Labels: map[string]string{"team": "a"}, Description: "why", MaxHistory: all,
			}},
	}
	owner := helm.Owner{Label: SetLabel, Value: "one"}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := translate(wish{Service: engine.Service{Key: engine.Key{Namespace: "web", Name: "app"}, Kind: engine.Helm, Options: tc.options}}, nil, nil, owner)
			want := helm.Wanted{Namespace: "web", Name: "app", Owner: owner, Options: tc.want}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}

func TestTranslateRemoval(t *testing.T) {
	owner := helm.Owner{Label: SetLabel, Value: "one"}
	tests := []struct {
		name, reason string
		options      engine.Options
		want         helm.RemoveOptions
	}{
		{"Uninstall", "A removal has its own options.",
			engine.Options{Timeout: time.Minute, Uninstall: engine.UninstallOptions{KeepHistory: true, DisableHooks: true, Propagation: "foreground"}},
			helm.RemoveOptions{Owner: owner, Timeout: time.Minute, KeepHistory: true, DisableHooks: true, Propagation: "foreground"}},
		{"DisableHooks", "Whoever wants no hooks at all gets none.", engine.Options{DisableHooks: true}, helm.RemoveOptions{Owner: owner, DisableHooks: true}},
		{"Others", "What is said of installs and upgrades says nothing of removals.",
			engine.Options{Install: engine.InstallOptions{DisableHooks: true}, Upgrade: engine.UpgradeOptions{DisableHooks: true}},
			helm.RemoveOptions{Owner: owner}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, translateRemoval(tc.options, owner)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.reason, diff)
			}
		})
	}
}
