package explain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Root is a kind that can be explained.
type Root struct {
	// Kind is the API's word; Words are what people may call it, the full word first.
	Kind  string
	Words []string
	// ClusterScoped objects are in no namespace.
	ClusterScoped bool
}

// Roots are the kinds that can be explained.
func Roots() []Root {
	return []Root{
		{Kind: kcm.ClusterDeploymentKind, Words: []string{"clusterdeployment", "cld", "clusterd", "cluster"}},
		{Kind: kcm.ClusterTemplateKind, Words: []string{"clustertemplate", "clustertmpl"}},
		{Kind: kcm.ServiceTemplateKind, Words: []string{"servicetemplate", "svctmpl"}},
		{Kind: kcm.CredentialKind, Words: []string{"credential", "cred"}},
		{Kind: kcm.ServiceSetKind, Words: []string{"serviceset"}},
		{Kind: kcm.MultiClusterServiceKind, Words: []string{"multiclusterservice", "mcs"}, ClusterScoped: true},
		{Kind: kcm.ManagementKind, Words: []string{"management", "mgmt"}, ClusterScoped: true},
		{Kind: "Machine", Words: []string{"machine"}},
	}
}

// Tree is the object with everything below it; nil if the object is not in the snapshot, or
// is of a kind that is none of the Roots.
func (s Snapshot) Tree(of Ref) *Node {
	o := s.find(of.Kind, of.Namespace, of.Name)
	if o == nil {
		return nil
	}
	switch of.Kind {
	case kcm.ClusterDeploymentKind:
		return s.deployment(o)
	case kcm.ClusterTemplateKind, kcm.ServiceTemplateKind:
		return s.template(o)
	case kcm.CredentialKind:
		return s.credential(o)
	case kcm.ServiceSetKind:
		return s.serviceSet(o)
	case kcm.MultiClusterServiceKind:
		return s.multiClusterService(o)
	case kcm.ManagementKind:
		return management(o)
	case "Machine":
		return s.machine(o, types.NamespacedName{Namespace: o.GetNamespace(), Name: text(o, "spec", "clusterName")})
	}
	return nil
}

// mcsConditions are those of a MultiClusterService, what comes first in time first.
var mcsConditions = []string{
	kcm.ServicesReferencesValidationCondition, kcm.ServicesDependencyValidationCondition,
	kcm.MultiClusterServiceDependencyValidationCondition, kcm.MultiClusterServiceDependencyReadyCondition,
	kcm.ClusterInReadyStateCondition, kcm.ReadyCondition,
}

func (s Snapshot) multiClusterService(o *unstructured.Unstructured) *Node {
	m := typed[kcm.MultiClusterService](o)
	n := (&Node{Ref: refOf(o), Detail: count(len(m.Status.MatchingClusters), "cluster")}).judged(judge(o, mcsConditions...))
	if n.Mark == Broken {
		n.Next = "change it: kubectl edit multiclusterservice " + m.Name
	}
	sets := s.list(kcm.ServiceSetKind, func(set *unstructured.Unstructured) bool {
		return text(set, "spec", "multiClusterService") == m.Name
	})
	served := map[Ref]bool{}
	for _, set := range sets {
		served[Ref{Namespace: set.GetNamespace(), Name: text(set, "spec", "cluster")}] = true
		n.add(s.serviceSet(set))
	}
	for _, c := range m.Status.MatchingClusters {
		if c.Deployed || served[Ref{Namespace: c.Namespace, Name: c.Name}] {
			continue
		}
		at := n.add(&Node{Ref: Ref{Kind: c.Kind, Namespace: c.Namespace, Name: c.Name}, Mark: Working, Message: oneLine(cmp.Or(c.Message, c.Reason, "it has no ServiceSet yet"))})
		at.Next = fmt.Sprintf("look there: portico why clusterdeployment %s -n %s", c.Name, c.Namespace)
		if c.LastTransitionTime != nil {
			at.Since = c.LastTransitionTime.Time
		}
	}
	return n
}

func management(o *unstructured.Unstructured) *Node {
	m := typed[kcm.Management](o)
	n := (&Node{Ref: refOf(o), Detail: m.Status.Release}).judged(judge(o, kcm.ReadyCondition))
	if len(m.Status.Conditions) == 0 {
		n.Next = "see whether the management plane runs: portico status"
	}
	for _, name := range slices.Sorted(maps.Keys(m.Status.Components)) {
		c := m.Status.Components[name]
		at := n.add(&Node{Ref: Ref{Kind: "component", Name: name}, Detail: c.Template, Mark: OK, Since: n.Since})
		switch {
		case c.Success:
		case c.Error != "":
			at.Mark, at.Message = Broken, oneLine(c.Error)
			at.Next = fmt.Sprintf("look at its template: kubectl describe providertemplate %s", cmp.Or(c.Template, "NAME"))
		default:
			at.Mark, at.Message = Working, "it is not there yet"
		}
	}
	return n
}
