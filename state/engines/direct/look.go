package direct

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
	"portico.dev/portico/state/engine/verdict"
)

// inquiry is what to find out about a release, and what to put right meanwhile.
type inquiry struct {
	cluster Cluster
	key     engine.Key
	was     helm.Owned
	// record asks whether the release itself is another one.
	record bool
	// drift asks what has drifted, mend puts that right, and reload restarts what has mounted
	// what has changed. witness notes on the release that it runs in whole, if it does.
	drift, mend, reload, witness bool
	options                      helm.DriftOptions
	// only are the names of the objects to look at; none means all.
	only []string
	// rules are asked besides what the objects say of themselves.
	rules []helm.HealthRule
}

// patient is after how many looks at what is not ready all objects are looked at again.
const patient = 4

// findings are the answers.
type findings struct {
	now   helm.Owned
	drift []string
	// compared are objects as they were when it was found out whether they had drifted, but for
	// those that were put right.
	compared map[helm.Object]helm.Seen
	sources  map[helm.Object]bool
	seen     helm.Sight
	// judged are the problems that the rules have.
	judged []helm.Problem
}

// look asks how the objects of a release stand. What it asks depends on what has moved; of a
// release that was applied just now, nothing can have drifted but what is told meanwhile.
func (e errand) look() operation {
	svc := e.svc
	ask := e.inquiry()
	moved, unread, fresh, sourced := svc.moved, svc.unread, svc.fresh, svc.sourced
	svc.stale, svc.unread, svc.fresh, svc.sourced = false, false, false, false
	if !fresh {
		svc.moved = nil
	}
	return func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, looking)
		defer cancel()
		found, err := ask.make(ctx)
		return func() {
			svc.calmed = e.clock().Add(calm)
			if err == nil {
				e.found(ask, found)
				return
			}
			svc.stale, svc.unread, svc.fresh, svc.sourced = true, unread, fresh, sourced
			for _, m := range moved {
				svc.hear(m)
			}
			svc.unsure = true
			svc.doubted = func() {
				svc.stale = false
				svc.judge(e.clock(), pace.Health{Message: "its objects cannot be looked at: " + fleet.Sentence(err)})
				// What has moved is still to be looked at, but no sooner than what does not run: a
				// look that is refused would be refused again.
				if again := svc.health.Again(); again.After(svc.calmed) {
					svc.calmed = again
				}
			}
		}
	}
}

func (e errand) inquiry() inquiry {
	svc, policy := e.svc, e.set.want.Policy
	drifted := svc.drifted()
	ask := inquiry{
		cluster: e.cluster, key: e.key, was: e.releases[e.key],
		record:  len(drifted) > 0 && !svc.fresh,
		drift:   !svc.fresh && (svc.unread || len(drifted) > 0) && policy.Sync != engine.OneTime,
		mend:    policy.Sync == engine.ContinuousWithDriftDetection && !e.set.want.Paused,
		reload:  policy.Reload && e.set.stills() == "" && (svc.fresh || svc.unread || svc.sourced),
		witness: policy.Sync == engine.OneTime && !e.releases[e.key].Whole,
	}
	ask.options, ask.rules = translateDrift(policy, e.set.owner), verdict.Rules(e.set.want.Health)
	if !svc.unread {
		ask.options.Only = drifted
	}
	// Of what was seen to run and nothing was heard of, nothing needs to be asked. Who has looked
	// in vain for a while does not rely on what is heard any more.
	if h := svc.health; h != nil && (h.Ready || len(h.Unhealthy) > 0 && h.Looks < patient) && !svc.stale && !svc.unread {
		ask.only = slices.Clone(h.Ill)
		for o := range svc.moved {
			ask.only = append(ask.only, o.String())
		}
	}
	return ask
}

// make asks. What was changed by hand is put right before anybody looks how it runs.
func (ask inquiry) make(ctx context.Context) (found findings, err error) {
	ns, name := ask.key.Namespace, ask.key.Name
	found.now = ask.was
	if ask.record {
		if found.now, err = ask.cluster.OwnerOf(ctx, ns, name, SetLabel); err != nil || another(found.now, ask.was) {
			return found, err
		}
	}
	if ask.drift {
		if err = ask.drifted(ctx, &found); err != nil {
			return found, err
		}
	}
	if ask.reload {
		if found.sources, err = ask.reloaded(ctx); err != nil {
			return found, err
		}
	}
	if found.seen, err = ask.cluster.Look(ctx, ns, name, ask.only...); err != nil {
		return found, err
	}
	if len(ask.rules) > 0 {
		if found.judged, err = ask.cluster.Judge(ctx, ask.key, ask.rules); err != nil {
			return found, err
		}
	}
	if ask.witness && len(found.seen.Problems)+len(found.judged) == 0 {
		err = ask.cluster.Witness(ctx, ask.key, ask.was.Revision)
		found.now.Whole = err == nil
	}
	return found, err
}

// another says whether somebody has changed the release itself.
func another(now, was helm.Owned) bool {
	return now.Digest != was.Digest || now.Revision != was.Revision || now.Status != was.Status
}

func (ask inquiry) drifted(ctx context.Context, found *findings) error {
	found.compared = map[helm.Object]helm.Seen{}
	ask.options.Saw = func(o helm.Seen) { found.compared[o.Object] = o }
	if !ask.mend {
		differ, err := ask.cluster.Drift(ctx, ask.key.Namespace, ask.key.Name, ask.options)
		found.drift = helm.Lines(differ)
		return err
	}
	mended, err := ask.cluster.Mend(ctx, ask.key.Namespace, ask.key.Name, ask.options)
	if err != nil {
		return fmt.Errorf("putting right what was changed on the cluster: %w", err)
	}
	maps.DeleteFunc(found.compared, func(o helm.Object, _ helm.Seen) bool {
		return slices.ContainsFunc(mended, func(d helm.Difference) bool { return d.Object == o.String() })
	})
	return nil
}

// compares says whether it was asked if the object has drifted.
func (ask inquiry) compares(o helm.Object) bool {
	return ask.drift && (len(ask.options.Only) == 0 || slices.Contains(ask.options.Only, o))
}

// reloaded restarts workloads whose pods were started with other contents of what they read. One
// that is new is only marked. It returns what they read.
func (ask inquiry) reloaded(ctx context.Context) (map[helm.Object]bool, error) {
	mounts, err := ask.cluster.Mounts(ctx, ask.key.Namespace, ask.key.Name)
	if err != nil {
		return nil, err
	}
	sources := map[helm.Object]bool{}
	for _, m := range mounts {
		for _, s := range m.Sources {
			sources[s] = true
		}
		act := ask.cluster.Restart
		switch m.Loaded {
		case m.Digest:
			continue
		case "":
			act = ask.cluster.MarkLoaded
		}
		if err := act(ctx, m.Workload, m.Digest); err != nil {
			return nil, err
		}
	}
	return sources, nil
}

// found records the answers.
func (e errand) found(ask inquiry, f findings) {
	svc := e.svc
	if another(f.now, ask.was) {
		// Somebody has changed the release itself by hand.
		svc.health, svc.unread = nil, true
		e.owned(e.key, f.now)
		return
	}
	if f.now.Whole && !ask.was.Whole {
		e.owned(e.key, f.now)
	}
	if ask.drift {
		svc.drift = f.drift
	}
	maps.DeleteFunc(svc.sights, func(o helm.Object, _ helm.Seen) bool {
		_, compared := f.compared[o]
		return ask.compares(o) && !compared // it was put right, or is none of anybody's concern
	})
	for _, o := range f.compared {
		svc.saw(o)
	}
	for _, o := range f.seen.Objects {
		svc.glimpse(o)
	}
	if ask.reload {
		svc.sources = f.sources
	}
	e.saw(f.seen, f.judged)
}

// glimpse takes how an object was seen after it was found out whether it has drifted, if at all:
// it may have drifted meanwhile. Of an object of which nothing was known, nothing is known now.
func (svc *service) glimpse(o helm.Seen) {
	switch was, known := svc.sights[o.Object]; {
	case !known:
	case was.Mark == o.Mark, svc.mode == engine.OneTime:
		svc.saw(o)
	default:
		svc.hear(remote.Moved{Object: o.Object, Applied: true, Version: o.Version, Mark: o.Mark})
	}
}

// saw records how the objects of a release stand, and the problems that rules have with them and
// with those that belong to them.
func (e errand) saw(seen helm.Sight, judged []helm.Problem) {
	e.learn(seen.Kinds)
	all := helm.Both(seen.Problems, judged)
	now := pace.Health{Ready: len(all) == 0, Message: helm.Words(all), Unhealthy: verdict.Unhealthy(all)}
	for _, p := range seen.Problems {
		now.Ill = append(now.Ill, p.Object)
	}
	e.svc.judge(e.clock(), now)
}

// judge records how the objects stand.
func (svc *service) judge(at time.Time, now pace.Health) {
	now.At, now.Looks = at, 1
	if !now.Ready && svc.health != nil {
		now.Looks += svc.health.Looks
	}
	svc.health = &now
}
