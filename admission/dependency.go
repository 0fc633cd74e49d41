package admission

import (
	"maps"
	"slices"
	"strings"
)

// graph says to which nodes one step leads from each node: what an object depends on, or what
// a template can be upgraded to.
type graph map[string][]string

// route returns a shortest way from one node to another along one step at least, both
// included; nil if there is none. The same graph gives the same answer.
func (g graph) route(from, to string) []string {
	came := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, next := range g[at] {
			if next == to {
				way := []string{to}
				for ; at != from; at = came[at] {
					way = append(way, at)
				}
				way = append(way, from)
				slices.Reverse(way)
				return way
			}
			if _, seen := came[next]; !seen {
				came[next] = at
				queue = append(queue, next)
			}
		}
	}
	return nil
}

// circle returns one way that comes back to where it began, with that node at both ends; nil
// if there is none.
func (g graph) circle() []string {
	for _, node := range slices.Sorted(maps.Keys(g)) {
		if around := g.route(node, node); around != nil {
			return around
		}
	}
	return nil
}

// beyond are the nodes that steps lead to from a node, the nearest first.
func (g graph) beyond(from string) []string {
	seen := map[string]bool{from: true}
	var found []string
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		for _, next := range g[queue[0]] {
			if !seen[next] {
				seen[next] = true
				found, queue = append(found, next), append(queue, next)
			}
		}
	}
	return found
}

func arrows(nodes []string) string { return strings.Join(nodes, " -> ") }
