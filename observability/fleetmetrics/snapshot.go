package fleetmetrics

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/observability/store"
)

// Snapshot is what is known at one time. The objects may be those of a cache: they are read only.
type Snapshot struct {
	// Home is the management cluster, as telemetry calls it.
	Home     types.NamespacedName
	Clusters []kcm.ClusterDeployment
	// Tenants are those that namespaces belong to, by their label; namespaces without one are left out.
	Tenants     map[string]string
	Templates   []kcm.ClusterTemplate
	ServiceSets []kcm.ServiceSet
	// Reachable says of clusters whether their API servers answered last.
	Reachable map[types.NamespacedName]bool
	// Conditioned are the objects whose conditions are told.
	Conditioned []Conditioned

	Certificates []Certificate
	Arrivals     []Arrival
	Regions      []Region
	Stores       []Store
	// Alerting is nil until rules are evaluated.
	Alerting *Alerting
	Costs    []Cost
	Budgets  []Budget
}

// Owner is the cluster that something belongs to.
type Owner struct {
	// Namespace and Name are those of its ClusterDeployment, or of the management cluster.
	types.NamespacedName
	// Tenant is empty for what is the plane's own.
	Tenant store.Tenant
}

// Conditioned is an object with conditions, or with status.valid.
type Conditioned struct {
	Kind string
	types.NamespacedName
	Conditions []metav1.Condition
	// Valid is that field of a template's status; nil for others.
	Valid *bool
}

// Certificate is one that ends.
type Certificate struct {
	Of Owner
	// Namespace and Name say which; Namespace is empty for a file.
	Namespace, Name string
	Ends            time.Time
}

// Arrival is the newest that a region's store has of a cluster.
type Arrival struct {
	Of     Owner
	Region string
	// Signal is metrics, logs or traces.
	Signal string
	Newest time.Time
}

// Region is a region's stores, and whether they answered last.
type Region struct {
	Name string
	Up   bool
}

// Store is one store of a region. What it does not tell is negative.
type Store struct {
	Region, Name         string
	Used, Limit, Refused float64
}

// Alerting is what came of the rules.
type Alerting struct {
	Used, Refused, Unlabelled int
	// ReceiversValid says whether Alertmanager took its configuration.
	ReceiversValid bool
}

// Cost is what something costs in an hour.
type Cost struct {
	Of                            Owner
	Namespace, Resource, Currency string
	Hourly                        float64
}

// Budget is one of this month.
type Budget struct {
	Name, Currency         string
	Tenant                 store.Tenant
	Limit, Spent, Forecast float64
}
