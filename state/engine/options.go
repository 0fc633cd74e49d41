package engine

import "time"

// Policy is how an engine treats a set as a whole: k0rdent's provider configuration, decoded.
type Policy struct {
	// Sync says when the target is brought back to the wanted state.
	Sync SyncMode
	// Priority ranks the sets that want the same release; the higher one has it.
	Priority int32
	// StopOnConflict keeps the whole set from changes while one of its releases belongs to
	// another set; StopOnError while one of its services has failed, the failed one excepted.
	// What is deployed goes on running. Without them a conflict or a failure holds back what
	// depends on it, and nothing else. What is held back is Pending, with the name of the
	// service that holds it. A conflict is no failure in this sense, and the removal of the
	// whole set is held back by neither.
	StopOnConflict, StopOnError bool
	// MaxFailures is after how many failures in a row a service is not tried again until
	// something of it changes; 0 is never.
	MaxFailures int
	// LeaveOnRemove keeps the services on the target when the set goes: Removal.Leave says so
	// again, to an engine that has never heard of the set.
	LeaveOnRemove bool
	// Reload restarts workloads when a ConfigMap or Secret that they mount changes.
	Reload bool
	// DriftIgnored and DriftExcluded limit what drift detection looks at.
	DriftIgnored  []Selector
	DriftExcluded []Exclusion
	// Patches are applied to the objects of every service before they reach the target.
	Patches []Patch
}

// Patch changes the selected objects.
type Patch struct {
	// Patch is a strategic merge patch, or a list of JSON patch operations (RFC 6902), as YAML
	// or JSON.
	Patch  string
	Target Selector
}

// SyncMode says when the target is brought back to the wanted state.
type SyncMode string

// The sync modes.
const (
	// OneTime installs each service once: when it was deployed in whole, no change of what is
	// wanted reaches it any more, but its removal. It goes on being called Deployed, in the
	// version that is there, and what depends on it goes on.
	OneTime SyncMode = "OneTime"
	// Continuous follows changes of what is wanted. What was changed on the target is reported
	// as drift, and stays.
	Continuous SyncMode = "Continuous"
	// ContinuousWithDriftDetection also mends what was changed on the target. The empty mode
	// is Continuous.
	ContinuousWithDriftDetection SyncMode = "ContinuousWithDriftDetection"
	// DryRun reports what would be done and does nothing: services that would change are Pending
	// and the message begins with "dry run: ". That the set goes is the user's wish all the same.
	DryRun SyncMode = "DryRun"
)

// Selector selects objects on the target; empty fields match everything.
type Selector struct {
	Group, Version, Kind, Namespace, Name string
	LabelSelector, AnnotationSelector     string
}

// Exclusion takes paths (JSON pointers) of the selected objects out of drift detection.
type Exclusion struct {
	Paths  []string
	Target Selector
}

// Options are the installation options of a chart, with every default applied: k0rdent's
// ServiceHelmOptions, the template's overlaid by the service's, field by field.
type Options struct {
	Wait, WaitForJobs, Atomic bool
	// Timeout bounds a wait, a hook, an atomic rollback.
	Timeout                              time.Duration
	CreateNamespace, SkipCRDs            bool
	DisableHooks, DisableOpenAPIChecks   bool
	SkipSchemaValidation, DependencyBump bool
	Labels                               map[string]string
	Description                          string
	Install                              InstallOptions
	Upgrade                              UpgradeOptions
	Uninstall                            UninstallOptions
}

// InstallOptions are the options of a first installation.
type InstallOptions struct {
	DisableHooks, Replace, TakeOwnership bool
}

// UpgradeOptions are the options of an upgrade.
type UpgradeOptions struct {
	Force, ResetValues, ReuseValues, ResetThenReuseValues bool
	CleanupOnFail, SubNotes, UpgradeCRDs                  bool
	DisableHooks, TakeOwnership                           bool
	// MaxHistory is how many revisions are kept; 0 keeps all.
	MaxHistory int
}

// UninstallOptions are the options of a removal.
type UninstallOptions struct {
	KeepHistory, DisableHooks bool
	// Propagation is Kubernetes' deletion propagation: background, foreground or orphan.
	Propagation string
}
