package sveltos

import (
	"slices"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

// decideRemoval is the whole policy for a set that shall go.
func decideRemoval(what engine.Removal, saw seen) plan {
	p := plan{services: map[engine.Key]stand{}}
	if saw.told == nil {
		p.gone, p.busy = saw.heard == nil, saw.heard != nil
		return p
	}
	left := map[engine.Key]bool{}
	for _, e := range saw.told.entries {
		r := saw.releases[e.key()]
		taken := saw.heard != nil && saw.heard.releases[e.key()].taken
		if r.Status != "" && r.Status != helm.Absent && r.Status != helm.Uninstalled && !taken && !saw.rivals[e.key()] {
			left[e.key()] = true
			p.services[e.key()] = stand{state: engine.Deleting, message: saw.failed(e.key())}
		}
	}
	p.busy = true
	if saw.told.deleting {
		return p
	}
	staged := p.stage(what, saw, left)
	asStored := slices.EqualFunc(p.entries, saw.told.entries, func(a, b entry) bool { return covers(b, a) })
	p.leave = what.Leave
	p.write = !asStored || saw.told.paused || p.leave && !saw.told.leaves
	p.remove = !staged && !p.write && (saw.heard == nil || saw.heard.current)
	return p
}

// stage writes down what shall happen to the entries now, and says whether something else has
// to follow before the whole can go.
func (p *plan) stage(what engine.Removal, saw seen, left map[engine.Key]bool) bool {
	staged := false
	for _, e := range saw.told.entries {
		key := e.key()
		o := optionsFor(what, key)
		switch {
		case what.Leave, saw.told.leaves, !left[key], !ordered(what, left) && len(what.Unawaited) == 0:
			p.entries = append(p.entries, relabelled(e, o))
		case len(awaited(what, left, key)) > 0:
			p.entries, staged = append(p.entries, relabelled(e, o)), true
			p.services[key] = waiting(awaited(what, left, key))
		default:
			p.entries, staged = append(p.entries, withdrawn(e, o)), true
		}
	}
	p.entries = last(p.entries, what.Unawaited)
	return staged
}

// last puts entries that nobody waits for any more to the end: Sveltos takes one after the other, and
// these may take long.
func last(entries []entry, unawaited map[engine.Key]bool) []entry {
	slices.SortStableFunc(entries, func(a, b entry) int {
		switch {
		case unawaited[a.key()] == unawaited[b.key()]:
			return 0
		case unawaited[a.key()]:
			return 1
		}
		return -1
	})
	return entries
}

func optionsFor(what engine.Removal, key engine.Key) *engine.Options {
	if o, known := what.Options[key]; known {
		return &o
	}
	return nil
}

// ordered says whether the order matters in which the releases go.
func ordered(what engine.Removal, left map[engine.Key]bool) bool {
	for key := range left {
		if len(awaited(what, left, key)) > 0 {
			return true
		}
	}
	return false
}

// awaited are the services whose removal that of this one waits for.
func awaited(what engine.Removal, left map[engine.Key]bool, key engine.Key) []engine.Key {
	var there []pace.Leaver
	for other := range left {
		there = append(there, pace.Leaver{Key: other, Needs: what.DependsOn[other]})
	}
	return pace.Awaited(key, there, what.Unawaited)
}
