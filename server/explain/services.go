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
	"portico.dev/portico/kube/control"
)

// serviceSetsOf are the nodes of all ServiceSets of a cluster: its own and those of
// MultiClusterServices.
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
	return nodes
}

// serviceSet is the node of a ServiceSet, with its services and what they run.
func (s Snapshot) serviceSet(o *unstructured.Unstructured) *Node {
	set := typed[kcm.ServiceSet](o)
	n := &Node{Ref: refOf(o), Detail: set.Spec.MultiClusterService, Mark: OK}
	collected := control.Find(set.Status.Conditions, kcm.ServiceSetStatusesCollectedCondition)
	ready := control.Find(set.Status.Conditions, kcm.ServicesInReadyStateCondition)
	v, going := deletion(o, set.Status.Conditions)
	_, rests := set.Annotations[kcm.ServiceSetPausedAnnotation]
	switch {
	case going:
		n.judged(v)
	case set.Status.Deployed:
	case rests:
		n.Mark, n.phrase, n.Message = Broken, paused, "it is paused by its annotation "+kcm.ServiceSetPausedAnnotation+", so nothing is done"
		n.Next = fmt.Sprintf("go on: kubectl annotate serviceset %s -n %s %s-", set.Name, set.Namespace, kcm.ServiceSetPausedAnnotation)
		n.blame()
	case collected != nil && collected.Status == "False":
		n.judged(verdict{mark: Working, message: said(collected), since: collected.LastTransitionTime.Time})
	case ready != nil:
		n.judged(verdict{mark: Working, message: ready.Message + " services are deployed", since: ready.LastTransitionTime.Time})
	default:
		n.Mark, n.Message, n.Since = Working, "no engine has taken it up yet", set.CreationTimestamp.Time
		n.Next = "see whether the engine is there: kubectl get statemanagementprovider " + set.Spec.Provider.Name
	}
	for _, state := range s.statesOf(set) {
		n.add(s.service(set, state))
	}
	return n
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
	if owner == nil || set.Spec.MultiClusterService != "" || set.DeletionTimestamp != nil {
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

// service is the node of one service on a cluster.
func (s Snapshot) service(set kcm.ServiceSet, state kcm.ServiceState) *Node {
	n := &Node{
		Ref:    Ref{Kind: "service", Namespace: state.Namespace, Name: state.Name, Cluster: set.Spec.Cluster},
		Detail: join(string(state.State), state.Template, state.Version), Message: oneLine(state.FailureMessage), Mark: Working,
	}
	if state.LastStateTransitionTime != nil {
		n.Since = state.LastStateTransitionTime.Time
	}
	switch state.State {
	case kcm.ServiceDeployed, kcm.ServiceDeleted:
		n.Mark, n.Message = OK, ""
	case kcm.ServiceFailed:
		n.Mark = Broken
		n.Next = fmt.Sprintf("mend its template or values: kubectl edit clusterdeployment %s -n %s", set.Spec.Cluster, set.Namespace)
		if set.Spec.MultiClusterService != "" {
			n.Next = "mend its template or values: kubectl edit multiclusterservice " + set.Spec.MultiClusterService
		}
	}
	if n.Mark == Working && n.Message == "" {
		n.Message = strings.ToLower(string(state.State))
	}
	if n.Mark == Working && set.DeletionTimestamp == nil {
		n.Next = fmt.Sprintf("wait: portico cluster wait %s -n %s", set.Spec.Cluster, set.Namespace)
	}
	n.add(s.serviceTemplateOf(set, state))
	s.addWorkloads(n, set, state)
	return n
}

func (s Snapshot) serviceTemplateOf(set kcm.ServiceSet, state kcm.ServiceState) *Node {
	if o := s.find(kcm.ServiceTemplateKind, set.Namespace, state.Template); o != nil {
		return s.template(o)
	}
	if state.Template == "" || state.State == kcm.ServiceDeployed || state.State == kcm.ServiceDeleting {
		return nil
	}
	ref := Ref{Kind: kcm.ServiceTemplateKind, Namespace: set.Namespace, Name: state.Template}
	var since time.Time
	if state.LastStateTransitionTime != nil {
		since = state.LastStateTransitionTime.Time
	}
	return missing(ref, since, "create it, or name one that exists: portico template list --kind service -n "+set.Namespace)
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
