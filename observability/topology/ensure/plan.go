package ensure

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/topology"
)

// Plan is what has to be there for an owner: a cluster, or a region.
type Plan struct {
	// Make has to be there, in this order.
	Make []Wanted
	// Prune removes what was made before and is not in Make. An owner that cannot be configured
	// any more keeps what it has: its data go on to flow where they went.
	Prune bool
	// User is the owner's, and Replaced says that only one password of it is good.
	User     types.NamespacedName
	Replaced bool
	// Says is how the owner's telemetry is doing; the zero value for one without a role.
	Says topology.Readiness
	// Again is when to look again; zero if only the world has to move.
	Again time.Time
}

// Inputs are what a plan takes besides the owner and what was seen.
type Inputs struct {
	Settings topology.Settings
	// Generate makes a password.
	Generate func() string
	// Issue makes certificates for the stores of regions; nil makes none.
	Issue topology.Issue
}

// Carry makes what has to be there for an owner, and nothing else. It returns what it wrote.
func (w *Writer) Carry(ctx context.Context, of topology.Owner, plan Plan) (written []string, err error) {
	made, err := w.Made(ctx, of)
	if err != nil {
		return nil, err
	}
	written, err = w.make(ctx, of, made, plan.Make)
	if err == nil && plan.Replaced {
		err = w.RemovePrevious(ctx, of, plan.User)
	}
	if err == nil && plan.Prune {
		var removed []string
		removed, err = w.keep(ctx, of, made, plan.Make)
		for _, name := range removed {
			written = append(written, "no "+name)
		}
	}
	return written, err
}

// Taken is what an owner says of which something was not made because its name is somebody else's.
func Taken(err error) topology.Readiness {
	return topology.Readiness{
		Status: metav1.ConditionFalse, Reason: topology.ReasonTaken,
		Message: fleet.Sentence(err) + ": rename it, or remove it if it is not needed",
	}
}

// Read reads an object into one; nil if there is none, or it has no name.
func Read[T client.Object](ctx context.Context, from client.Reader, key types.NamespacedName, into T) (T, error) {
	var none T
	if key.Name == "" {
		return none, nil
	}
	err := from.Get(ctx, key, into)
	if apierrors.IsNotFound(err) {
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("reading %T %s: %w", into, key, err)
	}
	return into, nil
}
