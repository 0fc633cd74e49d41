package flux

import (
	"time"

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
	// write: have Flux install or upgrade it.
	write action = "write"
	// mark: keep with the release what the engine has to remember of it; nothing of what is
	// wanted on the target changes.
	mark action = "mark"
	// remove: have Flux take it off the target.
	remove action = "remove"
	// sweep: take away what Flux has made and forgotten.
	sweep action = "sweep"
	// retry: have Flux try again what failed.
	retry action = "retry"
	// look: ask on the target how its objects stand.
	look action = "look"
)

// step is what to do for one service, and how the service stands until then.
type step struct {
	do      action
	at      time.Time // when to decide again; zero for: when something changes
	state   engine.State
	message string
	// conflict says that another set has the release.
	conflict bool
	// freeze says that Flux shall leave the release as it is.
	freeze bool
}

// facts are what is known of one service.
type facts struct {
	// release is the HelmRelease, whoever's it is; nil if there is none.
	release *release
	// holder is the other set that has the release and keeps it; empty if it is free for this one.
	holder string
	// wish is the digest of what is wanted; empty if it cannot be said in Flux' words.
	wish string
	// checked says that the chart was read and takes the values. refused is why they will not
	// do, or why the last write failed, and again when to try once more; zero is never.
	checked bool
	refused string
	again   time.Time
	// seen says that the service's state was known before: until it is, one that this engine
	// may have installed in an earlier life is not called anything.
	seen bool
	// health is nil until somebody looked.
	health *pace.Health
	// believed says that a failure is the service's own: the target answered since.
	believed bool
	// failed is how the last attempt ended; empty if it did not fail, or something else is
	// wanted since.
	failed string
	now    time.Time
}

// decide is the policy for one service that is wanted. done says whether another service of the
// set is deployed in its wanted version.
func decide(svc engine.Service, policy policy, saw facts, done func(engine.Key) bool) step {
	switch {
	case svc.Uninstall:
		return decideGone(policy, saw)
	case svc.Problem != "":
		return step{do: rest, state: engine.Failed, message: svc.Problem}
	case svc.NotYet != "":
		return step{do: rest, state: engine.Pending, message: svc.NotYet}
	case saw.holder != "":
		return step{do: rest, state: engine.Failed, conflict: true,
			message: "the release belongs to ServiceSet " + saw.holder + ": take it out there, or give this one another name"}
	case saw.release != nil && saw.release.leaving:
		return step{do: rest, state: engine.Pending, message: "waits until what was there before is removed"}
	case policy.Sync == engine.OneTime && saw.inWhole():
		return decideStage(policy, saw)
	case saw.release == nil || saw.release.wish != saw.wish:
		return decideChange(svc, policy, saw, done)
	}
	return decideStage(policy, saw)
}

// policy is the set's, and what holds the whole set back.
type policy struct {
	engine.Policy
	// paused: the target is left as it is. stopped, where it is not empty, is why nothing is
	// changed for the moment.
	paused  bool
	stopped string
}

// still says, where it is not empty, why the target is left as it is; verb is what would be done.
func (p policy) still(verb string) string {
	switch {
	case p.paused:
		return "the set is paused; it would be " + verb
	case p.Sync == engine.DryRun:
		return "dry run: it would be " + verb
	case p.stopped != "":
		return p.stopped
	}
	return ""
}

// frozen says whether Flux shall leave what is there as it is.
func (p policy) frozen(saw facts) bool {
	return p.paused || p.Sync == engine.DryRun || p.Sync == engine.OneTime && saw.deployedOnce()
}

func (f facts) deployedOnce() bool {
	return f.release != nil && f.release.settled != "" && f.release.settled == f.release.wish
}

// decideChange is for a service that is not there, or was written for another wish. Only a
// change waits for others: what is there as wanted goes on running, whatever becomes of them.
func decideChange(svc engine.Service, policy policy, saw facts, done func(engine.Key) bool) step {
	verb, doing := "installed", "being installed"
	if saw.release != nil && saw.release.digest != "" {
		verb, doing = "upgraded", "being upgraded"
	}
	if saw.refused != "" && (saw.again.IsZero() || saw.now.Before(saw.again)) {
		return step{do: rest, at: saw.again, state: engine.Failed, message: saw.refused}
	}
	if !saw.checked {
		return decideLoad(saw)
	}
	if waits := pace.Undone(svc.DependsOn, done); len(waits) > 0 {
		return step{do: rest, state: engine.Pending, message: pace.Waits(waits)}
	}
	if why := policy.still(verb); why != "" {
		s := step{do: rest, state: engine.Pending, message: why}
		if saw.release != nil && !saw.release.frozen && policy.frozen(saw) {
			s.do = mark
		}
		return s
	}
	return step{do: write, state: engine.Provisioning, message: doing}
}

// inWhole says that what is there was deployed in whole, or may have been: then it is looked at
// before anything else is decided.
func (f facts) inWhole() bool {
	return f.deployedOnce() || f.release != nil && f.release.stage == done && (f.health == nil || f.health.Ready)
}

// decideLoad has the chart read before anything is written: Flux would install a chart with
// values that it does not know.
func decideLoad(saw facts) step {
	switch {
	case saw.refused != "":
		return step{do: load, state: engine.Failed, message: saw.refused}
	case saw.release == nil:
		return step{do: load, state: engine.Pending, message: "reading the chart"}
	}
	return step{do: load, state: engine.Provisioning, message: "reading the chart"}
}

// decideStage is for a service that Flux has, or had, at work as it is wanted.
func decideStage(policy policy, saw facts) step {
	var s step
	switch stage := saw.release.stage; {
	case stage == done:
		s = decideHealth(saw)
		if policy.Sync == engine.OneTime && s.state == engine.Deployed && !saw.deployedOnce() {
			s.do = mark // deployed in whole: no change reaches it any more
		}
	case policy.paused || policy.Sync == engine.DryRun:
		s = step{do: rest, state: engine.Pending, message: policy.still("installed or upgraded")}
	case stage == broken && saw.believed:
		s = decideRetry(saw)
	case !saw.seen:
		s = step{do: look, state: engine.Unseen}
	case stage == broken:
		s = step{do: look, state: engine.Provisioning, message: "the last attempt failed; checking whether the cluster answers"}
	default:
		s = accompany(saw)
		if saw.failed != "" { // it is being tried again, which may end in the same way
			s.state, s.message = engine.Failed, saw.failed
		}
	}
	if s.do != mark && policy.frozen(saw) != saw.release.frozen {
		s.do, s.at = mark, time.Time{}
	}
	return s
}

// decideRetry says when what failed is tried again: after five seconds, then twice as long each
// time, at most five minutes. What Flux has given up, or tries again by itself, is left to it.
func decideRetry(saw facts) step {
	s := step{do: rest, state: engine.Failed, message: saw.release.message}
	if !saw.release.retries {
		return s
	}
	s.at = saw.release.since.Add(pace.Doubled(5*time.Second, 5*time.Minute, saw.release.failures-1))
	if !saw.now.Before(s.at) {
		s.do, s.at = retry, time.Time{}
	}
	return s
}

// accompany looks how the objects stand while Flux waits for them, so that the reason why it
// takes so long is known before it gives up.
func accompany(saw facts) step {
	s := step{do: look, state: engine.Provisioning, message: "being installed"}
	if saw.release.digest != "" {
		s.message = "being upgraded"
	}
	if saw.health == nil {
		return s
	}
	if !saw.health.Ready {
		s.message += ": " + saw.health.Message
	}
	if again := saw.health.Again(); saw.now.Before(again) {
		s.do, s.at = rest, again
	}
	return s
}

// decideGone is the policy for a service that should not be on the target.
func decideGone(policy policy, saw facts) step {
	switch {
	case saw.release == nil || saw.holder != "":
		return step{do: rest, state: engine.Deleted}
	case saw.release.leaving:
		return step{do: rest, state: engine.Deleting, message: saw.release.message}
	}
	if why := policy.still("removed"); why != "" {
		return step{do: rest, state: engine.Pending, message: why}
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
