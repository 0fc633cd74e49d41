package explain

import (
	"cmp"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
)

// rolloutOf is the Rollout that the changes of a ServiceSet go by: of several the oldest, which
// was there when the others came. It is nil if there is none.
func (s Snapshot) rolloutOf(set kcm.ServiceSet) *unstructured.Unstructured {
	var first *unstructured.Unstructured
	for _, o := range s.list(statev1.RolloutKind, func(o *unstructured.Unstructured) bool { return s.concerns(typed[statev1.Rollout](o), set) }) {
		if born := o.GetCreationTimestamp(); first == nil || born.Time.Before(first.GetCreationTimestamp().Time) {
			first = o
		}
	}
	return first
}

// concerns says whether a Rollout is about the services of a ServiceSet.
func (s Snapshot) concerns(r statev1.Rollout, set kcm.ServiceSet) bool {
	from, subject := ownerOf(set), r.Spec.Subject
	switch {
	case string(subject.Kind) != from.kind, r.Namespace != set.Namespace && from.namespace != "":
		return false
	case subject.Kind != statev1.SubjectClusterDeployment:
		return subject.Name == from.name
	}
	chosen, err := metav1.LabelSelectorAsSelector(subject.Selector)
	d := s.find(kcm.ClusterDeploymentKind, set.Namespace, set.Spec.Cluster)
	if err != nil || d == nil {
		return false
	}
	return subject.Selector == nil || chosen.Matches(labels.Set(d.GetLabels()))
}

// rollout is the node of a Rollout, with its waves. Clusters that have failed answer for one
// that does not go on.
func (s Snapshot) rollout(o *unstructured.Unstructured) *Node {
	r := typed[statev1.Rollout](o)
	n := (&Node{Ref: refOf(o), Detail: join(string(r.Status.Phase), r.Status.Revision)}).judged(rolloutVerdict(o, r))
	at := fmt.Sprintf("%s -n %s", r.Name, r.Namespace)
	switch r.Status.Phase {
	case statev1.RolloutStopped:
		n.Next = "mend what failed and go on: portico rollout resume " + at + ", or take the change back: portico rollout abort " + at
	case statev1.RolloutPaused:
		n.Next = "go on: portico rollout resume " + at
	case statev1.RolloutAborted:
		n.Next = "change its subject, or go on with the same revision: portico rollout resume " + at
	case statev1.RolloutProgressing, statev1.RolloutSoaking:
		n.Next = "wait, and look again: portico rollout get " + at
	}
	for _, w := range r.Status.Waves {
		n.add(waveNode(r, w))
	}
	n.blame(s.laggards(r)...)
	return n
}

func rolloutVerdict(o *unstructured.Unstructured, r statev1.Rollout) verdict {
	v := judge(o, kcm.ReadyCondition)
	if c := control.Find(r.Status.Conditions, kcm.ReadyCondition); c != nil {
		v.message, v.since = said(c), c.LastTransitionTime.Time
	}
	switch r.Status.Phase {
	case statev1.RolloutStopped:
		v.mark, v.phrase = Broken, "has stopped"
	case statev1.RolloutPaused:
		v.mark, v.phrase = Broken, paused
	case statev1.RolloutAborted:
		v.mark, v.phrase = Broken, "is aborted"
	case statev1.RolloutProgressing, statev1.RolloutSoaking:
		v.mark, v.phrase = Working, "is under way"
	case statev1.RolloutComplete:
		v = verdict{mark: OK, since: v.since}
	}
	return v
}

func waveNode(r statev1.Rollout, w statev1.WaveStatus) *Node {
	n := &Node{Ref: Ref{Kind: "wave", Name: cmp.Or(w.Name, "of the rest")}, Detail: fmt.Sprintf("%d/%d deployed", w.Deployed, w.Clusters), Mark: OK}
	if w.Failed > 0 {
		n.Detail += fmt.Sprintf(", %d failed", w.Failed)
	}
	switch {
	case w.Failed > 0 && r.Spec.OnFailure != statev1.OnFailureContinue:
		n.Mark, n.Message = Broken, count(int(w.Failed), "cluster")+" failed"
	case w.Deployed < w.Clusters:
		n.Mark, n.Message = Working, fmt.Sprintf("%d of %d clusters may have the change so far", w.Admitted, w.Clusters)
	}
	if w.DeployedAt != nil {
		n.Since = w.DeployedAt.Time
	}
	return n
}

// laggards are the ServiceSets that may have the change of a Rollout and are not deployed, the
// broken ones first.
func (s Snapshot) laggards(r statev1.Rollout) []*Node {
	admitted := map[string]bool{}
	for _, c := range r.Status.Admitted {
		admitted[c.Cluster] = true
	}
	// A service of theirs may wait for this very Rollout, which would go round and round.
	calm := s.without(statev1.RolloutKind)
	var nodes []*Node
	for _, o := range s.list(kcm.ServiceSetKind, anything) {
		set := typed[kcm.ServiceSet](o)
		cluster := set.Namespace + "/" + set.Spec.Cluster
		if set.Spec.Cluster == "" {
			cluster = "management"
		}
		if admitted[cluster] && s.concerns(r, set) && !set.Status.Deployed {
			nodes = append(nodes, calm.serviceSet(o))
		}
	}
	slices.SortStableFunc(nodes, func(a, b *Node) int { return cmp.Compare(b.Worst().rank(), a.Worst().rank()) })
	return nodes
}

// without is the snapshot without the objects of a kind.
func (s Snapshot) without(kind string) Snapshot {
	s.Objects = slices.DeleteFunc(slices.Clone(s.Objects), func(o unstructured.Unstructured) bool { return o.GetKind() == kind })
	return s
}
