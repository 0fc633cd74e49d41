package chain_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/state/chain"
)

// parse reads "a>b@1,c; b>c": templates with their steps.
func parse(text string) kcm.TemplateChainSpec {
	var spec kcm.TemplateChainSpec
	for part := range strings.SplitSeq(text, ";") {
		name, steps, _ := strings.Cut(strings.TrimSpace(part), ">")
		t := kcm.SupportedTemplate{Name: name}
		for step := range strings.SplitSeq(steps, ",") {
			if step != "" {
				to, version, _ := strings.Cut(step, "@")
				t.AvailableUpgrades = append(t.AvailableUpgrades, kcm.AvailableUpgrade{Name: to, Version: version})
			}
		}
		spec.SupportedTemplates = append(spec.SupportedTemplates, t)
	}
	return spec
}

func write(hops []chain.Hop) string {
	var out []string
	for _, h := range hops {
		out = append(out, strings.TrimSuffix(h.Template+"@"+h.Version, "@"))
	}
	return strings.Join(out, " ")
}

func TestPath(t *testing.T) {
	tests := []struct{ name, why, graph, from, to, want string }{
		{"Line", "Every template on the way is a hop.", "a>b; b>c; c", "a", "c", "b c"},
		{"Names", "The order of names does not matter: steps are taken by position.", "z>b; b>y; y", "z", "y", "b y"},
		{"Versions", "Nor does that of versions: up, down and up again, as listed.", "a>b@9.0.0; b>c@1.0.0; c", "a", "c", "b@9.0.0 c@1.0.0"},
		{"Shortest", "A direct step wins over a longer way.", "a>b,c; b>c; c", "a", "c", "c"},
		{"Ties", "Of two ways of the same length the one that is listed first is taken.", "a>c,b; b>d; c>d; d", "a", "d", "c d"},
		{"Circle", "A circle is a way back, and ends.", "a>b; b>a,c; c>a", "a", "c", "b c"},
		{"Back", "A way back is a step like any other.", "a>b; b>a", "b", "a", "a"},
		{"NoBack", "One that is not listed is not there.", "a>b; b", "b", "a", "none"},
		{"Itself", "What is reached already needs no hop.", "a>b; b", "a", "a", ""},
		{"Unlisted", "Neither a template that the chain does not know", "a>b; b", "x", "b", "none"},
		{"UnlistedItself", "nor that one itself", "a>b; b", "x", "x", "none"},
		{"UnlistedTarget", "nor a step to one can be taken.", "a>x,b; b", "a", "x", "none"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			way, ok := chain.New(parse(tc.graph)).Path(tc.from, tc.to)
			got := write(way)
			if !ok {
				got = "none"
			}
			if got != tc.want {
				t.Errorf("%s\nPath(%s, %s) = %q; want %q", tc.why, tc.from, tc.to, got, tc.want)
			}
		})
	}
}

func TestPaths(t *testing.T) {
	var got []string
	for _, way := range chain.New(parse("m>z,b; z>a; b>a,m; a>m; lonely")).Paths("m") {
		got = append(got, write(way))
	}
	if diff := cmp.Diff([]string{"z a", "b", "z"}, got); diff != "" {
		t.Errorf("one way for each template that can be reached, sorted by it (-want +got):\n%s", diff)
	}
}

// oracle is how many steps it takes from a template to each, found by widening a set: another way
// of looking than the one under test.
func oracle(spec kcm.TemplateChainSpec, from string) map[string]int {
	listed, reached := map[string]bool{}, map[string]int{}
	for _, t := range spec.SupportedTemplates {
		listed[t.Name] = true
	}
	if !listed[from] {
		return reached
	}
	reached[from] = 0
	for changed := true; changed; {
		changed = false
		for _, t := range spec.SupportedTemplates {
			d, ok := reached[t.Name]
			if !ok {
				continue
			}
			for _, next := range t.AvailableUpgrades {
				if old, is := reached[next.Name]; listed[next.Name] && (!is || old > d+1) {
					reached[next.Name], changed = d+1, true
				}
			}
		}
	}
	return reached
}

// judge holds all ways of a chain against what must be true of them.
func judge(t *testing.T, spec kcm.TemplateChainSpec) {
	t.Helper()
	graph := chain.New(spec)
	listed := map[string][]string{}
	for _, s := range spec.SupportedTemplates {
		listed[s.Name] = append(listed[s.Name], "")
		for _, next := range s.AvailableUpgrades {
			listed[s.Name] = append(listed[s.Name], next.Name)
		}
	}
	for from := range listed {
		distances, paths := oracle(spec, from), graph.Paths(from)
		if len(paths) != len(distances)-1 {
			t.Errorf("%v: %d ways from %q; want %d", spec, len(paths), from, len(distances)-1)
		}
		for to := range listed {
			way, ok := graph.Path(from, to)
			if distance, can := distances[to]; ok != can || len(way) != distance {
				t.Errorf("%v: Path(%q, %q) = %v, %v; the shortest has %d steps", spec, from, to, way, ok, distance)
			}
			at := from
			for _, hop := range way {
				if !slices.Contains(listed[at], hop.Template) {
					t.Errorf("%v: Path(%q, %q) = %v takes a step from %q that is not listed", spec, from, to, way, at)
				}
				at = hop.Template
			}
			if ok && at != to {
				t.Errorf("%v: Path(%q, %q) = %v ends elsewhere", spec, from, to, way)
			}
		}
	}
}

func TestRandomChains(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		var spec kcm.TemplateChainSpec
		n := 1 + random.IntN(9)
		for i := range n {
			s := kcm.SupportedTemplate{Name: fmt.Sprint(i)}
			for range random.IntN(4) {
				s.AvailableUpgrades = append(s.AvailableUpgrades, kcm.AvailableUpgrade{Name: fmt.Sprint(random.IntN(n + 1))})
			}
			spec.SupportedTemplates = append(spec.SupportedTemplates, s)
		}
		judge(t, spec)
	}
}

func FuzzChain(f *testing.F) {
	for _, seed := range []string{"a>b; b>c; c", "a>b,c; b>a; c", "a>a", ";;>,", "a>b@1,c@2; b; c>b", "a>b; a>c; b; c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 200 {
			return
		}
		spec := parse(text)
		judge(t, spec)
		admission.ValidateChainGraph(&spec)
	})
}
