package deployment

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/clusters/adopted"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/helm"
)

// Reasons of HelmReleaseReady: Flux's words, which k0rdent's users know.
const (
	reasonInstalled     = "InstallSucceeded"
	reasonInstallFailed = "InstallFailed"
	reasonUpgraded      = "UpgradeSucceeded"
	reasonUpgradeFailed = "UpgradeFailed"
)

// Outcome is how acting on a plan ended.
type Outcome struct {
	// Done are the operations that were carried out, in order.
	Done []Operation
	// Release is how the release stands after them.
	Release helm.State
	// Failed is the operation that ended with Err, nil if none did.
	Failed Operation
	Err    error
}

// Status folds what was seen and done into the status. It is computed whole, so nothing of it
// can be forgotten; only servicesUpgradePaths has another writer.
func Status(d *kcm.ClusterDeployment, saw Observed, done Outcome) kcm.ClusterDeploymentStatus {
	saw.Release = done.Release
	at := control.Stamp{Now: saw.Now, Generation: d.Generation}
	facts := facts(d, saw, done)
	ready := readiness(d, saw, control.Fold(d.Status.Conditions, at, facts...))
	out := *d.Status.DeepCopy()
	out.ObservedGeneration = d.Generation
	out.Conditions = control.Fold(d.Status.Conditions, at, append(facts, ready)...)
	out.Services = services(saw)
	if saw.Template != nil {
		out.KubernetesVersion = saw.Template.KubernetesVersion
		out.AvailableUpgrades = saw.Upgrades
	}
	return out
}

// facts are all conditions but Ready.
func facts(d *kcm.ClusterDeployment, saw Observed, done Outcome) []metav1.Condition {
	if !d.DeletionTimestamp.IsZero() {
		return deletionFacts(d, saw, done)
	}
	list := requirements(d, saw)
	if saw.chartNameChanged() {
		list = append(list, control.True(kcm.HelmChartNameChangedCondition, kcm.HelmChartNameChangedCondition, renamed(d, saw)))
	}
	list = append(list, leftovers(d, saw, done)...)
	if d.Spec.DryRun && !present(saw.Release) {
		return list
	}
	list = append(list, releaseReady(d, saw, done))
	if c, ok := clusterReady(d, saw); ok {
		list = append(list, c)
	}
	return append(list, servicesReady(d, saw))
}

// leftovers are documents that nothing refers to any more, and that are still there.
func leftovers(d *kcm.ClusterDeployment, saw Observed, done Outcome) []metav1.Condition {
	var list []metav1.Condition
	for _, kind := range documentKinds {
		if reference(d, kind) == "" && saw.document(kind).Stored != "" && !slices.Contains(done.Done, Operation(DropDocument{kind})) {
			list = append(list, progressing(places[kind].condition, "The %s that nothing refers to is still stored", kind))
		}
	}
	return list
}

func releaseReady(d *kcm.ClusterDeployment, saw Observed, done Outcome) metav1.Condition {
	const kind = kcm.HelmReleaseReadyCondition
	r := saw.Release
	good, bad := reasonInstalled, reasonInstallFailed
	if r.Revision > 1 {
		good, bad = reasonUpgraded, reasonUpgradeFailed
	}
	trouble := ""
	switch done.Failed.(type) { // what else may fail is not about the release
	case ApplyRelease, StoreDocument, DropDocument:
		trouble = could(done)
	}
	switch {
	case recorded(r):
		return control.False(kind, bad, fmt.Sprintf("Revision %d of release %s failed, and is tried again: %s", r.Revision, d.Name, cmp.Or(r.Message, trouble, "its record does not say why")))
	case r.Status == helm.Failed:
		return control.False(kind, bad, fmt.Sprintf("Release %s failed, and is tried again: %s", d.Name, cmp.Or(r.Message, trouble)))
	case trouble != "":
		return control.False(kind, bad, trouble)
	case saw.Tries.Failed > 0 && !applied(saw):
		return control.False(kind, bad, fmt.Sprintf("Release %s failed, and is tried again: %s", d.Name, saw.Tries.Problem))
	case !present(r):
		return progressing(kind, "Nothing is installed yet")
	case r.Status != helm.Deployed:
		return progressing(kind, "Revision %d of release %s is %s", r.Revision, d.Name, r.Status)
	}
	return control.True(kind, good, fmt.Sprintf("Revision %d of release %s is deployed, with chart %s %s", r.Revision, d.Name, r.Chart, r.ChartVersion))
}

// could says which operation failed, and why.
func could(done Outcome) string {
	return fmt.Sprintf("Could not %s: %s", done.Failed, fleet.Sentence(done.Err))
}

// clusterReady is what Cluster API says of its Cluster, or our own look at an adopted one.
// There is nothing to say before the release is there.
func clusterReady(d *kcm.ClusterDeployment, saw Observed) (metav1.Condition, bool) {
	switch {
	case saw.Adopted != nil:
		return adoptedReady(*saw.Adopted), true
	case saw.Cluster != nil && saw.Cluster.Verdict.Status == metav1.ConditionTrue && unsettled(saw) > 0:
		return progressing(kcm.CAPIClusterSummaryCondition, "A change was applied just now, and Cluster API has not reacted yet"), true
	case saw.Cluster != nil:
		v := saw.Cluster.Verdict
		return metav1.Condition{Type: kcm.CAPIClusterSummaryCondition, Status: v.Status, Reason: v.Reason, Message: v.Message}, true
	}
	for _, kind := range []string{kcm.CAPIClusterSummaryCondition, kcm.SveltosClusterReadyCondition} {
		if was := control.Find(d.Status.Conditions, kind); was != nil && was.Reason != kcm.ProgressingReason {
			return control.False(kind, kcm.CAPIClusterMissingReason, "The cluster's object is gone, although nobody deleted this ClusterDeployment: delete it, and create it again"), true
		}
	}
	if r := saw.Release; !present(r) || r.Status == helm.Failed && !recorded(r) {
		return metav1.Condition{}, false
	}
	return progressing(expectedCondition(saw), "The cluster's object has not been seen yet"), true
}

func expectedCondition(saw Observed) string {
	if r := saw.Rendering; r != nil && len(r.Clusters) == 1 && r.Clusters[0].Kind == sveltosClusterKind {
		return kcm.SveltosClusterReadyCondition
	}
	return kcm.CAPIClusterSummaryCondition
}

func adoptedReady(a adopted.Cluster) metav1.Condition {
	const kind = kcm.SveltosClusterReadyCondition
	switch {
	case a.Ready:
		return succeeded(kind, "The cluster answers")
	case a.Problem != "":
		return failed(kind, "The cluster does not answer: %s", a.Problem)
	}
	return progressing(kind, "Nobody has tried to connect yet")
}

// notReadySince says since when Cluster API's Cluster is not ready; ok is false if it is, or
// if there is none.
func notReadySince(d *kcm.ClusterDeployment, saw Observed) (since time.Time, ok bool) {
	if saw.Cluster == nil || saw.Cluster.Verdict.Status == metav1.ConditionTrue {
		return time.Time{}, false
	}
	was := control.Find(d.Status.Conditions, kcm.CAPIClusterSummaryCondition)
	if was == nil || was.Status != saw.Cluster.Verdict.Status {
		return saw.Now, true
	}
	return was.LastTransitionTime.Time, true
}

// readiness is Ready, derived from the other conditions: the first that does not hold speaks.
// Nobody having looked is not ready, so Ready never flashes.
func readiness(d *kcm.ClusterDeployment, saw Observed, conditions []metav1.Condition) metav1.Condition {
	if !d.DeletionTimestamp.IsZero() {
		return control.False(kcm.ReadyCondition, kcm.DeletingReason, control.Find(conditions, kcm.DeletingCondition).Message)
	}
	parts, good := requirements(d, saw), "Object is ready"
	if d.Spec.DryRun {
		good = "Dry run: everything is valid, and nothing was created or changed. Set spec.dryRun to false to go on"
	}
	follow := []string{kcm.ClusterAuthenticationReadyCondition, kcm.ClusterAuditPolicyReadyCondition}
	dry := d.Spec.DryRun && !present(saw.Release)
	if !dry {
		follow = append(follow, kcm.HelmReleaseReadyCondition, kcm.CAPIClusterSummaryCondition, kcm.SveltosClusterReadyCondition)
	}
	for _, kind := range follow {
		if c := control.Find(conditions, kind); c != nil {
			parts = append(parts, *c)
		}
	}
	if dry {
		return rollUp(parts, good)
	}
	if c, ok := unmet(parts); ok && c.Type == kcm.CAPIClusterSummaryCondition {
		return comingUp(c, saw.Now)
	}
	return rollUp(append(parts, servicesPart(d, saw)), good)
}

// rollUp takes what is wrong before what is unknown.
func rollUp(parts []metav1.Condition, good string) metav1.Condition {
	c := control.Summary(kcm.ReadyCondition, parts...)
	switch {
	case c.Status == metav1.ConditionTrue:
		return succeeded(kcm.ReadyCondition, "%s", good)
	case c.Status == metav1.ConditionUnknown:
		c.Reason = kcm.ProgressingReason
	case c.Reason != kcm.ProgressingReason:
		c.Reason = kcm.FailedReason
	}
	return c
}

// comingUp is Ready of a cluster that is not up: progress at first, and a failure when it has
// taken too long.
func comingUp(c metav1.Condition, now time.Time) metav1.Condition {
	missing := c.Reason == kcm.CAPIClusterMissingReason
	switch {
	case missing:
		return failed(kcm.ReadyCondition, "%s", c.Message)
	case now.Sub(c.LastTransitionTime.Time) >= grace:
		return failed(kcm.ReadyCondition, "Cluster is not ready. Check the provider logs for more details. %s", c.Message)
	case c.Status == metav1.ConditionUnknown:
		return progressing(kcm.ReadyCondition, "%s", c.Message)
	}
	return control.False(kcm.ReadyCondition, kcm.ProgressingReason, c.Message)
}

// deletionFacts say what the deletion waits for, and what of it failed.
func deletionFacts(d *kcm.ClusterDeployment, saw Observed, done Outcome) []metav1.Condition {
	reason, message := deletionStage(d, saw)
	if done.Failed != nil {
		message += ". " + could(done)
	}
	list := []metav1.Condition{control.True(kcm.DeletingCondition, reason, message)}
	if c, ok := clusterReady(d, saw); ok && saw.Cluster != nil {
		list = append(list, c)
	}
	if d.Spec.CleanupOnDeletion {
		list = append(list, cloudResourcesDeleted(d, saw))
	}
	return list
}

func deletionStage(d *kcm.ClusterDeployment, saw Observed) (reason, message string) {
	switch {
	case len(saw.ServiceSets) > 0:
		return kcm.WaitingForServiceSetsDeletionReason, "Waiting for the services to be removed: ServiceSet " + names(saw.ServiceSets)
	case mustClean(d, saw) && len(saw.Cloud.Left) == 0:
		return kcm.WaitingForCloudResourcesDeletionReason, "Waiting for the cluster to say what would outlive it"
	case mustClean(d, saw):
		return kcm.WaitingForCloudResourcesDeletionReason, "Waiting for what would outlive the cluster: " + listed(saw.Cloud.Left)
	case saw.Cluster != nil && saw.Cluster.Deleting:
		return kcm.WaitingForClusterDeletionReason, "Waiting for Cluster API to delete the Cluster: " + saw.Cluster.Verdict.Message
	case saw.Cluster != nil:
		return kcm.WaitingForClusterDeletionReason, "Waiting for Cluster API to begin to delete the Cluster"
	case present(saw.Release) || saw.Adopted != nil:
		return kcm.WaitingForHelmReleaseDeletionReason, "Waiting for the release to be removed"
	}
	return kcm.DeletionCompletedReason, "Everything is gone"
}

// cloudResourcesDeleted is what the last look at the cluster has found: from the moment that it
// is deleted nobody looks any more.
func cloudResourcesDeleted(d *kcm.ClusterDeployment, saw Observed) metav1.Condition {
	const kind = kcm.CloudResourcesDeletedCondition
	was := control.Find(d.Status.Conditions, kind)
	switch {
	case saw.Cloud.Problem != "":
		return control.Unknown(kind, kcm.FailedReason, "Load balancers and volume claims cannot be looked at: "+saw.Cloud.Problem)
	case len(saw.Cloud.Left) > 0:
		return control.False(kind, kcm.WaitingForCloudResourcesDeletionReason, "Still there: "+listed(saw.Cloud.Left))
	case saw.Cloud.Looked:
		return succeeded(kind, "No load balancer and no volume claim is left")
	case was != nil:
		return metav1.Condition{Type: kind, Status: was.Status, Reason: was.Reason, Message: was.Message}
	}
	return progressing(kind, "Nobody has looked for load balancers and volume claims yet")
}
