package helm

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/kube/rule"
)

func TestJudgeByRules(t *testing.T) {
	leads := HealthRule{Source: "health rule 0 of ConfigMap team/rules", Group: "x.io", Version: "v1", Kind: "Widget", Healthy: "obj.status.leader != ''", Message: "it has no leader."}
	big, broken, misspelt := leads, leads, leads
	big.Source, big.Healthy, big.Message = "health rule 1 of ConfigMap team/rules", "obj.spec.size > 2", " "
	broken.Healthy, misspelt.Healthy = "obj.status.nothing", "object.status"
	other, global := leads, leads
	other.Version = "v2"
	global.ClusterScoped = true
	const (
		named  = "{apiVersion: x.io/v1, kind: Widget, metadata: {name: a, namespace: ns}"
		good   = named + ", spec: {size: 3}, status: {leader: one}}"
		bad    = named + ", spec: {size: 1}, status: {leader: ''}}"
		ending = "{apiVersion: x.io/v1, kind: Widget, metadata: {name: a, namespace: ns, deletionTimestamp: '2026-01-01T00:00:00Z'}}"
	)
	says := func(messages ...string) []Problem {
		var out []Problem
		for _, m := range messages {
			out = append(out, Problem{Object: "Widget ns/a", Message: m})
		}
		return out
	}
	tests := []struct {
		name, why, object string
		rules             []HealthRule
		want              []Problem
	}{
		{"Holds", "An object of which all rules hold is healthy.", good, []HealthRule{leads, big}, nil},
		{"Message", "One of which a rule does not hold says why in the rule's words, and whose they are.", bad, []HealthRule{leads},
			says("it has no leader (health rule 0 of ConfigMap team/rules)")},
		{"NoMessage", "A rule without words is named.", bad, []HealthRule{big}, says("health rule 1 of ConfigMap team/rules does not hold")},
		{"All", "Rules are additive.", bad, []HealthRule{leads, big},
			says("it has no leader (health rule 0 of ConfigMap team/rules)", "health rule 1 of ConfigMap team/rules does not hold")},
		{"NoAnswer", "A rule without an answer does not hold, and is named.", good, []HealthRule{broken},
			says("health rule 0 of ConfigMap team/rules has no answer: no such key: nothing")},
		{"Misspelt", "Neither does one that cannot be compiled.", good, []HealthRule{misspelt},
			says("health rule 0 of ConfigMap team/rules has no answer: line 1, column 1: undeclared reference to 'object' (in container '')")},
		{"Ending", "What is being deleted is not asked for anything any more.", ending, []HealthRule{leads, broken}, nil},
		{"OtherVersion", "A rule about another version is about other fields.", bad, []HealthRule{other}, nil},
		{"Misscoped", "A rule that is wrong about namespaces says what to mend.", good, []HealthRule{global},
			[]Problem{{Object: "Widget ns/a", Misscoped: true,
				Message: "health rule 0 of ConfigMap team/rules cannot be asked: the cluster has the kind in namespaces: give the rule scope Namespaced"}}},
	}
	compile := rule.About(RuleVariable)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			laws := jury{compile, rule.NewBudget()}.laws(leads.kind(), tc.rules).within(true)
			if diff := cmp.Diff(tc.want, laws.judge(t.Context(), object(t, tc.object))); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.why, diff)
			}
		})
	}
}

func TestByKind(t *testing.T) {
	problems := []Problem{
		{Object: "Widget ns/a", Message: "it has no leader"},
		{Object: "Deployment ns/web", Message: "Available: 0/1"},
		{Object: "Widget ns/b", Message: "it has no leader", Misscoped: true},
		{Object: "Gadget", Message: "the rule cannot be asked", Misscoped: true},
	}
	want := []Ills{
		{Kind: "Deployment", Message: "Deployment ns/web: Available: 0/1"},
		{Kind: "Gadget", Message: "Gadget: the rule cannot be asked", Misscoped: true},
		{Kind: "Widget", Message: "Widget ns/a: it has no leader (and 1 more)"},
	}
	if diff := cmp.Diff(want, ByKind(problems)); diff != "" {
		t.Errorf("other kinds (-want +got)\n%s", diff)
	}
}
