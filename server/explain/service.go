package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
)

// service is the node of one service on a cluster.
func (s Snapshot) service(set kcm.ServiceSet, state kcm.ServiceState) *Node {
	n := &Node{
		Ref:    Ref{Kind: "service", Namespace: state.Namespace, Name: state.Name, Cluster: set.Spec.Cluster},
		Detail: join(string(state.State), state.Template, s.versions(set, state), s.engineOf(set), asOf(set, state)), Message: oneLine(state.FailureMessage), Mark: Working,
	}
	if state.LastStateTransitionTime != nil {
		n.Since = state.LastStateTransitionTime.Time
	}
	switch state.State {
	case kcm.ServiceDeployed, kcm.ServiceDeleted:
		n.Mark, n.Message = OK, ""
	case kcm.ServiceFailed:
		n.Mark, n.Next = Broken, "mend its template or values: "+ownerOf(set).edit
		s.conflict(n, set, state)
	}
	if n.Mark == Working && n.Message == "" {
		n.Message = cmp.Or(unhealthy(state), strings.ToLower(string(state.State)))
	}
	if n.Mark == Working && set.DeletionTimestamp == nil {
		n.Next = waitFor(set)
	}
	n.add(s.serviceTemplateOf(set, state))
	s.addWorkloads(n, set, state)
	s.detained(n, set, state)
	drifted(n, set, state)
	return n
}

// versions are those that a service has and wants, one where they are the same.
func (s Snapshot) versions(set kcm.ServiceSet, state kcm.ServiceState) string {
	wanted := ""
	for _, entry := range set.Spec.Services {
		if cmp.Or(entry.Namespace, "default") == state.Namespace && entry.Name == state.Name {
			wanted = entry.Version
		}
	}
	// The ServiceSet has the next hop; the owner, where it leads.
	if svc, ok := s.wished(set)[state.Namespace+"/"+state.Name]; ok && !svc.Disable {
		switch offered := offeredTemplate(set, state); {
		case svc.Version != "":
			wanted = svc.Version
		case svc.Template != cmp.Or(offered, state.Template):
			wanted = s.templateVersion(set.Namespace, svc.Template)
		}
	}
	if wanted == "" || wanted == state.Version || wanted == state.Template && state.Version == "" {
		return state.Version
	}
	return join(state.Version, "wants "+wanted)
}

func offeredTemplate(set kcm.ServiceSet, state kcm.ServiceState) string {
	for _, entry := range set.Spec.Services {
		if cmp.Or(entry.Namespace, "default") == state.Namespace && entry.Name == state.Name {
			return entry.Template
		}
	}
	return ""
}

// templateVersion is the version that a ServiceTemplate gives, its name where that is all that
// is known.
func (s Snapshot) templateVersion(namespace, name string) string {
	o := s.find(kcm.ServiceTemplateKind, namespace, name)
	if o == nil {
		return name
	}
	return cmp.Or(text(o, "spec", "version"), text(o, "spec", "helm", "chartSpec", "version"), name)
}

// engineOf says what deploys the services of a ServiceSet, where it is not the plane's default.
func (s Snapshot) engineOf(set kcm.ServiceSet) string {
	engine := set.Labels[statev1.EngineLabel]
	if p := s.find(kcm.StateManagementProviderKind, "", set.Spec.Provider.Name); p != nil && engine == "" {
		engine = text(p, "spec", "selector", "matchLabels", statev1.EngineLabel)
	}
	if name := set.Spec.Provider.Name; engine == "" && name != kcm.DefaultStateManagementProviderName {
		engine = name
	}
	if engine == "" {
		return ""
	}
	return "by " + engine
}

// asOf says of when a state is, where it is not of now.
func asOf(set kcm.ServiceSet, state kcm.ServiceState) string {
	if !unanswered(set) || state.State == kcm.ServicePending {
		return ""
	}
	c := control.Find(set.Status.Conditions, kcm.ServiceSetStatusesCollectedCondition)
	return "as of " + c.LastTransitionTime.UTC().Format(time.DateTime) + " UTC"
}

func waitFor(set kcm.ServiceSet) string {
	if o := ownerOf(set); o.from != "" || set.Spec.Cluster == "" {
		return "wait, and look again: " + o.why
	}
	return fmt.Sprintf("wait: portico cluster wait %s -n %s", set.Spec.Cluster, set.Namespace)
}

// unhealthy are the words of the first condition of a state that is false.
func unhealthy(state kcm.ServiceState) string {
	for i := range state.Conditions {
		if c := &state.Conditions[i]; c.Status == metav1.ConditionFalse {
			return oneLine(said(c))
		}
	}
	return ""
}

// conflict says who has the release that a service failed to get.
func (s Snapshot) conflict(n *Node, set kcm.ServiceSet, state kcm.ServiceState) {
	rivals := s.list(kcm.ServiceSetKind, func(o *unstructured.Unstructured) bool {
		return o.GetNamespace() == set.Namespace && o.GetName() != set.Name && text(o, "spec", "cluster") == set.Spec.Cluster
	})
	for _, o := range rivals {
		rival := typed[kcm.ServiceSet](o)
		for _, other := range rival.Status.Services {
			has := slices.Contains([]kcm.ServicePhase{kcm.ServiceDeployed, kcm.ServiceProvisioning, kcm.ServiceDeleting}, other.State)
			if !has || other.Namespace != state.Namespace || other.Name != state.Name {
				continue
			}
			winner := ownerOf(rival)
			n.phrase = "has lost its release to " + Ref{Kind: winner.kind, Namespace: winner.namespace, Name: winner.name}.String()
			n.Message = cmp.Or(n.Message, "two owners want the same release on the cluster, and one can have it")
			n.Next = fmt.Sprintf("take it out of one of the two, or give this one another name or a higher priority: %s", ownerOf(set).edit)
			return
		}
	}
}

// detained says what holds back a change of a service. What was deployed before goes on.
func (s Snapshot) detained(n *Node, set kcm.ServiceSet, state kcm.ServiceState) {
	c := control.Find(state.Conditions, statev1.HeldCondition)
	if c == nil || c.Status != metav1.ConditionTrue || set.DeletionTimestamp != nil {
		return
	}
	// Of a service that has failed too, both count: the failure is what runs now.
	if n.Mark == Broken {
		n.Message = oneLine(n.Message + "\nthe change is held back: " + said(c))
		return
	}
	n.judged(verdict{mark: Working, message: said(c), since: c.LastTransitionTime.Time, phrase: "is held back"})
	n.Next = waitFor(set)
	switch c.Reason {
	case statev1.HeldChain:
		n.Mark, n.Next = Broken, "name a template that the chain leads to, or a chain that leads there: "+ownerOf(set).edit
	case statev1.HeldKubernetes:
		n.Mark, n.Next = Broken, fmt.Sprintf("upgrade the cluster, or name a template that works with its version of Kubernetes: %s", ownerOf(set).edit)
	case statev1.HeldWave:
		if o := s.rolloutOf(set); o != nil {
			n.blame(n.add(s.rollout(o)))
		}
	}
}

// blameDependencies lets services that wait for others of their ServiceSet point to these.
func (s Snapshot) blameDependencies(set kcm.ServiceSet, services map[string]*Node) {
	wished := s.wished(set)
	for _, state := range s.statesOf(set) {
		key := state.Namespace + "/" + state.Name
		c := control.Find(state.Conditions, statev1.HeldCondition)
		if c == nil || c.Status != metav1.ConditionTrue || c.Reason != statev1.HeldDependency {
			continue
		}
		var guilty []*Node
		for _, dep := range wished[key].DependsOn {
			if other := services[cmp.Or(dep.Namespace, "default")+"/"+dep.Name]; other != nil && other.Mark != OK {
				guilty = append(guilty, other)
			}
		}
		if n := services[key]; len(guilty) > 0 && n.phrase != "" {
			n.blame(guilty...)
		}
	}
}

// drifted says that somebody has changed on the cluster what a service had installed.
func drifted(n *Node, set kcm.ServiceSet, state kcm.ServiceState) {
	c := control.Find(state.Conditions, statev1.DriftedCondition)
	if c == nil || c.Status != metav1.ConditionTrue || n.Mark != OK {
		return
	}
	n.judged(verdict{mark: Working, message: "changed on the cluster: " + said(c), since: c.LastTransitionTime.Time, phrase: "has drifted"})
	n.Next = "put it back, or let the engine do it with syncMode: ContinuousWithDriftDetection, or leave it out with driftIgnore: " + ownerOf(set).edit
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
	next := "create it, or name one that exists: portico template list --kind service -n " + set.Namespace
	if set.Spec.MultiClusterService != "" {
		next = "create it there too, since a cluster takes the templates of its own namespace: portico template list --kind service -n " + set.Namespace
	}
	return missing(ref, since, next)
}
