package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

// sight is what can be seen of the services of a set.
type sight struct {
	// problems say why they would not be deployed, contents tell their values and manifests apart.
	problems, contents map[engine.Key]string
	// attached is what its policyRefs lead to, which are no services in its spec.
	attached map[engine.Key]thing
}

// look looks into a set. One that is wrong as a whole has the same problem with each of its services.
func (m *model) look(ctx context.Context, set *kcm.ServiceSet) (sight, error) {
	out := sight{map[engine.Key]string{}, map[engine.Key]string{}, map[engine.Key]thing{}}
	if m.preview == nil || set.Labels[kcm.AdapterLabel] != kcm.AdapterBuiltIn {
		return out, nil // another adapter's, of which we know nothing
	}
	parts, err := m.preview.Parts(ctx, set)
	switch {
	case errors.Is(err, fleet.ErrInvalid):
		for _, e := range set.Spec.Services {
			out.problems[keyOf(e)] = fleet.Sentence(err)
		}
		return out, nil
	case apierrors.IsForbidden(err):
		note := fmt.Sprintf("you may not read what the services of ServiceSet %s/%s are made of: whether they would fail is not seen", set.Namespace, set.Name)
		if !slices.Contains(m.unseen, note) {
			m.unseen = append(m.unseen, note)
		}
		return out, nil
	case err != nil:
		return out, err
	}
	services := parts.Target.Services
	if parts.Local != nil {
		services = slices.Concat(services, parts.Local.Services)
	}
	out.add(set, services)
	return out, nil
}

func (s sight) add(set *kcm.ServiceSet, services []engine.Service) {
	wanted := map[engine.Key]bool{}
	for _, e := range set.Spec.Services {
		wanted[keyOf(e)] = true
	}
	for _, svc := range services {
		if svc.Problem != "" {
			s.problems[svc.Key] = svc.Problem
		}
		content := engine.DigestOf(map[string]string{"values": svc.Values, "source": svc.Source.Digest, "problem": svc.Problem})
		s.contents[svc.Key] = content
		if !wanted[svc.Key] {
			e := entry{Namespace: svc.Key.Namespace, Name: svc.Key.Name, Template: svc.Template}
			s.attached[svc.Key] = thing{e, svc.Problem, content}
		}
	}
}

// remember keeps what the services are made of now: where a ConfigMap or Secret makes something
// else of it, they are deployed again.
func (m *model) remember(ctx context.Context) error {
	var sets kcm.ServiceSetList
	if err := m.kube.List(ctx, &sets); err != nil {
		return err
	}
	for i := range sets.Items {
		set := &sets.Items[i]
		saw, err := m.look(ctx, set)
		if err != nil {
			return fmt.Errorf("looking at ServiceSet %s/%s: %w", set.Namespace, set.Name, err)
		}
		m.attached[client.ObjectKeyFromObject(set)] = saw.attached
		there := m.have[client.ObjectKeyFromObject(set)]
		for key, old := range there {
			old.content = saw.contents[key]
			there[key] = old
		}
	}
	return nil
}

// diff says how the objects of a service would change; empty where that cannot be told.
func (m *model) diff(ctx context.Context, set *kcm.ServiceSet, s Step) (string, error) {
	if m.seen.Text == nil || m.preview == nil || set.Labels[kcm.AdapterLabel] != kcm.AdapterBuiltIn {
		return "", nil
	}
	var old string
	was := func() (err error) {
		old, err = m.text(ctx, set, s.before)
		return err
	}
	var err error
	if s.fresh {
		err = m.content.before(was)
	} else {
		err = was()
	}
	if err != nil {
		return untold(err)
	}
	fresh, err := m.text(ctx, set, s.now)
	if err != nil {
		return untold(err)
	}
	return m.seen.Diff(old, fresh)
}

// untold passes over what says nothing about the plan: a chart that is not fetched, a template that
// is not there, a Secret that may not be read.
func untold(err error) (string, error) {
	if errors.Is(err, fleet.ErrNotYet) || errors.Is(err, fleet.ErrInvalid) || apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
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
