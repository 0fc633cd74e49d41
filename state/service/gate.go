package service

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/source"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Gate says which changes of services may reach a cluster now.
type Gate interface {
	// Turn says which services of a ClusterDeployment count now. It is asked on each look, and
	// reads what it needs itself.
	Turn(ctx context.Context, cd *kcm.ClusterDeployment) (Turn, error)
	// Changes delivers the ClusterDeployments whose turn may be another one; nil where that never
	// happens by itself.
	Changes() source.Source
}

// Turn is what a cluster may have.
type Turn struct {
	// Spec are the services that count, and Revision the name of that state of them; empty for
	// none.
	Spec     kcm.ServiceSpec
	Revision string
	// Wait is why nothing of the set may change now, as a sentence; empty if it may.
	Wait string
}

// open is the gate that lets everything through.
type open struct{}

func (open) Turn(_ context.Context, cd *kcm.ClusterDeployment) (Turn, error) {
	return Turn{Spec: cd.Spec.ServiceSpec}, nil
}

func (open) Changes() source.Source { return nil }
