package deployment

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/clusters/capi"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
)

// Times after which we look again, although no event came.
const (
	// retryAfter is how long a failed operation rests before the same is tried again, and
	// retryAtLast how long a release does that has failed many times.
	retryAfter  = time.Minute
	retryAtLast = 15 * time.Minute
	// settling is how long after an upgrade we do not take Cluster API's word that all is well:
	// it may be about what was there before.
	settling = 5 * time.Second
	// grace is how long a cluster may take to come up before we call it failed.
	grace = 30 * time.Minute
	// cloudInterval is how often we ask a child cluster, which nobody watches any more,
	// whether its load balancers are gone, and cloudPatience how long in all.
	cloudInterval = 5 * time.Second
	cloudPatience = 10 * time.Minute
)

// Plan is what to do now, in order, and what comes next.
type Plan struct {
	Operations []Operation
	Next       fleet.Next
}

// Operation is one step. Each can be broken off and made again; String names it for people.
type Operation interface{ String() string }

// The operations.
type (
	// Claim puts our finalizer and label on the ClusterDeployment.
	Claim struct{}
	// StoreDocument makes the stored document the wanted one.
	StoreDocument struct {
		Kind DocumentKind
		Text string
	}
	// DropDocument removes a document that nothing refers to.
	DropDocument struct{ Kind DocumentKind }
	// ApplyRelease makes the release the wanted one.
	ApplyRelease struct {
		// Retry says that the last attempt at the same failed, some time ago.
		Retry bool
	}
	// DeleteServiceSets asks the engines to take the services off the cluster.
	DeleteServiceSets struct{ Names []string }
	// CleanCloud deletes what would outlive the cluster.
	CleanCloud struct{ Left []string }
	// DeleteCluster asks Cluster API to delete the cluster.
	DeleteCluster struct{ Cluster capi.Cluster }
	// Unblock lets the infrastructure object of a cluster without machines go.
	Unblock struct{ Cluster capi.Cluster }
	// RemoveRelease uninstalls what the chart made.
	RemoveRelease struct{}
	// Disclaim takes our finalizer off.
	Disclaim struct{}
)

// String is the operation as a line of a plan.
func (Claim) String() string { return "claim the ClusterDeployment" }

// String is the operation as a line of a plan.
func (o StoreDocument) String() string { return "store the " + string(o.Kind) }

// String is the operation as a line of a plan.
func (o DropDocument) String() string { return "drop the " + string(o.Kind) }

// String is the operation as a line of a plan.
func (ApplyRelease) String() string { return "apply the release" }

// String is the operation as a line of a plan.
func (o DeleteServiceSets) String() string { return "delete ServiceSet " + strings.Join(o.Names, ", ") }

// String is the operation as a line of a plan.
func (o CleanCloud) String() string { return "delete on the child " + strings.Join(o.Left, ", ") }

// String is the operation as a line of a plan.
func (o DeleteCluster) String() string { return "delete Cluster " + o.Cluster.Key.String() }

// String is the operation as a line of a plan.
func (o Unblock) String() string {
	return fmt.Sprintf("unblock %s %s", o.Cluster.Infrastructure.Kind, o.Cluster.Infrastructure.Name)
}

// String is the operation as a line of a plan.
func (RemoveRelease) String() string { return "remove the release" }

// String is the operation as a line of a plan.
func (Disclaim) String() string { return "release the ClusterDeployment" }

// Decide says what to do about a ClusterDeployment. When everything is as wanted it is nothing.
func Decide(d *kcm.ClusterDeployment, saw Observed) Plan {
	if !d.DeletionTimestamp.IsZero() {
		return decideDelete(d, saw)
	}
	var ops []Operation
	if !claimed(d) {
		ops = append(ops, Claim{})
	}
	if missing, ok := unmet(requirements(d, saw)); ok {
		return Plan{ops, nextFor(missing)}
	}
	if d.Spec.DryRun {
		return Plan{ops, fleet.Done()}
	}
	if left := resting(saw); left > 0 {
		return Plan{ops, fleet.Wait("the next attempt at the release", left)}
	}
	// The chart refers to documents: they are stored before it is applied, and dropped after.
	ops = append(ops, storeDocuments(saw)...)
	if !applied(saw) {
		ops = append(ops, ApplyRelease{Retry: failedAlready(saw)})
	}
	ops = append(ops, dropDocuments(saw)...)
	return Plan{ops, untilReady(d, saw)}
}

// decideDelete needs nothing of what creating needed: no template, chart or credential.
//
// The services go first, since only a living cluster can be cleaned. The Cluster goes before
// the release that rendered it: Cluster API deletes machines, control plane and infrastructure
// in an order that works, while an uninstall deletes all of them at once.
func decideDelete(d *kcm.ClusterDeployment, saw Observed) Plan {
	switch {
	case !hasFinalizer(d):
		return Plan{}
	case len(saw.ServiceSets) > 0:
		return Plan{deleteServiceSets(saw), fleet.Wait("the services to be removed", 0)}
	case mustClean(d, saw) && len(saw.Cloud.Left) == 0:
		return Plan{Next: fleet.Wait("the child cluster to answer", cloudInterval)}
	case mustClean(d, saw):
		return Plan{[]Operation{CleanCloud{saw.Cloud.Left}}, fleet.Wait("load balancers and volume claims to be gone", cloudInterval)}
	case saw.Cluster != nil && saw.InfrastructureBlocked:
		return Plan{[]Operation{Unblock{*saw.Cluster}}, fleet.Wait("the Cluster to be gone", 0)}
	case saw.Cluster != nil && saw.Cluster.Deleting:
		return Plan{Next: fleet.Wait("the Cluster to be gone", 0)}
	case saw.Cluster != nil:
		return Plan{[]Operation{DeleteCluster{*saw.Cluster}}, fleet.Wait("the Cluster to be gone", 0)}
	case saw.Adopted != nil && saw.Adopted.Deleting:
		return Plan{Next: fleet.Wait("the SveltosCluster to be gone", 0)}
	case present(saw.Release) && saw.Adopted != nil:
		return Plan{[]Operation{RemoveRelease{}}, fleet.Wait("the SveltosCluster to be gone", 0)}
	case present(saw.Release):
		return Plan{[]Operation{RemoveRelease{}, Disclaim{}}, fleet.Done()}
	}
	return Plan{[]Operation{Disclaim{}}, fleet.Done()}
}

func deleteServiceSets(saw Observed) []Operation {
	var names []string
	for _, s := range saw.ServiceSets {
		if !s.Deleting {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []Operation{DeleteServiceSets{names}}
}

// mustClean says whether something is left in the child's cloud that we can and should remove,
// or may be, since the child does not answer just now. It is a best effort with an end: a child
// that cannot be cleaned must not live for ever, and one without a kubeconfig never can be.
func mustClean(d *kcm.ClusterDeployment, saw Observed) bool {
	open := len(saw.Cloud.Left) > 0 || saw.Cloud.Problem != "" && !saw.Cloud.Hopeless
	return d.Spec.CleanupOnDeletion && open && saw.Now.Before(d.DeletionTimestamp.Add(cloudPatience))
}

func storeDocuments(saw Observed) []Operation {
	var ops []Operation
	for _, kind := range documentKinds {
		if doc := saw.document(kind); doc.Text != "" && doc.Text != doc.Stored {
			ops = append(ops, StoreDocument{kind, doc.Text})
		}
	}
	return ops
}

func dropDocuments(saw Observed) []Operation {
	var ops []Operation
	for _, kind := range documentKinds {
		if doc := saw.document(kind); doc.Text == "" && doc.Stored != "" {
			ops = append(ops, DropDocument{kind})
		}
	}
	return ops
}

func applied(saw Observed) bool {
	return saw.Release.Status == helm.Deployed && saw.Release.Digest == saw.Rendering.Digest
}

func failedAlready(saw Observed) bool {
	return saw.Release.Status == helm.Failed && saw.Release.Digest == saw.Rendering.Digest
}

// resting is for how much longer a release that has failed is left alone. Its record tells of
// the last attempt too, and outlives us.
func resting(saw Observed) time.Duration {
	last := saw.Tries.Last
	if failedAlready(saw) && saw.Release.Since.After(last) {
		last = saw.Release.Since
	}
	if last.IsZero() || applied(saw) {
		return 0
	}
	return max(0, last.Add(saw.Tries.pause()).Sub(saw.Now))
}

// present says whether there is anything of a release that removing would remove.
func present(r helm.State) bool {
	return r.Status != "" && r.Status != helm.Absent && r.Status != helm.Uninstalled
}

// untilReady says when to look again though no event may come: when an upgrade has settled, and
// when a cluster that is coming up has to be called failed.
func untilReady(d *kcm.ClusterDeployment, saw Observed) fleet.Next {
	if left := unsettled(saw); left > 0 || !applied(saw) {
		return fleet.Wait("Cluster API to react", max(left, settling))
	}
	since, ok := notReadySince(d, saw)
	if !ok {
		return fleet.Done()
	}
	return fleet.Wait("the cluster to become ready", max(0, since.Add(grace).Sub(saw.Now)))
}

// unsettled is for how much longer an upgrade is too young for Cluster API to have reacted. A
// first installation needs no such care: of a new cluster nobody says that it is ready.
func unsettled(saw Observed) time.Duration {
	if saw.Release.Status != helm.Deployed || saw.Release.Revision < 2 {
		return 0
	}
	return max(0, saw.Release.Since.Add(settling).Sub(saw.Now))
}

// nextFor says who has to move so that a requirement is met.
func nextFor(c metav1.Condition) fleet.Next {
	if c.Status == metav1.ConditionUnknown {
		return fleet.Wait(c.Message, 0)
	}
	return fleet.Stop(c.Message)
}
