package deployment

import (
	"cmp"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
)

// Tries are the attempts at one release that have failed in a row.
type Tries struct {
	// Failed is how many they are, Last when the last one was, Problem why it failed: what
	// goes wrong before there is a revision leaves no record elsewhere.
	Failed  int
	Last    time.Time
	Problem string
}

// pause is how long a release rests after its last attempt: longer each time, since what has
// failed often will rather fail again.
func (t Tries) pause() time.Duration {
	pause := retryAfter
	for range t.Failed - 1 {
		pause = min(2*pause, retryAtLast)
	}
	return pause
}

// attempts remembers of each ClusterDeployment the Tries at the release that is wanted; another
// release has none. It is safe for concurrent use.
type attempts struct {
	mu   sync.Mutex
	last map[types.NamespacedName]attempted
}

type attempted struct {
	digest string
	Tries
}

func newAttempts() *attempts { return &attempts{last: map[types.NamespacedName]attempted{}} }

func (a *attempts) of(key types.NamespacedName, digest string) Tries {
	a.mu.Lock()
	defer a.mu.Unlock()
	if last := a.last[key]; last.digest == digest {
		return last.Tries
	}
	return Tries{}
}

// note counts an attempt that was refused, or that has ended as a failed revision. Another one
// could not even begin: then the world has to move, or the API server did not answer.
func (a *attempts) note(key types.NamespacedName, saw Observed, done Outcome) {
	for _, op := range done.Done {
		if _, succeeded := op.(ApplyRelease); succeeded {
			a.forget(key)
		}
	}
	_, tried := done.Failed.(ApplyRelease)
	if !tried || !errors.Is(done.Err, fleet.ErrInvalid) && !recorded(done.Release) {
		return
	}
	tries := a.of(key, saw.Rendering.Digest)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last[key] = attempted{saw.Rendering.Digest, Tries{tries.Failed + 1, saw.Now, cmp.Or(done.Release.Message, fleet.Sentence(done.Err))}}
}

// recorded says whether a release has failed in a revision of its own.
func recorded(r helm.State) bool { return r.Status == helm.Failed && !r.Since.IsZero() }

func (a *attempts) forget(key types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.last, key)
}
