package direct

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

// wants returns the service as the set wants it.
func (s *set) wants(key engine.Key) (engine.Service, bool) {
	i, ok := s.at[key]
	if s.removing || !ok {
		return engine.Service{}, false
	}
	return s.want.Services[i], true
}

func (s *set) wish(svc engine.Service) wish { return wish{svc, s.want.Policy.Patches, s.before(svc)} }

// decide is the step for one service, which the set may want or not, if no other set is there.
func (s *set) decide(key engine.Key) step {
	svc := s.services[key]
	wanted, ok := s.wants(key)
	switch {
	case ok && !wanted.Uninstall:
		return decide(wanted, svc.facts, s.done)
	case svc.release != nil:
		if awaits := s.awaits(key); len(awaits) > 0 {
			return step{do: rest, state: engine.Deleting, message: pace.Awaits(awaits)}
		}
	}
	return decideGone(svc.facts)
}

// done says whether a service runs as it is wanted now.
func (s *set) done(key engine.Key) bool {
	wanted, ok := s.wants(key)
	svc := s.services[key]
	if !ok || svc == nil || svc.health == nil || !svc.health.Ready || wanted.Uninstall {
		return false
	}
	return once(svc.facts) || asWanted(svc.facts) && !(svc.outdated && differs(svc.input, s.wish(wanted)))
}

// stays says whether the set wants a service on the target.
func (s *set) stays(key engine.Key) bool {
	wanted, ok := s.wants(key)
	return ok && !wanted.Uninstall
}

// awaits are the services whose removal that of this one waits for.
func (s *set) awaits(key engine.Key) []engine.Key {
	var there []pace.Leaver
	for other, svc := range s.services {
		if svc.release == nil && !svc.busy {
			continue
		}
		needs, told := s.needs[other]
		if !told {
			needs = svc.input.DependsOn
		}
		there = append(there, pace.Leaver{Key: other, Needs: needs, Stays: s.stays(other)})
	}
	return pace.Awaited(key, there, s.unawaited)
}

// differs says whether two wishes may lead to different releases. The words by which the user
// calls them, and where a source of the same digest is fetched, make no difference.
func differs(a, b wish) bool {
	return a.Kind != b.Kind || a.Source.Digest != b.Source.Digest || a.Source.Path != b.Source.Path || a.Values != b.Values ||
		a.Uninstall != b.Uninstall || a.NotYet != b.NotYet || a.Problem != b.Problem || !reflect.DeepEqual(a.Options, b.Options) ||
		!reflect.DeepEqual(a.patches, b.patches) || a.SkipNamespaces != b.SkipNamespaces || otherSources(a.before, b.before)
}

// renew forgets what was known about the wanted release if something else is wanted now.
func (svc *service) renew(input wish) {
	if differs(svc.input, input) {
		svc.facts.wanted, svc.attempts, svc.doubted = "", 0, nil
	}
	svc.input, svc.outdated = input, false
}

// have takes the release as the target has it. What was known of the objects of another
// revision counts no more.
func (svc *service) have(now *helm.State) {
	if now == nil {
		svc.health, svc.whole, svc.drift, svc.moved, svc.sights, svc.sources = nil, false, nil, nil, nil, nil
	}
	svc.release = now
}

// breakOff ends an operation whose end nobody waits for any more.
func (svc *service) breakOff() {
	if svc.stop != nil {
		svc.stop()
	}
}

// stand records the step that was decided, and since when the service is in its state.
func (svc *service) stand(to step, now time.Time) {
	if svc.stands.state != to.state {
		svc.since = now
	}
	svc.stands = to
	if to.state == engine.Deployed {
		svc.whole = true
	}
	switch {
	case svc.release == nil:
		svc.version = ""
	case asWanted(svc.facts):
		svc.version = svc.input.Version
	}
}

// fold is the report of what is known.
func (w *worker) fold(s *set) engine.Report {
	report := engine.Report{Unreachable: w.unreachable, Gone: s.removing && w.listed}
	for _, key := range slices.SortedFunc(maps.Keys(s.services), engine.CompareKeys) {
		svc := s.services[key]
		wanted, ok := s.wants(key)
		there := svc.release != nil || svc.busy || svc.unsure
		if there {
			report.Gone = false
		}
		switch {
		case ok:
			report.Services = append(report.Services, s.tell(svc, wanted))
		case there, !w.listed && !s.removing && has(s.needs, key):
			leaving := svc.input.Service
			if leaving.Key = key; leaving.Kind == "" {
				leaving.Kind = engine.Helm
			}
			report.Services = append(report.Services, s.tell(svc, leaving))
		case w.listed:
			w.unwant(s, key)
		}
	}
	return report
}

func has(needs map[engine.Key][]engine.Key, key engine.Key) bool {
	_, told := needs[key]
	return told
}

// tell is what the set's report says of a service.
func (s *set) tell(svc *service, wanted engine.Service) engine.ServiceReport {
	r := engine.ServiceReport{
		Key: wanted.Key, Kind: wanted.Kind, Template: wanted.Template, Version: svc.version,
		State: svc.stands.state, Message: svc.stands.message, Since: svc.since,
	}
	if svc.release != nil {
		r.Digest, r.Drift = svc.release.Digest, svc.drift
	}
	if h := svc.health; h != nil && stands(svc.facts) {
		r.Unhealthy = h.Unhealthy
	}
	if svc.stands.state == engine.Deleting && svc.stands.do == rest && !svc.busy {
		r.Awaits = s.awaits(wanted.Key)
	}
	if svc.busy && svc.doing != "" {
		r.Message = fmt.Sprintf("%s: %s", r.Message, svc.doing)
	}
	return r
}
