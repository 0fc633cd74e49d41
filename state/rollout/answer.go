package rollout

import (
	"cmp"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// Subject is an owner of services that may have a Rollout.
type Subject struct {
	Kind statev1.SubjectKind
	// Namespace of its Rollout: the owner's own, or the system namespace for a
	// MultiClusterService.
	Namespace, Name string
	// Labels are those of a ClusterDeployment.
	Labels map[string]string
}

// Of is the Rollout that counts for a subject: of several the oldest, which was there when
// the others came. It is nil if there is none.
func Of(list []statev1.Rollout, s Subject) *statev1.Rollout {
	var first *statev1.Rollout
	for i := range list {
		r := &list[i]
		if r.DeletionTimestamp == nil && concerns(r, s) && (first == nil || older(r, first)) {
			first = r
		}
	}
	return first
}

func concerns(r *statev1.Rollout, s Subject) bool {
	if r.Namespace != s.Namespace || r.Spec.Subject.Kind != s.Kind {
		return false
	}
	if s.Kind != statev1.SubjectClusterDeployment {
		return r.Spec.Subject.Name == s.Name
	}
	return chosenBy(r.Spec.Subject).Matches(labels.Set(s.Labels))
}

// chosenBy is the selector of a subject; empty chooses all.
func chosenBy(s statev1.RolloutSubject) labels.Selector {
	if s.Selector == nil {
		return labels.Everything()
	}
	chosen, err := metav1.LabelSelectorAsSelector(s.Selector)
	if err != nil {
		return labels.Nothing() // admission has said so
	}
	return chosen
}

func older(a, b *statev1.Rollout) bool {
	return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name)) < 0
}

// Ask is what an owner's controller wants to know for one cluster.
type Ask struct {
	// Cluster is namespace/name, or "management".
	Cluster string
	// Newest is the owner's newest revision, Has that of the cluster's ServiceSet: empty if there
	// is none.
	Newest, Has string
	// Recorded says whether a revision can still be had. Newest always can.
	Recorded func(revision string) bool
}

// Answer says which revision a cluster gets.
type Answer struct {
	// Revision is empty where nothing may be made yet: a ServiceSet that is there stays as it is.
	Revision string
	// Hold is why it is not the newest; empty if it is.
	Hold string
}

// RevisionFor says which revision of its owner a cluster gets. Rollout is what Of has found,
// and may be nil: then there are no waves, and everybody gets the newest.
func RevisionFor(r *statev1.Rollout, a Ask) Answer {
	if r == nil {
		return Answer{Revision: a.Newest}
	}
	entries := entriesOf(r.Status)[a.Cluster]
	first := ""
	if len(entries) > 0 {
		first = entries[0]
	}
	stable := r.Status.Stable
	if r.Spec.Subject.Kind == statev1.SubjectClusterDeployment {
		stable = first
	}
	name := r.Namespace + "/" + r.Name
	if r.Status.Phase == statev1.RolloutAborted {
		hold := fmt.Sprintf("Rollout %s was aborted: change the services anew, or take spec.abort away", name)
		return fallBack(a, hold, stable, a.Has)
	}
	for _, e := range entries {
		if e == a.Newest {
			return Answer{Revision: a.Newest}
		}
	}
	hold := fmt.Sprintf("The change waits for its wave of Rollout %s", name)
	if phase := r.Status.Phase; phase == statev1.RolloutPaused || phase == statev1.RolloutStopped {
		hold += fmt.Sprintf(", which is %s", phase)
	}
	return fallBack(a, hold, a.Has, stable)
}

// fallBack is the first revision that can be had.
func fallBack(a Ask, hold string, revisions ...string) Answer {
	for _, revision := range revisions {
		switch {
		case revision == "":
		case revision == a.Newest:
			return Answer{Revision: revision}
		case a.Recorded(revision):
			return Answer{Revision: revision, Hold: hold}
		}
	}
	return Answer{Hold: hold}
}

// entriesOf are the revisions that each cluster may have, in the order of the status.
func entriesOf(s statev1.RolloutStatus) map[string][]string {
	out := map[string][]string{}
	for _, a := range s.Admitted {
		out[a.Cluster] = append(out[a.Cluster], a.Revision)
	}
	return out
}

// InUse are the revisions that a Rollout may send clusters to.
func InUse(r *statev1.Rollout) []string {
	if r == nil {
		return nil
	}
	out := []string{r.Status.Revision, r.Status.Stable}
	for _, a := range r.Status.Admitted {
		out = append(out, a.Revision)
	}
	for _, h := range r.Status.History {
		if h.Phase == statev1.RolloutComplete {
			return append(out, h.Revision) // what an abort of the stable one goes back to
		}
	}
	return out
}
