package rollout

import (
	"cmp"
	"math"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// history is how many past revisions the status tells of.
const history = 10

// Input is what a decision is made from.
type Input struct {
	Spec statev1.RolloutSpec
	// Generation is that of the spec.
	Generation int64
	// Was is the status as it is: who was admitted before.
	Was statev1.RolloutStatus
	// Revision is the subject's newest. ClusterDeployments have one each, see Target.Want.
	Revision string
	// Targets are all clusters of the subject.
	Targets []Target
	Now     time.Time
}

// Decision is what comes of it.
type Decision struct {
	// Status is the new one, without its conditions.
	Status statev1.RolloutStatus
	// Message says what the rollout waits for.
	Message string
	// Again is after how long the clock alone changes the answer; 0 is never.
	Again time.Duration
	// News are worth telling, in their order.
	News []News
}

// Decide says which clusters may have the newest revision by now. It is pure.
//
// A wave begins when all clusters of the one before are deployed and have been for its soak
// time. Within a wave, clusters are admitted as long as fewer than maxUnavailable of it are
// changing or not deployed. A cluster that failed within what maxFailures allows is done: it
// takes no place. Once more have failed, nobody is admitted until the spec is changed so that
// the failures are allowed, or retry names the revision. A cluster that joins an earlier wave is
// waited for. What is complete stays complete: whoever joins later gets it at once, and so is a
// way back to the stable revision.
func Decide(in Input) Decision {
	c := newCourse(in)
	switch {
	case c.single() && in.Revision == "":
		c.d.Status = in.Was
		c.d.Status.ObservedGeneration = in.Generation
		return c.d
	case in.Spec.Abort != "" && in.Spec.Abort == c.d.Status.Revision:
		c.abort()
	case c.settled():
		c.complete()
	default:
		c.walk()
	}
	c.d.Status.Admitted = c.entries.list()
	c.d.Status.ObservedGeneration = in.Generation
	return c.d
}

// course is a decision in the making.
type course struct {
	in      Input
	d       Decision
	entries entries
	// begun means that the revision was not seen before.
	begun bool
}

func (c *course) single() bool { return c.in.Spec.Subject.Kind != statev1.SubjectClusterDeployment }

// newCourse carries over what was decided before, or begins anew with another revision.
func newCourse(in Input) *course {
	in.Targets = slices.SortedFunc(slices.Values(in.Targets), byCluster)
	c := &course{in: in}
	c.d.Status = *in.Was.DeepCopy()
	c.d.Status.Conditions = nil
	old := entriesOf(in.Was)
	revision := in.Revision
	if c.single() {
		c.begun = revision != in.Was.Revision
		c.entries = single(in, old)
	} else {
		c.begun = in.Was.Revision == "" || changedMany(in, old)
		if revision = in.Was.Revision; c.begun {
			revision = Digest(in.Targets)
		}
		c.entries = many(in, old, c.begun)
	}
	if c.begun && revision != "" {
		c.begin(revision)
	}
	return c
}

// begin closes the record of the revision before.
func (c *course) begin(revision string) {
	was, st := c.in.Was, &c.d.Status
	now := c.stamp()
	if was.Revision != "" {
		if was.Phase != statev1.RolloutAborted {
			c.record(was.Phase)
		}
		c.tell(begunNews, "Revision %s is rolled out now, after %s", revision, was.Revision)
	} else if c.single() {
		st.Stable = common(c.in.Targets)
	}
	st.Revision, st.Started, st.Waves, st.Phase = revision, now, nil, statev1.RolloutProgressing
}

// record puts what was rolled out before at the head of the history.
func (c *course) record(phase statev1.RolloutPhase) {
	was, st := c.in.Was, &c.d.Status
	record := statev1.RolloutRecord{Revision: was.Revision, Phase: phase, Started: was.Started, Ended: c.stamp(), Clusters: clustersOf(was)}
	st.History = append([]statev1.RolloutRecord{record}, st.History...)
	st.History = st.History[:min(len(st.History), history)]
}

// stamp is the moment as a status can hold it: in whole seconds, and never before it, so that a
// soak time that begins with it does not end too early.
func (c *course) stamp() *metav1.Time {
	t := c.in.Now.Truncate(time.Second)
	if t.Before(c.in.Now) {
		t = t.Add(time.Second)
	}
	return &metav1.Time{Time: t}
}

func clustersOf(s statev1.RolloutStatus) int32 {
	var n int32
	for _, w := range s.Waves {
		n += w.Admitted
	}
	return n
}

// common is the revision that all clusters have which have any; empty if they differ. It is
// what was there before there was a Rollout.
func common(targets []Target) string {
	at := ""
	for _, t := range targets {
		if t.At != "" && at != "" && t.At != at {
			return ""
		}
		at = cmp.Or(at, t.At)
	}
	return at
}

// settled says that there is nothing to take in waves: the revision is complete already, or it
// is the one that was complete last, or no cluster has to change.
func (c *course) settled() bool {
	st := c.d.Status
	if !c.begun && c.in.Was.Phase == statev1.RolloutComplete || c.single() && st.Revision == st.Stable {
		return true
	}
	return c.begun && !slices.ContainsFunc(c.in.Targets, func(t Target) bool { return !c.entries.untouched(t) })
}

func (c *course) complete() {
	for _, t := range c.in.Targets {
		c.entries.admit(t)
	}
	st := &c.d.Status
	st.Waves = nil
	for _, g := range c.groups() {
		w := c.report(g)
		switch {
		case w.Deployed < w.Clusters || w.Clusters == 0:
			w.DeployedAt = nil
		case w.DeployedAt == nil:
			w.DeployedAt = c.stamp()
		}
		st.Waves = append(st.Waves, w)
	}
	if st.Phase != statev1.RolloutComplete {
		c.tell(completeNews, "Revision %s is rolled out on all %d clusters", st.Revision, len(c.in.Targets))
	}
	st.Phase, st.Stable = statev1.RolloutComplete, st.Revision
	c.d.Message = ""
}

// abort takes the revision back from everybody.
func (c *course) abort() {
	st := &c.d.Status
	if st.Stable == st.Revision {
		st.Stable = ""
		for _, h := range st.History {
			if h.Phase == statev1.RolloutComplete && h.Revision != st.Revision {
				st.Stable = h.Revision
				break
			}
		}
	}
	c.entries.abort(c.in.Targets)
	st.Waves = nil
	for _, g := range c.groups() {
		w := c.report(g)
		w.Admitted, w.DeployedAt = 0, nil
		st.Waves = append(st.Waves, w)
	}
	c.d.Message = "It was aborted: no cluster gets the revision, and those that had it go back"
	if c.single() && st.Stable == "" {
		c.d.Message = "It was aborted: no further cluster gets the revision. No other was complete before, so that those that have it keep it"
	}
	if st.Phase != statev1.RolloutAborted {
		c.record(statev1.RolloutAborted)
		c.tell(abortedNews, "Revision %s was aborted", st.Revision)
	}
	st.Phase = statev1.RolloutAborted
}

func (c *course) groups() []group {
	return groups(c.in.Spec, c.in.Targets, c.entries.formal)
}

// report counts a group.
func (c *course) report(g group) statev1.WaveStatus {
	w := statev1.WaveStatus{Name: g.name, Clusters: int32(len(g.members))}
	for _, t := range g.members {
		if c.entries.admitted(t) || c.entries.untouched(t) {
			w.Admitted++
		}
		switch {
		case t.done():
			w.Deployed++
		case t.broken():
			w.Failed++
		}
	}
	for _, was := range c.in.Was.Waves {
		if was.Name == g.name && !c.begun {
			w.DeployedAt = was.DeployedAt
		}
	}
	return w
}

// failures are how many clusters failed, and whether so many may.
func (c *course) failures() (broken []Target, allowed bool) {
	for _, t := range c.in.Targets {
		if t.broken() && !c.entries.untouched(t) {
			broken = append(broken, t)
		}
	}
	most := 0
	if of := c.in.Spec.MaxFailures; of != nil {
		most = scaled(*of, len(c.in.Targets), math.Floor)
	}
	return broken, len(broken) <= most
}
