package chain

import (
	"cmp"
	"slices"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Hop is one step of a way: the template that it leads to, and the version that the chain gives
// for it, if any.
type Hop struct {
	Template, Version string
}

// Graph is a chain.
type Graph struct {
	// steps are those from each template, in the order of the list. Every template is in it.
	steps map[string][]Hop
}

// New reads a chain. Steps to templates that the chain does not list are left out:
// admission.ValidateChainGraph reports them.
func New(spec kcm.TemplateChainSpec) Graph {
	g := Graph{steps: map[string][]Hop{}}
	for _, t := range spec.SupportedTemplates {
		g.steps[t.Name] = nil
	}
	for _, t := range spec.SupportedTemplates {
		for _, next := range t.AvailableUpgrades {
			if g.Lists(next.Name) {
				g.steps[t.Name] = append(g.steps[t.Name], Hop{Template: next.Name, Version: next.Version})
			}
		}
	}
	return g
}

// Lists says whether the template is one of the chain.
func (g Graph) Lists(template string) bool {
	_, ok := g.steps[template]
	return ok
}

// Steps are the templates that one step leads to, in the order of the list.
func (g Graph) Steps(from string) []Hop { return slices.Clone(g.steps[from]) }

// Path is the shortest way from one template to another, without the one that it begins at; of
// several the one whose steps are listed first. It has no hop where both are the same, and is
// false where the chain lists no way.
func (g Graph) Path(from, to string) ([]Hop, bool) {
	if from == to {
		return nil, g.Lists(from)
	}
	way, ok := g.ways(from)[to]
	return way, ok
}

// Paths are the shortest ways from a template to each that can be reached, sorted by the name of
// the last one.
func (g Graph) Paths(from string) [][]Hop {
	var out [][]Hop
	for _, way := range g.ways(from) {
		out = append(out, way)
	}
	slices.SortFunc(out, func(a, b []Hop) int { return cmp.Compare(a[len(a)-1].Template, b[len(b)-1].Template) })
	return out
}

// ways finds the shortest way to each template, breadth first: a template is reached once, so
// that circles end by themselves.
func (g Graph) ways(from string) map[string][]Hop {
	out := map[string][]Hop{}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, next := range g.steps[at] {
			if _, seen := out[next.Template]; seen || next.Template == from {
				continue
			}
			out[next.Template] = append(slices.Clip(out[at]), next)
			queue = append(queue, next.Template)
		}
	}
	return out
}
