package rule_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/rule"
)

var widget = map[string]any{
	"metadata": map[string]any{"name": "a-b", "generation": int64(2)},
	"status":   map[string]any{"leader": "a", "parts": []any{int64(1), int64(2)}},
}

const dear = "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, a+b+c+d+e+f > 0))))))"

func TestHolds(t *testing.T) {
	tests := []struct {
		name, why, text, complaint string
		holds                      bool
	}{
		{name: "True", why: "A rule is an expression over the object.", text: "obj.status.leader != ''", holds: true},
		{name: "False", why: "Which does not hold of every object.", text: "size(obj.status.parts) > 2"},
		{name: "Optional", why: "What may be missing is asked for first.", text: "!has(obj.status.ready) || obj.status.ready", holds: true},
		{name: "Strings", why: "The functions for strings are there.", text: "obj.metadata.name.split('-')[0].upperAscii() == 'A'", holds: true},
		{name: "MoreStrings", why: "Those too which Kubernetes leaves out.", text: "obj.metadata.name.reverse() == 'b-a'", holds: true},
		{name: "Missing", why: "A field that is not there has no answer, and is named.", text: "obj.status.ready", complaint: "no such key: ready"},
		{name: "Typo", why: "A rule that does not compile says where.", text: "obj.status.leader ==\n  ob.x", complaint: "line 2, column 3: undeclared reference to 'ob'"},
		{name: "Empty", why: "No rule is no rule.", text: "", complaint: "line 1"},
		{name: "NoBool", why: "What is neither true nor false is no rule.", text: "1 + 1", complaint: "its answer is of type int"},
		{name: "DynamicNoBool", why: "Also where that is only seen when it is evaluated.", text: "obj.status.leader", complaint: "its answer is of type string"},
		{name: "Costly", why: "A rule cannot keep the program busy.", text: dear, complaint: "cost limit exceeded"},
		{name: "Long", why: "Nor can its length.", text: strings.Repeat("true || ", 2000) + "true", complaint: "longer than"},
	}
	rules := rule.About("obj")
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			holds, err := evaluate(rules, tc.text)
			switch {
			case tc.complaint == "" && err != nil:
				t.Errorf("%s\nunexpected error: %v", tc.why, err)
			case tc.complaint != "" && (!errors.Is(err, fleet.ErrInvalid) || !strings.Contains(fleet.Sentence(err), tc.complaint)):
				t.Errorf("%s\nerror = %v; want one of kind ErrInvalid with %q", tc.why, err, tc.complaint)
			case holds != tc.holds:
				t.Errorf("%s\nholds = %v", tc.why, holds)
			}
		})
	}
}

func evaluate(rules *rule.Rules, text string) (bool, error) {
	compiled, err := rules.Compile(text)
	if err != nil {
		return false, err
	}
	return compiled.Holds(context.Background(), widget)
}

// The same text is compiled once, whoever asks, and however many other rules there are.
func TestCompileOnce(t *testing.T) {
	rules := rule.About("obj")
	found := make([]rule.Rule, 20)
	var running sync.WaitGroup
	for i := range found {
		running.Go(func() { found[i], _ = rules.Compile("obj.status.leader == 'a'") })
	}
	running.Wait()
	for _, other := range found {
		if other != found[0] {
			t.Fatal("the same rule was compiled twice")
		}
	}
	if other, err := rules.Compile("obj.status.leader == 'b'"); err != nil || other == found[0] {
		t.Errorf("another rule is the same one, or %v", err)
	}
}

// What each may cost is bounded, and so is what all may cost together.
func TestBudget(t *testing.T) {
	rules := rule.About("obj")
	cheap, err := rules.Compile("obj.status.leader == 'a'")
	if err != nil {
		t.Fatal(err)
	}
	costly, err := rules.Compile(dear)
	if err != nil {
		t.Fatal(err)
	}
	budget := rule.NewBudget()
	for range 10_000 {
		if holds, err := budget.Holds(t.Context(), cheap, widget); err != nil || !holds {
			t.Fatalf("a cheap rule: %v, %v", holds, err)
		}
	}
	for range 10 {
		if _, err := budget.Holds(t.Context(), costly, widget); err == nil {
			t.Fatal("a costly rule has an answer")
		}
	}
	if _, err := budget.Holds(t.Context(), cheap, widget); err == nil || !strings.Contains(err.Error(), "together") {
		t.Errorf("nothing is left, and the error is %v", err)
	}
}

// Whatever somebody writes: an answer or an error of the user's kind, soon, and never a panic.
func FuzzRule(f *testing.F) {
	for _, seed := range []string{"", "obj", "obj.status.leader == 'a'", "ob.", "[1].map(x, x)", "has(obj.a) && obj.a", `"\`, "obj.metadata.name.matches('(a+)+$')", "obj.metadata.name.format([obj])"} {
		f.Add(seed)
	}
	rules := rule.About("obj")
	f.Fuzz(func(t *testing.T, text string) {
		begun := time.Now()
		holds, err := evaluate(rules, text)
		if err != nil && (holds || !errors.Is(err, fleet.ErrInvalid)) {
			t.Errorf("rule %q: %v, error %v", text, holds, err)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("rule %q took %s", text, took)
		}
	})
}
