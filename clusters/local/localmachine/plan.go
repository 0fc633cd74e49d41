package localmachine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/provider"
)

// What a plan is made of.
type (
	// Verb is one thing that can be done for a LocalMachine.
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
	Allocate         Verb = "record its addresses"
	SetProviderID    Verb = "record its provider ID"
	Run              Verb = "run the machine, or complete it"
	Register         Verb = "register the node that pretends"
	Simulate         Verb = "simulate the node"
	Remove           Verb = "remove the machine"
	StopSimulation   Verb = "end the simulation unless others need it"
	ReleaseFinalizer      = provider.ReleaseFinalizer
	Wait                  = provider.Wait
	Stop                  = provider.Stop
	// Rest is the end of a plan that succeeded: the credentials will be due.
	Rest Verb = "look again when the credentials are due"
)

// Decide is the whole policy.
func Decide(m *infra.LocalMachine, saw Observed) Plan {
	switch {
	case saw.Paused:
		return nil
	case !m.DeletionTimestamp.IsZero():
		return decideDelete(m)
	case saw.Machine == nil:
		return Plan{{Do: Wait, Why: "Cluster API to make its Machine the owner"}}
	case saw.Cluster == nil || !saw.Cluster.Provisioned:
		return Plan{{Do: Wait, Why: "the network of the cluster to be provisioned"}}
	}
	if why := problem(m, saw); why != "" {
		return Plan{{Do: Stop, Why: why}}
	}
	if why := missing(m, saw); why != "" {
		return Plan{{Do: Wait, Why: why}}
	}
	plan := decideRecords(m)
	if isReal(m) {
		return append(plan, decideReal(saw)...)
	}
	// Like a real node, one that pretends registers once.
	if !m.Status.Initialization.Done() {
		plan = append(plan, Step{Do: Register})
	}
	return append(plan, Step{Do: Simulate})
}

// missing is what the world has to bring before the machine can be made.
func missing(m *infra.LocalMachine, saw Observed) string {
	switch {
	case isReal(m) && saw.Machine.Bootstrap == "":
		return "Cluster API to name the machine's bootstrap data"
	case !m.Status.Initialization.Done() && newer(saw.Machine.Version, saw.Cluster.Version):
		return "the control plane to reach " + saw.Machine.Version
	case !isReal(m) && !saw.Cluster.ControlPlane:
		return "the control plane to answer for the first time"
	case saw.Missing != "":
		return "Secret " + saw.Missing + " to be written by the control plane provider"
	}
	return ""
}

// newer says whether a new machine would be newer than its API server, which Kubernetes does not
// support: in an upgrade the control plane goes first. Nothing is known of one that has never
// answered, and the first machines are made at the same time as it.
func newer(machine, server string) bool {
	if server == "" {
		return false
	}
	want, err := version.ParseSemantic(machine)
	if err != nil {
		return false // whoever looks for its program says what is wrong
	}
	have, err := version.ParseSemantic(server)
	return err == nil && have.LessThan(want)
}

// decideRecords writes down what the machine is made from before it is made.
func decideRecords(m *infra.LocalMachine) Plan {
	var plan Plan
	if !hasFinalizer(m) {
		plan = append(plan, Step{Do: AddFinalizer})
	}
	if !granted(m).IP.IsValid() {
		plan = append(plan, Step{Do: Allocate})
	}
	if m.Spec.ProviderID == "" {
		plan = append(plan, Step{Do: SetProviderID, Why: providerID(m)})
	}
	return plan
}

func decideReal(saw Observed) Plan {
	run := Step{Do: Run}
	rest := Step{Do: Rest, AtMost: saw.Credentials.RenewAt.Sub(saw.Now)}
	if saw.Credentials.Due != "" {
		run.Why = "its credentials are " + saw.Credentials.Due
		rest.AtMost = validity / 4 * 3
	}
	if !saw.State.Running {
		run.Why = "it does not run"
	}
	return Plan{run, rest}
}

// decideDelete needs nothing that creating needed: the object's identity leads to all of it.
func decideDelete(m *infra.LocalMachine) Plan {
	if !hasFinalizer(m) {
		return nil
	}
	remove := Step{Do: Remove}
	if !isReal(m) {
		remove.Do = StopSimulation
	}
	return Plan{remove, {Do: ReleaseFinalizer}}
}

// problem is what only the user can mend.
func problem(m *infra.LocalMachine, saw Observed) string {
	switch {
	case saw.Problem != "":
		return saw.Problem
	case saw.Machine.Version == "":
		return "its Machine has no spec.version: set the Kubernetes version, for example v1.36.4"
	case !isReal(m):
		return ""
	case len(m.Name) > 63:
		return fmt.Sprintf("the name has %d characters, and that of a real machine is a host name, which has at most 63: choose a shorter name for the cluster or its pool", len(m.Name))
	case saw.Cluster.Network == infra.NetworkHost:
		return "spec.kind Real needs a cluster with network Isolated: make the cluster anew with it, or use kind Virtual"
	}
	for _, key := range slices.Sorted(maps.Keys(m.Spec.NodeLabels)) {
		if reserved(key) {
			return fmt.Sprintf("spec.nodeLabels: kubelet refuses to set %q on its own node: set it on the MachineDeployment's template, or choose another prefix", key)
		}
	}
	return ""
}

// reserved says whether a label belongs to Kubernetes and is not one of those that a kubelet
// may set on its node.
func reserved(key string) bool {
	prefix, _, ok := strings.Cut(key, "/")
	if !ok || !within(prefix, "kubernetes.io") && !within(prefix, "k8s.io") {
		return false
	}
	own := []string{
		"kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch",
		"topology.kubernetes.io/region", "topology.kubernetes.io/zone",
	}
	return !within(prefix, "kubelet.kubernetes.io") && !within(prefix, "node.kubernetes.io") && !slices.Contains(own, key)
}

func within(prefix, domain string) bool {
	return prefix == domain || strings.HasSuffix(prefix, "."+domain)
}

func hasFinalizer(m *infra.LocalMachine) bool {
	return slices.Contains(m.Finalizers, infra.LocalMachineFinalizer)
}

func isReal(m *infra.LocalMachine) bool { return m.Spec.Kind != infra.MachineVirtual }
