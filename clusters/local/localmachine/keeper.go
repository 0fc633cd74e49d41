package localmachine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/clusters/local/machine"
	"portico.dev/portico/fleet"
	"portico.dev/portico/process"
	"portico.dev/portico/process/setback"
)

// Host is what a Keeper needs of the computer. machine.Host is one.
type Host interface {
	Ensure(ctx context.Context, s machine.Spec) (machine.Status, error)
	Find(id string) (process.Process, bool, error)
	Wait(ctx context.Context, id string) error
	Remove(ctx context.Context, id string) error
	Files(id string) (machine.Files, error)
	LastWords(id string) string
}

// Keeper makes real machines and waits for each to end, one goroutine a machine. One that ends
// by itself is started again after growing pauses. It fulfils Machines.
type Keeper struct {
	host     Host
	ring     func(types.NamespacedName)
	clock    fleet.Clock
	setbacks *setback.Book[string]
	// again is the pause after a wait that failed.
	again time.Duration

	mu      sync.Mutex
	watched map[string]context.CancelFunc
}

// NewKeeper returns a Keeper that watches nothing yet: State adopts. It rings with the key of
// a machine that ended, and again when it may be started.
func NewKeeper(host Host, ring func(types.NamespacedName), clock fleet.Clock) *Keeper {
	return &Keeper{
		host: host, ring: ring, clock: clock, setbacks: setback.New[string](clock), again: 10 * time.Second,
		watched: map[string]context.CancelFunc{},
	}
}

// State implements Machines.
func (k *Keeper) State(_ context.Context, key types.NamespacedName, id string) (State, error) {
	_, running, err := k.host.Find(id)
	if running {
		k.watch(key, id)
	}
	return State{Running: running}, err
}

// Ensure implements Machines.
func (k *Keeper) Ensure(ctx context.Context, key types.NamespacedName, spec machine.Spec) error {
	if k.setbacks.Held(spec.ID, "") {
		_, running, err := k.host.Find(spec.ID)
		if err != nil {
			return err
		}
		if !running {
			return fmt.Errorf("%w: machine %s ended soon after its start and is started again after a pause; its last words: %s",
				fleet.ErrNotYet, spec.ID, k.host.LastWords(spec.ID))
		}
	}
	if _, err := k.host.Ensure(ctx, spec); err != nil {
		return err
	}
	k.watch(key, spec.ID)
	return nil
}

// Remove implements Machines.
func (k *Keeper) Remove(ctx context.Context, id string) error {
	k.forget(id)
	if err := k.host.Remove(ctx, id); err != nil {
		return err
	}
	k.setbacks.Forget(id)
	return nil
}

// Files implements Machines.
func (k *Keeper) Files(id string) (machine.Files, error) { return k.host.Files(id) }

// Close stops watching. The machines run on.
func (k *Keeper) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, cancel := range k.watched {
		cancel()
		delete(k.watched, id)
	}
}

// watch begins to wait for the end of a machine, unless that was begun before.
func (k *Keeper) watch(key types.NamespacedName, id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, ok := k.watched[id]; ok {
		return
	}
	ctx, cancel := context.WithCancel(context.Background()) // longer than the pass that began it
	k.watched[id] = cancel
	begun := k.clock()
	go func() {
		for k.host.Wait(ctx, id) != nil {
			// Whether the machine runs is not known. To ring would have it asked again at once.
			select {
			case <-ctx.Done():
				return // we were told to look away
			case <-time.After(k.again):
			}
		}
		if ctx.Err() != nil {
			return
		}
		k.forget(id)
		pause := k.setbacks.Ended(id, k.clock().Sub(begun))
		k.ring(key)
		if pause > 0 {
			time.AfterFunc(pause, func() { k.ring(key) })
		}
	}()
}

func (k *Keeper) forget(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if cancel, ok := k.watched[id]; ok {
		cancel()
		delete(k.watched, id)
	}
}

var _ Machines = (*Keeper)(nil)
