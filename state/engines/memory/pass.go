package memory

import (
	"maps"
	"slices"
	"time"

	"portico.dev/portico/state/engine"
)

// pass makes one set so on one cluster.
type pass struct {
	world   *World
	cluster *Cluster
	set     *set
	now     time.Time
	done    map[engine.Key]bool
}

// make does what can be done now, and reports. The error means that the cluster does not answer.
func (p *pass) make() (engine.Report, error) {
	if p.cluster.severed {
		return engine.Report{}, errSevered
	}
	if err := p.removeUnwanted(); err != nil {
		return engine.Report{}, err
	}
	if p.set.removing {
		return engine.Report{Gone: true}, nil
	}
	reports := map[engine.Key]engine.ServiceReport{}
	p.done = map[engine.Key]bool{}
	// Once around for each service is enough for the longest chain of dependencies.
	for range p.set.want.Services {
		for _, svc := range p.set.want.Services {
			r, err := p.service(svc)
			if err != nil {
				return engine.Report{}, err
			}
			p.done[svc.Key] = r.State == engine.Deployed
			reports[svc.Key] = p.since(r)
		}
	}
	var report engine.Report
	for _, key := range slices.SortedFunc(maps.Keys(reports), engine.CompareKeys) {
		report.Services = append(report.Services, reports[key])
	}
	return report, nil
}

// since keeps the time of a state that has not changed.
func (p *pass) since(r engine.ServiceReport) engine.ServiceReport {
	r.Since = p.now
	for _, was := range p.set.report.Services {
		if was.Key == r.Key && was.State == r.State {
			r.Since = was.Since
		}
	}
	return r
}

// removeUnwanted removes what the set does not want any more, dependants first.
func (p *pass) removeUnwanted() error {
	unwanted := map[engine.Key]bool{}
	for key, r := range p.cluster.releases {
		unwanted[key] = r.set == p.set.want.Set && !r.Kept
	}
	for _, svc := range p.set.want.Services {
		unwanted[svc.Key] = unwanted[svc.Key] && (p.set.removing || svc.Uninstall)
	}
	for {
		key, ok := p.removable(unwanted)
		if !ok {
			return nil
		}
		delete(unwanted, key)
		if err := p.cluster.write("remove "+key.Name, func() { p.remove(key) }); err != nil {
			return err
		}
	}
}

func (p *pass) remove(key engine.Key) {
	if p.set.options[key].Uninstall.KeepHistory {
		p.cluster.releases[key].Kept = true
		return
	}
	delete(p.cluster.releases, key)
}

// release is the set's own, nil if there is none.
func (p *pass) release(key engine.Key) *Release {
	if r := p.cluster.releases[key]; r != nil && r.set == p.set.want.Set && !r.Kept {
		return r
	}
	return nil
}

// removable is an unwanted release that nothing on the cluster depends on.
func (p *pass) removable(unwanted map[engine.Key]bool) (engine.Key, bool) {
	for _, key := range slices.SortedFunc(maps.Keys(unwanted), engine.CompareKeys) {
		needed := false
		for other, needs := range p.set.needs {
			needed = needed || p.release(other) != nil && slices.Contains(needs, key)
		}
		if unwanted[key] && !needed {
			return key, true
		}
	}
	return engine.Key{}, false
}

// service makes one service so, as far as possible now.
func (p *pass) service(svc engine.Service) (engine.ServiceReport, error) {
	report := engine.ServiceReport{Key: svc.Key, Kind: svc.Kind, Template: svc.Template}
	say := func(state engine.State, message string) (engine.ServiceReport, error) {
		if r := p.release(svc.Key); r != nil {
			report.Version, report.Digest = r.version, r.digest
		}
		report.State, report.Message = state, message
		return report, nil
	}
	switch {
	case svc.Uninstall:
		return say(engine.Deleted, "")
	case svc.Problem != "":
		return say(engine.Failed, svc.Problem)
	case svc.NotYet != "":
		return say(engine.Pending, svc.NotYet)
	}
	wanted, err := p.world.read(svc)
	if err != nil {
		return say(engine.Failed, err.Error())
	}
	r := p.release(svc.Key)
	if r == nil || r.Pending || r.digest != wanted.digest {
		for _, dep := range svc.DependsOn {
			if !p.done[dep] {
				return say(engine.Pending, "waits until "+dep.String()+" is deployed")
			}
		}
		if p.set.want.Paused {
			return say(engine.Pending, "the set is paused")
		}
		if other := p.cluster.releases[svc.Key]; r == nil && other != nil && !other.Kept {
			return say(engine.Failed, "the release belongs to ServiceSet "+other.set.String())
		}
		if err := p.apply(svc, wanted); err != nil {
			return report, err
		}
		r = p.cluster.releases[svc.Key]
	}
	r.version = svc.Version
	if words := p.cluster.trouble(svc.Key, r); words != "" {
		return say(engine.Provisioning, words)
	}
	return say(engine.Deployed, "")
}

// apply makes a revision, in the two steps that Helm has: a crash between them leaves a pending
// one, which is made again under the same number.
func (p *pass) apply(svc engine.Service, wanted wish) error {
	next := &Release{Revision: 1, Pending: true, set: p.set.want.Set, Chart: wanted.chart.Version, Values: wanted.values, digest: wanted.digest}
	if was := p.cluster.releases[svc.Key]; was != nil {
		next.Revision = was.Revision + 1
		if was.Pending {
			next.Revision = was.Revision
		}
	}
	if err := p.cluster.write("make "+svc.Key.Name, func() { p.cluster.releases[svc.Key] = next }); err != nil {
		return err
	}
	return p.cluster.write("make "+svc.Key.Name, func() { next.Pending = false })
}
