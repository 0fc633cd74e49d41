package explain

import (
	"cmp"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// Count is how many of something are ready.
type Count struct {
	Ready int `json:"ready"`
	Total int `json:"total"`
}

// ClusterSummary is a ClusterDeployment on one line.
type ClusterSummary struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Ready is the status of the condition: True, False or Unknown.
	Ready             string `json:"ready"`
	Mark              Mark   `json:"mark"`
	DryRun            bool   `json:"dryRun,omitempty"`
	Template          string `json:"template"`
	Credential        string `json:"credential,omitempty"`
	KubernetesVersion string `json:"kubernetesVersion,omitempty"`
	Services          Count  `json:"services"`
	// Machines are absent where Cluster API has none.
	Machines *Count    `json:"machines,omitempty"`
	Created  time.Time `json:"created"`
	// Since is when it became as ready as it is; Message says why it is not.
	Since             time.Time `json:"since,omitzero"`
	Message           string    `json:"message,omitempty"`
	AvailableUpgrades []string  `json:"availableUpgrades,omitempty"`
}

// Clusters are the ClusterDeployments of the snapshot, sorted by namespace and name.
func (s Snapshot) Clusters() []ClusterSummary {
	out := []ClusterSummary{}
	for _, o := range s.list(kcm.ClusterDeploymentKind, anything) {
		out = append(out, s.clusterSummary(o))
	}
	return out
}

func (s Snapshot) clusterSummary(o *unstructured.Unstructured) ClusterSummary {
	d := typed[kcm.ClusterDeployment](o)
	c := ClusterSummary{
		Namespace: d.Namespace, Name: d.Name, Ready: string(metav1.ConditionUnknown), DryRun: d.Spec.DryRun, Template: d.Spec.Template,
		Credential: d.Spec.Credential, KubernetesVersion: d.Status.KubernetesVersion, Created: d.CreationTimestamp.Time, AvailableUpgrades: d.Status.AvailableUpgrades,
	}
	v := judge(o, kcm.ReadyCondition)
	c.Mark, c.Message, c.Since = v.mark, oneLine(v.message), v.since
	// A True of an older generation is not about what is wanted now.
	if ready := control.Find(d.Status.Conditions, kcm.ReadyCondition); ready != nil && (ready.Status != metav1.ConditionTrue || c.Mark == OK) {
		c.Ready = string(ready.Status)
	}
	if c.Mark == OK && d.Spec.DryRun {
		c.Message = "dry run: everything is valid, and nothing was made"
	}
	c.Services = servicesOf(d)
	// The charts that Cluster API's templates come in call the Cluster as the release.
	machines := s.list("Machine", func(m *unstructured.Unstructured) bool {
		return m.GetNamespace() == d.Namespace && m.GetLabels()[kcm.CAPIClusterNameLabel] == d.Name
	})
	if len(machines) > 0 {
		c.Machines = &Count{Total: len(machines)}
	}
	for _, m := range machines {
		if judge(m, kcm.ReadyCondition).mark == OK {
			c.Machines.Ready++
		}
	}
	return c
}

// servicesOf counts the services that a cluster has or wants.
func servicesOf(d kcm.ClusterDeployment) Count {
	type key struct{ namespace, name string }
	seen := map[key]bool{}
	c := Count{}
	for _, st := range d.Status.Services {
		seen[key{st.Namespace, st.Name}] = true
		if st.State == kcm.ServiceDeployed {
			c.Ready++
		}
	}
	for _, svc := range d.Spec.ServiceSpec.Services {
		if !svc.Disable {
			seen[key{cmp.Or(svc.Namespace, "default"), svc.Name}] = true
		}
	}
	c.Total = len(seen)
	return c
}

// ServiceSummary is one service on one cluster, on one line.
type ServiceSummary struct {
	// Cluster is the namespace and name of the cluster.
	ClusterNamespace string `json:"clusterNamespace"`
	Cluster          string `json:"cluster"`
	// Namespace and Name are those of the service on the cluster.
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Template  string `json:"template"`
	Version   string `json:"version,omitempty"`
	State     string `json:"state"`
	Mark      Mark   `json:"mark"`
	// From is the MultiClusterService or NamespacedMultiClusterService that it comes from; empty
	// if it is the cluster's own.
	From    string    `json:"from,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Message string    `json:"message,omitempty"`
}

// Services are the services of all ServiceSets of the snapshot, and those that clusters want
// and that no ServiceSet has yet, sorted by cluster, namespace and name.
func (s Snapshot) Services() []ServiceSummary {
	out := []ServiceSummary{}
	for _, o := range s.list(kcm.ServiceSetKind, anything) {
		set := typed[kcm.ServiceSet](o)
		for _, state := range s.statesOf(set) {
			out = append(out, serviceSummary(set, state, s.service(set, state)))
		}
	}
	for _, o := range s.list(kcm.ClusterDeploymentKind, anything) {
		if d := typed[kcm.ClusterDeployment](o); s.find(kcm.ServiceSetKind, d.Namespace, d.Name) == nil {
			out = append(out, s.unmade(d)...)
		}
	}
	slices.SortStableFunc(out, func(a, b ServiceSummary) int {
		return cmp.Or(cmp.Compare(a.ClusterNamespace, b.ClusterNamespace), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}

// unmade are the services of a cluster that has no ServiceSet.
func (s Snapshot) unmade(d kcm.ClusterDeployment) []ServiceSummary {
	set := kcm.ServiceSet{}
	set.Namespace, set.Name, set.Spec.Cluster, set.CreationTimestamp = d.Namespace, d.Name, d.Name, d.CreationTimestamp
	var out []ServiceSummary
	for _, state := range s.statesOf(set) {
		out = append(out, serviceSummary(set, state, s.service(set, state)))
	}
	return out
}

func serviceSummary(set kcm.ServiceSet, state kcm.ServiceState, n *Node) ServiceSummary {
	return ServiceSummary{
		ClusterNamespace: set.Namespace, Cluster: set.Spec.Cluster, Namespace: state.Namespace, Name: state.Name,
		Template: state.Template, Version: state.Version, State: string(state.State), Mark: n.Mark,
		From: ownerOf(set).from, Since: n.Since, Message: n.Message,
	}
}

// TemplateSummary is a template of any kind on one line.
type TemplateSummary struct {
	// Kind is cluster, service or provider.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Valid     bool   `json:"valid"`
	Mark      Mark   `json:"mark"`
	// Version is that of the chart.
	Version string `json:"version,omitempty"`
	// KubernetesVersion is what clusters get, or the range that a service works with.
	KubernetesVersion string   `json:"kubernetesVersion,omitempty"`
	Providers         []string `json:"providers,omitempty"`
	Description       string   `json:"description,omitempty"`
	Message           string   `json:"message,omitempty"`
}

// TemplateKinds are the kinds of template, by the word for people.
func TemplateKinds() map[string]string {
	return map[string]string{"cluster": kcm.ClusterTemplateKind, "service": kcm.ServiceTemplateKind, "provider": kcm.ProviderTemplateKind}
}

// Templates are the templates of the snapshot, sorted by kind, namespace and name.
func (s Snapshot) Templates() []TemplateSummary {
	out := []TemplateSummary{}
	for _, kind := range []string{"cluster", "service", "provider"} {
		for _, o := range s.list(TemplateKinds()[kind], anything) {
			t := typed[templateParts](o)
			n := s.template(o)
			out = append(out, TemplateSummary{
				Kind: kind, Namespace: o.GetNamespace(), Name: o.GetName(), Valid: t.Status.Valid, Mark: n.Mark, Version: t.Status.ChartVersion,
				KubernetesVersion: cmp.Or(t.Status.KubernetesVersion, t.Status.KubernetesConstraint),
				Providers:         t.Status.Providers, Description: t.Status.Description, Message: n.Message,
			})
		}
	}
	return out
}
