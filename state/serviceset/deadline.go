package serviceset

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/service"
)

// removals is how the removal of a set's services goes on. What it rests on stands in the status, so
// that it holds over a restart: since when a service that others wait for is being removed, is when
// its condition Removing became true.
type removals struct {
	// conditions are those of services that are being removed while others wait for them, and of
	// those that nobody waits for any more.
	conditions map[engine.Key][]metav1.Condition
	// notes are what is added to the messages of services.
	notes map[engine.Key]string
	// again is when one more of them is not waited for any longer; zero if time alone changes nothing.
	again time.Time
}

// removalsOf judges what the engine says. It is pure.
//
// The time counts while a removal is under way: not while it waits itself, while the set is held, or
// while the cluster does not answer. What nobody has looked at yet is as it was said to be.
func removalsOf(set *kcm.ServiceSet, done Outcome) removals {
	out := removals{conditions: map[engine.Key][]metav1.Condition{}, notes: map[engine.Key]string{}}
	deadline := placement.DeadlineOf(set.Annotations)
	awaiting := map[engine.Key][]engine.Key{} // who waits for a service
	reported := map[engine.Key]engine.ServiceReport{}
	for _, r := range done.Report.Services {
		reported[r.Key] = r
		for _, other := range r.Awaits {
			awaiting[other] = append(awaiting[other], r.Key)
		}
		if len(r.Awaits) > 0 {
			out.note(r.Key, deadline.Problem)
		}
	}
	known := map[engine.Key][]metav1.Condition{}
	for _, old := range set.Status.Services {
		if known[keyOfState(old)] = old.Conditions; nobodyKnows(reported, keyOfState(old), done) {
			out.keep(old, stands(done))
		}
	}
	for key, r := range reported {
		if nobodyKnows(reported, key, done) {
			continue
		}
		out.judge(leaver{report: r, was: known[key], by: awaiting[key], stands: stands(done), stays: staysOn(set, key)}, deadline, done.Now)
	}
	out.tell(set, reported)
	return out
}

// nobodyKnows says whether what was said of a service before still has to do.
func nobodyKnows(reported map[engine.Key]engine.ServiceReport, key engine.Key, done Outcome) bool {
	r, told := reported[key]
	return !told || r.State == engine.Unseen || len(done.Saw.Unheard) > 0
}

// stands says whether nothing can be removed at present.
func stands(done Outcome) bool {
	return len(done.Saw.Unheard) == 0 && (done.Problem != "" || done.Report.Unreachable != nil)
}

// leaver is one service of a report.
type leaver struct {
	report engine.ServiceReport
	// was are its conditions before, by the services that wait for it.
	was []metav1.Condition
	by  []engine.Key
	// stands says that nothing can be removed at present, stays that it is wanted on the target.
	stands, stays bool
}

// staysOn says whether a set wants a service on its target.
func staysOn(set *kcm.ServiceSet, key engine.Key) bool {
	return set.DeletionTimestamp == nil && slices.ContainsFunc(set.Spec.Services, func(s kcm.ServiceWithValues) bool {
		return keyOf(s) == key && !uninstalled(s)
	})
}

func (r *removals) judge(l leaver, deadline placement.Deadline, now time.Time) {
	key := l.report.Key
	if l.stays || l.report.State == engine.Deleted {
		return
	}
	if old := control.Find(l.was, statev1.OverdueCondition); old != nil {
		r.conditions[key] = []metav1.Condition{*old} // that lasts, or the order would change once more
		return
	}
	if l.stands || len(l.by) == 0 || l.report.State != engine.Deleting || len(l.report.Awaits) > 0 {
		return
	}
	since := now
	if old := control.Find(l.was, statev1.RemovingCondition); old != nil {
		since = old.LastTransitionTime.Time
	}
	verdict := deadline.Judge([]placement.Leaver{{Name: key.String(), Since: since, Said: l.report.Message}}, now)
	r.conditions[key] = []metav1.Condition{control.True(statev1.RemovingCondition, statev1.RemovingCondition,
		fmt.Sprintf("The removal of %s waits for it", pace.Names(l.by)))}
	for _, late := range verdict.Overdue {
		r.conditions[key] = []metav1.Condition{control.True(statev1.OverdueCondition, statev1.OverdueReason,
			fmt.Sprintf("What it depends on is removed all the same (%s): %s", pace.Names(l.by), deadline.Late(late)))}
	}
	if !verdict.Again.IsZero() && (r.again.IsZero() || verdict.Again.Before(r.again)) {
		r.again = verdict.Again
	}
}

// keep has what was said before of a service last; its time stands where nothing can be removed.
func (r *removals) keep(old kcm.ServiceState, stands bool) {
	for _, c := range old.Conditions {
		if c.Type == statev1.RemovingCondition && !stands || c.Type == statev1.OverdueCondition {
			r.conditions[keyOfState(old)] = append(r.conditions[keyOfState(old)], c)
		}
	}
}

// tell says of what is being removed which of its dependents are still there.
func (r *removals) tell(set *kcm.ServiceSet, reported map[engine.Key]engine.ServiceReport) {
	// Notes that cannot be read name nobody.
	notes, _ := service.NotesOf(set)
	late := map[engine.Key][]engine.Key{}
	for key, conditions := range r.conditions {
		if _, there := reported[key]; !there || !control.IsTrue(conditions, statev1.OverdueCondition) {
			continue
		}
		for _, on := range dependencies(notes, key) {
			late[on] = append(late[on], key)
		}
	}
	for on, dependents := range late {
		if said := reported[on]; said.State == engine.Deleting && len(said.Awaits) == 0 {
			r.note(on, fmt.Sprintf("removed although what depends on it is still there: %s", pace.Names(dependents)))
		}
	}
}

func (r *removals) note(key engine.Key, what string) {
	r.notes[key] = joined(r.notes[key], what)
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return cmp.Or(a, b)
	}
	return a + "; " + b
}

// unawaited are the services that nobody waits for any more, as the status says it.
func unawaited(set *kcm.ServiceSet) map[engine.Key]bool {
	out := map[engine.Key]bool{}
	for _, s := range set.Status.Services {
		if control.IsTrue(s.Conditions, statev1.OverdueCondition) {
			out[keyOfState(s)] = true
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// parting is what is known of services that left the spec, or are to be uninstalled.
func parting(set *kcm.ServiceSet, notes service.Notes) engine.Leaving {
	out := engine.Leaving{Unawaited: unawaited(set)}
	goes := map[engine.Key]bool{}
	for _, s := range set.Status.Services {
		goes[keyOfState(s)] = s.State != kcm.ServiceDeleted
	}
	for _, s := range set.Spec.Services {
		goes[keyOf(s)] = goes[keyOf(s)] && uninstalled(s)
	}
	for _, h := range notes.Held {
		if !stored(set, h.Key()) {
			delete(goes, h.Key()) // it was never there
		}
	}
	for key, is := range goes {
		if is {
			if out.DependsOn == nil {
				out.DependsOn = map[engine.Key][]engine.Key{}
			}
			out.DependsOn[key] = dependencies(notes, key)
		}
	}
	return out
}

// newlyOverdue are the sentences about services that nobody waits for any more, which nobody was told
// of yet, sorted.
func newlyOverdue(was, now kcm.ServiceSetStatus) []string {
	told := map[engine.Key]bool{}
	for _, s := range was.Services {
		told[keyOfState(s)] = control.IsTrue(s.Conditions, statev1.OverdueCondition)
	}
	var out []string
	for _, s := range now.Services {
		if c := control.Find(s.Conditions, statev1.OverdueCondition); c != nil && !told[keyOfState(s)] {
			out = append(out, fmt.Sprintf("Service %s/%s is still there. %s", s.Namespace, s.Name, c.Message))
		}
	}
	slices.Sort(out)
	return out
}

// departing are the conditions of a set that goes.
func departing(set *kcm.ServiceSet, done Outcome) []metav1.Condition {
	var facts []metav1.Condition
	if c, is := removing(set, done); is {
		facts = append(facts, c)
	}
	if c, is := unordered(set, done); is {
		facts = append(facts, c)
	}
	return facts
}

// removing says that the services of a set that goes are being removed, for others may wait for it:
// since when, is the condition's transition time. It says nothing while nothing can be removed.
func removing(set *kcm.ServiceSet, done Outcome) (_ metav1.Condition, is bool) {
	const kind = statev1.RemovingCondition
	if old := control.Find(set.Status.Conditions, kind); len(done.Saw.Unheard) > 0 {
		// Where it was said before, nothing has changed but that we were started anew.
		return control.True(kind, kind, ""), old != nil
	}
	return control.True(kind, kind, ""), !stands(done)
}

// unordered says that the services of a set are removed although others that depend on it are still
// there. It lasts.
func unordered(set *kcm.ServiceSet, done Outcome) (_ metav1.Condition, is bool) {
	if old := control.Find(set.Status.Conditions, statev1.UnorderedCondition); old != nil {
		return *old, true
	}
	return control.True(statev1.UnorderedCondition, statev1.OverdueReason, done.Without), done.Without != ""
}
