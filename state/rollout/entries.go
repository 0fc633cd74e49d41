package rollout

import (
	"maps"
	"slices"

	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// entries are who may have which revision, as status.admitted keeps it: by cluster, one or two
// revisions. One subject has one revision for all, and the entry of a cluster is that it was
// admitted. ClusterDeployments have a revision each, and so the first entry of one is what was
// complete there last, and the second what it was admitted to.
type entries struct {
	single   bool
	revision string
	of       map[string][]string
}

// single carries over the admissions to the same revision, of clusters that are still there.
func single(in Input, old map[string][]string) entries {
	e := entries{single: true, revision: in.Revision, of: map[string][]string{}}
	for _, t := range in.Targets {
		if slices.Contains(old[t.Cluster], in.Revision) && in.Was.Revision == in.Revision && in.Was.Phase != statev1.RolloutAborted {
			e.of[t.Cluster] = []string{in.Revision}
		}
	}
	return e
}

// changedMany says whether what is rolled out was overtaken. A cluster that has not been admitted
// yet may change its wish again: it gets the newest when its wave comes.
func changedMany(in Input, old map[string][]string) bool {
	return slices.ContainsFunc(in.Targets, func(t Target) bool {
		was := old[t.Cluster]
		switch {
		case len(was) == 0:
			return false
		case in.Was.Phase == statev1.RolloutComplete:
			return was[len(was)-1] != t.Want
		case in.Was.Phase == statev1.RolloutAborted, len(was) > 1:
			return !slices.Contains(was, t.Want)
		}
		return false
	})
}

// many carries over what is known of ClusterDeployments. One that is new has changed nothing:
// what it begins with is stable.
func many(in Input, old map[string][]string, begun bool) entries {
	e := entries{of: map[string][]string{}}
	aborted := in.Was.Phase == statev1.RolloutAborted && in.Spec.Abort != in.Was.Revision
	for _, t := range in.Targets {
		was := old[t.Cluster]
		switch {
		case len(was) == 0 && t.At == "":
			was = []string{t.Want}
		case len(was) == 0:
			was = []string{t.At}
		case begun && in.Was.Phase == statev1.RolloutComplete:
			was = was[len(was)-1:]
		case begun, aborted, in.Was.Phase != statev1.RolloutComplete && was[0] == t.Want:
			was = was[:1]
		}
		e.of[t.Cluster] = slices.Clone(was)
	}
	return e
}

// admitted says whether the cluster may have what it wants.
func (e entries) admitted(t Target) bool { return slices.Contains(e.of[t.Cluster], t.Want) }

// untouched says that the rollout is no change for the cluster: it neither has to be waited for
// nor takes a place.
func (e entries) untouched(t Target) bool {
	if e.single {
		return false
	}
	of := e.of[t.Cluster]
	return len(of) == 1 && of[0] == t.Want && (t.At == t.Want || t.At == "")
}

// formal says whether the cluster was admitted to a change.
func (e entries) formal(t Target) bool { return e.admitted(t) && !e.untouched(t) }

func (e entries) admit(t Target) {
	if e.admitted(t) {
		return
	}
	if e.single {
		e.of[t.Cluster] = []string{e.revision}
		return
	}
	e.of[t.Cluster] = []string{e.of[t.Cluster][0], t.Want}
}

// abort takes the admissions back. Of ClusterDeployments it is kept what they want, since that is
// what they shall not have: a new wish is told apart from it.
func (e entries) abort(targets []Target) {
	if e.single {
		clear(e.of)
		return
	}
	for _, t := range targets {
		e.admit(t)
	}
}

// list is the status' form, sorted by cluster.
func (e entries) list() []statev1.AdmittedCluster {
	var out []statev1.AdmittedCluster
	for _, cluster := range slices.Sorted(maps.Keys(e.of)) {
		for _, revision := range e.of[cluster] {
			out = append(out, statev1.AdmittedCluster{Cluster: cluster, Revision: revision})
		}
	}
	return out
}
