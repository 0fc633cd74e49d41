package sveltos

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

// seen is what a decision rests on.
type seen struct {
	at    address
	told  *told
	heard *heard
	// releases are those on the target; health says of some of them what does not run, unhealthy
	// the same by kinds.
	releases  map[engine.Key]helm.State
	health    map[engine.Key]string
	unhealthy map[engine.Key][]engine.Unhealthy
	// loaded are the wishes that were read, or why they were not.
	loaded map[engine.Key]loaded
	// owners says which set has a release that Sveltos does not give to this one; rivals which
	// releases of this one another set wants, too.
	owners map[engine.Key]claim
	rivals map[engine.Key]bool
	// needs are the dependencies of services that the set had and does not want any more.
	needs map[engine.Key][]engine.Key
	// trusted is when Sveltos' word about failures begins to count: what it said before was
	// about another wish, or about a target that did not answer.
	trusted time.Time
	// known says that the state of a service was known before.
	known map[engine.Key]bool
}

// claim is who has a release, and how Sveltos ranks it: the lower tier has it.
type claim struct {
	set  string
	tier int64
}

type loaded struct {
	wish wish
	err  string
}

// plan is what to do, and how the services stand until then.
type plan struct {
	// entries are what the Profile shall hold; write says that there shall be one.
	entries []entry
	write   bool
	paused  bool
	// remove says that the Profile shall go, leave that what it has made stays.
	remove, leave bool
	// carriers are needed by the entries.
	carriers []carrier
	services map[engine.Key]stand
	gone     bool
	// busy says that something is under way on the target, which nobody tells of.
	busy bool
}

// stand is how one service stands.
type stand struct {
	state   engine.State
	message string
	// asWanted says that what is on the target is what is wanted.
	asWanted bool
	// conflict says that another set has the release.
	conflict bool
	// version is what is there, where it is not what is wanted and stays all the same.
	version string
	// awaits are the services whose removal that of this one waits for.
	awaits []engine.Key
}

// decision is one in the making.
type decision struct {
	want engine.Set
	saw  seen
	plan plan
	// underway are services whose stand is being decided: in a cycle nobody is done.
	underway map[engine.Key]bool
	kept     map[engine.Key]entry
	// holders are services that hold back the changes of all others.
	holders []engine.Key
}

// decide is the whole policy for a set that is wanted.
func decide(want engine.Set, saw seen) plan {
	p := decideWith(want, saw, nil)
	if holders := holders(want, p); len(holders) > 0 {
		return decideWith(want, saw, holders)
	}
	return p
}

// holders are the services that hold back the others, as the policy has it.
func holders(want engine.Set, p plan) []engine.Key {
	var out []engine.Key
	for _, svc := range want.Services {
		switch s := p.services[svc.Key]; {
		case s.state != engine.Failed:
		case s.conflict && want.Policy.StopOnConflict, !s.conflict && want.Policy.StopOnError:
			out = append(out, svc.Key)
		}
	}
	return out
}

// heldBy is the service that holds back changes of another one; none where it says false.
func (d *decision) heldBy(key engine.Key) (engine.Key, bool) {
	for _, holder := range d.holders {
		if holder != key {
			return holder, true
		}
	}
	return engine.Key{}, false
}

func decideWith(want engine.Set, saw seen, holders []engine.Key) plan {
	d := &decision{want: want, saw: saw, underway: map[engine.Key]bool{}, kept: map[engine.Key]entry{}, holders: holders}
	d.plan.services = map[engine.Key]stand{}
	if saw.told != nil && saw.told.deleting {
		for _, svc := range want.Services {
			d.plan.services[svc.Key] = stand{state: engine.Pending, message: "waits until what was there before is removed"}
		}
		d.plan.busy = true
		return d.plan
	}
	for _, svc := range want.Services {
		d.stand(svc.Key)
	}
	if saw.told != nil {
		for _, e := range saw.told.entries {
			if _, wanted := want.Wants(e.key()); !wanted {
				d.leave(e.key(), nil)
			}
		}
	}
	d.plan.entries = last(d.inOrder(), want.Leaving.Unawaited)
	d.plan.paused = want.Paused
	d.plan.write = saw.told != nil || len(d.plan.entries) > 0
	return d.plan
}

// stand decides about one service and returns how it stands.
func (d *decision) stand(key engine.Key) stand {
	if s, decided := d.plan.services[key]; decided {
		return s
	}
	svc, wanted := d.want.Wants(key)
	if !wanted || d.underway[key] {
		return stand{}
	}
	d.underway[key] = true
	s := d.serve(svc)
	d.plan.services[key] = s
	return s
}

func (d *decision) serve(svc engine.Service) stand {
	stored, has := d.saw.told.entry(svc.Key)
	got := d.saw.loaded[svc.Key]
	switch {
	case svc.Uninstall:
		return d.leave(svc.Key, &svc.Options)
	case svc.Problem != "":
		return d.keep(svc.Key, stand{state: engine.Failed, message: svc.Problem})
	case svc.NotYet != "":
		return d.keep(svc.Key, stand{state: engine.Pending, message: svc.NotYet})
	case got.err != "":
		return d.keep(svc.Key, stand{state: engine.Failed, message: got.err})
	case d.frozen(stored):
		return d.keep(svc.Key, d.once(stored, got.wish))
	case has && covers(stored, got.wish.entry):
		d.carry(got.wish)
		return d.keep(svc.Key, d.onTarget(svc.Key, got.wish.digest))
	}
	return d.change(svc, got.wish)
}

// frozen says whether a service was installed once, and shall stay as it is.
func (d *decision) frozen(stored entry) bool {
	if d.want.Policy.Sync != engine.OneTime || stored == nil || stored.leaving() {
		return false
	}
	r := d.saw.releases[stored.key()]
	return r.Status == helm.Deployed && r.Digest == stored.digest()
}

// once is how a service stands that was installed once and is not followed any more.
func (d *decision) once(stored entry, w wish) stand {
	s := d.onTarget(stored.key(), stored.digest())
	if stored.digest() != w.digest {
		s.asWanted = false
		s.version, _ = stored["chartVersion"].(string)
	}
	return s
}

// change is for a service that Sveltos was not told of as it is wanted now.
func (d *decision) change(svc engine.Service, w wish) stand {
	done := func(k engine.Key) bool { return d.stand(k).state == engine.Deployed }
	if waits := pace.Undone(svc.DependsOn, done); len(waits) > 0 && !d.asMade(svc.Key, w.digest) {
		return d.keep(svc.Key, stand{state: engine.Pending, message: pace.Waits(waits)})
	}
	doing := d.doing(svc.Key)
	holder, held := d.heldBy(svc.Key)
	switch {
	case d.belongsTo(svc.Key) != "" && (d.want.Policy.StopOnConflict || d.want.Paused):
		return d.keep(svc.Key, stand{state: engine.Failed, message: d.belongs(svc.Key), conflict: true})
	case held:
		return d.keep(svc.Key, stand{state: engine.Pending, message: heldBack(holder)})
	case d.want.Paused:
		return d.keep(svc.Key, stand{state: engine.Pending, message: "the set is paused; it would be installed or upgraded"})
	case d.want.Policy.Sync == engine.DryRun:
		return d.keep(svc.Key, stand{state: engine.Pending, message: "dry run: " + doing + " would be next"})
	}
	d.kept[svc.Key] = w.entry
	d.carry(w)
	d.plan.busy = true
	return stand{state: engine.Provisioning, message: doing}
}

func heldBack(holder engine.Key) string {
	return fmt.Sprintf("the set is held back by %s, which is not as it should be", holder)
}

func (d *decision) doing(key engine.Key) string {
	if r, there := d.there(key); there {
		return fmt.Sprintf("upgrading from revision %d", r.Revision)
	}
	return "installing"
}

// onTarget is how a service stands that Sveltos was told of as it is wanted.
func (d *decision) onTarget(key engine.Key, digest string) stand {
	word := heardOf{}
	if d.saw.heard != nil {
		word = d.saw.heard.releases[key]
	}
	release := d.saw.releases[key]
	switch {
	case word.taken:
		return stand{state: engine.Failed, message: d.belongs(key), conflict: true}
	case d.asMade(key, digest):
		return d.health(key)
	}
	if failure := d.failure(word); failure != "" {
		return stand{state: engine.Failed, message: failure}
	}
	if holder, held := d.heldBy(key); held {
		return stand{state: engine.Pending, message: heldBack(holder)}
	}
	if d.saw.told.paused && d.want.Paused {
		return stand{state: engine.Pending, message: "the set is paused; it would be installed or upgraded"}
	}
	if d.settled() && release.Status == helm.Deployed {
		return stand{state: engine.Failed, message: "Sveltos leaves a release as it is while the chart's version and the values are the same: give the changed chart another version"}
	}
	d.plan.busy = true
	if !d.saw.known[key] && release.Status != "" {
		return stand{state: engine.Unseen}
	}
	message := d.doing(key)
	if problem := d.saw.health[key]; problem != "" && release.Status == helm.Pending {
		message += ": " + problem
	}
	return stand{state: engine.Provisioning, message: message}
}

// asMade says whether the release on the target is the one with this digest, and this set's.
func (d *decision) asMade(key engine.Key, digest string) bool {
	r := d.saw.releases[key]
	return r.Status == helm.Deployed && r.Digest == digest && d.saw.heard != nil && d.saw.heard.releases[key].mine
}

func (d *decision) health(key engine.Key) stand {
	problem, looked := d.saw.health[key]
	switch {
	case !looked && !d.saw.known[key]:
		return stand{state: engine.Unseen, asWanted: true}
	case !looked:
		return stand{state: engine.Provisioning, message: "checking what was installed", asWanted: true}
	case problem != "":
		d.plan.busy = true
		return stand{state: engine.Provisioning, message: problem, asWanted: true}
	}
	return stand{state: engine.Deployed, asWanted: true}
}

// belongsTo is the set that has a release and keeps it.
func (d *decision) belongsTo(key engine.Key) string {
	o := d.saw.owners[key]
	if o.set == "" || o.tier > tierOf(d.want.Policy) {
		return ""
	}
	return o.set
}

// belongs says whose a release is.
func (d *decision) belongs(key engine.Key) string {
	who := "another Profile of Sveltos"
	if owner := d.saw.owners[key].set; owner != "" {
		who = "ServiceSet " + owner
	}
	return fmt.Sprintf("the release belongs to %s: take it out there, or give this one another name", who)
}

// failure is why Sveltos has not made the release, if it has said so since the wish is known to
// it.
func (d *decision) failure(word heardOf) string { return d.saw.failure(word) }

// failed is the same of a release that shall go.
func (s seen) failed(key engine.Key) string {
	if s.heard == nil {
		return ""
	}
	return s.failure(s.heard.releases[key])
}

func (s seen) failure(word heardOf) string {
	h := s.heard
	if h == nil || !h.current || !h.failed || h.at.Before(s.trusted) {
		return ""
	}
	said := word.failure
	if said == "" && len(h.releases) == 0 {
		said = h.message
	}
	if passing(said) {
		return ""
	}
	return said
}

func (d *decision) settled() bool {
	h := d.saw.heard
	return h != nil && h.current && h.settled && !h.at.Before(d.saw.trusted)
}

// keep has the Profile go on saying what it says of a service.
func (d *decision) keep(key engine.Key, s stand) stand {
	if stored, has := d.saw.told.entry(key); has {
		d.kept[key] = stored
	}
	return s
}

func (d *decision) carry(w wish) { d.plan.carriers = append(d.plan.carriers, w.carrier) }

// there is a release that is on the target.
func (d *decision) there(key engine.Key) (helm.State, bool) {
	r := d.saw.releases[key]
	return r, r.Status != "" && r.Status != helm.Absent && r.Status != helm.Uninstalled
}

// leave decides about a release that shall not be on the target.
func (d *decision) leave(key engine.Key, o *engine.Options) stand {
	stored, has := d.saw.told.entry(key)
	_, there := d.there(key)
	s := stand{state: engine.Deleting}
	switch {
	case !has && d.listed(key):
		return stand{state: engine.Deleted}
	case !has:
		return stand{}
	case d.saw.rivals[key] || d.taken(key):
		// Sveltos hands it over to whoever else wants it.
		s = stand{state: engine.Deleted}
	case !there && stored.leaving():
		s = stand{state: engine.Deleted}
		if keepsHistory(stored) {
			d.kept[key] = stored // taken out, its history would be removed, too
		}
	case d.held(key) && there:
		holder, _ := d.heldBy(key)
		d.kept[key], s = stored, stand{state: engine.Pending, message: heldBack(holder)}
	case len(d.awaits(key)) > 0:
		d.kept[key], s = stored, waiting(d.awaits(key))
	case d.want.Paused:
		d.kept[key], s = stored, stand{state: engine.Pending, message: "the set is paused; it would be removed"}
	case d.want.Policy.Sync == engine.DryRun:
		d.kept[key], s = stored, stand{state: engine.Pending, message: "dry run: it would be removed"}
	default:
		d.kept[key] = withdrawn(stored, o)
		d.plan.busy = true
		s.message = d.saw.failed(key)
	}
	if there && s.state != engine.Deleted || d.listed(key) {
		d.plan.services[key] = s
	}
	return s
}

func (d *decision) listed(key engine.Key) bool {
	_, wanted := d.want.Wants(key)
	return wanted
}

func (d *decision) held(key engine.Key) bool {
	_, held := d.heldBy(key)
	return held
}

func (d *decision) taken(key engine.Key) bool {
	return d.saw.heard != nil && d.saw.heard.releases[key].taken
}

// awaits are the services whose removal that of this one waits for.
func (d *decision) awaits(key engine.Key) []engine.Key {
	if d.saw.told == nil {
		return nil
	}
	var on []pace.Leaver
	for _, e := range d.saw.told.entries {
		if _, there := d.there(e.key()); !there {
			continue
		}
		needs, told := d.want.Leaving.DependsOn[e.key()]
		if !told {
			needs = d.saw.needs[e.key()]
		}
		svc, wanted := d.want.Wants(e.key())
		on = append(on, pace.Leaver{Key: e.key(), Needs: needs, Stays: wanted && !svc.Uninstall})
	}
	return pace.Awaited(key, on, d.want.Leaving.Unawaited)
}

// waiting is how a service stands whose removal waits for that of others.
func waiting(awaits []engine.Key) stand {
	return stand{state: engine.Deleting, message: pace.Awaits(awaits), awaits: awaits}
}

// inOrder lists the entries so that what others depend on comes first.
func (d *decision) inOrder() []entry {
	needs := map[engine.Key][]engine.Key{}
	for _, svc := range d.want.Services {
		needs[svc.Key] = svc.DependsOn
	}
	var out []entry
	listed := map[engine.Key]bool{}
	var list func(engine.Key)
	list = func(key engine.Key) {
		e, has := d.kept[key]
		if !has || listed[key] {
			return
		}
		listed[key] = true
		for _, need := range needs[key] {
			list(need)
		}
		out = append(out, e)
	}
	for _, key := range slices.SortedFunc(maps.Keys(d.kept), engine.CompareKeys) {
		list(key)
	}
	return out
}
