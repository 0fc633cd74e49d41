package plan

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
)

// Input is what a plan is made from.
type Input struct {
	// Base is the management cluster; what it does not show to its user is not planned for.
	Base   client.Reader
	Scheme *runtime.Scheme
	Mapper meta.RESTMapper
	Clock  fleet.Clock
	// System is the namespace of what belongs to MultiClusterServices.
	System string
	// Changes are made in their order.
	Changes []Change
	// Admit says what is wrong with a change, in sentences; nil admits everything. It is asked
	// when all changes are made, so that their order does not matter.
	Admit func(ctx context.Context, q Question) ([]string, error)
	// Seen looks into services; nil finds neither problems nor diffs.
	Seen *Seen
}

// Change is an object to be applied or deleted.
type Change struct {
	// Object is what was written, with apiVersion and kind.
	Object client.Object
	// Text is its JSON: a field that is not in it is not changed.
	Text []byte
	// Delete says that it is to go.
	Delete bool
}

// Question is whether a change would be taken.
type Question struct {
	// Kube is the copy with all changes, Live the server with the ConfigMaps and Secrets among them.
	Kube client.Client
	Live client.Reader
	Change
	// Old is the object as it was; nil for a new one.
	Old client.Object
}

// Plan is what would happen.
type Plan struct {
	// Refused are the changes that would not be taken. The rest of the plan is without them.
	Refused []Refusal `json:"refused,omitempty"`
	// Clusters are those on which something changes or waits, sorted by namespace and name.
	Clusters []Cluster `json:"clusters,omitempty"`
	// Rollouts are those that take part, sorted by namespace and name.
	Rollouts []Rollout `json:"rollouts,omitempty"`
	// Unseen says what whoever asked may not see, in sentences: the plan is made as if it were not
	// there.
	Unseen []string `json:"unseen,omitempty"`
}

// Refusal is a change that would not be taken, and why.
type Refusal struct {
	Object  string   `json:"object"`
	Reasons []string `json:"reasons"`
}

// Cluster is what would happen on one cluster.
type Cluster struct {
	// Namespace and Name are the ClusterDeployment's; both empty for the management cluster.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Itself is what happens to the cluster: created, changed or deleted; empty for nothing.
	Itself string `json:"itself,omitempty"`
	// Steps are in the order in which they would be taken. Those of one round are taken side by side.
	Steps []Step `json:"steps,omitempty"`
	// Waiting are the services that would not get what is wanted, and why.
	Waiting []Waiting `json:"waiting,omitempty"`
}

// Action is what happens to a service.
type Action string

// The actions.
const (
	Install Action = "install"
	// Upgrade is a change to another template or version, Reconfigure one of values or options.
	Upgrade     Action = "upgrade"
	Reconfigure Action = "change"
	Remove      Action = "remove"
)

// Step is one thing that would be done to a service.
type Step struct {
	// Round counts from one: what is in a round needs what was done in those before it.
	Round int `json:"round"`
	// After is how much soak time has passed before it.
	After metav1.Duration `json:"after,omitzero"`
	// Set is the ServiceSet, From says whose services are in it.
	Set       string `json:"set"`
	From      string `json:"from"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Action    Action `json:"action"`
	// Before and Now are what is there and what will be: a template and its version.
	Before Version `json:"before,omitzero"`
	Now    Version `json:"now,omitzero"`
	// Problem is why it would fail, as far as can be seen now; empty if it would not.
	Problem string `json:"problem,omitempty"`
	// Diff is how the objects of the service on the cluster would change, as a unified diff, where
	// that was asked for and can be told.
	Diff string `json:"diff,omitempty"`

	before, now entry
	// fresh says that a ConfigMap or Secret that it is made of becomes another one with it.
	fresh  bool
	target types.NamespacedName
}

// Version is a template with the version that the user sees.
type Version struct {
	Template string `json:"template,omitempty"`
	Version  string `json:"version,omitempty"`
}

// Waiting is a service that would not get what is wanted.
type Waiting struct {
	From      string `json:"from"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Reason    string `json:"reason"`
	Message   string `json:"message"`
}

// Rollout is how far a rollout would come.
type Rollout struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Phase     string `json:"phase"`
	Revision  string `json:"revision"`
	Message   string `json:"message,omitempty"`
}

// Changes says whether anything would happen.
func (p Plan) Changes() bool {
	for _, c := range p.Clusters {
		if c.Itself != "" || len(c.Steps) > 0 {
			return true
		}
	}
	return false
}
