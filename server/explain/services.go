package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
)

// serviceSetsOf are the nodes of all services of a cluster: its own, those that come from
// elsewhere, and those that should and do not.
func (s Snapshot) serviceSetsOf(d kcm.ClusterDeployment) []*Node {
	sets := s.list(kcm.ServiceSetKind, func(o *unstructured.Unstructured) bool {
		return o.GetNamespace() == d.Namespace && text(o, "spec", "cluster") == d.Name
	})
	var nodes []*Node
	for _, set := range sets {
		nodes = append(nodes, s.serviceSet(set))
	}
	if own := s.find(kcm.ServiceSetKind, d.Namespace, d.Name); own == nil && len(d.Spec.ServiceSpec.Services) > 0 && !d.Spec.DryRun && d.DeletionTimestamp == nil {
		nodes = append(nodes, &Node{
			Ref:  Ref{Kind: kcm.ServiceSetKind, Namespace: d.Namespace, Name: d.Name},
			Mark: Working, Message: "it has not been made yet", Since: d.CreationTimestamp.Time,
		})
	}
	return append(nodes, s.waitingOwners(d)...)
}

// serviceSet is the node of a ServiceSet, with its services and what they run.
func (s Snapshot) serviceSet(o *unstructured.Unstructured) *Node {
	set := typed[kcm.ServiceSet](o)
	n := s.setVerdict(o, set)
	if provider := n.add(s.providerOf(set)); provider != nil && n.Mark != OK && n.phrase != paused && n.phrase != leaving {
		n.blame(provider)
	}
	services := map[string]*Node{}
	for _, state := range s.statesOf(set) {
		services[state.Namespace+"/"+state.Name] = n.add(s.service(set, state))
	}
	s.blameDependencies(set, services)
	return n
}

// setVerdict says how a ServiceSet itself stands.
func (s Snapshot) setVerdict(o *unstructured.Unstructured, set kcm.ServiceSet) *Node {
	n := &Node{Ref: refOf(o), Detail: ownerOf(set).from, Mark: OK}
	collected := control.Find(set.Status.Conditions, kcm.ServiceSetStatusesCollectedCondition)
	ready := control.Find(set.Status.Conditions, kcm.ServicesInReadyStateCondition)
	profile := control.Find(set.Status.Conditions, kcm.ServiceSetProfileCondition)
	v, going := deletion(o, set.Status.Conditions)
	_, rests := set.Annotations[kcm.ServiceSetPausedAnnotation]
	switch {
	case going:
		n.judged(v)
	case unanswered(set):
		// What was deployed once is not deployed for sure: nobody can tell at the moment.
		n.judged(verdict{mark: Working, message: said(collected), since: collected.LastTransitionTime.Time})
		if set.Spec.Cluster != "" {
			n.Next = fmt.Sprintf("see whether the cluster runs: portico why clusterdeployment %s -n %s", set.Spec.Cluster, set.Namespace)
		}
		n.blame()
	case set.Status.Deployed:
	case rests:
		n.Mark, n.phrase, n.Message = Broken, paused, "it is paused by its annotation "+kcm.ServiceSetPausedAnnotation+", so nothing is done"
		n.Next = fmt.Sprintf("go on: kubectl annotate serviceset %s -n %s %s-", set.Name, set.Namespace, kcm.ServiceSetPausedAnnotation)
		n.blame()
	case profile != nil && profile.Status == "False" && profile.Reason == kcm.ServiceSetProfileBuildFailedReason:
		n.judged(verdictOf(profile, Broken))
		n.Next = "mend spec.serviceSpec: " + ownerOf(set).edit
		n.blame()
	case collected != nil && collected.Status == "False":
		n.judged(verdict{mark: Working, message: said(collected), since: collected.LastTransitionTime.Time})
	case ready != nil:
		n.judged(verdict{mark: Working, message: ready.Message + " services are deployed", since: ready.LastTransitionTime.Time})
	default:
		n.Mark, n.Message, n.Since = Working, "no engine has taken it up yet", set.CreationTimestamp.Time
		n.Next = "see whether the engine is there: kubectl get statemanagementprovider " + set.Spec.Provider.Name
	}
	return n
}

// unanswered says whether the cluster of a ServiceSet answers no more, so that the states are
// old. What keeps a ServiceSet from being handled at all is said of its profile too.
func unanswered(set kcm.ServiceSet) bool {
	c := control.Find(set.Status.Conditions, kcm.ServiceSetStatusesCollectedCondition)
	profile := control.Find(set.Status.Conditions, kcm.ServiceSetProfileCondition)
	if c == nil || c.Status != "False" || profile != nil && profile.Status == "False" && profile.Message == c.Message {
		return false
	}
	return slices.ContainsFunc(set.Status.Services, func(st kcm.ServiceState) bool { return st.State != kcm.ServicePending })
}

// owner is who wants the services of a ServiceSet.
type owner struct {
	// from is what the owner is called in a glance; empty for the cluster itself.
	from, kind, namespace, name string
	// edit is the command that changes the wish, why the one that explains it.
	edit, why string
}

func ownerOf(set kcm.ServiceSet) owner {
	o := owner{kind: kcm.ClusterDeploymentKind, namespace: set.Namespace, name: set.Spec.Cluster}
	switch {
	case set.Spec.MultiClusterService != "":
		o = owner{kind: kcm.MultiClusterServiceKind, name: set.Spec.MultiClusterService, from: set.Spec.MultiClusterService}
	case set.Spec.NamespacedMultiClusterService != "":
		o = owner{kind: statev1.NamespacedMultiClusterServiceKind, namespace: set.Namespace, name: set.Spec.NamespacedMultiClusterService, from: set.Spec.NamespacedMultiClusterService}
	}
	at := strings.ToLower(o.kind) + " " + o.name
	if o.namespace != "" {
		at += " -n " + o.namespace
	}
	o.edit, o.why = "kubectl edit "+at, "portico why "+at
	return o
}

// wished are the services that the owner of a ServiceSet wants there, by namespace/name; nil if
// the owner is not in the snapshot.
func (s Snapshot) wished(set kcm.ServiceSet) map[string]kcm.Service {
	from := ownerOf(set)
	o := s.find(from.kind, from.namespace, from.name)
	if o == nil {
		return nil
	}
	type wish struct {
		Spec struct {
			ServiceSpec kcm.ServiceSpec `json:"serviceSpec"`
		} `json:"spec"`
	}
	out := map[string]kcm.Service{}
	for _, svc := range typed[wish](o).Spec.ServiceSpec.Services {
		out[cmp.Or(svc.Namespace, "default")+"/"+svc.Name] = svc
	}
	return out
}

// statesOf are the services of a ServiceSet: those that the engine reports, those that it was
// offered, and those that the cluster wants and that are held back.
func (s Snapshot) statesOf(set kcm.ServiceSet) []kcm.ServiceState {
	states := slices.Clone(set.Status.Services)
	add := func(namespace, name, template, why string) {
		namespace = cmp.Or(namespace, "default")
		if !slices.ContainsFunc(states, func(st kcm.ServiceState) bool { return st.Namespace == namespace && st.Name == name }) {
			born := set.CreationTimestamp
			states = append(states, kcm.ServiceState{Namespace: namespace, Name: name, Template: template, State: kcm.ServicePending, FailureMessage: why, LastStateTransitionTime: &born})
		}
	}
	for _, svc := range set.Spec.Services {
		add(svc.Namespace, svc.Name, svc.Template, "the engine has not looked at it yet")
	}
	owner := s.find(kcm.ClusterDeploymentKind, set.Namespace, set.Spec.Cluster)
	if owner == nil || ownerOf(set).from != "" || set.DeletionTimestamp != nil {
		return states
	}
	for _, svc := range typed[kcm.ClusterDeployment](owner).Spec.ServiceSpec.Services {
		if !svc.Disable {
			add(svc.Namespace, svc.Name, svc.Template, held(svc))
		}
	}
	return states
}

func held(svc kcm.Service) string {
	var names []string
	for _, dep := range svc.DependsOn {
		names = append(names, cmp.Or(dep.Namespace, "default")+"/"+dep.Name)
	}
	if len(names) == 0 {
		return "it has not been offered to the engine yet"
	}
	return "it waits until " + join(names...) + " is deployed"
}

// addWorkloads adds what a service's release runs on the cluster, as far as it can be seen.
// Helm marks whatever it makes with the release.
func (s Snapshot) addWorkloads(n *Node, set kcm.ServiceSet, state kcm.ServiceState) {
	child := s.child(set.Namespace, set.Spec.Cluster)
	if child == nil || child.Problem != "" {
		return
	}
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet", "Job"} {
		for _, o := range list(child.Objects, kind, func(o *unstructured.Unstructured) bool {
			a := o.GetAnnotations()
			return a["meta.helm.sh/release-name"] == state.Name && a["meta.helm.sh/release-namespace"] == state.Namespace
		}) {
			n.add(workload(o, child, s.Now))
		}
	}
}

// workload is the node of a Deployment, StatefulSet, DaemonSet or Job, with its pods.
func workload(o *unstructured.Unstructured, child *Child, now time.Time) *Node {
	n := &Node{Ref: refOf(o)}
	n.Ref.Cluster = child.Name
	want, ready := wanted(o)
	n.Detail = fmt.Sprintf("%d/%d ready", ready, want)
	n.judged(workloadVerdict(o, want, ready))
	chosen, ok, _ := unstructured.NestedStringMap(o.Object, "spec", "selector", "matchLabels")
	if !ok {
		return n
	}
	selector := labels.SelectorFromSet(chosen)
	for _, p := range list(child.Objects, "Pod", func(p *unstructured.Unstructured) bool {
		return p.GetNamespace() == o.GetNamespace() && selector.Matches(labels.Set(p.GetLabels()))
	}) {
		n.add(pod(p, child, now))
	}
	return n
}

func wanted(o *unstructured.Unstructured) (want, ready int64) {
	switch o.GetKind() {
	case "DaemonSet":
		return number(o, "status", "desiredNumberScheduled"), number(o, "status", "numberReady")
	case "Job":
		return max(number(o, "spec", "completions"), 1), number(o, "status", "succeeded")
	}
	want = 1
	if _, said, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "replicas"); said {
		want = number(o, "spec", "replicas")
	}
	return want, number(o, "status", "readyReplicas")
}

func workloadVerdict(o *unstructured.Unstructured, want, ready int64) verdict {
	born, all := o.GetCreationTimestamp().Time, conditionsOf(o)
	if v, going := deletion(o, all); going {
		return v
	}
	for _, kind := range []string{"ReplicaFailure", "Failed"} {
		if c := control.Find(all, kind); c != nil && c.Status == "True" {
			return verdict{mark: Broken, message: said(c), since: c.LastTransitionTime.Time}
		}
	}
	c := control.Find(all, "Progressing")
	switch {
	case c != nil && c.Status == "False":
		return verdict{mark: Broken, message: said(c), since: c.LastTransitionTime.Time}
	case unobserved(o):
		return verdict{mark: Working, message: "its newest version has not been looked at yet", since: born}
	case ready < want:
		since := born
		if c := control.Find(all, "Available"); c != nil && c.Status == "False" {
			since = c.LastTransitionTime.Time
		}
		return verdict{mark: Working, message: fmt.Sprintf("%d of %d are ready", ready, want), since: since}
	}
	return verdict{mark: OK}
}

// pod is the node of a Pod.
func pod(o *unstructured.Unstructured, child *Child, now time.Time) *Node {
	p := typed[corev1.Pod](o)
	n := &Node{Ref: Ref{Kind: "Pod", Namespace: p.Namespace, Name: p.Name, Cluster: child.Name}, Detail: join(string(p.Status.Phase), p.Spec.NodeName)}
	n.judged(podVerdict(p, now))
	cluster := types.NamespacedName{Namespace: child.Namespace, Name: child.Name}
	switch scheduled := podCondition(p, corev1.PodScheduled); {
	case n.Mark == OK:
	case scheduled != nil && scheduled.Status == corev1.ConditionFalse:
		n.Next = fmt.Sprintf("give the cluster another machine, or the pod other wishes: portico cluster scale %s -n %s --workers N", cluster.Name, cluster.Namespace)
	case n.Mark == Broken:
		n.Next = childKubectl(cluster, fmt.Sprintf("describe pod %s -n %s", p.Name, p.Namespace))
	}
	return n
}

// unscheduled is how long a pod may wait for a node before that is a problem: nodes come and go
// while a cluster is made or scaled.
const unscheduled = time.Minute

func podVerdict(p corev1.Pod, now time.Time) verdict {
	born := p.CreationTimestamp.Time
	ready := podCondition(p, corev1.PodReady)
	since := born
	if ready != nil {
		since = ready.LastTransitionTime.Time
	}
	switch {
	case p.DeletionTimestamp != nil:
		return verdict{mark: Working, message: "being deleted", since: p.DeletionTimestamp.Time}
	case p.Status.Phase == corev1.PodSucceeded, ready != nil && ready.Status == corev1.ConditionTrue:
		return verdict{mark: OK, since: since}
	case p.Status.Phase == corev1.PodFailed && p.Status.Reason != "":
		return verdict{mark: Broken, message: reasoned(p.Status.Reason, p.Status.Message), since: since}
	}
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if mark, message := containerVerdict(c); mark != OK {
			return verdict{mark: mark, message: "container " + c.Name + ": " + message, since: since}
		}
	}
	if c := podCondition(p, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
		mark := Broken
		if now.Sub(c.LastTransitionTime.Time) < unscheduled {
			mark = Working
		}
		return verdict{mark: mark, message: "no node takes it: " + c.Message, since: c.LastTransitionTime.Time}
	}
	return verdict{mark: Working, message: "it is not ready", since: since}
}

func podCondition(p corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if p.Status.Conditions[i].Type == kind {
			return &p.Status.Conditions[i]
		}
	}
	return nil
}

// containerVerdict says what keeps a container from running.
func containerVerdict(c corev1.ContainerStatus) (Mark, string) {
	ended := c.LastTerminationState.Terminated
	switch w, t := c.State.Waiting, c.State.Terminated; {
	case w != nil && (w.Reason == "ContainerCreating" || w.Reason == "PodInitializing" || w.Reason == ""):
		return Working, "it is being created"
	case w != nil && ended != nil:
		return Broken, fmt.Sprintf("%s: it ended with code %d (%s) and was started %s", w.Reason, ended.ExitCode, ended.Reason, times(c.RestartCount))
	case w != nil:
		return Broken, reasoned(w.Reason, w.Message)
	case t != nil && t.ExitCode != 0:
		return Broken, fmt.Sprintf("it ended with code %d (%s)", t.ExitCode, t.Reason)
	case c.State.Running != nil && !c.Ready:
		return Working, "it runs and is not ready"
	}
	return OK, ""
}

func times(restarts int32) string {
	if restarts == 1 {
		return "again once"
	}
	return fmt.Sprintf("again %d times", restarts)
}

func reasoned(reason, message string) string {
	if message == "" {
		return reason
	}
	return reason + ": " + message
}
