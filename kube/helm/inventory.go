package helm

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
)

// inventory knows which objects the last revision of a release has, as long as its record is the
// same: the record, with the whole chart in it, need not be fetched to look at them.
type inventory struct {
	mu sync.Mutex
	of map[key]stocked
}

type stocked struct {
	record  version
	objects []Object
}

// stocks bounds the releases that are known of one cluster.
const stocks = 1000

func (m *inventory) objects(k key, record version) ([]Object, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	found, ok := m.of[k]
	return found.objects, ok && found.record == record
}

func (m *inventory) keep(k key, record version, objects []Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil {
		m.of = map[key]stocked{}
	}
	for other := range m.of {
		if len(m.of) < stocks {
			break
		}
		delete(m.of, other) // any: it is fetched again if somebody asks
	}
	m.of[k] = stocked{record, objects}
}

func (m *inventory) forget(k key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.of, k)
}

// lastObjects lists the objects of the last revision, as they are written down in it. Those
// whose names the cluster has made up are not among them.
func (r *Releases) lastObjects(ctx context.Context, k key) ([]Object, error) {
	records, err := r.records(ctx, k)
	if err != nil || len(records) == 0 {
		return nil, err
	}
	last := records[len(records)-1]
	if known, ok := r.inventory.objects(k, last.at); ok {
		return known, nil
	}
	found, err := r.revisionIfThere(ctx, k, last.revision)
	if err != nil || found == nil {
		return nil, err
	}
	applied, err := appliedBy(found)
	if err != nil {
		return nil, err
	}
	var objects []Object
	for _, o := range applied {
		if o.GetName() != "" {
			objects = append(objects, identity(o))
		}
	}
	r.inventory.keep(k, last.at, objects)
	return objects, nil
}

// noting is the Secrets of a namespace. It notes what was written last.
type noting struct {
	typedcorev1.SecretInterface
	name    string
	written version
}

func (n *noting) note(made *corev1.Secret, err error) (*corev1.Secret, error) {
	if err == nil {
		n.name, n.written = made.Name, version{made.UID, made.ResourceVersion}
	}
	return made, err
}

// Create implements typedcorev1.SecretInterface.
func (n *noting) Create(ctx context.Context, s *corev1.Secret, o metav1.CreateOptions) (*corev1.Secret, error) {
	return n.note(n.SecretInterface.Create(ctx, s, o))
}

// Update implements typedcorev1.SecretInterface.
func (n *noting) Update(ctx context.Context, s *corev1.Secret, o metav1.UpdateOptions) (*corev1.Secret, error) {
	return n.note(n.SecretInterface.Update(ctx, s, o))
}
