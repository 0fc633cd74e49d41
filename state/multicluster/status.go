package multicluster

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/chain"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/service"
)

// Status folds what is known of all sites into the owner's status. It is pure.
func Status(f Facts, generation int64, was kcm.MultiClusterServiceStatus, sites []SiteState) kcm.MultiClusterServiceStatus {
	f.judged = Validate(f)
	out := kcm.MultiClusterServiceStatus{ObservedGeneration: generation, ServicesUpgradePaths: paths(f)}
	var left []string
	for _, s := range sites {
		if f.Deleting || !f.Applies(s.Target) {
			if words := remains(f, s); words != "" {
				left = append(left, words)
			}
			continue
		}
		out.MatchingClusters = append(out.MatchingClusters, matching(f, s, was.MatchingClusters))
	}
	out.Services = services(f, sites, was.Services)
	at := control.Stamp{Now: f.Now, Generation: generation}
	if f.Deleting {
		out.Conditions = control.Fold(was.Conditions, at, deleting(f, left)...)
		return out
	}
	facts := append(slices.Clone(f.judged), dependencyReady(f, out.MatchingClusters), clustersReady(out.MatchingClusters), servicesReady(f, sites))
	out.Conditions = control.Fold(was.Conditions, at, append(facts, ready(facts, out.MatchingClusters, left))...)
	return out
}

// matching says how one cluster stands.
func matching(f Facts, s SiteState, was []kcm.MatchingCluster) kcm.MatchingCluster {
	m := kcm.MatchingCluster{ObjectReference: referenceTo(s.Target), Regional: s.Regional}
	m.Deployed, m.Reason, m.Message = standing(f, s)
	now := metav1.NewTime(f.Now.Truncate(time.Second))
	m.LastTransitionTime = &now
	for _, old := range was {
		if old.ObjectReference == m.ObjectReference && old.Deployed == m.Deployed && old.LastTransitionTime != nil {
			m.LastTransitionTime = old.LastTransitionTime
		}
	}
	return m
}

func referenceTo(t placement.Target) kcm.ObjectReference {
	if t.IsManagement() {
		return kcm.ObjectReference{APIVersion: "lib.projectsveltos.io/v1beta1", Kind: "SveltosCluster", Namespace: kcm.SelfClusterNamespace, Name: kcm.SelfClusterName}
	}
	return kcm.ObjectReference{APIVersion: kcm.GroupVersion.String(), Kind: kcm.ClusterDeploymentKind, Namespace: t.Cluster.Namespace, Name: t.Cluster.Name}
}

// standing says whether the newest wish is deployed on a site, and if not, why.
func standing(f Facts, s SiteState) (deployed bool, reason, message string) {
	if s.Problem != "" {
		return false, reasonInvalid, s.Problem
	}
	v := Decide(f, s.Site)
	switch {
	case v.Reason != "":
		return false, v.Reason, withFailure(v.Message, s.Set)
	case s.Set == nil:
		return false, kcm.ProgressingReason, "The ServiceSet is about to be made"
	}
	if s.Set.Annotations[statev1.RevisionAnnotation] != f.Newest {
		return false, kcm.ProgressingReason, "The newest change is about to be made"
	}
	st := placement.StandingOf(s.Set)
	switch {
	case st.Deployed:
		return true, "", silent(s.Set) // what is said then is said of an earlier time
	case st.Failed != "":
		return false, reasonFailed, st.Failed
	case unfit(s.Set) != "":
		return false, reasonKubernetes, unfit(s.Set)
	}
	return false, kcm.ProgressingReason, cmp.Or(silent(s.Set), st.Waiting, fmt.Sprintf("%d/%d services are deployed", st.Ready, st.All))
}

// withFailure adds what is wrong with what the cluster has meanwhile.
func withFailure(message string, set *kcm.ServiceSet) string {
	if set == nil {
		return message
	}
	if st := placement.StandingOf(set); st.Failed != "" {
		return message + ". " + st.Failed
	}
	return message
}

// unfit is why a service does not fit the cluster's Kubernetes; empty if all do.
func unfit(set *kcm.ServiceSet) string {
	notes, err := service.NotesOf(set)
	if err != nil {
		return err.Error()
	}
	for _, h := range notes.Held {
		if h.Reason == statev1.HeldKubernetes {
			return fmt.Sprintf("Service %s/%s: %s", h.Namespace, h.Name, h.Message)
		}
	}
	return ""
}

// silent is that the cluster does not answer; empty if it does.
func silent(set *kcm.ServiceSet) string {
	c := control.Find(set.Status.Conditions, kcm.ServiceSetStatusesCollectedCondition)
	if c == nil || c.Status != metav1.ConditionFalse {
		return ""
	}
	return strings.TrimSuffix(c.Message, ".")
}

// remains says why a set is still there that shall go; empty if there is nothing to say.
func remains(f Facts, s SiteState) string {
	if s.Set == nil {
		return ""
	}
	v := Decide(f, s.Site)
	why := v.Message
	switch {
	case s.Set.DeletionTimestamp != nil:
		why = joined(cmp.Or(silent(s.Set), "its services are being removed"), without(s.Set))
	case v.Verb == Remove:
		why = joined("its services are about to be removed", v.Message)
	case why == "":
		return "" // it is kept
	}
	return fmt.Sprintf("cluster %s: %s", s.Target, why)
}

// without says which dependents the removal of a set does not wait for any more; empty for none.
func without(set *kcm.ServiceSet) string {
	if c := control.Find(set.Status.Conditions, statev1.UnorderedCondition); c != nil {
		return c.Message
	}
	return ""
}

func joined(a, b string) string {
	if b == "" {
		return a
	}
	return a + ". " + b
}

// dependencyReady sums up the clusters that wait for other owners.
func dependencyReady(f Facts, clusters []kcm.MatchingCluster) metav1.Condition {
	const kind = kcm.MultiClusterServiceDependencyReadyCondition
	var waiting []string
	for _, m := range clusters {
		if m.Reason == reasonDependency {
			waiting = append(waiting, fmt.Sprintf("%s/%s: %s", m.Namespace, m.Name, m.Message))
		}
	}
	if c := ownerDependencies(f); c.Status != metav1.ConditionTrue {
		return control.Unknown(kind, kcm.MultiClusterServiceDependencyCheckFailedReason, c.Message)
	}
	if len(waiting) == 0 {
		return control.True(kind, kcm.SucceededReason, "")
	}
	return control.False(kind, kcm.MultiClusterServiceDependencyNotReadyReason, fmt.Sprintf("%d of %d clusters wait: %s", len(waiting), len(clusters), few(waiting)))
}

func few(sentences []string) string {
	const most = 3
	if len(sentences) > most {
		return fmt.Sprintf("%s; and %d more", strings.Join(sentences[:most], "; "), len(sentences)-most)
	}
	return strings.Join(sentences, "; ")
}

// clustersReady counts clusters: its message is a column of the kind.
func clustersReady(clusters []kcm.MatchingCluster) metav1.Condition {
	n := 0
	for _, m := range clusters {
		if m.Deployed {
			n++
		}
	}
	return counted(kcm.ClusterInReadyStateCondition, n, len(clusters))
}

// servicesReady counts the services of all clusters.
func servicesReady(f Facts, sites []SiteState) metav1.Condition {
	n, all := 0, 0
	templates := 0
	for _, s := range f.Spec.ServiceSpec.Services {
		if !s.Disable && (s.HelmAction == nil || *s.HelmAction == kcm.HelmInstall) {
			templates++
		}
	}
	for _, s := range sites {
		if !f.Applies(s.Target) {
			continue
		}
		if s.Set == nil {
			all += templates
			continue
		}
		st := placement.StandingOf(s.Set)
		n, all = n+st.Ready, all+max(st.All, templates)
	}
	return counted(kcm.ServicesInReadyStateCondition, n, all)
}

func counted(kind string, n, all int) metav1.Condition {
	reason := kcm.SucceededReason
	if n < all {
		reason = kcm.ProgressingReason
	}
	return control.Bool(kind, n == all, reason, fmt.Sprintf("%d/%d", n, all))
}

// ready is derived from the other conditions, with the words of the first cluster that is not
// as it should be.
func ready(facts []metav1.Condition, clusters []kcm.MatchingCluster, left []string) metav1.Condition {
	for _, c := range facts[:3] {
		if c.Status != metav1.ConditionTrue {
			return control.False(kcm.ReadyCondition, kcm.FailedReason, c.Message)
		}
	}
	reason := kcm.ProgressingReason
	var missing []string
	for _, m := range clusters {
		if m.Deployed {
			continue
		}
		if slices.Contains([]string{reasonFailed, reasonInvalid, reasonTemplate}, m.Reason) {
			reason = kcm.FailedReason
		}
		missing = append(missing, fmt.Sprintf("cluster %s/%s: %s", m.Namespace, m.Name, m.Message))
	}
	switch {
	case len(missing) > 0:
		return control.False(kcm.ReadyCondition, reason, fmt.Sprintf("%d/%d clusters are ready; %s", len(clusters)-len(missing), len(clusters), few(missing)))
	case len(left) > 0:
		return control.False(kcm.ReadyCondition, kcm.ProgressingReason, "Services are removed from clusters that are not selected any more; "+few(left))
	}
	return control.True(kcm.ReadyCondition, kcm.SucceededReason, "")
}

// deleting are the conditions of an owner that goes.
func deleting(f Facts, left []string) []metav1.Condition {
	message := "Services are being removed"
	if len(left) > 0 {
		message += "; " + few(left)
	}
	if len(f.holders()) > 0 {
		message = heldBy(f)
	}
	return []metav1.Condition{
		control.True(kcm.DeletingCondition, kcm.DeletingReason, message),
		control.False(kcm.ReadyCondition, kcm.DeletingReason, message),
	}
}

// rank is how much a state of a service matters, for the one line that tells of all clusters.
var rank = map[kcm.ServicePhase]int{
	kcm.ServiceDeployed: 1, kcm.ServiceDeleted: 2, kcm.ServicePending: 3,
	kcm.ServiceProvisioning: 4, kcm.ServiceDeleting: 5, kcm.ServiceFailed: 6,
}

// services are one line for each service: the state on the cluster that is worst off, and which
// one that is. How it stands everywhere is in the ServiceSets.
func services(f Facts, sites []SiteState, was []kcm.ServiceState) []kcm.ServiceState {
	worst := map[string]kcm.ServiceState{}
	for _, s := range sites {
		if s.Set == nil {
			continue
		}
		for _, state := range s.Set.Status.Services {
			key := state.Namespace + "/" + state.Name
			old, seen := worst[key]
			if seen && rank[old.State] >= rank[state.State] {
				continue
			}
			state.Conditions, state.LastDeployedHash = nil, ""
			if state.State != kcm.ServiceDeployed {
				state.FailureMessage = strings.TrimSuffix(fmt.Sprintf("On cluster %s: %s", s.Target, state.FailureMessage), ": ")
			}
			worst[key] = state
		}
	}
	var out []kcm.ServiceState
	for key, state := range worst {
		now := metav1.NewTime(f.Now.Truncate(time.Second))
		state.LastStateTransitionTime = &now
		for _, old := range was {
			if old.Namespace+"/"+old.Name == key && old.State == state.State && old.LastStateTransitionTime != nil {
				state.LastStateTransitionTime = old.LastStateTransitionTime
			}
		}
		out = append(out, state)
	}
	slices.SortFunc(out, func(a, b kcm.ServiceState) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// paths are the upgrades that the chains at home allow for each service.
func paths(f Facts) []kcm.ServiceUpgradePaths {
	var out []kcm.ServiceUpgradePaths
	for _, s := range f.Spec.ServiceSpec.Services {
		c, ok := f.Chains[s.TemplateChain]
		if s.TemplateChain == "" || !ok {
			continue
		}
		p := kcm.ServiceUpgradePaths{Name: s.Name, Namespace: cmp.Or(s.Namespace, service.DefaultNamespace), Template: s.Template}
		for _, way := range chain.New(c.Spec).Paths(s.Template) {
			var hops []kcm.AvailableUpgrade
			for _, hop := range way {
				hops = append(hops, kcm.AvailableUpgrade{Name: hop.Template, Version: hop.Version})
			}
			p.AvailableUpgrades = append(p.AvailableUpgrades, kcm.UpgradePath{Versions: hops})
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b kcm.ServiceUpgradePaths) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}
