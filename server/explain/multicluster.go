package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// wide is what the two kinds that deploy services to many clusters have in common.
type wide struct {
	Spec   kcm.MultiClusterServiceSpec   `json:"spec"`
	Status kcm.MultiClusterServiceStatus `json:"status"`
}

// mcsConditions are those of a MultiClusterService, what comes first in time first.
var mcsConditions = []string{
	kcm.ServicesReferencesValidationCondition, kcm.ServicesDependencyValidationCondition,
	kcm.MultiClusterServiceDependencyValidationCondition, kcm.MultiClusterServiceDependencyReadyCondition,
	kcm.ClusterInReadyStateCondition, kcm.ReadyCondition,
}

// multiClusterService is the node of a MultiClusterService or NamespacedMultiClusterService,
// with its Rollout, its ServiceSets and the clusters that have none.
func (s Snapshot) multiClusterService(o *unstructured.Unstructured) *Node {
	m := typed[wide](o)
	n := (&Node{Ref: refOf(o), Detail: count(len(m.Status.MatchingClusters), "cluster")}).judged(judge(o, mcsConditions...))
	if n.Mark == Broken {
		n.Next = "change it: kubectl edit " + strings.ToLower(o.GetKind()) + " " + o.GetName()
		if o.GetNamespace() != "" {
			n.Next += " -n " + o.GetNamespace()
		}
	}
	if r := s.rolloutOf(setFor(o, kcm.MatchingCluster{})); r != nil {
		n.add(s.rollout(r))
	}
	served, below := map[Ref]bool{}, s.without(statev1.RolloutKind) // once is enough
	for _, set := range s.setsOf(o) {
		served[Ref{Namespace: set.GetNamespace(), Name: text(set, "spec", "cluster")}] = true
		n.add(below.serviceSet(set))
	}
	for _, c := range m.Status.MatchingClusters {
		if c.Deployed || served[Ref{Namespace: c.Namespace, Name: c.Name}] {
			continue
		}
		at := n.add(s.awaited(o, c, Ref{Kind: c.Kind, Namespace: c.Namespace, Name: c.Name}))
		at.Next = fmt.Sprintf("look there: portico why clusterdeployment %s -n %s", c.Name, c.Namespace)
	}
	return n
}

// setFor is the ServiceSet of an owner on a cluster, as far as it can be told without seeing it.
func setFor(o *unstructured.Unstructured, c kcm.MatchingCluster) kcm.ServiceSet {
	set := kcm.ServiceSet{}
	set.Namespace, set.Spec.Cluster = cmp.Or(c.Namespace, o.GetNamespace()), c.Name
	if o.GetKind() == kcm.MultiClusterServiceKind {
		set.Spec.MultiClusterService = o.GetName()
	} else {
		set.Spec.NamespacedMultiClusterService = o.GetName()
	}
	return set
}

func (s Snapshot) setsOf(o *unstructured.Unstructured) []*unstructured.Unstructured {
	return s.list(kcm.ServiceSetKind, func(set *unstructured.Unstructured) bool { return ownedWidely(set, o) })
}

func ownedWidely(set, by *unstructured.Unstructured) bool {
	if by.GetKind() == kcm.MultiClusterServiceKind {
		return text(set, "spec", "multiClusterService") == by.GetName()
	}
	return set.GetNamespace() == by.GetNamespace() && text(set, "spec", "namespacedMultiClusterService") == by.GetName()
}

// awaited is the node of services that a cluster shall have and for which there is no ServiceSet,
// with what they wait for: those that have to be deployed there first.
func (s Snapshot) awaited(o *unstructured.Unstructured, c kcm.MatchingCluster, ref Ref) *Node {
	n := &Node{Ref: ref, Mark: Working, Message: oneLine(cmp.Or(c.Message, c.Reason, "it has no ServiceSet yet"))}
	if c.LastTransitionTime != nil {
		n.Since = c.LastTransitionTime.Time
	}
	if c.Reason != kcm.MultiClusterServiceDependencyNotReadyReason {
		return n
	}
	for _, name := range typed[wide](o).Spec.DependsOn {
		first := s.find(o.GetKind(), o.GetNamespace(), name)
		if first == nil {
			n.add(missing(Ref{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: name}, n.Since, "create it, or take it off spec.dependsOn"))
			continue
		}
		for _, set := range s.setsOf(first) {
			if set.GetNamespace() == c.Namespace && text(set, "spec", "cluster") == c.Name && !flag(set, "status", "deployed") {
				n.add(s.serviceSet(set))
			}
		}
	}
	return n
}

// waitingOwners are the nodes of those that shall deploy services to a cluster and have no
// ServiceSet for it.
func (s Snapshot) waitingOwners(d kcm.ClusterDeployment) []*Node {
	if d.DeletionTimestamp != nil {
		return nil
	}
	var nodes []*Node
	for _, kind := range []string{kcm.MultiClusterServiceKind, statev1.NamespacedMultiClusterServiceKind} {
		for _, o := range s.list(kind, anything) {
			for _, c := range typed[wide](o).Status.MatchingClusters {
				if c.Deployed || c.Namespace != d.Namespace || c.Name != d.Name {
					continue
				}
				if !slices.ContainsFunc(s.setsOf(o), func(set *unstructured.Unstructured) bool {
					return set.GetNamespace() == d.Namespace && text(set, "spec", "cluster") == d.Name
				}) {
					nodes = append(nodes, besides(s.awaited(o, c, refOf(o))))
				}
			}
		}
	}
	return nodes
}

// besides lets a node point to the ServiceSets below it, which are in the cluster's tree anyway.
func besides(n *Node) *Node {
	if len(n.Children) > 0 {
		n.blame(n.Children...)
	}
	n.Children = slices.DeleteFunc(slices.Clone(n.Children), func(c *Node) bool { return c.Kind == kcm.ServiceSetKind })
	return n
}

// serviceSetAlone is the node of a ServiceSet with its cluster, where that is not there yet:
// below a ClusterDeployment, the cluster is seen anyway.
func (s Snapshot) serviceSetAlone(o *unstructured.Unstructured) *Node {
	n := s.serviceSet(o)
	found := s.find(kcm.ClusterDeploymentKind, o.GetNamespace(), text(o, "spec", "cluster"))
	if found == nil || n.Mark == OK || n.blames {
		return n
	}
	d := typed[kcm.ClusterDeployment](found)
	if u := unmet(d); u == "" || u == kcm.ServicesInReadyStateCondition {
		return n
	}
	at := (&Node{Ref: refOf(found), Detail: d.Spec.Template}).judged(judge(found, kcm.ReadyCondition))
	if at.Mark == OK {
		return n
	}
	at.Next = fmt.Sprintf("look there: portico why clusterdeployment %s -n %s", d.Name, d.Namespace)
	n.add(at)
	n.blame(at)
	return n
}
