package explain_test

import (
	"fmt"
	"strings"
	"testing"

	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/server/explain"
)

// Each scenario is a snapshot of the API; the tree and the answer to "why" come out.
func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var (
			of  explain.Ref
			saw explain.Snapshot
		)
		if err := in.Decode("of.yaml", &of); err != nil {
			return nil, err
		}
		if err := in.Decode("snapshot.yaml", &saw); err != nil {
			return nil, err
		}
		root := saw.Tree(of)
		if root == nil {
			return nil, fmt.Errorf("%s is not in the snapshot", of)
		}
		why := explain.Why(root, saw.Now)
		var path []string
		for _, step := range why.Path {
			path = append(path, step.Ref.String())
		}
		return []scenario.Section{
			scenario.Text("tree", drawn(root, 0)...),
			scenario.Text("why", strings.TrimSpace(why.Sentence+"\n"+why.Next)),
			scenario.Text("path", path...),
		}, nil
	})
}

func drawn(n *explain.Node, depth int) []string {
	line := fmt.Sprintf("%s%s %s", strings.Repeat("  ", depth), n.Mark, n.Ref)
	if n.Detail != "" {
		line += " (" + n.Detail + ")"
	}
	if n.Message != "" {
		line += ": " + n.Message
	}
	lines := []string{line}
	for _, c := range n.Children {
		lines = append(lines, drawn(c, depth+1)...)
	}
	return lines
}

func TestContext(t *testing.T) {
	tests := []struct{ reason, namespace, name, want string }{
		{"A name alone is what people type, and where clusters are.", "kcm-system", "demo", "portico-demo"},
		{"The same name elsewhere is another cluster.", "team", "demo", "portico-team.demo"},
		{"A name that looks like the two joined by a dash is a third.", "kcm-system", "team-demo", "portico-team-demo"},
	}
	for _, tc := range tests {
		if got := explain.Context(tc.namespace, tc.name); got != tc.want {
			t.Errorf("%s\nContext(%q, %q) = %q, want %q", tc.reason, tc.namespace, tc.name, got, tc.want)
		}
	}
}
