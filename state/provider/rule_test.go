package provider

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/fleet"
)

// available is the rule of k0rdent's own provider.
const available = `self.status.availableReplicas == self.status.replicas &&
self.status.availableReplicas == self.status.updatedReplicas &&
self.status.availableReplicas == self.status.readyReplicas`

func deployment(ready int64) map[string]any {
	return map[string]any{
		"metadata": map[string]any{"name": "adapter"},
		"status":   map[string]any{"replicas": int64(1), "updatedReplicas": int64(1), "readyReplicas": ready, "availableReplicas": ready},
	}
}

func TestReady(t *testing.T) {
	tests := []struct {
		name, why, rule string
		object          map[string]any
		ready           bool
		complaint       string
	}{
		{name: "Empty", why: "Without a rule an object is ready as soon as it exists.", rule: " \n", ready: true},
		{name: "Ready", why: "The rule of k0rdent's own provider holds.", rule: available, object: deployment(1), ready: true},
		{name: "NotReady", why: "And does not while a replica is missing.", rule: available, object: deployment(0)},
		{name: "NoStatus", why: "A field that is not there has no answer, and is named.", rule: available, object: map[string]any{}, complaint: "no such key: status"},
		{name: "Library", why: "Kubernetes' own functions are there.", rule: `self.metadata.name.find('[a-z]+') == 'adapter'`, object: deployment(1), ready: true},
		{name: "Typo", why: "A rule that does not compile says where.", rule: "self.status.ready ==\n  slef.x", complaint: "line 2, column 3: undeclared reference to 'slef'"},
		{name: "Syntax", why: "The same for one that cannot be parsed.", rule: "self.status.ready =", complaint: "line 1, column 19"},
		{name: "NoBool", why: "What is neither true nor false is no rule.", rule: "1 + 1", complaint: "its answer is of type int"},
		{name: "DynamicNoBool", why: "Also where that is only seen when it is evaluated.", rule: "self.metadata.name", object: deployment(1), complaint: "its answer is of type string"},
		{name: "Costly", why: "A rule cannot keep the plane busy.", rule: "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, [1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, a+b+c+d+e+f > 0))))))", complaint: "cost limit exceeded"},
		{name: "Long", why: "Nor can its length.", rule: strings.Repeat("true || ", 2000) + "true", complaint: "longer than"},
	}
	var rules Rules
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			ready, err := rules.Ready(t.Context(), tc.rule, tc.object)
			switch {
			case tc.complaint == "" && err != nil:
				t.Errorf("%s\nunexpected error: %v", tc.why, err)
			case tc.complaint != "" && (!errors.Is(err, fleet.ErrInvalid) || !strings.Contains(fleet.Sentence(err), tc.complaint)):
				t.Errorf("%s\nerror = %v; want one of kind ErrInvalid with %q", tc.why, err, tc.complaint)
			case ready != tc.ready:
				t.Errorf("%s\nready = %v", tc.why, ready)
			}
		})
	}
}

// Whatever somebody writes: an answer or an error of the user's kind, soon, and never a panic.
func FuzzRule(f *testing.F) {
	for _, seed := range []string{"", available, "self", "self.status.replicas > 0", "slef.", "[1].map(x, x)", "has(self.a) && self.a", `"\`, "self.metadata.name.matches('(a+)+$')"} {
		f.Add(seed)
	}
	var rules Rules
	f.Fuzz(func(t *testing.T, rule string) {
		begun := time.Now()
		ready, err := rules.Ready(context.Background(), rule, deployment(1))
		if err != nil && (ready || !errors.Is(err, fleet.ErrInvalid)) {
			t.Errorf("rule %q: ready %v, error %v", rule, ready, err)
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("rule %q took %s", rule, took)
		}
	})
}
