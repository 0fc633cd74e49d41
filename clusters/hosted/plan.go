package hosted

import (
	"strings"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	"portico.dev/portico/clusters/provider"
)

// What a plan is made of.
type (
	// Verb is one thing that can be done for a HostedControlPlane.
	Verb = provider.Verb
	// Step is a verb and why.
	Step = provider.Step
	// Plan is what to do now, in this order.
	Plan = provider.Plan
	// Outcome is how far a plan came.
	Outcome = provider.Outcome
)

// The verbs, in the order in which they happen.
const (
	AddFinalizer          = provider.AddFinalizer
	MakeAuthorities  Verb = "make the authorities"
	Run              Verb = "run the control plane"
	WriteKubeconfig  Verb = "write the kubeconfig"
	WriteBootstrap   Verb = "write the bootstrap data"
	ApplyAddons      Verb = "apply the add-ons"
	Remove           Verb = "remove the control plane and its data"
	DeleteSecrets    Verb = "delete the Secrets"
	ReleaseFinalizer      = provider.ReleaseFinalizer
	Wait                  = provider.Wait
	Stop                  = provider.Stop
)

// Decide is the whole policy. Everything that can be done is done in one pass; what is missing
// for the rest is named by a Wait or Stop at the end.
func Decide(p *cp.HostedControlPlane, saw Observed) Plan {
	switch {
	case saw.Paused:
		return nil
	case !p.DeletionTimestamp.IsZero():
		return decideDelete(saw)
	case saw.Cluster == nil:
		return Plan{{Do: Wait, Why: "Cluster API to make its Cluster the owner"}}
	}
	plan := Plan{}
	if !hasFinalizer(p) {
		plan = append(plan, Step{Do: AddFinalizer})
	}
	plan = append(plan, decideAuthorities(p, saw)...)
	if blocked(plan) {
		return plan
	}
	// It takes its time to start: what others need is written meanwhile.
	run := decideRun(p, saw)
	if len(run) > 0 && run[0].Do == Run {
		plan, run = append(plan, run[0]), run[1:]
	}
	plan = append(append(plan, decidePublished(saw)...), run...)
	if blocked(plan) {
		return plan
	}
	return append(plan, decideChild(saw)...)
}

// decideAuthorities never makes an authority for a control plane that was up: with another one
// every node and every user would be locked out.
func decideAuthorities(p *cp.HostedControlPlane, saw Observed) Plan {
	var plan Plan
	switch {
	case saw.Secrets.Broken != "":
		return Plan{{Do: Stop, Why: brokenAuthority(p, saw)}}
	case len(saw.Secrets.Missing) > 0 && p.Status.Initialization.Done():
		return Plan{{Do: Stop, Why: lostAuthorities(saw)}}
	case len(saw.Secrets.Missing) > 0:
		plan = append(plan, Step{Do: MakeAuthorities, Why: strings.Join(saw.Secrets.Missing, ", ")})
	}
	if saw.Cluster.Port == 0 {
		return append(plan, Step{Do: Wait, Why: "the infrastructure to name an address for the API server"})
	}
	return plan
}

// decidePublished is what others are waiting for: Cluster API, users, machines.
func decidePublished(saw Observed) Plan {
	var plan Plan
	if saw.Secrets.Kubeconfig != "" {
		plan = append(plan, Step{Do: WriteKubeconfig, Why: saw.Secrets.Kubeconfig})
	}
	if saw.Secrets.Bootstrap != "" {
		plan = append(plan, Step{Do: WriteBootstrap, Why: saw.Secrets.Bootstrap})
	}
	return plan
}

func brokenAuthority(p *cp.HostedControlPlane, saw Observed) string {
	if p.Status.Initialization.Done() {
		return saw.Secrets.Broken + ": the cluster trusts what was in it, restore it from a backup"
	}
	return saw.Secrets.Broken + ": replace it, or delete it to have one made"
}

func lostAuthorities(saw Observed) string {
	name := saw.Cluster.Name + "-" + saw.Secrets.Missing[0]
	return "Secret " + name + " is gone, and the cluster trusts what was in it: restore it from a backup"
}

func decideRun(p *cp.HostedControlPlane, saw Observed) Plan {
	in := saw.Instance
	running := in.Phase == Starting || in.Phase == Ready
	wrong := wrongStep(haveVersion(p, saw), p.Spec.Version)
	answer := Step{Do: Wait, Why: "the API server to answer"}
	switch {
	case saw.Problem != "":
		return Plan{{Do: Stop, Why: saw.Problem}}
	case running && in.Digest == saw.Wanted && in.Problem != "":
		// It runs on: only what we need to look at it is made anew.
		return Plan{{Do: Run, Why: in.Problem}, answer}
	case running && in.Digest == saw.Wanted:
		return nil
	case wrong != "":
		return Plan{{Do: Stop, Why: wrong}}
	case !running:
		return Plan{{Do: Run, Why: "it does not run"}}
	}
	// The one that runs is another one after that: what it said does not count.
	return Plan{{Do: Run, Why: "its configuration changed"}, answer}
}

func decideChild(saw Observed) Plan {
	switch {
	case saw.Instance.Phase != Ready:
		return Plan{{Do: Wait, Why: "the API server to answer"}}
	case saw.Child.Problem == "" && saw.Child.Applied != saw.Child.Wanted && saw.Secrets.Kubeconfig == "":
		return Plan{{Do: ApplyAddons, Why: "they are not those of " + saw.Child.Wanted}}
	case saw.Secrets.Kubeconfig == "" && !saw.Secrets.RenewAt.IsZero():
		return Plan{{Do: Wait, Why: "the kubeconfig's certificate to be due", AtMost: saw.Secrets.RenewAt.Sub(saw.Now)}}
	}
	return nil
}

// decideDelete needs nothing that creating needed: the object's name leads to all of it.
func decideDelete(saw Observed) Plan {
	var plan Plan
	if saw.Instance.Phase != Absent {
		plan = append(plan, Step{Do: Remove, Why: "it is " + strings.ToLower(string(saw.Instance.Phase))})
	}
	if len(saw.Secrets.Ours) > 0 {
		plan = append(plan, Step{Do: DeleteSecrets, Why: strings.Join(saw.Secrets.Ours, ", ")})
	}
	return append(plan, Step{Do: ReleaseFinalizer})
}

func blocked(plan Plan) bool {
	return len(plan) > 0 && (plan[len(plan)-1].Do == Wait || plan[len(plan)-1].Do == Stop)
}

func hasFinalizer(p *cp.HostedControlPlane) bool {
	for _, f := range p.Finalizers {
		if f == cp.HostedControlPlaneFinalizer {
			return true
		}
	}
	return false
}
