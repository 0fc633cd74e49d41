package enginetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/state/engine"
)

// ruled is a health rule about the ConfigMaps of the suite's chart.
func ruled(healthy, message string) engine.HealthRule {
	return engine.HealthRule{Source: "health rule 0 of ConfigMap sets/rules", Version: "v1", Kind: "ConfigMap", Healthy: healthy, Message: message}
}

func judged(x *trial, rule engine.HealthRule, services ...engine.Service) engine.Set {
	set := x.set(services...)
	set.Health = []engine.HealthRule{rule}
	return set
}

// A service is Deployed only when the health rules hold, too. Its objects are seen to change.
func healthRules(t *testing.T, lab Lab) {
	x := try(t, lab)
	set := judged(x, ruled("obj.data.text != 'ill'", "the text is ill"), x.service("a"), x.service("b"))
	x.allowed(set)
	objects := ability[HealthTarget](x, x.target)
	x.await(set, "the installation", are(engine.Deployed, "a", "b"))
	objects.Edit(t, x.key("a"), "ill")
	begun := time.Now()
	report := x.await(set, "the verdict", says("a", engine.Provisioning, "the text is ill"))
	t.Logf("the verdict was told after %s", time.Since(begun))
	message := fmt.Sprintf("ConfigMap %s: the text is ill (health rule 0 of ConfigMap sets/rules)", x.key("a"))
	s := find(report, "a")
	if s.Message != message {
		t.Errorf("the message is %q, want %q", s.Message, message)
	}
	if diff := cmp.Diff([]engine.Unhealthy{{Kind: "ConfigMap", Message: message}}, s.Unhealthy); diff != "" {
		t.Errorf("other kinds are unhealthy (-want +got)\n%s", diff)
	}
	if other := find(report, "b"); other.State != engine.Deployed || len(other.Unhealthy) > 0 {
		t.Errorf("another service is %s: %v", other.State, other.Unhealthy)
	}
	objects.Edit(t, x.key("a"), "one")
	report = x.await(set, "the cure", are(engine.Deployed, "a", "b"))
	if s := find(report, "a"); len(s.Unhealthy) > 0 {
		t.Errorf("it is deployed, and unhealthy: %v", s.Unhealthy)
	}
}

// Other rules count at once, although nothing moves, and change nothing on the target. One that has
// no answer does not hold, and is named; one about a kind that nobody serves asks for nothing.
func healthRulesChange(t *testing.T, lab Lab) {
	x := try(t, lab)
	set := x.set(x.service("a"))
	set.Health = []engine.HealthRule{ruled("true", "")}
	x.allowed(set)
	ability[HealthTarget](x, x.target)
	was := x.await(set, "the installation", are(engine.Deployed, "a"))
	x.quiet(set, was, "the report changed although nothing did")
	writes := x.target.Writes()
	unserved := ruled("false", "this can never be")
	unserved.Group, unserved.Kind = "nobody.example.com", "Widget"
	for _, step := range []struct {
		why   string
		rule  engine.HealthRule
		state engine.State
		says  string
	}{
		{"another rule", ruled("obj.data.text == 'two'", "it is not two"), engine.Provisioning, "it is not two"},
		{"a rule that holds", ruled("obj.data.text == 'one'", ""), engine.Deployed, ""},
		{"a rule without an answer", ruled("obj.data.nothing == 'one'", "never said"), engine.Provisioning, "health rule 0 of ConfigMap sets/rules has no answer: no such key: nothing"},
		{"a kind that nobody serves", unserved, engine.Deployed, ""},
		{"a rule without words", ruled("obj.data.text == 'two'", ""), engine.Provisioning, "health rule 0 of ConfigMap sets/rules does not hold"},
	} {
		set.Health = []engine.HealthRule{step.rule}
		x.await(set, step.why, says("a", step.state, step.says))
	}
	set.Health = nil
	is := x.await(set, "no rules", are(engine.Deployed, "a"))
	if a, b := find(was, "a"), find(is, "a"); a.Digest != b.Digest {
		t.Errorf("the digest was %q and is %q", a.Digest, b.Digest)
	}
	if now := x.target.Writes(); now != writes {
		t.Errorf("%d writes although nothing of what is wanted has changed", now-writes)
	}
}

// Objects that others have made for a service count as its own do, by any of four labels.
func healthRulesLabels(t *testing.T, lab Lab) {
	x := try(t, lab)
	set := judged(x, ruled("obj.data.text != 'ill'", "the text is ill"), x.service("a"), x.service("b"))
	x.allowed(set)
	objects := ability[HealthTarget](x, x.target)
	x.await(set, "the installation", are(engine.Deployed, "a", "b"))
	for i, label := range []string{"release", "app", "app.kubernetes.io/instance", "app.kubernetes.io/name"} {
		made := x.key(fmt.Sprintf("made-%d", i))
		objects.Put(t, made, map[string]string{label: "a"}, "ill")
		report := x.await(set, "the verdict on what has the label "+label, says("a", engine.Provisioning, fmt.Sprintf("ConfigMap %s: the text is ill", made)))
		if s := find(report, "b"); s.State != engine.Deployed {
			t.Errorf("another service is %s: %s", s.State, s.Message)
		}
		objects.Delete(t, made)
		x.await(set, "the end of what was ill", are(engine.Deployed, "a", "b"))
	}
}

// What depends on a service waits until the rules hold of it.
func healthRulesOrder(t *testing.T, lab Lab) {
	x := try(t, lab)
	a, b := x.service("a"), x.service("b")
	b.DependsOn = []engine.Key{a.Key}
	set := judged(x, ruled("obj.metadata.name != 'a' || obj.data.text == 'two'", "it is not two"), a, b)
	x.allowed(set)
	ability[HealthTarget](x, x.target)
	x.await(set, "the wait", func(r engine.Report) bool {
		return says("a", engine.Provisioning, "it is not two")(r) && says("b", engine.Pending, x.key("a").String())(r)
	})
	x.expect("while the rule does not hold", map[string]Release{"a": first("1.0.0", "one")})
	set.Health = []engine.HealthRule{ruled("obj.data.text == 'one'", "it is not one")}
	x.await(set, "the other one", are(engine.Deployed, "a", "b"))
}
