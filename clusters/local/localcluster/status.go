package localcluster

import (
	"errors"
	"path/filepath"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/network"
	"portico.dev/portico/clusters/provider"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// The reasons of conditions.
const (
	// ReasonProvisioned means that it is in place.
	ReasonProvisioned = "Provisioned"
)

// Outcome is how far a plan came.
type Outcome struct {
	provider.Outcome
	// Egress is what came of the way out of the network.
	Egress Egress
}

// Egress is how a cluster's way out stands.
type Egress struct {
	// Wanted says whether the cluster shall have one.
	Wanted bool `json:"wanted,omitempty"`
	// Problem is why it has none nevertheless.
	Problem string `json:"problem,omitempty"`
}

func egressOf(wanted bool, made network.Network) Egress {
	out := Egress{Wanted: wanted}
	if made.NoWayOut != nil {
		out.Problem = fleet.Sentence(made.NoWayOut)
	}
	return out
}

// Status is the fold of what was seen and done.
func Status(l *infra.LocalCluster, saw Observed, plan Plan, done Outcome) infra.LocalClusterStatus {
	s := *l.Status.DeepCopy()
	s.ObservedGeneration = l.Generation
	at := control.Stamp{Now: saw.Now, Generation: l.Generation}
	if saw.Paused {
		s.Conditions = provider.OnHold(l.Status.Conditions, at)
		return s
	}
	deleting := provider.NotDeleting()
	net := networkReady(plan, done)
	ready := control.Summary(infra.ReadyCondition, net)
	if !l.DeletionTimestamp.IsZero() {
		// What is there until the last step is what was there.
		net = control.Unknown(infra.NetworkReadyCondition, provider.ReasonDeleting, "The network is being removed")
		if was := control.Find(l.Status.Conditions, infra.NetworkReadyCondition); was != nil {
			net = *was
		}
		deleting = removing(plan, done)
		ready = control.False(infra.ReadyCondition, provider.ReasonDeleting, "The network is being removed")
	} else if net.Status == metav1.ConditionTrue {
		s.Network = networkOf(l, plan)
		provision(&s, saw)
	}
	facts := append(egressReady(l, plan, done), net, ready, deleting, provider.NotPaused())
	s.Conditions = control.Fold(l.Status.Conditions, at, facts...)
	return s
}

// provision tells Cluster API that it may connect. It tries that once, at that moment, and then
// not for thirty seconds: so an API server of ours has to answer first.
func provision(s *infra.LocalClusterStatus, saw Observed) {
	if !saw.Unanswered {
		yes := true
		s.Initialization.Provisioned = &yes
	}
}

func networkReady(plan Plan, done Outcome) metav1.Condition {
	const kind = infra.NetworkReadyCondition
	switch {
	case done.Err != nil && errors.Is(done.Err, fleet.ErrInvalid):
		return control.False(kind, provider.ReasonInvalid, fleet.Sentence(done.Err))
	case done.Err != nil:
		return control.False(kind, provider.ReasonFailed, fleet.Sentence(done.Err))
	case why(plan, Stop) != "":
		return control.False(kind, provider.ReasonInvalid, why(plan, Stop))
	case why(plan, Wait) != "":
		return control.False(kind, provider.ReasonWaiting, "Waiting for "+why(plan, Wait))
	}
	return control.True(kind, ReasonProvisioned, "")
}

// egressReady is no part of Ready: a cluster without a way out has what is bundled, and works. A
// pass that did not come as far leaves what was.
func egressReady(l *infra.LocalCluster, plan Plan, done Outcome) []metav1.Condition {
	const kind = infra.EgressReadyCondition
	made := slices.ContainsFunc(plan, func(s Step) bool { return s.Do == EnsureNetwork })
	was := control.Find(l.Status.Conditions, kind)
	switch {
	case !made || done.Err != nil:
		if was != nil {
			return []metav1.Condition{*was}
		}
	case done.Egress.Problem != "":
		return []metav1.Condition{control.False(kind, provider.ReasonFailed, "The cluster works and has no way out; images come from the bundle alone: "+done.Egress.Problem)}
	case done.Egress.Wanted:
		return []metav1.Condition{control.True(kind, ReasonProvisioned, "")}
	}
	return nil
}

func removing(plan Plan, done Outcome) metav1.Condition {
	if done.Err == nil && why(plan, Wait) != "" {
		return control.True(clusterv1.DeletingCondition, provider.ReasonWaiting, "Waiting for "+why(plan, Wait))
	}
	return provider.Deleting(done.Outcome, "The network is being removed")
}

// networkOf describes what the endpoint stands for.
func networkOf(l *infra.LocalCluster, plan Plan) infra.LocalClusterNetwork {
	endpoint := l.Spec.ControlPlaneEndpoint
	for _, s := range plan {
		if s.Do == Allocate {
			endpoint = s.Endpoint
		}
	}
	n, ok := index(endpoint)
	if !ok || !isolated(l) {
		return infra.LocalClusterNetwork{}
	}
	is := network.Host{}.Of(network.Cluster{ID: ID(l), Index: int(n)})
	return infra.LocalClusterNetwork{
		Namespace: filepath.Base(is.Namespace), Index: n, Subnet: is.Prefix.String(), Gateway: is.ServerIP.String(),
	}
}

func why(plan Plan, verb Verb) string {
	for _, s := range plan {
		if s.Do == verb {
			return s.Why
		}
	}
	return ""
}
