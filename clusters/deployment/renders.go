package deployment

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/kube/helm"
)

// renders remembers of each ClusterDeployment what its chart last made of its values: a pass
// with the same chart and values renders nothing. It is safe for concurrent use.
type renders struct {
	mu   sync.Mutex
	last map[types.NamespacedName]remembered
}

type remembered struct {
	asked string
	Rendering
}

func newRenders() *renders { return &renders{last: map[types.NamespacedName]remembered{}} }

func (r *renders) get(key types.NamespacedName, wanted helm.Wanted, ours []string) *Rendering {
	asked := wanted.Digest()
	r.mu.Lock()
	last, ok := r.last[key]
	r.mu.Unlock()
	if !ok || last.asked != asked {
		last = remembered{asked, render(wanted, ours)}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last[key] = last
	return &last.Rendering
}

func (r *renders) forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.last, key)
}
