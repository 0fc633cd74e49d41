package direct

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"time"

	"portico.dev/portico/state/engine"
)

// service returns what is known of a service, which may be nothing yet.
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
	i := slices.IndexFunc(s.want.Services, func(svc engine.Service) bool { return svc.Key == key })
	if i < 0 {
		return engine.Service{}, false
	}
	return s.want.Services[i], true
}

// decide is the step for one service, which the set may want or not.
func (s *set) decide(key engine.Key) step {
	svc := s.services[key]
	wanted, ok := s.wants(key)
	switch {
	case !ok && !s.mayRemove(key):
		return step{do: rest, state: engine.Deleting, message: "waits until what depends on it is removed"}
	case !ok:
		return decideGone(svc.facts)
	case s.want.Paused:
		return pause(decide(wanted, svc.facts, s.done))
	}
	return decide(wanted, svc.facts, s.done)
}

// done says whether a service runs as it is wanted now.
func (s *set) done(key engine.Key) bool {
	wanted, ok := s.wants(key)
	svc := s.services[key]
	return ok && svc != nil && !differs(svc.input, wanted) && asWanted(svc.facts) && svc.health != nil && svc.health.ready
}

// mayRemove says whether everything that depends on the service is off the target.
func (s *set) mayRemove(key engine.Key) bool {
	for other, svc := range s.services {
		if other != key && slices.Contains(svc.input.DependsOn, key) && (svc.release != nil || svc.busy) {
			return false
		}
	}
	return true
}

// differs says whether two wishes may lead to different releases. The words by which the user
// calls them, and where a chart of the same digest is fetched, make no difference.
func differs(a, b engine.Service) bool {
	return a.Kind != b.Kind || a.Source.Digest != b.Source.Digest || a.Source.Path != b.Source.Path || a.Values != b.Values ||
		a.Uninstall != b.Uninstall || a.NotYet != b.NotYet || a.Problem != b.Problem || !reflect.DeepEqual(a.Options, b.Options)
}

// renew forgets what was known about the wanted release if something else is wanted now.
func (svc *service) renew(input engine.Service) {
	if differs(svc.input, input) {
		svc.facts.wanted, svc.attempts, svc.doubted = "", 0, nil
	}
	svc.input = input
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
	switch {
	case svc.release == nil:
		svc.version = ""
	case asWanted(svc.facts):
		svc.version = svc.input.Version
	}
}

// fold is the report of what is known.
func (s *set) fold(unreachable *engine.Unreachable) engine.Report {
	report := engine.Report{Unreachable: unreachable, Gone: s.removing && s.listed}
	for _, key := range slices.SortedFunc(maps.Keys(s.services), engine.CompareKeys) {
		svc := s.services[key]
		wanted, ok := s.wants(key)
		if svc.release != nil || svc.busy {
			report.Gone = false
		}
		switch {
		case ok:
			report.Services = append(report.Services, svc.report(wanted))
		case svc.release != nil || svc.busy:
			leaving := svc.input
			leaving.Key = key
			report.Services = append(report.Services, svc.report(leaving))
		case s.listed:
			delete(s.services, key)
		}
	}
	return report
}

func (svc *service) report(wanted engine.Service) engine.ServiceReport {
	r := engine.ServiceReport{
		Key: wanted.Key, Kind: engine.Helm, Template: wanted.Template, Version: svc.version,
		State: svc.stands.state, Message: svc.stands.message, Since: svc.since,
	}
	if svc.release != nil {
		r.Digest = svc.release.Digest
	}
	if svc.busy && svc.doing != "" {
		r.Message = fmt.Sprintf("%s: %s", r.Message, svc.doing)
	}
	return r
}
