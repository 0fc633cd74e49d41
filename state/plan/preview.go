package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/serviceset"
)

// Seen is how a plan looks into services. Where it is not set, services have no problems and no
// diffs.
type Seen struct {
	// Live is where values and sources are read.
	Live client.Reader
	// Adapter says which engines there are; they are only asked what they refuse.
	Adapter serviceset.Config
	// Text is what a service would put on its cluster: manifests, sorted, without secrets. It
	// returns fleet.ErrNotYet while its source is not fetched. It is nil where nobody wants diffs.
	Text func(ctx context.Context, svc engine.Service, policy engine.Policy) (string, error)
	// Diff compares two texts.
	Diff func(before, now string) (string, error)
}

// see gives the model a view of services.
func (m *model) see(s *Seen) {
	if s != nil {
		m.preview, m.seen = serviceset.NewPreview(m.kube, s.Live, s.Adapter), *s
	}
}

// problems say why services of a set would not be deployed. A set that is wrong as a whole has the
// same problem with each of them.
func (m *model) problems(ctx context.Context, set *kcm.ServiceSet) (map[types.NamespacedName]string, error) {
	if m.preview == nil || set.Labels[kcm.AdapterLabel] != kcm.AdapterBuiltIn {
		return nil, nil // another adapter's, of which we know nothing
	}
	out, err := m.preview.Problems(ctx, set)
	if !errors.Is(err, fleet.ErrInvalid) {
		return out, err
	}
	out = map[types.NamespacedName]string{}
	for _, e := range set.Spec.Services {
		out[keyOf(e)] = fleet.Sentence(err)
	}
	return out, nil
}

// diff says how the objects of a service would change; empty where that cannot be told.
func (m *model) diff(ctx context.Context, set *kcm.ServiceSet, before, now entry) (string, error) {
	if m.seen.Text == nil || m.preview == nil || set.Labels[kcm.AdapterLabel] != kcm.AdapterBuiltIn {
		return "", nil
	}
	old, err := m.text(ctx, set, before)
	if err != nil {
		return untold(err)
	}
	fresh, err := m.text(ctx, set, now)
	if err != nil {
		return untold(err)
	}
	return m.seen.Diff(old, fresh)
}

// untold passes over what says nothing about the plan: a chart that is not fetched, a template that
// is not there.
func untold(err error) (string, error) {
	if errors.Is(err, fleet.ErrNotYet) || errors.Is(err, fleet.ErrInvalid) || apierrors.IsNotFound(err) {
		return "", nil
	}
	return "", err
}

// text is what an entry of a set puts on its cluster; nothing of none.
func (m *model) text(ctx context.Context, set *kcm.ServiceSet, e entry) (string, error) {
	if e.Name == "" || uninstalled(e) {
		return "", nil
	}
	alone := set.DeepCopy()
	alone.Spec.Services = []entry{e}
	parts, err := m.preview.Parts(ctx, alone)
	if err != nil {
		return "", err
	}
	for _, part := range []*engine.Set{&parts.Target, parts.Local} {
		if part == nil {
			continue
		}
		if svc, is := part.Wants(keyOf(e)); is {
			if why := cmp.Or(svc.Problem, svc.NotYet); why != "" {
				return "", fmt.Errorf("%w: %s", fleet.ErrNotYet, why)
			}
			return m.seen.Text(ctx, svc, part.Policy)
		}
	}
	return "", fmt.Errorf("%w: %s does not stand in what %s resolves to", fleet.ErrNotYet, keyOf(e), control.Name(set))
}
