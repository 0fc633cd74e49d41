package direct

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
)

// inquiry is what to find out about a release, and what to put right meanwhile.
type inquiry struct {
	cluster Cluster
	key     engine.Key
	was     helm.Owned
	// record asks whether the release itself is another one, kinds for those of its objects.
	record, kinds bool
	// drift asks what has drifted, mend puts that right, and reload restarts what has mounted
	// what has changed.
	drift, mend, reload bool
	options             helm.DriftOptions
}

// findings are the answers.
type findings struct {
	now      helm.Owned
	kinds    []schema.GroupVersionKind
	drift    []string
	problems []helm.Problem
}

// look asks how the objects of a release stand. What it asks depends on what has moved; of a
// release that was applied just now, nothing can have drifted but what is told meanwhile.
func (e errand) look() operation {
	svc := e.svc
	ask := e.inquiry()
	moved, unread, fresh := svc.moved, svc.unread, svc.fresh
	svc.stale, svc.unread, svc.fresh = false, false, false
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
			svc.stale, svc.unread, svc.fresh = true, unread, fresh
			svc.moved = append(svc.moved, moved...)
			svc.unsure = true
			svc.doubted = func() {
				svc.stale = false
				svc.judge(e.clock(), "its objects cannot be looked at: "+fleet.Sentence(err))
			}
		}
	}
}

func (e errand) inquiry() inquiry {
	svc, policy := e.svc, e.set.want.Policy
	ask := inquiry{
		cluster: e.cluster, key: e.key, was: e.releases[e.key],
		record: len(svc.moved) > 0 && !svc.fresh,
		kinds:  svc.release.Revision != svc.kindsOf,
		drift:  !svc.fresh && (svc.unread || len(svc.moved) > 0) && policy.Sync != engine.OneTime,
		mend:   policy.Sync == engine.ContinuousWithDriftDetection && !e.set.want.Paused,
		reload: policy.Reload && e.set.stills() == "" && (svc.fresh || svc.unread || concerns(svc.moved)),
	}
	ask.options = translateDrift(policy, e.set.owner)
	if !svc.unread {
		ask.options.Only = svc.moved
	}
	return ask
}

// make asks. What was changed by hand is put right before anybody looks how it runs.
func (ask inquiry) make(ctx context.Context) (found findings, err error) {
	ns, name := ask.key.Namespace, ask.key.Name
	found.now = ask.was
	if ask.record {
		if found.now, err = ask.cluster.OwnerOf(ctx, ns, name, SetLabel); err != nil || found.now.Digest != ask.was.Digest || found.now.Revision != ask.was.Revision || found.now.Status != ask.was.Status {
			return found, err
		}
	}
	if ask.kinds {
		if found.kinds, err = ask.cluster.Kinds(ctx, ns, name); err != nil {
			return found, err
		}
	}
	if ask.drift {
		if found.drift, err = ask.drifted(ctx); err != nil {
			return found, err
		}
	}
	if ask.reload {
		if err := ask.reloaded(ctx); err != nil {
			return found, err
		}
	}
	found.problems, err = ask.cluster.Health(ctx, ns, name)
	return found, err
}

func (ask inquiry) drifted(ctx context.Context) ([]string, error) {
	if !ask.mend {
		found, err := ask.cluster.Drift(ctx, ask.key.Namespace, ask.key.Name, ask.options)
		return lines(found), err
	}
	if _, err := ask.cluster.Mend(ctx, ask.key.Namespace, ask.key.Name, ask.options); err != nil {
		return nil, fmt.Errorf("putting right what was changed on the cluster: %w", err)
	}
	return nil, nil
}

// reloaded restarts workloads whose pods were started with other contents of what they read. One
// that is new is only marked.
func (ask inquiry) reloaded(ctx context.Context) error {
	mounts, err := ask.cluster.Mounts(ctx, ask.key.Namespace, ask.key.Name)
	if err != nil {
		return err
	}
	for _, m := range mounts {
		act := ask.cluster.Restart
		switch m.Loaded {
		case m.Digest:
			continue
		case "":
			act = ask.cluster.MarkLoaded
		}
		if err := act(ctx, m.Workload, m.Digest); err != nil {
			return err
		}
	}
	return nil
}

// found records the answers.
func (e errand) found(ask inquiry, f findings) {
	svc := e.svc
	if f.now.Digest != ask.was.Digest || f.now.Revision != ask.was.Revision || f.now.Status != ask.was.Status {
		// Somebody has changed the release itself by hand.
		svc.health, svc.unread = nil, true
		e.owned(e.key, f.now)
		return
	}
	if ask.kinds {
		svc.kindsOf = ask.was.Revision
		e.learn(f.kinds)
	}
	if ask.drift {
		svc.drift = f.drift
	}
	svc.judge(e.clock(), words(f.problems))
}

// judge records what was seen of the objects: in words what does not run, or nothing.
func (svc *service) judge(now time.Time, problem string) {
	looks := 0
	if problem != "" && svc.health != nil {
		looks = svc.health.looks
	}
	svc.health = &health{ready: problem == "", message: problem, at: now, looks: looks + 1}
}
