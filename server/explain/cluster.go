package explain

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/kube/control"
)

// clusterConditions are those of a ClusterDeployment, in the order in which a cluster comes
// to be: the first that does not hold is nearest to the cause.
var clusterConditions = []string{
	kcm.TemplateReadyCondition, kcm.CredentialReadyCondition,
	kcm.ClusterAuthenticationReadyCondition, kcm.ClusterAuditPolicyReadyCondition, kcm.DataSourceReadyCondition, kcm.HelmChartReadyCondition,
	kcm.HelmReleaseReadyCondition, kcm.CAPIClusterSummaryCondition, kcm.SveltosClusterReadyCondition, kcm.ServicesInReadyStateCondition,
}

// clusterParts are the children of a ClusterDeployment's node.
type clusterParts struct {
	template, credential, release, cluster, adopted, child *Node
	services                                               []*Node
}

// deployment is the node of a ClusterDeployment, with the whole chain below it.
func (s Snapshot) deployment(o *unstructured.Unstructured) *Node {
	d := typed[kcm.ClusterDeployment](o)
	n := &Node{Ref: refOf(o), Detail: join(d.Spec.Template, d.Status.KubernetesVersion)}
	n.judged(judge(o, kcm.ReadyCondition))
	if d.Spec.DryRun {
		n.Detail = join("dry run", n.Detail)
	}
	parts := clusterParts{
		template:   n.add(s.clusterTemplateOf(d)),
		credential: n.add(s.credentialOf(d)),
		release:    n.add(s.release(d)),
		cluster:    n.add(s.capiCluster(d)),
		adopted:    n.add(s.adopted(d)),
		child:      n.add(s.childCluster(d)),
	}
	for _, set := range s.serviceSetsOf(d) {
		parts.services = append(parts.services, n.add(set))
	}
	blameOf(n, d, parts)
	n.Next = nextForCluster(d, n)
	return n
}

// blameOf says which part of a cluster answers for its not being ready.
func blameOf(n *Node, d kcm.ClusterDeployment, p clusterParts) {
	if n.Mark == OK {
		return
	}
	if len(d.Status.Conditions) == 0 {
		n.blame() // nobody has looked at it: nothing below it can be the reason
		return
	}
	if c := control.Find(d.Status.Conditions, kcm.DeletingCondition); c != nil && d.DeletionTimestamp != nil {
		switch c.Reason {
		case kcm.WaitingForServiceSetsDeletionReason:
			n.blame(append(p.services, p.child)...)
		case kcm.WaitingForClusterDeletionReason:
			n.blame(p.cluster)
		case kcm.WaitingForHelmReleaseDeletionReason:
			n.blame(p.adopted)
		default:
			n.blame()
		}
		return
	}
	switch unmet(d) {
	case kcm.TemplateReadyCondition:
		n.blame(p.template)
	case kcm.CredentialReadyCondition:
		n.blame(p.credential)
	case kcm.HelmReleaseReadyCondition:
		n.blame(p.release)
	case kcm.CAPIClusterSummaryCondition:
		n.blame(p.cluster)
	case kcm.SveltosClusterReadyCondition:
		n.blame(p.adopted, p.child)
	case kcm.ServicesInReadyStateCondition:
		n.blame(append([]*Node{p.child}, p.services...)...)
	case "":
		// It says nothing in detail: whatever is worst below it may be it.
	default:
		n.blame()
	}
}

// unmet is the first condition of a ClusterDeployment that does not hold; empty for none.
func unmet(d kcm.ClusterDeployment) string {
	for _, kind := range clusterConditions {
		if c := control.Find(d.Status.Conditions, kind); c != nil && c.Status != "True" {
			return kind
		}
	}
	return ""
}

// release is the node of the Helm release that makes a cluster. A release that is not there
// has no node: what keeps it from being made says so.
func (s Snapshot) release(d kcm.ClusterDeployment) *Node {
	var last *unstructured.Unstructured
	for _, o := range s.list("Secret", labelled("owner", "helm")) {
		if o.GetNamespace() == d.Namespace && o.GetLabels()["name"] == d.Name && (last == nil || revision(o) > revision(last)) {
			last = o
		}
	}
	if last == nil {
		return nil
	}
	state := last.GetLabels()["status"]
	n := &Node{
		Ref: Ref{Kind: "release", Namespace: d.Namespace, Name: d.Name}, Mark: Working, Message: state,
		Detail: fmt.Sprintf("revision %d", revision(last)), Since: last.GetCreationTimestamp().Time,
	}
	c := control.Find(d.Status.Conditions, kcm.HelmReleaseReadyCondition)
	switch {
	case state == "deployed":
		n.Mark, n.Message = OK, ""
	case state == "failed" && c != nil && c.Status != "True":
		n.Mark, n.Message, n.Since = Broken, oneLine(said(c)), c.LastTransitionTime.Time
	case state == "failed":
		n.Mark, n.Message = Broken, "its last revision failed"
	}
	if n.Mark == Broken {
		n.Next = fmt.Sprintf("mend spec.config: kubectl edit clusterdeployment %s -n %s", d.Name, d.Namespace)
	}
	return n
}

func revision(o *unstructured.Unstructured) int {
	var n int
	_, _ = fmt.Sscanf(o.GetLabels()["version"], "%d", &n) // what is no number is the oldest
	return n
}

// adopted is the node of a cluster that exists already.
func (s Snapshot) adopted(d kcm.ClusterDeployment) *Node {
	o := s.renderedBy("SveltosCluster", d)
	if o == nil {
		return nil
	}
	a := typed[sveltos.SveltosCluster](o)
	n := &Node{Ref: refOf(o), Detail: a.Status.Version, Mark: OK}
	switch v, going := deletion(o, nil); {
	case going:
		n.judged(v)
	case a.Spec.Paused && !a.Status.Ready:
		n.Mark, n.phrase, n.Message = Broken, paused, pausedBy(o, nil)
		n.Next = unpause(o)
	case a.Status.FailureMessage != nil && !a.Status.Ready:
		n.Mark, n.Message = Broken, oneLine(*a.Status.FailureMessage)
		n.Next = fmt.Sprintf("see whether the cluster runs, and whether its kubeconfig is right: Secret %s/%s", d.Namespace, cmp.Or(a.Spec.KubeconfigName, d.Name+sveltos.KubeconfigSecretSuffix))
	case !a.Status.Ready:
		n.Mark, n.Message, n.Since = Working, "nobody has tried to connect yet", o.GetCreationTimestamp().Time
	}
	return n
}

// renderedBy finds the object of a kind that a cluster's release made.
func (s Snapshot) renderedBy(kind string, d kcm.ClusterDeployment) *unstructured.Unstructured {
	made := s.list(kind, func(o *unstructured.Unstructured) bool {
		l := o.GetLabels()
		return l[kcm.HelmReleaseNameLabel] == d.Name && l[kcm.HelmReleaseNamespaceLabel] == d.Namespace
	})
	if len(made) > 0 {
		return made[0]
	}
	return s.find(kind, d.Namespace, d.Name)
}

// childCluster is the node of the child itself: whether its API server answers us.
func (s Snapshot) childCluster(d kcm.ClusterDeployment) *Node {
	c := s.child(d.Namespace, d.Name)
	if c == nil {
		return nil
	}
	n := &Node{Ref: Ref{Kind: "child cluster", Namespace: d.Namespace, Name: d.Name}, Mark: OK}
	if c.Problem == "" {
		n.Detail = count(len(list(c.Objects, "Node", anything)), "node")
		return n
	}
	n.Mark, n.Message = Broken, oneLine(c.Problem)
	n.Next = "see whether its control plane runs: portico status"
	if !s.everUp(d) || d.DeletionTimestamp != nil {
		n.Mark, n.Next = Working, ""
	}
	n.Since = s.lostSince(d)
	return n
}

// everUp says whether a cluster answered once, so that its silence now is a problem.
func (s Snapshot) everUp(d kcm.ClusterDeployment) bool {
	if o := s.renderedBy("Cluster", d); o != nil {
		c := control.Find(conditionsOf(o), "ControlPlaneInitialized")
		return c != nil && c.Status == "True"
	}
	return s.renderedBy("SveltosCluster", d) != nil
}

// lostSince is when Cluster API lost the connection to a cluster, if it did.
func (s Snapshot) lostSince(d kcm.ClusterDeployment) time.Time {
	if o := s.renderedBy("Cluster", d); o != nil {
		if c := control.Find(conditionsOf(o), "RemoteConnectionProbe"); c != nil && c.Status == "False" {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

func nextForCluster(d kcm.ClusterDeployment, n *Node) string {
	switch {
	case n.Mark == OK:
		return ""
	case d.DeletionTimestamp != nil:
		return fmt.Sprintf("wait: portico cluster wait %s -n %s --for deleted", d.Name, d.Namespace)
	case len(d.Status.Conditions) == 0:
		return "see whether the management plane runs: portico status"
	case n.Mark == Working:
		return fmt.Sprintf("wait: portico cluster wait %s -n %s", d.Name, d.Namespace)
	}
	return fmt.Sprintf("change it: kubectl edit clusterdeployment %s -n %s", d.Name, d.Namespace)
}

func anything(*unstructured.Unstructured) bool { return true }

func join(words ...string) string {
	var some []string
	for _, w := range words {
		if w != "" {
			some = append(some, w)
		}
	}
	return strings.Join(some, ", ")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
