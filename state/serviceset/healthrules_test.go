package serviceset

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/rule"
	"portico.dev/portico/state/engine"
)

func compiles(rules *rule.Rules) func(string) error {
	return func(text string) error {
		_, err := rules.Compile(text)
		return err
	}
}

func TestParseHealthRules(t *testing.T) {
	const name = "ConfigMap team/rules"
	deployment := engine.HealthRule{
		Source: "health rule 0 of " + name, Group: "apps", Version: "v1", Kind: "Deployment",
		Healthy: "obj.status.availableReplicas > 0", Message: "no replica is available",
	}
	second := deployment
	second.Source = "health rule 1 of " + name
	volume := engine.HealthRule{Source: "health rule 0 of " + name, Version: "v1", Kind: "PersistentVolume", ClusterScoped: true, Healthy: "obj.status.phase == 'Bound'"}
	const good = "{group: apps, version: v1, kind: Deployment, scope: Namespaced, healthy: 'obj.status.availableReplicas > 0', message: no replica is available}"
	const fields = "it has group, healthy, kind, message, scope, version"
	tests := []struct {
		name, why, text string
		rules           []engine.HealthRule
		mistakes        []string
	}{
		{"Empty", "A list of nothing is a list.", "[]", nil, nil},
		{"Rule", "A rule has all its fields.", "- " + good, []engine.HealthRule{deployment}, nil},
		{"Cluster", "Group, scope and message may be left out; a kind without namespaces says so.",
			"- {version: v1, kind: PersistentVolume, scope: Cluster, healthy: obj.status.phase == 'Bound'}", []engine.HealthRule{volume}, nil},
		{"NoList", "What is no list has no rules.", good, nil,
			[]string{name + `: its key "rules" is no list of rules: json: cannot unmarshal object into Go value of type []json.RawMessage`}},
		{"NoYAML", "Nor has what is no YAML.", "- [", nil,
			[]string{name + `: its key "rules" is no list of rules: yaml: line 1: did not find expected node content`}},
		{"GoodOnes", "What is wrong with one rule is no concern of the others, and all is told.",
			"- {version: v1, kind: Pod, healthy: 'object.x'}\n- " + good + "\n- 1\n- {version: v1, kind: Pod}\n- {kind: Pod, healthy: 'true'}", []engine.HealthRule{second}, []string{
				name + ": rules[0].healthy: line 1, column 1: undeclared reference to 'object' (in container ''): correct the condition, which calls the object obj",
				name + ": rules[2]: expected a rule with the fields group, version, kind, scope, healthy and message",
				name + ": rules[3].healthy: it is missing: add it",
				name + ": rules[4].version: it is missing: add it",
			}},
		{"Misspelt", "A field that nobody reads was meant to be another one.", "- {version: v1, kind: Pod, health: 'true'}", nil,
			[]string{name + ": rules[0].health: a rule has no such field: correct it, or take it out; " + fields}},
		{"NoText", "A number is no version.", "- {version: 1, kind: Pod, healthy: 'true'}", nil,
			[]string{name + ": rules[0].version: expected a text, and it is 1: put it in quotes"}},
		{"Null", "A field without a value is not there.", "- {group: , version: v1, kind: PersistentVolume, scope: Cluster, healthy: obj.status.phase == 'Bound'}", []engine.HealthRule{volume}, nil},
		{"Scope", "There are two scopes.", "- {version: v1, kind: Pod, scope: namespaced, healthy: 'true'}", nil,
			[]string{name + `: rules[0].scope: "namespaced" is not possible: want Namespaced or Cluster`}},
		{"LongMessage", "What is told of an object is a sentence.", "- {version: v1, kind: Pod, healthy: 'true', message: " + strings.Repeat("x", 501) + "}", nil,
			[]string{name + ": rules[0].message: it is longer than 500 bytes: shorten it"}},
		{"NoBool", "A condition is true or false.", "- {version: v1, kind: Pod, healthy: '1'}", nil,
			[]string{name + ": rules[0].healthy: its answer is of type int: write a rule that is true or false: correct the condition, which calls the object obj"}},
	}
	rules := rule.About(helm.RuleVariable)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := parseHealthRules(name, map[string]string{"rules": tc.text}, compiles(rules))
			if diff := cmp.Diff(HealthRules{Any: true, Rules: tc.rules, Mistakes: tc.mistakes}, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.why, diff)
			}
		})
	}
	got := parseHealthRules(name, map[string]string{"rule": "[]"}, compiles(rules))
	if want := []string{name + ` has no key "rules": put the list of rules under it`}; !cmp.Equal(want, got.Mistakes) {
		t.Errorf("without the key, the mistakes are %q", got.Mistakes)
	}
}

// Rules are bounded, of one ConfigMap and of all for a set, and what does not count is told.
func TestMostHealthRules(t *testing.T) {
	many := func(n int) map[string]string {
		return map[string]string{"rules": strings.Repeat("- {version: v1, kind: Pod, healthy: 'true'}\n", n)}
	}
	compile := compiles(rule.About(helm.RuleVariable))
	one := parseHealthRules("ConfigMap a/one", many(mostHealthRules+1), compile)
	if len(one.Rules) != mostHealthRules || len(one.Mistakes) != 1 || !strings.Contains(one.Mistakes[0], "only the first 100 count") {
		t.Errorf("%d rules count, and the mistakes are %q", len(one.Rules), one.Mistakes)
	}
	var all HealthRules
	all.add(parseHealthRules("ConfigMap a/one", many(60), compile), "ConfigMap a/one")
	all.add(parseHealthRules("ConfigMap a/two", many(60), compile), "ConfigMap a/two")
	if len(all.Rules) != mostHealthRules || len(all.Mistakes) != 1 || !strings.Contains(all.Mistakes[0], "ConfigMap a/two: of its 60 rules the last 20 do not count") {
		t.Errorf("%d rules count, and the mistakes are %q", len(all.Rules), all.Mistakes)
	}
}

// The condition names three mistakes, and says how many more there are.
func TestHealthRulesFact(t *testing.T) {
	good := HealthRules{Any: true, Rules: make([]engine.HealthRule, 2)}
	if c := good.fact(); c.Status != metav1.ConditionTrue || c.Reason != kcm.AllRulesValidReason {
		t.Errorf("valid rules: %+v", c)
	}
	if c := (HealthRules{Mistakes: []string{strings.Repeat("é", 40_000)}}).fact(); len(c.Message) > 3*longestWords || !strings.HasSuffix(c.Message, "é …") {
		t.Errorf("a long mistake is told in %d bytes", len(c.Message))
	}
	good.Mistakes = []string{"a", "b", "c", "d", "e"}
	if c := good.fact(); c.Status != metav1.ConditionFalse || c.Reason != kcm.HealthRuleInvalidReason || c.Message != "a; b; c (and 2 more)" {
		t.Errorf("mistakes: %+v", c)
	}
}

func TestJudges(t *testing.T) {
	platform := kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Namespace: "team"}, Spec: kcm.ServiceSetSpec{Cluster: "dev", MultiClusterService: "ingress"}}
	own, home := platform, platform
	own.Spec.MultiClusterService = ""
	home.Namespace = "kcm-system"
	team := own
	team.Spec.NamespacedMultiClusterService = "web"
	tests := []struct {
		name, why, namespace, target string
		set                          kcm.ServiceSet
		want                         bool
	}{
		{"Global", "What is for all in the system namespace is for all sets.", "kcm-system", "global", own, true},
		{"GlobalHere", "What is for all in another namespace is for the sets in it.", "team", "global", platform, true},
		{"GlobalElsewhere", "And for no others.", "other", "global", own, false},
		{"NotOfATenant", "A tenant does not judge what the platform runs elsewhere.", "team", "global", home, false},
		{"Owner", "Services of a ClusterDeployment are meant by its name.", "team", "dev", own, true},
		{"MultiClusterService", "Those of a MultiClusterService by that.", "team", "ingress", platform, true},
		{"Namespaced", "Those of a team's by that.", "team", "web", team, true},
		{"NotByCluster", "The cluster does not own what a MultiClusterService asks for.", "team", "dev", platform, false},
		{"OwnerElsewhere", "The same name in another namespace is another's.", "kcm-system", "dev", own, false},
		{"NoLabel", "Other ConfigMaps have no rules.", "team", "", own, false},
	}
	for _, tc := range tests {
		from := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: tc.namespace, Labels: map[string]string{kcm.HealthRuleTargetLabel: tc.target}}}
		if got := judges(from, &tc.set, "kcm-system"); got != tc.want {
			t.Errorf("%s: %v; %s", tc.name, got, tc.why)
		}
	}
}

// Whatever somebody writes: rules that compile, or mistakes that name the place, and never a panic.
func FuzzHealthRules(f *testing.F) {
	for _, seed := range []string{
		"", "[]", "- {version: v1, kind: Pod, healthy: 'true'}", "- {version: v1, kind: Pod, healthy: 'obj.'}", "- &a [*a]", "- {scope: Cluster}", "rules: []", "- null", "- {version: v1, version: v2}",
	} {
		f.Add(seed)
	}
	compile := compiles(rule.About(helm.RuleVariable))
	f.Fuzz(func(t *testing.T, text string) {
		got := parseHealthRules("ConfigMap a/b", map[string]string{"rules": text}, compile)
		again := parseHealthRules("ConfigMap a/b", map[string]string{"rules": text}, compile)
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("%q is read in two ways: %s", text, diff)
		}
		for _, r := range got.Rules {
			if r.Kind == "" || r.Version == "" || compile(r.Healthy) != nil || !strings.HasSuffix(r.Source, " of ConfigMap a/b") {
				t.Errorf("%q: rule %+v", text, r)
			}
		}
		for _, m := range got.Mistakes {
			if !strings.HasPrefix(m, "ConfigMap a/b") {
				t.Errorf("%q: mistake %q", text, m)
			}
		}
		if message := got.fact().Message; message == "" || len(message) > 4*longestWords || !utf8.ValidString(message) {
			t.Errorf("%q: a condition with the message %q", text, message)
		}
	})
}
