package flux

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/state/engine"
)

func TestTranslate(t *testing.T) {
	at := Access{Target: engine.Target{Cluster: types.NamespacedName{Namespace: "team", Name: "prod"}}, Namespace: "team", Secret: "prod-kubeconfig", Key: "value"}
	tests := []struct {
		name, why string
		svc       engine.Service
		policy    engine.Policy
		want      string // the JSON of what is asked about
		ask       func(*helmReleaseSpec) any
	}{
		{"Place", "The release is where the user wants it, and so are its records.", engine.Service{Key: engine.Key{Namespace: "web", Name: "app"}}, engine.Policy{}, `["app","web","web"]`,
			func(s *helmReleaseSpec) any { return []string{s.ReleaseName, s.TargetNamespace, s.StorageNamespace} }},
		{"KubeConfig", "The target is another cluster.", engine.Service{}, engine.Policy{}, `{"secretRef":{"name":"prod-kubeconfig","key":"value"}}`,
			func(s *helmReleaseSpec) any { return s.KubeConfig }},
		{"Values", "They are in a Secret: who may read HelmReleases need not be allowed to read what came from Secrets.", engine.Service{Values: "{a: 1, b: null, c: ~}"}, engine.Policy{}, `["Secret","values.yaml",1]`,
			func(s *helmReleaseSpec) any {
				return []any{s.ValuesFrom[0].Kind, s.ValuesFrom[0].Key, len(s.ValuesFrom)}
			}},
		{"NoValues", "Where nothing is said, no Secret is needed.", engine.Service{Values: "{}"}, engine.Policy{}, `null`,
			func(s *helmReleaseSpec) any { return s.ValuesFrom }},
		{"NoWait", "Without wait, nothing is waited for; the health is looked at by ourselves.", engine.Service{}, engine.Policy{}, `{"strategy":{"name":"RetryOnFailure","retryInterval":"5m0s"},"disableTakeOwnership":true,"disableWait":true,"disableWaitForJobs":true,"replace":true,"crds":"Create"}`,
			func(s *helmReleaseSpec) any { return s.Install }},
		{"Atomic", "What failed is undone, as often as it takes.", engine.Service{Options: engine.Options{Atomic: true}}, engine.Policy{}, `{"strategy":{"name":"RemediateOnFailure"},"remediation":{"retries":-1,"remediateLastFailure":true,"strategy":"rollback"},"disableTakeOwnership":true,"disableWaitForJobs":true,"crds":"Skip","chartNameChangeStrategy":"InPlaceUpdate"}`,
			func(s *helmReleaseSpec) any { return s.Upgrade }},
		{"MaxFailures", "Three failures are two retries.", engine.Service{}, engine.Policy{MaxFailures: 3}, `{"retries":2,"remediateLastFailure":false}`,
			func(s *helmReleaseSpec) any { return s.Install.Remediation }},
		{"Force", "With server-side apply, Flux would not force anything.", engine.Service{Options: engine.Options{Upgrade: engine.UpgradeOptions{Force: true}}}, engine.Policy{}, `[true,"disabled",false]`,
			func(s *helmReleaseSpec) any {
				return []any{s.Upgrade.Force, s.Upgrade.ServerSideApply, s.Install.ServerSideApply}
			}},
		{"CRDs", "They are upgraded only if the user says so.", engine.Service{Options: engine.Options{Upgrade: engine.UpgradeOptions{UpgradeCRDs: true}}}, engine.Policy{}, `["Create","CreateReplace"]`,
			func(s *helmReleaseSpec) any { return []string{s.Install.CRDs, s.Upgrade.CRDs} }},
		{"SkipCRDs", "Skipped is skipped.", engine.Service{Options: engine.Options{SkipCRDs: true, Upgrade: engine.UpgradeOptions{UpgradeCRDs: true}}}, engine.Policy{}, `["Skip","Skip"]`,
			func(s *helmReleaseSpec) any { return []string{s.Install.CRDs, s.Upgrade.CRDs} }},
		{"Uninstall", "How it goes is written down with it.", engine.Service{Options: engine.Options{Uninstall: engine.UninstallOptions{KeepHistory: true, Propagation: "foreground"}}}, engine.Policy{}, `{"keepHistory":true,"disableWait":true,"deletionPropagation":"foreground"}`,
			func(s *helmReleaseSpec) any { return s.Uninstall }},
		{"Drift", "Drift is reported.", engine.Service{}, engine.Policy{}, `{"mode":"warn"}`,
			func(s *helmReleaseSpec) any { return s.DriftDetection }},
		{"DriftMended", "Or mended, but for what is to be left alone: the empty pointer is the whole object.", engine.Service{}, engine.Policy{
			Sync:          engine.ContinuousWithDriftDetection,
			DriftIgnored:  []engine.Selector{{Kind: "Secret"}},
			DriftExcluded: []engine.Exclusion{{Paths: []string{"/spec/replicas"}}},
		}, `{"mode":"enabled","ignore":[{"paths":[""],"target":{"kind":"Secret"}},{"paths":["/spec/replicas"]}]}`,
			func(s *helmReleaseSpec) any { return s.DriftDetection }},
		{"Patches", "They are applied to what the chart has made.", engine.Service{}, engine.Policy{Patches: []engine.Patch{{Patch: "p", Target: engine.Selector{Kind: "Deployment"}}}}, `[{"kustomize":{"patches":[{"patch":"p","target":{"kind":"Deployment"}}]}}]`,
			func(s *helmReleaseSpec) any { return s.PostRenderers }},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := translate(tc.svc, tc.policy, at)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(tc.ask(got.spec))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, string(text)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.why, diff)
			}
		})
	}
}

func TestStage(t *testing.T) {
	ready := func(status metav1.ConditionStatus, generation int64) metav1.Condition {
		return metav1.Condition{Type: "Ready", Status: status, Reason: "Because", Message: "ready", ObservedGeneration: generation}
	}
	drifted := metav1.Condition{Type: "Drifted", Status: metav1.ConditionTrue}
	deployed, failed := []snapshot{{Version: 1, Status: "deployed"}}, []snapshot{{Version: 1, Status: "deployed"}, {Version: 2, Status: "failed"}}
	tests := []struct {
		name, why string
		status    helmReleaseStatus
		want      stage
		message   string
	}{
		{"Nothing", "Flux has not looked yet.", helmReleaseStatus{}, working, ""},
		{"Ready", "It is deployed.", helmReleaseStatus{ObservedGeneration: 2, Conditions: []metav1.Condition{ready("True", 2)}}, done, ""},
		{"ReadyBefore", "That was said of another wish.", helmReleaseStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{ready("True", 1)}}, working, ""},
		{"ReadyHalf", "Flux has begun with the new wish, and not ended.", helmReleaseStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{ready("True", 2)}}, working, ""},
		{"Progressing", "It is at work.", helmReleaseStatus{ObservedGeneration: 2, Conditions: []metav1.Condition{ready("Unknown", 2)}}, working, ""},
		{"Failed", "The message says why.", helmReleaseStatus{ObservedGeneration: 1, Conditions: []metav1.Condition{ready("False", 2)}}, broken, "ready"},
		{"Undone", "Ready tells that the attempt was undone, Released why.", helmReleaseStatus{Conditions: []metav1.Condition{ready("False", 2), {Type: "Released", Status: "False", Message: "out of disk"}}}, broken, "out of disk"},
		{"Cancelled", "It was broken off for something newer.", helmReleaseStatus{Conditions: []metav1.Condition{{Type: "Ready", Status: "False", Reason: "HealthCheckCanceled", ObservedGeneration: 2}}}, working, ""},
		{"Mending", "What is deployed has drifted and is put right.", helmReleaseStatus{ObservedGeneration: 2, History: deployed, Conditions: []metav1.Condition{ready("Unknown", 2), drifted}}, done, ""},
		{"TriedAgain", "That it has drifted before says nothing of an upgrade that is tried again.", helmReleaseStatus{ObservedGeneration: 2, History: failed, Conditions: []metav1.Condition{ready("Unknown", 2), drifted}}, working, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, message := stageOf(2, &tc.status)
			if got != tc.want || message != tc.message {
				t.Errorf("%s: it is %s %q, wanted %s %q", tc.why, got, message, tc.want, tc.message)
			}
		})
	}
}

// What a set keeps with a release is found there again, and what somebody else has written there
// harms nobody.
func FuzzNotes(f *testing.F) {
	f.Add("team", "web", int32(100), "db/db cache/redis", true)
	f.Add("", "", int32(-1), "no-slash / a/b/c", false)
	f.Fuzz(func(t *testing.T, namespace, name string, priority int32, needs string, leave bool) {
		first := observeNotes(map[string]string{setNote: namespace + "/" + name, needsNote: needs})
		first.priority, first.leave = priority, leave
		a := map[string]string{}
		first.write(a)
		second := observeNotes(a)
		a2 := map[string]string{}
		second.write(a2)
		if diff := cmp.Diff(a, a2); diff != "" {
			t.Errorf("written again it is another one (-first +second)\n%s", diff)
		}
		if diff := cmp.Diff(first, second, cmp.AllowUnexported(notes{}), cmpopts.SortSlices(func(a, b engine.Key) bool { return engine.CompareKeys(a, b) < 0 })); diff != "" {
			t.Errorf("(-written +read)\n%s", diff)
		}
	})
}

// What values hold stands in the Secret alone, as it was written, and other values are another one.
func TestSecretOf(t *testing.T) {
	at := Access{Target: engine.Target{Cluster: types.NamespacedName{Namespace: "team", Name: "prod"}}, Namespace: "team"}
	names := map[string]bool{}
	for _, tc := range []struct{ name, why, values, want string }{
		{"Password", "a value from a Secret", "{password: hunter2}", `{"password":"hunter2"}`},
		{"Other", "another one", "{password: hunter3}", `{"password":"hunter3"}`},
		{"Null", "null is a word, too", "{a: 1, b: null, c: ~}", `{"a":1,"b":null,"c":null}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			made, err := translate(engine.Service{Key: engine.Key{Namespace: "web", Name: "app"}, Values: tc.values}, engine.Policy{}, at)
			if err != nil {
				t.Fatal(err)
			}
			r := &helmRelease{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "prod-app", UID: "one"}, Spec: made.spec}
			secret := secretOf(r, made.values)
			if got := string(secret.Data[valuesKey]); got != tc.want {
				t.Errorf("%s: the Secret holds %s, wanted %s", tc.why, got, tc.want)
			}
			if refs := secret.OwnerReferences; len(refs) != 1 || refs[0].UID != "one" || refs[0].Kind != "HelmRelease" {
				t.Errorf("it does not go with its HelmRelease: %v", refs)
			}
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "hunter") {
				t.Errorf("the HelmRelease tells what the values hold: %s", text)
			}
			if names[secret.Name] {
				t.Errorf("other values have the same Secret %s", secret.Name)
			}
			names[secret.Name] = true
		})
	}
}
