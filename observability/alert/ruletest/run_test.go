package ruletest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/alert/ruletest"
)

// An alert waits for its time, begins anew after a gap, and sees what records wrote before it.
func TestRun(t *testing.T) {
	in := ruletest.Input{
		Groups: []alert.Group{{Name: "g", Rules: []alert.Rule{
			{Record: "double", Expr: "x * 2", Labels: map[string]string{"made": "yes"}},
			{Alert: "High", Expr: "double > 5", For: "2m", Labels: map[string]string{"of": "{{ $labels.a }}"}, Annotations: map[string]string{"said": "{{ $value }}"}},
		}}},
		Series: map[string]string{`x{a="b"}`: "3 3 3 3 1 3 3 3"}, Step: time.Minute, Until: 7 * time.Minute,
	}
	got, err := ruletest.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	firing := func(at time.Duration) ruletest.Firing {
		return ruletest.Firing{At: at, Name: "High", Labels: map[string]string{"alertname": "High", "a": "b", "made": "yes", "of": "b"}, Annotations: map[string]string{"said": "6"}}
	}
	want := []ruletest.Firing{firing(2 * time.Minute), firing(3 * time.Minute), firing(7 * time.Minute)}
	if diff := cmp.Diff(want, got.Firings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a store would refuse fails here as well.
func TestRunFails(t *testing.T) {
	tests := []struct{ name, expr, want string }{
		{"Twice", `{__name__=~"x|y", a="1"}`, "two series have the labels"},
		{"Parse", `x +`, "parse error"},
		{"Match", `x + on () y`, "duplicate series"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			in := ruletest.Input{Groups: []alert.Group{{Name: "g", Rules: []alert.Rule{{Alert: "A", Expr: tc.expr}}}}, Series: map[string]string{`x{a="1"}`: "1", `y{a="1"}`: "1", `x{a="2"}`: "1", `y{a="2"}`: "1"}, Step: time.Minute}
			if _, err := ruletest.Run(t.Context(), in); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want an error about %q", err, tc.want)
			}
		})
	}
	if _, err := ruletest.Run(t.Context(), ruletest.Input{Series: map[string]string{"x{": "1"}, Step: time.Minute}); err == nil {
		t.Error("a series that is none was taken")
	}
}
