package sveltos

import (
	"strings"
	"testing"
	"text/template"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

func render(t *testing.T, text string) string {
	t.Helper()
	tmpl, err := template.New("x").Option("missingkey=error").Parse(text)
	if err != nil {
		t.Fatalf("Sveltos cannot read this as a template: %v\n%s", err, text)
	}
	var out strings.Builder
	if err := tmpl.Execute(&out, nil); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Whatever the values are, they are kept as they are, beside the entry, which does not tell them.
func FuzzKept(f *testing.F) {
	for _, seed := range []string{"", "text: one", "a: '{{ .Cluster.metadata.name }}'", "a: {b: ['{{{', '}}', '\\{{x']}", "'{{k}}': 1", "n: 1.5", "a: null"} {
		f.Add(seed)
	}
	at := address{types.NamespacedName{Namespace: "team", Name: "prod"}, engine.Target{Cluster: types.NamespacedName{Namespace: "team", Name: "prod"}}, true}
	f.Fuzz(func(t *testing.T, text string) {
		values, err := helm.ParseValues([]byte(text))
		if err != nil {
			return
		}
		made, err := keptValues(at, engine.Key{Namespace: "web", Name: "app"}, values)
		if err != nil {
			return
		}
		again, err := helm.ParseValues([]byte(made.text))
		if err != nil {
			t.Fatalf("the values cannot be read: %v\n%s", err, made.text)
		}
		if again.Digest() != values.Digest() {
			t.Errorf("the values %q became %v", text, again)
		}
		if refs := (entry{"valuesFrom": made.valuesFrom()}).secrets(); len(values) > 0 != (len(refs) == 1) {
			t.Errorf("%d values are in the Secrets %v", len(values), refs)
		}
	})
}

// What is in the values stands in a Secret that Sveltos reads and does not take for a template.
func TestKept(t *testing.T) {
	at := address{types.NamespacedName{Namespace: "team", Name: "prod"}, engine.Target{Cluster: types.NamespacedName{Namespace: "team", Name: "prod"}}, true}
	service := engine.Key{Namespace: "web", Name: "app"}
	one, err := keptValues(at, service, helm.Values{"password": "hunter2"})
	if err != nil {
		t.Fatal(err)
	}
	other, err := keptValues(at, service, helm.Values{"password": "hunter3"})
	if err != nil {
		t.Fatal(err)
	}
	if one.name == other.name {
		t.Error("other values have the same Secret: Sveltos would not hear of them")
	}
	secret := one.secret(at)
	kind, _, _ := unstructured.NestedString(secret.Object, "type")
	if kind != profileSecret || len(secret.GetAnnotations()) > 0 || secret.GetLabels()[setLabel] != at.mark() {
		t.Errorf("the Secret is %v", secret.Object)
	}
	want := []any{map[string]any{"kind": "Secret", "namespace": "team", "name": one.name.Name}}
	if diff := cmp.Diff(want, one.valuesFrom()); diff != "" {
		t.Errorf("the reference is another one (-want +got)\n%s", diff)
	}
	without := entry{"values": "", "valuesFrom": kept{}.valuesFrom()}
	if covers(entry{"values": "password: hunter2"}, without) || covers(entry{"valuesFrom": one.valuesFrom()}, without) {
		t.Error("values that nobody wants any more are left where they are")
	}
}

func TestInertPatch(t *testing.T) {
	patch := "- op: replace\n  path: /data/text\n  value: '{{ .Values.x }}'\n"
	var was, is any
	if err := yaml.Unmarshal([]byte(patch), &was); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(render(t, inertPatch(patch))), &is); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, is); diff != "" {
		t.Errorf("the patch is another one (-was +is)\n%s", diff)
	}
}

func TestAddress(t *testing.T) {
	set := types.NamespacedName{Namespace: "team", Name: "prod-1f2e3d4c"}
	child := engine.Target{Cluster: types.NamespacedName{Namespace: "team", Name: "prod"}}
	for _, tc := range []struct {
		name, why              string
		at                     address
		kind, profile, summary string
	}{
		{"Adopted", "k0rdent's name of a summary of an adopted cluster", address{set, child, true}, "Profile", "team/prod-1f2e3d4c", "team/p--prod-1f2e3d4c-sveltos-prod"},
		{"ClusterAPI", "of one of Cluster API", address{set, child, false}, "Profile", "team/prod-1f2e3d4c", "team/p--prod-1f2e3d4c-capi-prod"},
		{"Management", "of the management cluster, whose Profile is a ClusterProfile", address{set, engine.Target{Management: true}, true}, "ClusterProfile", "/prod-1f2e3d4c", "mgmt/prod-1f2e3d4c-sveltos-mgmt"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			kind, profile := tc.at.profile()
			if kind.Kind != tc.kind || profile.String() != tc.profile || tc.at.summary().String() != tc.summary {
				t.Errorf("%s: %s %s, summary %s", tc.why, kind.Kind, profile, tc.at.summary())
			}
		})
	}
}

// What the mapping of k0rdent says of a set's policy.
func TestProfileOf(t *testing.T) {
	at := address{types.NamespacedName{Namespace: "team", Name: "prod"}, engine.Target{Cluster: types.NamespacedName{Namespace: "team", Name: "prod"}}, true}
	policy := engine.Policy{
		Sync: engine.ContinuousWithDriftDetection, Priority: 100, StopOnConflict: true, MaxFailures: 3, LeaveOnRemove: true, Reload: true,
		DriftIgnored:  []engine.Selector{{Kind: "Deployment", Name: "web"}},
		DriftExcluded: []engine.Exclusion{{Paths: []string{"/spec/replicas"}, Target: engine.Selector{Kind: "Deployment"}}},
		Patches:       []engine.Patch{{Patch: "{a: b}", Target: engine.Selector{Kind: "Service"}}},
	}
	want := map[string]any{
		"clusterRefs": []any{map[string]any{"apiVersion": "lib.projectsveltos.io/v1beta1", "kind": "SveltosCluster", "namespace": "team", "name": "prod"}},
		"syncMode":    "ContinuousWithDriftDetection", "tier": int64(2145386395), "continueOnConflict": false, "continueOnError": true,
		"stopMatchingBehavior": "LeavePolicies", "reloader": true, "maxConsecutiveFailures": int64(3), "helmCharts": []any{},
		"patches": []any{
			map[string]any{"patch": "{a: b}", "target": map[string]any{"kind": "Service"}},
			map[string]any{"patch": "- op: add\n  path: /metadata/annotations/projectsveltos.io~1driftDetectionIgnore\n  value: ok\n", "target": map[string]any{"kind": "Deployment", "name": "web"}},
		},
		"driftExclusions": []any{map[string]any{"paths": []any{"/spec/replicas"}, "target": map[string]any{"kind": "Deployment"}}},
	}
	got := profileOf(at, policy, plan{paused: true})
	if diff := cmp.Diff(want, got.Object["spec"]); diff != "" {
		t.Errorf("the Profile is another one (-want +got)\n%s", diff)
	}
	if got.GetAnnotations()[pausedAnnotation] == "" {
		t.Error("the Profile is not paused")
	}
}

func TestSameProfile(t *testing.T) {
	at := address{types.NamespacedName{Namespace: "team", Name: "prod"}, engine.Target{Cluster: types.NamespacedName{Namespace: "team", Name: "prod"}}, true}
	chart := func(text string) []entry {
		return []entry{{"releaseName": "a", "values": text, "options": map[string]any{"wait": false, "labels": map[string]any{"x": "y"}}}}
	}
	kept := func(policy engine.Policy, entries []entry) *told {
		obj := profileOf(at, policy, plan{entries: entries})
		// What the API server adds and leaves out.
		charts, _, _ := unstructured.NestedSlice(obj.Object, "spec", "helmCharts")
		for _, c := range charts {
			options := c.(map[string]any)["options"].(map[string]any)
			delete(options, "wait")
			options["runTests"] = false
		}
		_ = unstructured.SetNestedSlice(obj.Object, charts, "spec", "helmCharts")
		return readProfile(obj)
	}
	for _, tc := range []struct {
		name, why string
		there     *told
		wanted    *unstructured.Unstructured
		same      bool
	}{
		{"Same", "defaults make no difference", kept(engine.Policy{}, chart("one")), profileOf(at, engine.Policy{}, plan{entries: chart("one")}), true},
		{"Values", "other values do", kept(engine.Policy{}, chart("one")), profileOf(at, engine.Policy{}, plan{entries: chart("two")}), false},
		{"Fewer", "so does a chart less", kept(engine.Policy{}, chart("one")), profileOf(at, engine.Policy{}, plan{}), false},
		{"Paused", "so does a pause", kept(engine.Policy{}, chart("one")), profileOf(at, engine.Policy{}, plan{entries: chart("one"), paused: true}), false},
		{"Field", "so does a field that is gone", kept(engine.Policy{MaxFailures: 1}, chart("one")), profileOf(at, engine.Policy{}, plan{entries: chart("one")}), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := sameProfile(tc.there, tc.wanted); got != tc.same {
				t.Errorf("%s: sameProfile says %v", tc.why, got)
			}
		})
	}
}

// Each priority goes before those that follow here; where two have one tier, that is said.
func TestTierOf(t *testing.T) {
	const most = 1<<31 - 2
	last := int64(0)
	for _, tc := range []struct {
		name, why string
		priority  int32
		same      bool
	}{
		{"Most", "the highest that can be written has the first tier", most, false},
		{"Second", "the very highest cannot be told apart", most - 1, true},
		{"High", "all below can", 1 << 30, false},
		{"Default", "what holds where nothing is written", 100, false},
		{"Below", "one less", 99, false},
		{"Least", "the least of the platform", 1, false},
		{"TeamMost", "the highest of a team is below it", -1, false},
		{"TeamSecond", "the very highest of a band cannot be told apart", -2, true},
		{"TeamDefault", "teams that write nothing", -1<<30 + 100, false},
		{"TeamBelow", "one less", -1<<30 + 99, false},
		{"TeamLeast", "the least of a team", -1<<30 + 1, false},
		{"YieldMost", "what yields is below all teams", -1<<30 - 1, false},
		{"YieldDefault", "the platform's that yields", -1<<31 + 100, false},
		{"YieldLeast", "the least of all", -1<<31 + 1, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tier := tierOf(engine.Policy{Priority: tc.priority})
			if tier < 1 || tier > 1<<31-1 {
				t.Errorf("%s: tier %d is none of Sveltos'", tc.why, tier)
			}
			if tier < last || (tier == last) != tc.same {
				t.Errorf("%s: priority %d has tier %d after %d", tc.why, tc.priority, tier, last)
			}
			last = tier
		})
	}
}
