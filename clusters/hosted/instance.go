package hosted

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	config "portico.dev/portico/api/config/v1alpha1"
)

// Runner starts, finds again and stops control planes. It is safe for concurrent use, and
// every method may be repeated after a crash in the middle of it.
type Runner interface {
	// State says how the instance stands, and makes the Runner watch over it: from then on it
	// rings whenever the state changes. An instance that was never ensured is Absent.
	State(ctx context.Context, key types.NamespacedName) (State, error)
	// Ensure makes the instance run as told and returns without waiting until it is ready.
	// An instance that runs with the same Digest is left alone, another one is replaced. It
	// returns fleet.ErrInvalid if the version cannot be run here, or if the configuration is
	// refused before the instance that runs is stopped for it, and fleet.ErrNotYet while an
	// instance that keeps ending is held back. Data that another owner of the same name left, with
	// authorities of its own, are removed first.
	Ensure(ctx context.Context, instance Instance) error
	// Remove ends the instance and removes all that it left, its data included. Removing what
	// does not exist is no error.
	Remove(ctx context.Context, key types.NamespacedName) error
}

// Phase is one word for how an instance stands.
type Phase string

// The phases.
const (
	// Absent means that there is nothing: no process and no data.
	Absent Phase = "Absent"
	// Stopped means that there is data, but nothing runs.
	Stopped Phase = "Stopped"
	// Starting means that it runs and does not answer yet.
	Starting Phase = "Starting"
	// Ready means that it answered and has not ended since.
	Ready Phase = "Ready"
)

// State is what a Runner knows of an instance.
type State struct {
	Phase Phase `json:"phase,omitempty"`
	// Digest is that of the Instance that runs.
	Digest string `json:"digest,omitempty"`
	// Problem is a sentence on why it does not run, or why it cannot be looked at although it
	// does; empty if nothing is known to be wrong. Ensure mends the second.
	Problem string `json:"problem,omitempty"`
}

// Instance is a control plane to run.
type Instance struct {
	// Key is that of the HostedControlPlane.
	Key types.NamespacedName
	// Owner is the identity of the HostedControlPlane, which tells it from an earlier one of the
	// same name. It is not part of the Digest: an object that comes back from a backup is another
	// one, and its control plane runs on.
	Owner types.UID
	// Config is the configuration. Dir is left to the Runner, and so is the folder of the file
	// names in it: they are keys of Files.
	Config config.ControlPlaneConfiguration
	// Files are what must lie in the control plane's folder, by relative path.
	Files map[string][]byte
	// Netns is the name of the network namespace to run in; empty means the computer's own.
	Netns string
}

// Digest changes whenever a running instance has to be replaced.
func (i Instance) Digest() (string, error) {
	cfg, err := json.Marshal(i.Config)
	if err != nil {
		return "", fmt.Errorf("encoding the configuration of %s: %w", i.Key, err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n", i.Netns, cfg)
	for _, name := range slices.Sorted(maps.Keys(i.Files)) {
		fmt.Fprintf(h, "%s %x\n", name, sha256.Sum256(i.Files[name]))
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}
