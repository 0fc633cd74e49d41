package rollout

import (
	"fmt"
	"slices"
	"time"

	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// walk goes along the waves as far as they are done, and admits clusters of the first that is
// not.
func (c *course) walk() {
	st := &c.d.Status
	broken, allowed := c.failures()
	lenient := c.in.Spec.OnFailure == statev1.OnFailureContinue || c.in.Spec.Retry != "" && c.in.Spec.Retry == st.Revision
	wasStopped := !c.begun && c.in.Was.Phase == statev1.RolloutStopped && c.in.Was.ObservedGeneration == c.in.Generation
	stopped := !lenient && (!allowed || wasStopped)
	front := c.advance(stopped)
	switch {
	case front == nil:
		c.complete()
	case stopped:
		c.stop(broken)
	case c.in.Spec.Paused:
		st.Phase = statev1.RolloutPaused
		c.d.Message, c.d.Again = fmt.Sprintf("It is paused before the end of %s: set spec.paused to false to go on", nameOf(front.name)), 0
	}
}

// advance admits who may be admitted, and returns the wave that is not done yet: nil if all are.
func (c *course) advance(stopped bool) *group {
	st := &c.d.Status
	st.Waves = nil
	var front *group
	groups := c.groups()
	for i, g := range groups {
		hold := stopped || c.in.Spec.Paused || front != nil
		if !hold {
			c.enter(g, stopped)
		}
		w := c.report(g)
		left := c.soak(&w, g, c.unfinished(g, stopped))
		st.Waves = append(st.Waves, w)
		if front == nil && left != 0 {
			front = &groups[i]
			c.wait(g, left, stopped)
		}
	}
	return front
}

// soak says how long the wave is not done yet: 0 if it is, below 0 if nobody can tell. It
// stamps since when all its clusters are deployed.
func (c *course) soak(w *statev1.WaveStatus, g group, unfinished []Target) time.Duration {
	switch {
	case len(unfinished) > 0:
		w.DeployedAt = nil
		return -1
	case !slices.ContainsFunc(g.members, func(t Target) bool { return !c.entries.untouched(t) }):
		w.DeployedAt = nil
		return c.gathering()
	case w.DeployedAt == nil:
		w.DeployedAt = c.stamp()
		if g.soak == 0 {
			return 0
		}
	}
	return max(w.DeployedAt.Add(g.soak).Sub(c.in.Now), 0)
}

// gather is how long changes of ClusterDeployments belong together. They come one after the other,
// however they were applied: without it the first to come would be taken to be all, and would not
// wait for a canary that is about to change too.
const gather = 5 * time.Second

// gathering says how long a wave in which nothing changes keeps the next from beginning: its
// clusters may be about to change.
func (c *course) gathering() time.Duration {
	started := c.d.Status.Started
	if c.single() || started == nil {
		return 0
	}
	return max(started.Add(gather).Sub(c.in.Now), 0)
}

// unfinished are the clusters that the wave waits for.
func (c *course) unfinished(g group, stopped bool) []Target {
	return slices.DeleteFunc(slices.Clone(g.members), func(t Target) bool {
		return c.entries.untouched(t) || c.entries.admitted(t) && (t.done() || t.broken() && !stopped)
	})
}

// enter admits clusters of a wave, and tells of its first ones.
func (c *course) enter(g group, stopped bool) {
	was := slices.ContainsFunc(g.members, c.entries.formal)
	c.admit(g, stopped)
	if !was && slices.ContainsFunc(g.members, c.entries.formal) {
		c.tell(waveNews, "Revision %s: %s has begun, with %d clusters", c.d.Status.Revision, nameOf(g.name), len(g.members))
	}
}

// admit lets as many clusters of a wave change as may be changing.
func (c *course) admit(g group, stopped bool) {
	changing := 0
	var candidates []Target
	for _, t := range g.members {
		switch {
		case c.entries.untouched(t):
		case t.changed() && !c.entries.admitted(t):
			c.entries.admit(t) // nothing changes for it
			fallthrough
		case c.entries.admitted(t):
			if !t.done() && (!t.broken() || stopped) {
				changing++
			}
		default:
			candidates = append(candidates, t)
		}
	}
	// Those that are not deployed anyway come first: the change may mend them, and as long as any
	// of them is left, no other cluster is put at risk.
	slices.SortStableFunc(candidates, func(a, b Target) int {
		switch {
		case isIll(a) == isIll(b):
			return 0
		case isIll(a):
			return -1
		}
		return 1
	})
	for _, t := range candidates[:min(len(candidates), max(g.limit-changing, 0))] {
		c.entries.admit(t)
	}
}

// isIll says that what the cluster has is not deployed. One that has nothing yet misses nothing.
func isIll(t Target) bool { return t.At != "" && !t.Deployed }

// stop says which failures keep the rollout from going on.
func (c *course) stop(broken []Target) {
	st := &c.d.Status
	c.d.Message = fmt.Sprintf("It stopped because clusters had failed, and none of them fails now. Set spec.retry to %s to go on, or spec.abort to go back", st.Revision)
	if len(broken) > 0 {
		first := broken[0]
		others := ""
		if n := len(broken) - 1; n > 0 {
			others = fmt.Sprintf(" and %d more", n)
		}
		c.d.Message = fmt.Sprintf("It stopped because cluster %s%s failed: %s. Mend it and set spec.retry to %s to go on, or spec.abort to go back", first.Cluster, others, first.Message, st.Revision)
	}
	if c.in.Was.Phase != statev1.RolloutStopped || c.begun {
		c.tell(stoppedNews, "%s", c.d.Message)
	}
	st.Phase = statev1.RolloutStopped
}

// wait says what the front of the rollout waits for.
func (c *course) wait(g group, left time.Duration, stopped bool) {
	st := &c.d.Status
	if left > 0 {
		st.Phase, c.d.Again = statev1.RolloutSoaking, left
		if st.Waves[len(st.Waves)-1].DeployedAt == nil {
			c.d.Message = fmt.Sprintf("No cluster of %s changes so far. The next wave begins at %s", nameOf(g.name), c.in.Now.Add(left).UTC().Format(time.RFC3339))
			return
		}
		c.d.Message = fmt.Sprintf("All clusters of %s are deployed. It soaks until %s", nameOf(g.name), c.in.Now.Add(left).UTC().Format(time.RFC3339))
		return
	}
	st.Phase = statev1.RolloutProgressing
	waits := c.unfinished(g, stopped)
	first := waits[0]
	if i := slices.IndexFunc(waits, c.entries.admitted); i >= 0 {
		first = waits[i]
	}
	c.d.Message = fmt.Sprintf("Revision %s: %s waits for %d of %d clusters, cluster %s among them", st.Revision, nameOf(g.name), len(waits), len(g.members), first.Cluster)
	if first.Message != "" {
		c.d.Message += ": " + first.Message
	}
}

func nameOf(wave string) string {
	if wave == "" {
		return "the last wave, of the clusters that no wave selects,"
	}
	return "wave " + wave
}
