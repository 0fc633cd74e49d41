package graph_test

import (
	"testing"

	"portico.dev/portico/fleet/graph"
)

func TestReaches(t *testing.T) {
	needs := map[string][]string{"a": {"b", "c"}, "b": {"d"}, "c": {"a"}, "d": nil}
	next := func(n string) []string { return needs[n] }
	for _, c := range []struct {
		why, from, to string
		want          bool
	}{
		{"one step", "a", "b", true},
		{"by way of another", "a", "d", true},
		{"back to itself, around a circle", "a", "a", true},
		{"a node does not lead to itself by nothing", "b", "b", false},
		{"not against the steps", "d", "a", false},
		{"a circle ends", "c", "x", false},
	} {
		if got := graph.Reaches(next, c.from, c.to); got != c.want {
			t.Errorf("%s: %s to %s is %v", c.why, c.from, c.to, got)
		}
	}
	if len(needs["a"]) != 2 || needs["a"][1] != "c" {
		t.Errorf("walking has changed the graph: %v", needs)
	}
}
