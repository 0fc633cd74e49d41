package v1alpha1

// Kinds of this package, and what rollouts speak of beside them.
const (
	NamespacedMultiClusterServiceKind = "NamespacedMultiClusterService"
	RolloutKind                       = "Rollout"
)

const (
	// EngineLabel names the engine that installs the services of a ServiceSet. It stands in the
	// selector of a StateManagementProvider, and so on the ServiceSets that name the provider.
	// Without it the engine is the plane's default.
	EngineLabel = "state.portico.dev/engine"
	// RevisionAnnotation is on a ServiceSet: the revision of its owner's service spec that it was
	// built from.
	RevisionAnnotation = "state.portico.dev/revision"
	// NotesAnnotation is on a ServiceSet: what its owner knows of its services and the spec has no
	// field for, as JSON; see state/service.Notes.
	NotesAnnotation = "state.portico.dev/notes"
	// RemovalDeadlineAnnotation is on a ClusterDeployment, a MultiClusterService or a
	// NamespacedMultiClusterService, and on the ServiceSets that are made for it: how long a removal
	// waits for one thing that depends on what is removed, once that is being removed itself. It is a
	// duration like "90s" or "1h", ten minutes if it is not there, or NoDeadline.
	RemovalDeadlineAnnotation = "state.portico.dev/removal-deadline"
	// NoDeadline has removals wait for as long as it takes.
	NoDeadline = "none"
	// RemovingCondition is on a ServiceState that others wait for, and on a ServiceSet that is
	// deleted, True while that is being removed: since when, is its transition time. While the
	// removal has to wait, or nothing can be removed, it is not there.
	RemovingCondition = "Removing"
	// OverdueCondition is on a ServiceState, True: its removal has not ended within the deadline,
	// and what it depends on is removed all the same.
	OverdueCondition = "RemovalOverdue"
	// UnorderedCondition is on a ServiceSet that is deleted, True: its services are removed although
	// a ServiceSet that depends on it is still there, after the deadline.
	UnorderedCondition = "RemovedWithoutDependents"
	// HeldCondition is on a ServiceState, True: the change that is wanted may not be made yet, and
	// the message says why. What was deployed before goes on running.
	HeldCondition = "Held"
	// DriftedCondition is on a ServiceState, True: objects of the service are not as they were
	// installed, and the message says which.
	DriftedCondition = "Drifted"
	// OwnerKindLabel and OwnerLabel are on a ControllerRevision: whose service spec it records.
	OwnerKindLabel = "state.portico.dev/owner-kind"
	OwnerLabel     = "state.portico.dev/owner"
	// Finalizer keeps a NamespacedMultiClusterService until its services are removed.
	Finalizer = "state.portico.dev/services"
)

// OverdueReason is that of OverdueCondition and of UnorderedCondition: something was waited for as
// long as the deadline says.
const OverdueReason = "DeadlineExceeded"

// The reasons of HeldCondition: what a service waits for.
const (
	// HeldDependency is another service that is not deployed yet.
	HeldDependency = "Dependency"
	// HeldChain is a step of the template chain, or that the chain has no way.
	HeldChain = "Chain"
	// HeldWave is the turn of the cluster in a Rollout.
	HeldWave = "Wave"
	// HeldKubernetes is a Kubernetes version that the template works with.
	HeldKubernetes = "Kubernetes"
)
