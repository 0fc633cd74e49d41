package direct

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// contest is the policy for a release that several sets want: who has it, who takes it over,
// and to whom it goes. It takes what the set would do if it were alone.
//
// The owner on the release's record is the truth. A set of higher priority takes the release
// over at the moment at which it would change it, so that until then its owner keeps it.
func (w *worker) contest(s *set, key engine.Key, alone step) step {
	has, there := w.releases[key]
	mine := there && has.Owner == s.owner.Value
	wanted, ok := s.wants(key)
	switch {
	case !mine && (!ok || wanted.Uninstall):
		return alone
	case !ok || wanted.Uninstall:
		return w.succession(s, key, alone)
	case mine, wanted.Problem != "", wanted.NotYet != "":
		return alone
	case there && has.Owner != "":
		return w.rivalry(s, key, alone)
	}
	if first := w.first(key); first != nil && first != s {
		return conflict("the release is for ServiceSet " + first.ref.Set.String())
	}
	return alone
}

// rivalry is the policy for a release that another set has.
func (w *worker) rivalry(s *set, key engine.Key, alone step) step {
	has := w.releases[key]
	owner := w.owners[has.Owner]
	switch {
	case owner == nil:
		return w.orphan(s, key)
	case owner.priority() >= s.priority():
		return conflict("the release belongs to ServiceSet " + owner.ref.Set.String())
	case alone.do != apply:
		return alone
	}
	if busy := owner.services[key]; busy != nil && busy.busy {
		busy.breakOff()
		return step{do: rest, state: engine.Provisioning, message: fmt.Sprintf("waits until the work of ServiceSet %s on it has ended", owner.ref.Set)}
	}
	return step{do: take, state: engine.Provisioning, message: "taking it over from ServiceSet " + owner.ref.Set.String(), other: owner.owner}
}

// orphaned is after how long the record of a release is read again whose owner nobody has told of.
const orphaned = time.Minute

// orphan is the policy for a release of an owner that may yet be told of, or may be gone for good:
// then somebody has to say so on the release's records, which are read from time to time.
func (w *worker) orphan(s *set, key engine.Key) step {
	st := conflict("the release belongs to another ServiceSet, which this engine has not been told of")
	st.message += fmt.Sprintf("; if that ServiceSet does not exist any more, take the label %s off the release's Secrets: kubectl label secret -n %s -l owner=helm,name=%s %s-", SetLabel, key.Namespace, key.Name, SetLabel)
	now, svc := w.clock(), s.services[key]
	if svc.asked.IsZero() {
		svc.asked = now
	}
	if st.at = svc.asked.Add(orphaned); !now.Before(st.at) {
		st.do, st.at = ask, time.Time{}
	}
	return st
}

// succession is the policy for a release of a set that does not want it any more. It is handed
// over to the next one that does: then there is nothing to remove, and no order to keep.
func (w *worker) succession(s *set, key engine.Key, alone step) step {
	svc := s.services[key]
	switch heir := w.first(key); {
	case svc != nil && svc.attempts > 0:
		return alone
	case heir != nil:
		return step{do: give, state: engine.Deleting, message: "handing it over to ServiceSet " + heir.ref.Set.String(), other: heir.owner}
	case s.removing && s.leaves:
		return step{do: leave, state: engine.Deleting}
	}
	return alone
}

func conflict(message string) step {
	return step{do: rest, state: engine.Failed, conflict: true, message: message + ": take it out there, or give this one another name"}
}

// first is the set that a release is for which nobody has: of those that want it the one of the
// highest priority, and of these the one that was told of first.
func (w *worker) first(key engine.Key) *set {
	var best *set
	for s := range w.wanting[key] {
		if s.claims(key) && (best == nil || cmp.Or(cmp.Compare(best.priority(), s.priority()), cmp.Compare(s.told, best.told)) < 0) {
			best = s
		}
	}
	return best
}

// claims says whether the set would take the release if it could.
func (s *set) claims(key engine.Key) bool {
	wanted, ok := s.wants(key)
	svc := s.services[key]
	return ok && !wanted.Uninstall && wanted.Problem == "" && wanted.NotYet == "" && s.stills() == "" && !(svc != nil && svc.hopeless())
}

func (s *set) priority() int32 { return s.want.Policy.Priority }

// stills says why the target of the set is left as it is; empty if it is not.
func (s *set) stills() string {
	switch {
	case s.removing:
		return ""
	case s.want.Paused:
		return "the set is paused"
	case s.want.Policy.Sync == engine.DryRun:
		return "dry run"
	}
	return ""
}

// hold keeps the set from changes, as its policy says, while one of its services is another's or
// has failed.
func (s *set) hold(steps map[engine.Key]step) {
	policy := s.want.Policy
	if s.removing || !policy.StopOnConflict && !policy.StopOnError {
		return
	}
	why := ""
	for _, key := range slices.SortedFunc(maps.Keys(steps), engine.CompareKeys) {
		switch st := steps[key]; {
		case st.conflict && policy.StopOnConflict:
			why = fmt.Sprintf("held back: the set stops on conflicts, and %s belongs to another ServiceSet", key)
		case st.state == engine.Failed && !st.conflict && policy.StopOnError:
			why = fmt.Sprintf("held back: the set stops on errors, and %s has failed", key)
		}
		if why != "" {
			break
		}
	}
	for key, st := range steps {
		if why != "" && st.do.changes() && st.state != engine.Failed {
			steps[key] = step{do: rest, state: engine.Pending, message: why}
		}
	}
}

// owned makes a release known as it is now, and tells those that want it.
func (w *worker) owned(key engine.Key, now helm.Owned) {
	w.touched[key] = true
	if now.Status == "" || now.Status == helm.Absent || now.Status == helm.Uninstalled {
		delete(w.releases, key)
	} else {
		w.releases[key] = now
	}
	w.disturb(key)
}

// disturb has the sets that want a release decide anew.
func (w *worker) disturb(key engine.Key) {
	for s := range w.wanting[key] {
		s.dirty = true
	}
}
