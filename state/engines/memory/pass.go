package memory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
	"portico.dev/portico/state/engine/verdict"
)

// pass makes one set so on one cluster.
type pass struct {
	world   *World
	cluster *Cluster
	set     *set
	// sets are all that the engine knows, this one too.
	sets map[engine.Ref]*set
	now  time.Time
	// held is why nothing of the set may change, empty if it may; heldBy which service is the
	// reason, and may.
	held   string
	heldBy map[engine.Key]bool
	done   map[engine.Key]bool
}

// make does what can be done now, and reports. The error means that the cluster does not answer.
func (p *pass) make() (engine.Report, error) {
	if p.cluster.severed {
		return engine.Report{}, errSevered
	}
	p.hold()
	reports := map[engine.Key]engine.ServiceReport{}
	if err := p.removeUnwanted(reports); err != nil {
		return engine.Report{}, err
	}
	if p.set.removing {
		return report(reports), nil
	}
	p.done = map[engine.Key]bool{}
	// Once around for each service is enough for the longest chain of dependencies.
	for range p.set.want.Services {
		for _, svc := range p.set.want.Services {
			if _, told := reports[svc.Key]; told && svc.Uninstall {
				continue // it is still there
			}
			r, err := p.service(svc)
			if err != nil {
				return engine.Report{}, err
			}
			p.done[svc.Key] = r.State == engine.Deployed
			reports[svc.Key] = p.since(r)
		}
	}
	out := report(reports)
	out.Gone = false
	return out, nil
}

// report has what is said of the services; nothing is Gone.
func report(of map[engine.Key]engine.ServiceReport) engine.Report {
	out := engine.Report{Gone: len(of) == 0}
	for _, key := range slices.SortedFunc(maps.Keys(of), engine.CompareKeys) {
		out.Services = append(out.Services, of[key])
	}
	return out
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

// hold finds out whether anything of the set may change, before anything does.
func (p *pass) hold() {
	policy := p.set.want.Policy
	p.heldBy = map[engine.Key]bool{}
	if p.set.removing {
		return
	}
	for _, svc := range p.set.want.Services {
		switch {
		case policy.StopOnConflict && p.wants(p.set, svc.Key) && p.conflict(svc.Key) != "":
			p.held = "the set stops on conflicts, and " + svc.Key.String() + " is another's"
		case policy.StopOnError && p.broken(svc) != "":
			p.held = "the set stops on errors, and " + svc.Key.String() + " has failed"
		default:
			continue
		}
		p.heldBy[svc.Key] = true
	}
}

// broken says why a service cannot be made, as far as that is known without trying.
func (p *pass) broken(svc engine.Service) string {
	if svc.Uninstall || p.frozen(svc.Key) {
		return ""
	}
	if svc.Problem != "" {
		return svc.Problem
	}
	if svc.NotYet != "" {
		return ""
	}
	wanted, err := p.world.read(p.set.want, svc)
	if err != nil {
		return err.Error()
	}
	if f := p.set.failures[svc.Key]; f.digest == wanted.digest {
		return f.message
	}
	return ""
}

// still says why nothing may be changed about a service: in which state it is called, and why.
func (p *pass) still(key engine.Key, would string) (message string) {
	switch {
	case p.set.want.Paused:
		return "the set is paused; it would be " + would
	case p.set.want.Policy.Sync == engine.DryRun:
		return "dry run: it would be " + would
	case !p.heldBy[key]:
		return p.held
	}
	return ""
}

// wants says whether a set claims a release that is not its own yet.
func (p *pass) wants(s *set, key engine.Key) bool {
	svc, ok := s.want.Wants(key)
	return ok && !s.removing && !s.want.Paused && s.want.Policy.Sync != engine.DryRun &&
		!svc.Uninstall && svc.Problem == "" && svc.NotYet == ""
}

// conflict says whose a release is that this set may not have; empty if it may.
func (p *pass) conflict(key engine.Key) string {
	mine := p.set.want
	if r := p.cluster.releases[key]; r != nil && !r.Kept && r.set != (types.NamespacedName{}) {
		owner := p.sets[engine.Ref{Set: r.set, Target: p.cluster.target}]
		if r.set == mine.Set || owner != nil && owner.want.Policy.Priority < mine.Policy.Priority {
			return ""
		}
		return "the release belongs to ServiceSet " + r.set.String()
	}
	if first := p.first(key); first != nil && first.want.Set != mine.Set {
		return "the release is for ServiceSet " + first.want.Set.String()
	}
	return ""
}

// first is the set that a release without an owner is for: of those on this cluster that claim
// it the one of the highest priority, and of these the one that was told of first.
func (p *pass) first(key engine.Key) *set {
	var best *set
	for _, s := range p.sets {
		if s.want.Target != p.cluster.target || !p.wants(s, key) {
			continue
		}
		if best == nil || cmp.Or(cmp.Compare(best.want.Policy.Priority, s.want.Policy.Priority), cmp.Compare(s.told, best.told)) < 0 {
			best = s
		}
	}
	return best
}

// removeUnwanted removes what the set does not want any more, dependants first. What another
// set wants is handed over to it, what shall stay is left.
func (p *pass) removeUnwanted(reports map[engine.Key]engine.ServiceReport) error {
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
			break
		}
		delete(unwanted, key)
		if why := p.still(key, "removed"); why != "" && !p.set.removing {
			reports[key] = p.leaver(key, engine.ServiceReport{State: engine.Pending, Message: why})
			continue
		}
		if why, ends := p.removalHook(key); !ends {
			reports[key] = p.leaver(key, engine.ServiceReport{State: engine.Deleting, Message: why})
			continue
		}
		if err := p.remove(key); err != nil {
			return err
		}
	}
	for key := range unwanted {
		if awaits := p.awaits(key); unwanted[key] {
			reports[key] = p.leaver(key, engine.ServiceReport{State: engine.Deleting, Message: pace.Awaits(awaits), Awaits: awaits})
		}
	}
	return nil
}

// leaver completes what is reported of a release that is not wanted any more, and still there.
func (p *pass) leaver(key engine.Key, said engine.ServiceReport) engine.ServiceReport {
	r := p.cluster.releases[key]
	wanted, _ := p.set.want.Wants(key)
	said.Key, said.Kind, said.Template, said.Version, said.Digest = key, r.kind, wanted.Template, r.version, r.digest
	return p.since(said)
}

// removalHook says whether the hook of a release that is removed has ended well, and if not, what
// it says. One that is handed over or left has none.
func (p *pass) removalHook(key engine.Key) (says string, ends bool) {
	r := p.cluster.releases[key]
	if !r.removalHook || p.first(key) != nil || p.set.removing && p.set.leave {
		return "", true
	}
	if end, told := p.cluster.hooks[key]; told {
		delete(p.cluster.hooks, key)
		if !end.failed {
			return "", true
		}
		r.hookSaid = "its hook has failed: " + end.words
	}
	return cmp.Or(r.hookSaid, "its hook has not ended yet"), false
}

func (p *pass) remove(key engine.Key) error {
	r, heir := p.cluster.releases[key], p.first(key)
	switch {
	case heir != nil:
		return p.cluster.write("give "+key.Name, func() { r.set = heir.want.Set })
	case p.set.removing && p.set.leave:
		return p.cluster.write("leave "+key.Name, func() { r.set, r.digest = types.NamespacedName{}, "" })
	}
	return p.cluster.write("remove "+key.Name, func() {
		p.clear(key, r)
		r.Kept = true
		if !p.set.options[key].Uninstall.KeepHistory {
			delete(p.cluster.releases, key)
		}
	})
}

// clear takes the objects of a release away that no other one holds.
func (p *pass) clear(key engine.Key, r *Release) {
	held := map[string]bool{}
	for other, theirs := range p.cluster.releases {
		for _, o := range theirs.objects {
			held[nameOf(o)] = held[nameOf(o)] || other != key && !theirs.Kept
		}
	}
	for _, o := range r.objects {
		if !held[nameOf(o)] {
			delete(p.cluster.objects, nameOf(o))
		}
	}
}

// release is the set's own, nil if there is none.
func (p *pass) release(key engine.Key) *Release {
	if r := p.cluster.releases[key]; r != nil && r.set == p.set.want.Set && !r.Kept {
		return r
	}
	return nil
}

// frozen says whether a service was installed once, and is left alone from then on.
func (p *pass) frozen(key engine.Key) bool {
	r := p.release(key)
	return r != nil && p.set.want.Policy.Sync == engine.OneTime && !r.Pending && !r.Failed && p.cluster.trouble(key, r) == "" && len(p.judge(key)) == 0
}

// removable is an unwanted release that nothing on the cluster depends on.
func (p *pass) removable(unwanted map[engine.Key]bool) (engine.Key, bool) {
	for _, key := range slices.SortedFunc(maps.Keys(unwanted), engine.CompareKeys) {
		if unwanted[key] && len(p.awaits(key)) == 0 {
			return key, true
		}
	}
	return engine.Key{}, false
}

// awaits are the services whose removal that of this one waits for.
func (p *pass) awaits(key engine.Key) []engine.Key {
	var there []pace.Leaver
	for other, needs := range p.set.needs {
		if p.release(other) == nil {
			continue
		}
		svc, wanted := p.set.want.Wants(other)
		there = append(there, pace.Leaver{Key: other, Needs: needs, Stays: wanted && !svc.Uninstall && !p.set.removing})
	}
	return pace.Awaited(key, there, p.set.unawaited)
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
	case p.frozen(svc.Key):
		return say(engine.Deployed, "")
	case svc.Problem != "":
		return say(engine.Failed, svc.Problem)
	case svc.NotYet != "":
		return say(engine.Pending, svc.NotYet)
	}
	wanted, err := p.world.read(p.set.want, svc)
	if err != nil {
		return say(engine.Failed, err.Error())
	}
	if r := p.release(svc.Key); r == nil || r.Pending || r.Failed || r.digest != wanted.digest {
		if state, message, err := p.change(svc, wanted); state != "" || err != nil {
			report, _ := say(state, message)
			return report, err
		}
	}
	p.release(svc.Key).version = svc.Version
	mend := p.set.want.Policy.Sync == engine.ContinuousWithDriftDetection && !p.set.want.Paused
	if report.Drift, err = p.drift(svc.Key, mend); err != nil {
		return report, err
	}
	if err := p.reload(svc.Key); err != nil {
		return report, err
	}
	if words := p.cluster.trouble(svc.Key, p.release(svc.Key)); words != "" {
		report.Unhealthy = []engine.Unhealthy{{Kind: "Deployment", Message: words}}
		return say(engine.Provisioning, words)
	}
	if problems := p.judge(svc.Key); len(problems) > 0 {
		report.Unhealthy = verdict.Unhealthy(problems)
		return say(engine.Provisioning, helm.Words(problems))
	}
	return say(engine.Deployed, "")
}

// change makes a service that is not as wanted. It returns no state if it is then.
func (p *pass) change(svc engine.Service, wanted wish) (engine.State, string, error) {
	if whose := p.conflict(svc.Key); whose != "" {
		return engine.Failed, whose, nil
	}
	for _, dep := range svc.DependsOn {
		if !p.done[dep] {
			return engine.Pending, pace.Waits([]engine.Key{dep}), nil
		}
	}
	if why := p.still(svc.Key, "installed or upgraded"); why != "" {
		return engine.Pending, why, nil
	}
	switch kind := wanted.chart.Kind; {
	case kind != "" && !p.cluster.kinds[kind]:
		return engine.Failed, "the cluster does not know the kind " + kind, nil
	case p.cluster.leaving[svc.Key.Namespace]:
		return engine.Failed, "the namespace " + svc.Key.Namespace + " is being deleted", nil
	}
	return p.try(svc, wanted)
}

// try makes a revision whose hook may fail. What has failed is tried again when a hook is said
// to end otherwise, and as often as the policy allows.
func (p *pass) try(svc engine.Service, wanted wish) (engine.State, string, error) {
	last, told := p.set.failures[svc.Key], false
	if last.digest != wanted.digest {
		last = failure{digest: wanted.digest}
	}
	end, told := p.cluster.hooks[svc.Key]
	most := p.set.want.Policy.MaxFailures
	switch {
	case !wanted.chart.Hook:
	case most > 0 && last.count >= most:
		return engine.Failed, fmt.Sprintf("%s; it was tried %d times, and is tried again when something of it changes", last.message, last.count), nil
	case !told && last.count > 0:
		return engine.Failed, last.message, nil
	case !told:
		return engine.Provisioning, "its hook has not ended yet", nil
	}
	delete(p.cluster.hooks, svc.Key)
	if end.failed {
		p.set.failures[svc.Key] = failure{wanted.digest, "its hook has failed: " + end.words, last.count + 1}
		return engine.Failed, p.set.failures[svc.Key].message, nil
	}
	delete(p.set.failures, svc.Key)
	return "", "", p.apply(svc, wanted)
}

// apply makes a revision, in the two steps that Helm has: a crash between them leaves a pending
// one, which is made again under the same number.
func (p *pass) apply(svc engine.Service, wanted wish) error {
	next := &Release{
		Revision: 1, Pending: true, set: p.set.want.Set, kind: svc.Kind, Chart: wanted.chart.Version,
		Values: wanted.values, digest: wanted.digest, objects: wanted.objects,
		removalHook: wanted.chart.RemovalHook,
	}
	was := p.cluster.releases[svc.Key]
	if was != nil {
		next.loaded = was.loaded
		next.Revision = was.Revision + 1
		if was.Pending {
			next.Revision = was.Revision
		}
	}
	if was == nil || was.Values["run"] != true {
		next.loaded, _ = wanted.values["text"].(string)
	}
	if err := p.cluster.write("make "+svc.Key.Name, func() { p.cluster.releases[svc.Key] = next }); err != nil {
		return err
	}
	return p.cluster.write("make "+svc.Key.Name, func() {
		next.Pending = false
		if was != nil {
			p.clear(svc.Key, was)
		}
		for _, o := range next.objects {
			p.cluster.objects[nameOf(o)] = o.DeepCopy()
		}
	})
}
