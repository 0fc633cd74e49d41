package explain

import (
	"cmp"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// templateParts is what the three kinds of template have in common.
type templateParts struct {
	Spec struct {
		Helm *kcm.HelmSpec `json:"helm"`
	} `json:"spec"`
	Status struct {
		kcm.TemplateStatus   `json:",inline"`
		KubernetesVersion    string   `json:"k8sVersion"`
		KubernetesConstraint string   `json:"k8sConstraint"`
		Providers            []string `json:"providers"`
	} `json:"status"`
}

func (s Snapshot) clusterTemplateOf(d kcm.ClusterDeployment) *Node {
	if o := s.find(kcm.ClusterTemplateKind, d.Namespace, d.Spec.Template); o != nil {
		return s.template(o)
	}
	ref := Ref{Kind: kcm.ClusterTemplateKind, Namespace: d.Namespace, Name: d.Spec.Template}
	return missing(ref, transition(d, kcm.TemplateReadyCondition), "create it, or name one that exists in spec.template: portico template list --kind cluster -n "+d.Namespace)
}

// template is the node of a template of any kind, with its chart and the chart's source.
func (s Snapshot) template(o *unstructured.Unstructured) *Node {
	t := typed[templateParts](o)
	n := &Node{Ref: refOf(o), Detail: join(t.Status.KubernetesVersion, t.Status.ChartVersion), Mark: OK}
	switch v, going := deletion(o, nil); {
	case going:
		n.judged(v)
	case !t.Status.Valid && t.Status.ValidationError != "":
		n.Mark, n.Message = Broken, oneLine(t.Status.ValidationError)
		n.Next = "mend its source, or create a template of another name: the spec of a template cannot be changed"
	case !t.Status.Valid:
		n.Mark, n.Message = Working, "it has not been checked yet"
	}
	if n.Mark != OK {
		// A template has no conditions: since its birth is all that is known.
		n.Since = o.GetCreationTimestamp().Time
	}
	s.addSources(n, o, t)
	return n
}

// addSources adds the chart of a template, and where the chart comes from.
func (s Snapshot) addSources(n *Node, o *unstructured.Unstructured, t templateParts) {
	ref := t.Status.ChartRef
	if ref == nil && t.Spec.Helm != nil {
		ref = t.Spec.Helm.ChartRef
	}
	if ref == nil {
		return
	}
	namespace := cmp.Or(ref.Namespace, o.GetNamespace())
	chart := s.source(ref.Kind, namespace, ref.Name)
	if chart == nil {
		if n.Mark != OK && t.Spec.Helm != nil && t.Spec.Helm.ChartRef != nil {
			n.add(missing(Ref{Kind: ref.Kind, Namespace: namespace, Name: ref.Name}, n.Since, "create it, or make a template that names another"))
		}
		return
	}
	n.add(chart)
	made := s.find(ref.Kind, namespace, ref.Name)
	if kind, name := text(made, "spec", "sourceRef", "kind"), text(made, "spec", "sourceRef", "name"); name != "" {
		if from := s.source(kind, namespace, name); from != nil {
			chart.add(from)
			return
		}
		chart.add(missing(Ref{Kind: kind, Namespace: namespace, Name: name}, chart.Since, "create it: the chart is fetched from there"))
	}
}

// source is the node of one of Flux's source kinds, nil if it is not there.
func (s Snapshot) source(kind, namespace, name string) *Node {
	o := s.find(kind, namespace, name)
	if o == nil {
		return nil
	}
	n := &Node{Ref: refOf(o), Detail: text(o, "status", "artifact", "revision")}
	if n.judged(judge(o, kcm.ReadyCondition)); text(o, "spec", "type") == "oci" && len(conditionsOf(o)) == 0 {
		// A HelmRepository of this type is only an address: nobody fetches it, or reports on it.
		n.Mark, n.Message, n.Since = OK, "", time.Time{}
	}
	if flag(o, "spec", "suspend") && n.Mark != OK {
		n.Mark, n.Message = Broken, "it is suspended by its spec.suspend, so nothing is fetched"
	}
	if n.Mark == Broken {
		n.Next = fmt.Sprintf("mend its spec, or what it points to: kubectl edit %s %s -n %s", kind, name, namespace)
	}
	return n
}

func (s Snapshot) credentialOf(d kcm.ClusterDeployment) *Node {
	if d.Spec.Credential == "" {
		return nil
	}
	if o := s.find(kcm.CredentialKind, d.Namespace, d.Spec.Credential); o != nil {
		return s.credential(o)
	}
	ref := Ref{Kind: kcm.CredentialKind, Namespace: d.Namespace, Name: d.Spec.Credential}
	return missing(ref, transition(d, kcm.CredentialReadyCondition), "create it, or name one that exists in spec.credential: kubectl get credentials -n "+d.Namespace)
}

// credential is the node of a Credential, with the identity that it points to.
func (s Snapshot) credential(o *unstructured.Unstructured) *Node {
	c := typed[kcm.Credential](o)
	n := &Node{Ref: refOf(o), Detail: c.Spec.Description}
	n.judged(judge(o, kcm.CredentialReadyCondition))
	if n.Mark == Broken {
		n.Next = fmt.Sprintf("mend its spec.identityRef, or what that points to: kubectl edit credential %s -n %s", c.Name, c.Namespace)
	}
	id := c.Spec.IdentityRef
	if id == nil || id.Name == "" {
		return n
	}
	ref := Ref{Kind: id.Kind, Namespace: id.Namespace, Name: id.Name}
	switch found := s.find(id.Kind, id.Namespace, id.Name); {
	case found != nil:
		n.add(&Node{Ref: ref, Mark: OK})
	case n.Mark == Broken:
		n.add(missing(ref, n.Since, fmt.Sprintf("create it, or point to another: kubectl edit credential %s -n %s", c.Name, c.Namespace)))
	}
	return n
}

// transition is when a condition of a ClusterDeployment became what it is.
func transition(d kcm.ClusterDeployment, kind string) time.Time {
	if c := control.Find(d.Status.Conditions, kind); c != nil {
		return c.LastTransitionTime.Time
	}
	return d.CreationTimestamp.Time
}
