package explain

import (
	"cmp"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// capiConditions are those of a Cluster, in the order in which it comes up.
var capiConditions = []string{
	"InfrastructureReady", "ControlPlaneInitialized", "ControlPlaneAvailable", "ControlPlaneMachinesReady",
	"WorkersAvailable", "WorkerMachinesReady", "RemoteConnectionProbe",
}

// capiCluster is the node of a cluster's Cluster, with all that Cluster API makes for it.
func (s Snapshot) capiCluster(d kcm.ClusterDeployment) *Node {
	o := s.renderedBy("Cluster", d)
	if o == nil {
		return nil
	}
	n := (&Node{Ref: refOf(o), Detail: text(o, "status", "phase")}).judged(judge(o, capiConditions...))
	infra := n.add(s.provided(o, "infrastructureRef"))
	plane := n.add(s.provided(o, "controlPlaneRef"))
	key := types.NamespacedName{Namespace: d.Namespace, Name: d.Name}
	var workers []*Node
	for _, md := range s.list("MachineDeployment", labelled(kcm.CAPIClusterNameLabel, o.GetName())) {
		if md.GetNamespace() == o.GetNamespace() {
			workers = append(workers, n.add(s.machineDeployment(md, key)))
		}
	}
	for _, m := range s.loose(o) {
		workers = append(workers, n.add(s.machine(m, key)))
	}
	blameOfCluster(n, o, infra, plane, workers)
	n.Next = nextForCAPI(n, o)
	return n
}

func nextForCAPI(n *Node, o *unstructured.Unstructured) string {
	switch probe := control.Find(conditionsOf(o), "RemoteConnectionProbe"); {
	case n.phrase == paused:
		return unpause(o)
	case n.Mark != Broken:
		return ""
	case probe != nil && probe.Status == "False":
		return "see whether its control plane runs: portico status"
	}
	return fmt.Sprintf("look at it: kubectl describe cluster.cluster.x-k8s.io %s -n %s", o.GetName(), o.GetNamespace())
}

// blameOfCluster says which part of a Cluster answers for its not being of use.
func blameOfCluster(n *Node, o *unstructured.Unstructured, infra, plane *Node, workers []*Node) {
	all := conditionsOf(o)
	switch {
	case n.Mark == OK:
		return
	case n.phrase == paused:
		n.blame()
		return
	case o.GetDeletionTimestamp() != nil:
		// The order of Cluster API's deletion.
		n.blame(append(workers, plane, infra)...)
		return
	}
	for _, kind := range capiConditions {
		c := control.Find(all, kind)
		if c == nil || c.Status == "True" {
			continue
		}
		switch kind {
		case "InfrastructureReady":
			n.blame(infra)
		case "ControlPlaneInitialized", "ControlPlaneAvailable", "ControlPlaneMachinesReady", "RemoteConnectionProbe":
			n.blame(infra, plane)
		default:
			n.blame(workers...)
		}
		return
	}
}

// loose are the machines of a Cluster that belong to no MachineSet: those of a control plane.
func (s Snapshot) loose(cluster *unstructured.Unstructured) []*unstructured.Unstructured {
	return s.list("Machine", func(o *unstructured.Unstructured) bool {
		if o.GetNamespace() != cluster.GetNamespace() || o.GetLabels()[kcm.CAPIClusterNameLabel] != cluster.GetName() {
			return false
		}
		for _, owner := range o.GetOwnerReferences() {
			if owner.Kind == "MachineSet" {
				return false
			}
		}
		return true
	})
}

// provided is the node of an object of a provider, which the owner's spec refers to.
func (s Snapshot) provided(owner *unstructured.Unstructured, path ...string) *Node {
	path = append([]string{"spec"}, path...)
	kind, name := text(owner, append(path, "kind")...), text(owner, append(path, "name")...)
	if name == "" {
		return nil
	}
	o := s.find(kind, owner.GetNamespace(), name)
	if o == nil {
		if owner.GetDeletionTimestamp() != nil {
			return nil
		}
		n := missing(Ref{Kind: kind, Namespace: owner.GetNamespace(), Name: name}, owner.GetCreationTimestamp().Time, "")
		n.Mark, n.Message = Working, "it does not exist yet" // what refers to it may be there first
		return n
	}
	n := (&Node{Ref: refOf(o), Detail: cmp.Or(text(o, "status", "version"), text(o, "spec", "kind"))}).judged(judge(o, kcm.ReadyCondition, "Available"))
	if len(conditionsOf(o)) == 0 && (flag(o, "status", "initialization", "provisioned") || flag(o, "status", "ready")) {
		n.Mark, n.Message = OK, ""
	}
	switch {
	case n.Mark != Broken:
	case n.phrase == paused:
		n.Next = unpause(o)
	default:
		n.Next = fmt.Sprintf("look at it, and at the log of its controller: kubectl describe %s %s -n %s", kind, name, o.GetNamespace())
	}
	return n
}

func (s Snapshot) machineDeployment(o *unstructured.Unstructured, cluster types.NamespacedName) *Node {
	n := (&Node{Ref: refOf(o), Detail: replicas(o)}).judged(judge(o, "Available"))
	if c := control.Find(conditionsOf(o), "RollingOut"); n.Mark == OK && c != nil && c.Status == "True" {
		n.judged(verdictOf(c, Working))
	}
	if n.Mark == OK && number(o, "status", "readyReplicas") < number(o, "spec", "replicas") {
		n.judged(verdict{mark: Working, message: n.Detail, since: n.Since})
	}
	for _, set := range s.list("MachineSet", ownedBy(o)) {
		machines := s.list("Machine", ownedBy(set))
		if len(machines) == 0 && number(set, "spec", "replicas") == 0 {
			continue // one that was rolled out of, kept for going back
		}
		at := &Node{Ref: refOf(set), Detail: replicas(set), Mark: OK}
		if number(set, "status", "readyReplicas") < number(set, "spec", "replicas") || len(machines) > int(number(set, "spec", "replicas")) {
			at.Mark, at.Message = Working, at.Detail
		}
		if v, going := deletion(set, conditionsOf(set)); going {
			at.judged(v)
		}
		for _, m := range machines {
			at.add(s.machine(m, cluster))
		}
		n.add(at)
	}
	return n
}

func replicas(o *unstructured.Unstructured) string {
	return fmt.Sprintf("%d/%d ready", number(o, "status", "readyReplicas"), number(o, "spec", "replicas"))
}

// machine is the node of a Machine, with its bootstrap data, its infrastructure, and the
// Kubernetes node that it became.
func (s Snapshot) machine(o *unstructured.Unstructured, cluster types.NamespacedName) *Node {
	n := (&Node{Ref: refOf(o), Detail: join(text(o, "status", "phase"), text(o, "spec", "version"))}).judged(judge(o, kcm.ReadyCondition))
	n.add(s.provided(o, "bootstrap", "configRef"))
	n.add(s.provided(o, "infrastructureRef"))
	n.add(s.kubernetesNode(o, cluster))
	if n.Mark == OK {
		return n
	}
	n.Next = fmt.Sprintf("wait, or look at it: kubectl describe machine %s -n %s", o.GetName(), o.GetNamespace())
	if n.phrase == paused {
		n.Next = unpause(o)
		n.blame()
	}
	return n
}

func unpause(o *unstructured.Unstructured) string {
	if _, annotated := o.GetAnnotations()[PausedAnnotation]; annotated {
		return fmt.Sprintf("go on: kubectl annotate %s %s -n %s %s-", o.GetKind(), o.GetName(), o.GetNamespace(), PausedAnnotation)
	}
	if flag(o, "spec", "paused") {
		return fmt.Sprintf(`go on: kubectl patch %s %s -n %s --type merge -p '{"spec":{"paused":false}}'`, o.GetKind(), o.GetName(), o.GetNamespace())
	}
	return "end the pause of what it belongs to: see its Cluster's spec.paused"
}

// kubernetesNode is what a machine became on its cluster; nil while it is none, or cannot be
// seen.
func (s Snapshot) kubernetesNode(machine *unstructured.Unstructured, cluster types.NamespacedName) *Node {
	name := text(machine, "status", "nodeRef", "name")
	child := s.child(cluster.Namespace, cluster.Name)
	if name == "" || child == nil || child.Problem != "" {
		return nil
	}
	ref := Ref{Kind: "Node", Name: name, Cluster: cluster.Name}
	o := find(child.Objects, "Node", "", name)
	if o == nil && machine.GetDeletionTimestamp() != nil {
		return nil
	}
	if o == nil {
		return missing(ref, lostNode(machine), "replace its machine: kubectl delete machine "+machine.GetName()+" -n "+machine.GetNamespace())
	}
	n := (&Node{Ref: ref, Detail: text(o, "status", "nodeInfo", "kubeletVersion")}).judged(judge(o, kcm.ReadyCondition))
	if flag(o, "spec", "unschedulable") {
		n.Detail = join(n.Detail, "takes no new pods")
	}
	if c := control.Find(conditionsOf(o), kcm.ReadyCondition); c != nil && c.Status == "Unknown" {
		n.Mark = Broken // its kubelet was heard of once, and is silent now
	}
	if n.Mark != OK {
		n.Next = childKubectl(cluster, "describe node "+name)
	}
	return n
}

// lostNode is when Cluster API noticed that a machine's node is gone.
func lostNode(machine *unstructured.Unstructured) time.Time {
	if c := control.Find(conditionsOf(machine), "NodeHealthy"); c != nil && c.Status != "True" {
		return c.LastTransitionTime.Time
	}
	return time.Time{}
}

// childKubectl is a command on a child cluster, under the context that portico kubeconfig
// --merge makes.
func childKubectl(cluster types.NamespacedName, command string) string {
	return fmt.Sprintf("portico kubeconfig %s -n %s --merge && kubectl --context %s %s", cluster.Name, cluster.Namespace, Context(cluster.Namespace, cluster.Name), command)
}

// Context is what the context of a child cluster is called in kubeconfigs. A name by itself is
// one of the system namespace. The dot is in no name of either kind, so no two clusters share
// a context, whose credentials would overwrite each other.
func Context(namespace, name string) string {
	if namespace == kcm.DefaultSystemNamespace {
		return "portico-" + name
	}
	return "portico-" + namespace + "." + name
}
