package hosted

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	"portico.dev/portico/clusters/provider"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// The reasons of conditions.
const (
	// ReasonCreating means that it is being made for the first time.
	ReasonCreating = "Creating"
	// ReasonStarting means that the control plane runs and does not answer yet.
	ReasonStarting = "Starting"
	// ReasonStopped means that the control plane does not run.
	ReasonStopped = "Stopped"
	// ReasonAnswering means that the API server answers.
	ReasonAnswering = "Answering"
	// ReasonApplied means that the wanted state is in place.
	ReasonApplied = "Applied"
	// ReasonNotSeen means that the control plane could not be asked.
	ReasonNotSeen = "NotSeen"
)

// Status is the fold of what was seen and done.
func Status(p *cp.HostedControlPlane, saw Observed, plan Plan, done Outcome) cp.HostedControlPlaneStatus {
	yes := true
	s := *p.Status.DeepCopy()
	s.ObservedGeneration = p.Generation
	s.ExternalManagedControlPlane = &yes
	if answers(saw, plan) && done.Failed != WriteKubeconfig && !saw.Paused {
		s.Initialization.ControlPlaneInitialized = &yes
	}
	if saw.Child.Version != "" {
		s.Version = saw.Child.Version
	}
	at := control.Stamp{Now: saw.Now, Generation: p.Generation}
	if saw.Paused {
		s.Conditions = provider.OnHold(p.Status.Conditions, at)
		return s
	}
	if !p.DeletionTimestamp.IsZero() {
		kept := control.Without(p.Status.Conditions, clusterv1.PausedCondition, clusterv1.DeletingCondition, cp.ReadyCondition)
		parts := append(kept, provider.NotPaused(), provider.Deleting(done, "The control plane, its data and its Secrets are being removed"),
			control.False(cp.ReadyCondition, provider.ReasonDeleting, "The control plane is being removed"))
		s.Conditions = control.Fold(p.Status.Conditions, at, parts...)
		return s
	}
	parts := []metav1.Condition{
		certificates(saw, plan, done), kubeconfig(saw, plan, done), available(saw, plan, done),
		upToDate(saw, plan, done), addonsReady(p, saw, done),
	}
	ready := control.Summary(cp.ReadyCondition, parts...)
	s.Conditions = control.Fold(p.Status.Conditions, at, append(parts, ready, provider.NotDeleting(), provider.NotPaused())...)
	return s
}

func certificates(saw Observed, plan Plan, done Outcome) metav1.Condition {
	const kind = cp.CertificatesReadyCondition
	switch {
	case saw.Secrets.Broken != "":
		return control.False(kind, provider.ReasonInvalid, plan.Why(Stop))
	case done.Failed == MakeAuthorities:
		return control.False(kind, provider.ReasonFailed, fleet.Sentence(done.Err))
	case saw.Cluster == nil:
		return control.False(kind, provider.ReasonWaiting, "Waiting for "+plan.Why(Wait))
	case len(saw.Secrets.Missing) > 0 && plan.Why(Stop) != "":
		return control.False(kind, provider.ReasonInvalid, plan.Why(Stop))
	case len(saw.Secrets.Missing) > 0:
		return control.False(kind, ReasonCreating, "The authorities are being made")
	}
	return control.True(kind, ReasonApplied, "")
}

func kubeconfig(saw Observed, plan Plan, done Outcome) metav1.Condition {
	const kind = cp.KubeconfigReadyCondition
	unwritten := saw.Secrets.Kubeconfig != "" && !due(saw)
	switch {
	case done.Failed == WriteKubeconfig:
		return control.False(kind, provider.ReasonFailed, fleet.Sentence(done.Err))
	case saw.Cluster == nil || saw.Cluster.Port == 0:
		return control.False(kind, provider.ReasonWaiting, "Waiting for "+plan.Why(Wait))
	case saw.Secrets.Broken != "", unwritten && plan.Why(Stop) != "" && !plan.Has(WriteKubeconfig):
		return control.False(kind, provider.ReasonInvalid, plan.Why(Stop))
	case unwritten:
		return control.False(kind, ReasonCreating, "The kubeconfig is being written")
	}
	return control.True(kind, ReasonApplied, "")
}

// due says whether the kubeconfig is merely due: it is still good then.
func due(saw Observed) bool {
	return !saw.Secrets.RenewAt.IsZero() && !saw.Now.Before(saw.Secrets.RenewAt)
}

func available(saw Observed, plan Plan, done Outcome) metav1.Condition {
	const kind = cp.AvailableCondition
	in := saw.Instance
	replaced := plan.Has(Run) && done.Failed != Run
	switch {
	case in.Phase == Ready && !replaced && saw.Child.Problem != "":
		return control.Unknown(kind, ReasonNotSeen, "The control plane runs, but could not be asked: "+saw.Child.Problem)
	case in.Phase == Ready && !replaced:
		return control.True(kind, ReasonAnswering, "")
	case in.Problem != "":
		return control.False(kind, provider.ReasonFailed, in.Problem)
	case in.Phase == Starting || replaced:
		return control.False(kind, ReasonStarting, "The control plane was started and does not answer yet")
	case done.Failed == Run:
		return failed(kind, done.Err)
	case plan.Why(Stop) != "":
		return control.False(kind, provider.ReasonInvalid, plan.Why(Stop))
	case plan.Why(Wait) != "":
		return control.False(kind, provider.ReasonWaiting, "Waiting for "+plan.Why(Wait))
	}
	return control.False(kind, ReasonStopped, "The control plane does not run")
}

// answers says whether the control plane that is wanted answered: one that is about to be replaced
// may have been left by another object of the same name.
func answers(saw Observed, plan Plan) bool {
	return saw.Instance.Phase == Ready && !plan.Has(Run)
}

// upToDate says whether what runs is what is asked for: an upgrade that cannot be made leaves
// the old control plane available.
func upToDate(saw Observed, plan Plan, done Outcome) metav1.Condition {
	const kind = cp.UpToDateCondition
	switch {
	case done.Failed == Run:
		return failed(kind, done.Err)
	case plan.Why(Stop) != "":
		return control.False(kind, provider.ReasonInvalid, plan.Why(Stop))
	case plan.Has(Run):
		return control.False(kind, ReasonStarting, "The control plane was started and does not answer yet")
	case saw.Wanted == "":
		return control.Unknown(kind, provider.ReasonWaiting, "Waiting for "+plan.Why(Wait))
	}
	return control.True(kind, ReasonApplied, "")
}

func failed(kind string, err error) metav1.Condition {
	if errors.Is(err, fleet.ErrInvalid) {
		return control.False(kind, provider.ReasonInvalid, fleet.Sentence(err))
	}
	return control.False(kind, provider.ReasonFailed, fleet.Sentence(err))
}

func addonsReady(p *cp.HostedControlPlane, saw Observed, done Outcome) metav1.Condition {
	const kind = cp.AddonsReadyCondition
	switch {
	case saw.Child.Wanted != "" && saw.Child.Applied == saw.Child.Wanted:
		return control.True(kind, ReasonApplied, "")
	case done.Failed == ApplyAddons:
		return control.False(kind, provider.ReasonFailed, fleet.Sentence(done.Err))
	case saw.Child.Problem != "" || saw.Child.Wanted == "":
		// What was applied does not go away because nobody answers: Available says that.
		if was := control.Find(p.Status.Conditions, kind); was != nil {
			return *was
		}
		return control.Unknown(kind, ReasonNotSeen, "The control plane did not answer yet")
	}
	return control.False(kind, ReasonCreating, "The add-ons are being applied")
}
