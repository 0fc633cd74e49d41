package dashboard

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/alert/ruletest"
)

var update = flag.Bool("update", false, "write the dashboards into deploy/dashboards")

const folder = "../../deploy/dashboards"

// The files that users import are the ones that the code makes.
func TestFilesAreUpToDate(t *testing.T) {
	wanted := map[string]bool{}
	for _, d := range All() {
		text, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, d.UID+".json")
		wanted[path] = true
		if *update {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if is, err := os.ReadFile(path); err != nil || !bytes.Equal(is, text) {
			t.Errorf("%s is not what the code makes (%v): go test ./observability/dashboard -update", path, err)
		}
	}
	files, err := filepath.Glob(folder + "/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !wanted[f] {
			t.Errorf("%s is made by nobody", f)
		}
	}
}

// expressions calls see with every query of every panel, as Grafana would ask it.
func expressions(t *testing.T, see func(where, expr string)) {
	t.Helper()
	seen := 0
	for _, d := range All() {
		for _, row := range d.Rows {
			for _, p := range row.Panels {
				for _, q := range p.Queries {
					seen++
					see(d.UID+"/"+row.Title+"/"+p.Title, interpolated(d, q.Expr))
				}
			}
		}
	}
	if seen < 50 {
		t.Fatalf("saw %d queries: the test looks at the wrong place", seen)
	}
}

func interpolated(d Dashboard, expr string) string {
	expr = strings.ReplaceAll(expr, "$__rate_interval", "5m")
	for _, v := range d.Variables {
		expr = strings.ReplaceAll(expr, "$"+v.Name, ".*")
	}
	return expr
}

// Every query parses, uses only variables that its dashboard has, reads only what somebody writes,
// and says whose series it reads.
func TestQueries(t *testing.T) {
	known := map[string]bool{}
	for _, m := range alert.Metrics() {
		known[m.Name] = true
	}
	groups, err := alert.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		for _, r := range g.Rules {
			known[r.Record] = true
		}
	}
	foreign := regexp.MustCompile(`^(k8s_|system_|otelcol_|container_|ALERTS$)`)
	expressions(t, func(where, expr string) {
		if strings.Contains(expr, "$") {
			t.Errorf("%s: a variable is not one of the dashboard: %s", where, expr)
		}
		tree, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
		if err != nil {
			t.Errorf("%s: %s: %v", where, expr, err)
			return
		}
		for _, s := range selectors(tree) {
			if name := nameOf(s); !known[name] && !foreign.MatchString(name) {
				t.Errorf("%s reads %s, which nobody writes", where, name)
			}
			if !slices.ContainsFunc(s.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == alert.TenantLabel }) {
				t.Errorf("%s: %s does not say whose series it reads", where, s)
			}
		}
	})
}

func selectors(tree parser.Expr) (out []*parser.VectorSelector) {
	parser.Inspect(tree, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			out = append(out, s)
		}
		return nil
	})
	return out
}

// nameOf is the name of the series, without the suffix that it may have.
func nameOf(s *parser.VectorSelector) string {
	for _, m := range s.LabelMatchers {
		if m.Name == model.MetricNameLabel {
			return regexp.MustCompile(`\(.*\)\?$`).ReplaceAllString(m.Value, "")
		}
	}
	return ""
}

// Every panel shows something, and mixes nothing up, where two clusters of two tenants have nodes,
// namespaces and pods of the same names.
func TestPanelsShowSomething(t *testing.T) {
	expressions(t, func(where, expr string) {
		tree, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
		if err != nil {
			t.Fatal(err)
		}
		in := ruletest.Input{Series: map[string]string{}, Step: time.Minute}
		for _, s := range selectors(tree) {
			for _, identity := range []string{`cluster="a",tenant="x"`, `cluster="b",tenant="y"`} {
				in.Series[series(s, identity)] = "1+1x90"
			}
		}
		got, err := ruletest.Run(t.Context(), in)
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		// Phases of pods are numbers: every one of them is there at its minute.
		some := false
		for at := time.Duration(0); at <= 90*time.Minute && !some; at += time.Minute {
			v, err := got.Query(t.Context(), expr, at)
			if err != nil {
				t.Fatalf("%s: %s: %v", where, expr, err)
			}
			some = len(v) > 0
		}
		if !some {
			t.Errorf("%s shows nothing: %s", where, expr)
		}
	})
}

// series is one that the selector reads, with all labels that series of a cluster may have.
func series(s *parser.VectorSelector, identity string) string {
	has := map[string]string{"namespace": "n", "pod": "p", "container": "c", "k8s_node_name": "n", "k8s_namespace_name": "n", "k8s_pod_name": "p", "region": "r", "service": "s", "currency": "EUR", "state": "z"}
	for _, m := range s.LabelMatchers {
		if m.Type == labels.MatchEqual && m.Name != model.MetricNameLabel {
			has[m.Name] = m.Value
		}
	}
	out := nameOf(s) + "{" + identity
	for k, v := range has {
		out += "," + k + `="` + v + `"`
	}
	return out + "}"
}

// What Grafana needs of a file: unique ids, panels inside the grid that do not lie on each other.
func TestLayout(t *testing.T) {
	for _, d := range All() {
		text, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var parsed struct {
			Panels []struct {
				ID      int
				GridPos struct{ X, Y, W, H int }
			}
		}
		if err := json.Unmarshal(text, &parsed); err != nil {
			t.Fatal(err)
		}
		ids, taken := map[int]bool{}, map[[2]int]int{}
		for _, p := range parsed.Panels {
			if ids[p.ID] {
				t.Errorf("%s: two panels have the id %d", d.UID, p.ID)
			}
			ids[p.ID] = true
			g := p.GridPos
			if g.X < 0 || g.X+g.W > 24 {
				t.Errorf("%s: panel %d is outside of the grid", d.UID, p.ID)
			}
			for x := g.X; x < g.X+g.W; x++ {
				for y := g.Y; y < g.Y+g.H; y++ {
					if other, is := taken[[2]int{x, y}]; is {
						t.Fatalf("%s: panel %d lies on panel %d", d.UID, p.ID, other)
					}
					taken[[2]int{x, y}] = p.ID
				}
			}
		}
	}
}
