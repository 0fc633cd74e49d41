package direct

import (
	"fmt"
	"time"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

// action is what to do for one service, in one word.
type action string

const (
	// rest: the service is as it is wanted, or nothing can be done before something changes.
	rest action = "rest"
	// load: its chart has to be read before anything can be decided.
	load action = "load"
	// apply: install or upgrade it.
	apply action = "apply"
	// remove: take it off the target.
	remove action = "remove"
	// look: ask how its objects stand.
	look action = "look"
	// ask: read whose the release is.
	ask action = "ask"
	// take: make another set's release this one's, before it is applied.
	take action = "take over"
	// give: hand the release over to the set that wants it next.
	give action = "hand over"
	// leave: let the release be nobody's.
	leave action = "leave"
)

// changes says whether an action changes the target.
func (a action) changes() bool {
	return a == apply || a == remove || a == take || a == give || a == leave
}

// step is what to do for one service, and how the service stands until then.
type step struct {
	do      action
	at      time.Time // when to decide again; zero for: when something changes
	state   engine.State
	message string
	// conflict says that another set has the release, or has it first.
	conflict bool
	// other is the set that the release is taken from, or given to.
	other helm.Owner
}

// facts are what is known of one service on the target.
type facts struct {
	// release is what the target says; nil if there is no release.
	release *helm.State
	// wanted is the digest of the wanted release, empty while its chart is not read.
	wanted string
	// mode is the set's.
	mode engine.SyncMode
	// whole says that the release was once seen to run in whole.
	whole bool
	// most is how many failures in a row are enough; 0 is none.
	most int
	// seen says that the service's state was known before: until it is, one that this engine
	// may have installed in an earlier life is not called anything.
	seen bool
	// health is nil until somebody looked.
	health *pace.Health
	// attempts counts the failures in a row of what is wanted; lastFailure is the latest.
	attempts    int
	lastFailure failure
	now         time.Time
}

type failure struct {
	at      time.Time
	message string
	// final means that another try of the same cannot help.
	final bool
}

// decide is the policy for one service that is wanted. done says whether another service of the
// set is deployed in its wanted version.
func decide(svc engine.Service, saw facts, done func(engine.Key) bool) step {
	switch {
	case svc.Uninstall:
		return decideGone(saw)
	case once(saw):
		return decideHealth(saw)
	case svc.Problem != "":
		return step{do: rest, state: engine.Failed, message: svc.Problem}
	case svc.NotYet != "":
		return step{do: rest, state: engine.Pending, message: svc.NotYet}
	case saw.wanted == "":
		return decideLoad(saw)
	case asWanted(saw):
		return decideHealth(saw)
	}
	// Only a change waits for others: what is there as wanted goes on running, whatever
	// becomes of them.
	if waits := pace.Undone(svc.DependsOn, done); len(waits) > 0 {
		return step{do: rest, state: engine.Pending, message: pace.Waits(waits)}
	}
	if saw.attempts > 0 {
		return retry(saw, apply, engine.Failed)
	}
	return step{do: apply, state: engine.Provisioning, message: applying(saw)}
}

func decideLoad(saw facts) step {
	switch {
	case saw.attempts > 0:
		return retry(saw, load, engine.Failed)
	case saw.release == nil:
		return step{do: load, state: engine.Pending, message: "reading the chart"}
	case !saw.seen:
		return step{do: load, state: engine.Unseen}
	}
	return step{do: load, state: engine.Provisioning, message: "reading the chart"}
}

// decideGone is the policy for a service that should not be on the target.
func decideGone(saw facts) step {
	switch {
	case saw.release == nil:
		return step{do: rest, state: engine.Deleted}
	case saw.attempts > 0:
		return retry(saw, remove, engine.Deleting)
	}
	return step{do: remove, state: engine.Deleting}
}

// decideHealth is for a service that is on the target as it is wanted.
func decideHealth(saw facts) step {
	sight := pace.See(saw.health, saw.seen, saw.now)
	s := step{do: rest, at: sight.At, state: sight.State, message: sight.Message}
	if sight.Look {
		s.do = look
	}
	return s
}

// retry says when what failed is tried again: after five seconds, then twice as long each time,
// at most five minutes.
func retry(saw facts, again action, state engine.State) step {
	s := step{do: rest, state: state, message: saw.lastFailure.message}
	if again != remove && saw.hopeless() {
		if !saw.lastFailure.final {
			s.message = fmt.Sprintf("%s (tried %d times; it is tried again when something of it changes)", s.message, saw.attempts)
		}
		return s
	}
	if s.at = saw.lastFailure.at.Add(backoff(saw.attempts)); !saw.now.Before(s.at) {
		s.do, s.at = again, time.Time{}
	}
	return s
}

// hopeless says whether what has failed is not tried again before something of it changes.
func (saw facts) hopeless() bool {
	return saw.attempts > 0 && (saw.lastFailure.final || saw.most > 0 && saw.attempts >= saw.most)
}

func backoff(attempts int) time.Duration {
	return pace.Doubled(5*time.Second, 5*time.Minute, attempts-1)
}

// still is the step for a set whose target is left as it is: it is looked at, and that is all.
func still(s step, why string) step {
	if !s.do.changes() {
		return s
	}
	words := map[action]string{
		apply: "it would be installed or upgraded", remove: "it would be removed", leave: "it would be left to itself",
		take: "it would be taken over from another ServiceSet", give: "it would be handed over to another ServiceSet",
	}
	return step{do: rest, state: engine.Pending, message: why + ": " + words[s.do]}
}

// once says whether the release is installed and left alone from then on. One that has never
// been seen to run in whole still follows what is wanted.
func once(saw facts) bool {
	return saw.mode == engine.OneTime && saw.release != nil && saw.release.Status == helm.Deployed &&
		(saw.whole || saw.health == nil || saw.health.Ready)
}

// stands says whether the release is as it should be, so that its objects may be looked at.
func stands(saw facts) bool { return asWanted(saw) || once(saw) }

func asWanted(saw facts) bool {
	return saw.wanted != "" && saw.release != nil && saw.release.Status == helm.Deployed && saw.release.Digest == saw.wanted
}

func applying(saw facts) string {
	if saw.release == nil {
		return "installing"
	}
	return fmt.Sprintf("upgrading from revision %d", saw.release.Revision)
}
