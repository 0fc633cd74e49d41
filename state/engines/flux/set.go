package flux

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"portico.dev/portico/fleet"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

// set is one ServiceSet on the target.
type set struct {
	ref  engine.Ref
	want engine.Set
	// told is the place in the order in which sets were told of.
	told     int
	removing bool
	// staying says that a set which is being removed keeps its services on the target.
	staying bool
	// needs and options are those of services that are to be removed, as far as they were told;
	// unawaited those of them that what they depend on does not wait for any more.
	needs     map[engine.Key][]engine.Key
	unawaited map[engine.Key]bool
	options   map[engine.Key]engine.Options
	services  map[engine.Key]*service
	report    engine.Report
}

// service is what is known of one service of a set.
type service struct {
	facts
	// busy says that an operation on the HelmRelease or the chart is under way, looking that
	// the objects on the target are being looked at.
	busy, looking bool
	// stale says that the health may be another one by now; moved, that an object has moved;
	// touched, that it may be something Flux has applied; inquired is when Flux was asked about
	// that last.
	stale, moved, touched bool
	inquired              time.Time
	// leftover says that Flux has let go of the release without knowing what it had made.
	leftover bool
	// met says that the release was seen before in this engine's life.
	met bool
	// has are the kinds of the objects of the release with the digest that kinds is.
	has   []schema.GroupVersionKind
	kinds string
	// differing is what differs on the target, in words, where Flux says what is described.
	differing []string
	described string
	// failures counts those in a row of reading the chart or of writing; next is when to do
	// anything again.
	failures int
	next     time.Time
	// input, policy and access are what wanted was made from.
	input  engine.Service
	policy engine.Policy
	access Access
	wanted wanted
	// published is the URL that was last given to Flux.
	published string
	stands    step
	since     time.Time
	// version is what is deployed, in the user's word.
	version string
	// doubtful is the failure that believed is about.
	doubtful string
}

func (s *set) service(key engine.Key) *service {
	svc := s.services[key]
	if svc == nil {
		svc = &service{}
		s.services[key] = svc
	}
	return svc
}

// wants returns the service as the set wants it.
func (s *set) wants(key engine.Key) (engine.Service, bool) {
	if s.removing {
		return engine.Service{}, false
	}
	return s.want.Wants(key)
}

// claims says whether the set would take a release that it wants.
func (s *set) claims(key engine.Key) bool {
	svc, ok := s.wants(key)
	return ok && !svc.Uninstall && svc.Problem == "" && svc.NotYet == "" && !s.want.Paused && s.want.Policy.Sync != engine.DryRun
}

// keeps says whether the set still wants a release that it has.
func (s *set) keeps(key engine.Key) bool {
	svc, ok := s.wants(key)
	return ok && !svc.Uninstall
}

// owns says whether the service's HelmRelease is the set's.
func (s *set) owns(svc *service) bool { return svc.release != nil && svc.release.set == s.ref.Set }

// notes are what the set keeps with the release of a service that it wants.
func (s *set) notes(svc engine.Service) notes {
	needs := slices.SortedFunc(slices.Values(svc.DependsOn), engine.CompareKeys)
	return notes{set: s.ref.Set, priority: s.want.Policy.Priority, needs: needs, leave: s.want.Policy.LeaveOnRemove}
}

// policy is that of the set, as it stands. What one service has met may hold back the others.
func (s *set) policy() policy {
	p := policy{Policy: s.want.Policy, paused: s.want.Paused}
	if s.removing { // that it goes is the user's wish all the same
		return policy{}
	}
	return p
}

// stopped says, where it is not empty, why no service but this one is changed.
func (s *set) stopped(key engine.Key) string {
	p := s.want.Policy
	if s.services[key].stands.state == engine.Failed {
		return ""
	}
	for _, other := range slices.SortedFunc(maps.Keys(s.services), engine.CompareKeys) {
		stands := s.services[other].stands
		if _, ok := s.wants(other); !ok || other == key {
			continue
		}
		if p.StopOnConflict && stands.conflict {
			return "the set is stopped while release " + other.String() + " belongs to another set"
		}
		if p.StopOnError && stands.state == engine.Failed && !stands.conflict {
			return "the set is stopped while " + other.String() + " has failed"
		}
	}
	return ""
}

// judgeElse has all services looked at, since other health rules count from now on.
func (s *set) judgeElse() {
	for _, svc := range s.services {
		svc.stale = true
	}
}

// decide is the step for one service, which the set may want or not.
func (s *set) decide(key engine.Key) step {
	svc := s.services[key]
	p := s.policy()
	p.stopped = s.stopped(key)
	wanted, ok := s.wants(key)
	switch own := s.owns(svc); {
	case (!ok || wanted.Uninstall) && !own && svc.leftover:
		return step{do: sweep, state: engine.Deleting}
	case (!ok || wanted.Uninstall) && !own:
		return step{do: rest, state: engine.Deleted}
	case !ok && svc.holder != "":
		return step{do: rest, state: engine.Deleting, message: "ServiceSet " + svc.holder + " takes it over"}
	case (!ok || wanted.Uninstall) && len(s.awaits(key)) > 0:
		return step{do: rest, state: engine.Deleting, message: pace.Awaits(s.awaits(key))}
	case !ok:
		return decideGone(p, svc.facts)
	}
	to := decide(wanted, p, svc.facts, s.done)
	to.freeze = p.frozen(svc.facts) || p.Sync == engine.OneTime && to.state == engine.Deployed
	if to.do == rest && svc.holder == "" && svc.release != nil && !svc.release.leaving && s.unmarked(svc, wanted) {
		to.do = mark
	}
	return to
}

// unmarked says whether the set has to write down something of the release, at first that it
// is its own.
func (s *set) unmarked(svc *service, wanted engine.Service) bool {
	word := svc.release.wish == svc.wish && svc.release.version != wanted.Version
	return word || !reflect.DeepEqual(svc.release.notes, s.notes(wanted))
}

// done says whether a service runs as it is wanted now.
func (s *set) done(key engine.Key) bool {
	wanted, ok := s.wants(key)
	svc := s.services[key]
	return ok && svc != nil && !differs(svc.input, wanted) && svc.stands.state == engine.Deployed && s.owns(svc) && svc.holder == ""
}

func (f facts) asWanted() bool {
	return f.release != nil && f.wish != "" && f.release.wish == f.wish && f.release.stage == done
}

// awaits are the services whose removal that of this one waits for.
func (s *set) awaits(key engine.Key) []engine.Key {
	var there []pace.Leaver
	for other, svc := range s.services {
		if !s.owns(svc) {
			continue
		}
		needs, told := s.needs[other]
		if !told {
			needs = svc.release.needs
		}
		there = append(there, pace.Leaver{Key: other, Needs: needs, Stays: s.keeps(other)})
	}
	return pace.Awaited(key, there, s.unawaited)
}

// differs says whether two wishes may lead to different releases. The words by which the user
// calls them, and where a chart of the same digest is fetched, make no difference.
func differs(a, b engine.Service) bool {
	return a.Kind != b.Kind || a.Source.Digest != b.Source.Digest || a.Source.Path != b.Source.Path || a.Values != b.Values ||
		a.Uninstall != b.Uninstall || a.NotYet != b.NotYet || a.Problem != b.Problem || !reflect.DeepEqual(a.Options, b.Options)
}

// renew forgets what was known about the wish if something else is wanted now.
func (svc *service) renew(input engine.Service, policy engine.Policy, at Access) {
	if differs(svc.input, input) || !reflect.DeepEqual(svc.policy, policy) || svc.access != at {
		svc.wish, svc.checked, svc.refused, svc.failed, svc.failures, svc.next = "", false, "", "", 0, time.Time{}
		var err error
		if svc.wanted, err = translate(input, policy, at); err != nil {
			svc.refused, svc.again = fleet.Sentence(err), time.Time{}
		}
		svc.wish = svc.wanted.digest
	}
	svc.input, svc.policy, svc.access = input, policy, at
}

// decideAll decides for each service. What is decided for one counts for those that depend on
// it, or stop for it: it goes on until all agree.
func (s *set) decideAll(now time.Time) time.Time {
	keys := slices.SortedFunc(maps.Keys(s.services), engine.CompareKeys)
	was := map[engine.Key]service{}
	for _, key := range keys {
		was[key] = *s.services[key]
	}
	for range len(keys) + 1 {
		same := true
		for _, key := range keys {
			svc := s.services[key]
			if svc.busy {
				continue
			}
			to := s.decide(key)
			same = same && to == svc.stands
			svc.stand(to, now)
		}
		if same {
			break
		}
	}
	var due time.Time
	for _, key := range keys {
		svc := s.services[key]
		if before := was[key]; before.stands.state == svc.stands.state {
			svc.since = before.since
		}
		if !svc.busy {
			due = pace.Sooner(due, svc.stands.at)
		}
	}
	return due
}

// stand records the step that was decided, and since when the service is in its state.
func (svc *service) stand(to step, now time.Time) {
	if svc.stands.state != to.state {
		svc.since = now
	}
	svc.stands = to
	switch {
	case svc.release == nil || svc.release.digest == "":
		svc.version = ""
	case svc.asWanted():
		svc.version = svc.input.Version
	case svc.release.stage == done:
		svc.version = svc.release.version
	}
}

// fold is the report of what is known. synced says that the HelmReleases were read.
func (s *set) fold(unreachable *engine.Unreachable, synced bool) engine.Report {
	report := engine.Report{Unreachable: unreachable, Gone: s.removing && synced}
	for _, key := range slices.SortedFunc(maps.Keys(s.services), engine.CompareKeys) {
		svc := s.services[key]
		wanted, ok := s.wants(key)
		there := s.owns(svc) || svc.busy && s.removing || svc.leftover && !ok
		report.Gone = report.Gone && !there
		switch {
		case ok:
			report.Services = append(report.Services, s.tell(svc, wanted))
		case there, !synced && !s.removing && has(s.needs, key):
			leaving := svc.input
			leaving.Key = key
			report.Services = append(report.Services, s.tell(svc, leaving))
		case synced && !svc.busy && !svc.looking:
			delete(s.services, key)
		}
	}
	return report
}

func has(needs map[engine.Key][]engine.Key, key engine.Key) bool {
	_, ok := needs[key]
	return ok
}

// tell is what the set's report says of a service.
func (s *set) tell(svc *service, wanted engine.Service) engine.ServiceReport {
	r := engine.ServiceReport{
		Key: wanted.Key, Kind: engine.Helm, Template: wanted.Template,
		State: svc.stands.state, Message: strings.TrimSpace(svc.stands.message), Since: svc.since,
	}
	if r.State == engine.Deleting && svc.stands.do == rest && !svc.busy && s.owns(svc) && !svc.release.leaving {
		r.Awaits = s.awaits(wanted.Key)
	}
	if s.owns(svc) {
		r.Version, r.Digest, r.Drift = svc.version, svc.release.digest, svc.drift()
	}
	if svc.health != nil && s.owns(svc) && svc.asWanted() {
		r.Unhealthy = svc.health.Unhealthy
	}
	return r
}

// drift is what differs on the target where Flux says that something does: in the words of who
// has looked, or in those of Flux, which are shorter. Nobody has looked yet: nothing is said.
func (svc *service) drift() []string {
	switch told := svc.release.drift; {
	case len(told) == 0 || svc.described != strings.Join(told, "\n"):
		return nil
	case len(svc.differing) == 0:
		return told
	}
	return svc.differing
}
