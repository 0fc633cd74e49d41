package admission

import (
	"maps"
	"slices"
	"strings"
)

// cycle returns one way through the graph that comes back to where it began, first node
// repeated at the end; nil if there is none. The same graph gives the same answer.
func cycle(needs map[string][]string) []string {
	w := walk{needs: needs, state: map[string]walkState{}}
	for _, start := range slices.Sorted(maps.Keys(needs)) {
		if found := w.visit(start); found != nil {
			return found
		}
	}
	return nil
}

// cycleThrough returns one way from a node back to it, the node at both ends; nil if there is
// none. Circles that do not touch the node are passed over.
func cycleThrough(needs map[string][]string, node string) []string {
	seen := map[string]bool{}
	var back func(at string) []string
	back = func(at string) []string {
		for _, next := range needs[at] {
			if next == node {
				return []string{at, node}
			}
			if seen[next] {
				continue
			}
			seen[next] = true
			if way := back(next); way != nil {
				return append([]string{at}, way...)
			}
		}
		return nil
	}
	return back(node)
}

type walkState int

const (
	unseen walkState = iota
	underway
	done
)

type walk struct {
	needs map[string][]string
	state map[string]walkState
	path  []string
}

func (w *walk) visit(node string) []string {
	switch w.state[node] {
	case done:
		return nil
	case underway:
		return append(slices.Clone(w.path[slices.Index(w.path, node):]), node)
	}
	w.state[node] = underway
	w.path = append(w.path, node)
	for _, next := range w.needs[node] {
		if found := w.visit(next); found != nil {
			return found
		}
	}
	w.path = w.path[:len(w.path)-1]
	w.state[node] = done
	return nil
}

func arrows(nodes []string) string { return strings.Join(nodes, " -> ") }
