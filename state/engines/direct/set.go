package direct

import (
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

// mayRemove says whether everything that depends on the service is off the target.
func (s *set) mayRemove(key engine.Key) bool {
	for other, svc := range s.services {
		if slices.Contains(svc.input.DependsOn, key) && svc.release != nil && other != key {
			return false
		}
	}
	return true
}

// renew forgets what was known about the wanted release if something else is wanted now.
func (svc *service) renew(input engine.Service) {
	if reflect.DeepEqual(svc.input, input) {
		return
	}
	svc.input, svc.facts.wanted, svc.attempts = input, "", 0
}

// stand records the step that was decided, and since when the service is in its state.
func (svc *service) stand(to step, now time.Time) {
	if svc.stands.state != to.state {
		svc.since = now
	}
	svc.stands = to
}

// fold is the report of what is known.
func (s *set) fold(unreachable *engine.Unreachable) engine.Report {
	report := engine.Report{Unreachable: unreachable}
	for _, wanted := range s.want.Services {
		s.service(wanted.Key)
	}
	report.Gone = s.removing && s.listed
	for _, key := range slices.SortedFunc(maps.Keys(s.services), compareKeys) {
		svc := s.services[key]
		wanted, ok := s.wants(key)
		if svc.release != nil || svc.busy {
			report.Gone = false
		}
		if !ok && svc.release == nil && !svc.busy {
			delete(s.services, key)
			continue
		}
		report.Services = append(report.Services, svc.report(key, wanted))
	}
	return report
}

func (svc *service) report(key engine.Key, wanted engine.Service) engine.ServiceReport {
	r := engine.ServiceReport{
		Key: key, Kind: engine.Helm, Template: wanted.Template,
		State: svc.stands.state, Message: svc.stands.message, Since: svc.since,
	}
	if r.State == "" {
		r.State, r.Message = engine.Pending, "waiting for the cluster to answer"
	}
	if svc.release != nil {
		r.Digest = svc.release.Digest
		if asWanted(svc.facts) {
			r.Version = wanted.Version
		}
	}
	return r
}
