package deployment

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/clusters/adopted"
	"portico.dev/portico/clusters/capi"
	"portico.dev/portico/kube/helm"
)

// Observed is everything that decisions about one ClusterDeployment rest on. What was not
// found is nil, empty or zero.
type Observed struct {
	// Now is when it was seen.
	Now time.Time

	Template *Template
	// Parent is what the management cluster says it can make clusters with; nil if nothing.
	Parent     *kcm.ComponentsStatus
	Chart      Chart
	Credential *Credential
	// Authentication and AuditPolicy are texts that the chart refers to.
	Authentication Document
	AuditPolicy    Document
	// Rendering is nil while something is missing that it takes.
	Rendering *Rendering
	// Upgrades are the templates that the present one may be followed by.
	Upgrades []string

	Release helm.State
	// Tries are the attempts at the release as it is wanted that have failed, since we started.
	Tries   Tries
	Cluster *capi.Cluster
	Adopted *adopted.Cluster
	// ServiceSets are all that target the cluster, sorted by name.
	ServiceSets []ServiceSet

	// InfrastructureBlocked means that nothing but our finalizer keeps the infrastructure
	// object. It is looked at in deletion only.
	InfrastructureBlocked bool
	// Cloud is what the child cluster would leave behind in its cloud. It is looked at in
	// deletion only, and only if the user asked for clean-up.
	Cloud Cloud
}

// Template is a ClusterTemplate.
type Template struct {
	Valid bool
	// Problem is why it is not valid; empty while nobody has judged it.
	Problem           string
	KubernetesVersion string
	// Providers are the Cluster API providers that it takes, Contracts the versions of their
	// contracts that it takes of some of them.
	Providers []string
	Contracts map[string]string
}

// Chart is the template's chart, as far as it is fetched.
type Chart struct {
	// Name and Version are those of Chart.yaml; both are empty while the chart is not there.
	Name, Version string
	// Problem is why the chart is not there, if its source says so.
	Problem string

	source types.NamespacedName
	loaded *helm.Chart
}

// Credential is a Credential.
type Credential struct {
	Ready bool
	// Problem is why it is not ready.
	Problem string
	// Region is where its clusters live; empty means the management cluster.
	Region string
	// Identity is what the provider acts with.
	Identity kcm.ObjectReference
	// Accepted are, by provider, the kinds of identity that it takes; a provider that is
	// not listed has not said.
	Accepted map[string][]string
}

// Document is a text that the chart of a cluster refers to.
type Document struct {
	// Problem is why there is no text though there should be.
	Problem string
	// Text is what is wanted, empty for nothing; Stored is what is there.
	Text, Stored string
	// Anonymous means that the text says something about anonymous requests.
	Anonymous bool
}

// Rendering is what the chart makes of the values.
type Rendering struct {
	// Problems are what is wrong with the values, or with the chart.
	Problems []string
	// Clusters are the objects that are clusters: "Cluster ns/name".
	Clusters []RenderedCluster
	// Digest identifies chart and values.
	Digest string

	wanted helm.Wanted
}

// RenderedCluster names a cluster in what a chart renders.
type RenderedCluster struct {
	Kind, Namespace, Name string
}

// ServiceSet is what an engine has to do for the cluster, and how that stands.
type ServiceSet struct {
	Name     string
	Deleting bool
	Wanted   []kcm.ServiceWithValues
	States   []kcm.ServiceState
	// Stale means that States speak of an older wish than Wanted.
	Stale bool
}

// Cloud is what a child cluster holds that outlives it.
type Cloud struct {
	// Looked means that somebody has looked, and Left is what was found.
	Looked bool
	// Left are the load balancers and volume claims that are still there, sorted.
	Left []string
	// Problem is why nobody can look, and Hopeless that looking again cannot help.
	Problem  string
	Hopeless bool
}
