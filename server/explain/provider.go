package explain

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// providerConditions are those of a StateManagementProvider, what comes first in time first.
var providerConditions = []string{kcm.RBACReadyCondition, kcm.AdapterReadyCondition, kcm.ProvisionerReadyCondition, kcm.ProvisionerCRDsReadyCondition}

// providerOf is the node of what deploys a ServiceSet, where that keeps it from being deployed.
func (s Snapshot) providerOf(set kcm.ServiceSet) *Node {
	name := set.Spec.Provider.Name
	o := s.find(kcm.StateManagementProviderKind, "", name)
	switch {
	case o != nil:
		if n := s.stateManagementProvider(o); n.Mark != OK {
			return n
		}
		return nil
	// The built-in one may be nobody's object.
	case name == "" || name == kcm.DefaultStateManagementProviderName || set.Status.Deployed || set.DeletionTimestamp != nil:
		return nil
	}
	ref := Ref{Kind: kcm.StateManagementProviderKind, Name: name}
	return missing(ref, set.CreationTimestamp.Time, "create it, or see which there are: kubectl get statemanagementproviders")
}

// stateManagementProvider is the node of a provider, with the programs that it consists of.
func (s Snapshot) stateManagementProvider(o *unstructured.Unstructured) *Node {
	p := typed[kcm.StateManagementProvider](o)
	n := (&Node{Ref: refOf(o), Detail: count(len(s.list(kcm.ServiceSetKind, func(set *unstructured.Unstructured) bool {
		return text(set, "spec", "provider", "name") == p.Name
	})), "ServiceSet")}).judged(judge(o, providerConditions...))
	if p.Spec.Suspend {
		n.judged(verdict{mark: Broken, phrase: "is suspended", message: "it is suspended by its spec.suspend, so nothing is done"})
		n.Next = fmt.Sprintf(`go on: kubectl patch statemanagementprovider %s --type merge -p '{"spec":{"suspend":false}}'`, p.Name)
		n.blame()
		return n
	}
	if n.Mark == OK {
		return n
	}
	n.Next = "see what it consists of, and whether that runs: kubectl get statemanagementprovider " + p.Name + " -o yaml"
	for _, part := range append([]kcm.ResourceReference{p.Spec.Adapter}, p.Spec.Provisioner...) {
		ref := Ref{Kind: part.Kind, Namespace: part.Namespace, Name: part.Name}
		if found := s.find(part.Kind, part.Namespace, part.Name); found != nil {
			n.add(&Node{Ref: ref, Mark: OK})
			continue
		}
		n.add(missing(ref, n.Since, "install the engine that the provider stands for, or name the program that there is: kubectl edit statemanagementprovider "+p.Name))
	}
	return n
}
