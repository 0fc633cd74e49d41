package explain

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
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
		{Kind: statev1.NamespacedMultiClusterServiceKind, Words: []string{"namespacedmulticlusterservice", "nmcs"}},
		{Kind: statev1.RolloutKind, Words: []string{"rollout"}},
		{Kind: kcm.StateManagementProviderKind, Words: []string{"statemanagementprovider", "smp"}, ClusterScoped: true},
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
		return s.serviceSetAlone(o)
	case kcm.MultiClusterServiceKind, statev1.NamespacedMultiClusterServiceKind:
		return s.multiClusterService(o)
	case statev1.RolloutKind:
		return s.rollout(o)
	case kcm.StateManagementProviderKind:
		return s.stateManagementProvider(o)
	case kcm.ManagementKind:
		return management(o)
	case "Machine":
		return s.machine(o, types.NamespacedName{Namespace: o.GetNamespace(), Name: text(o, "spec", "clusterName")})
	}
	return nil
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
