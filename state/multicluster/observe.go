package multicluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/revision"
	"portico.dev/portico/state/rollout"
	"portico.dev/portico/state/service"
)

// chassis is what both controllers read with.
type chassis struct {
	Parts
	store *revision.Store
}

// owner reads one; nil if there is none.
func (c *chassis) owner(ctx context.Context, o placement.Owner) (client.Object, error) {
	obj := kinds[o.Kind].empty()
	err := c.Kube.Get(ctx, types.NamespacedName{Namespace: o.Namespace, Name: o.Name}, obj)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", o, err)
	}
	return obj, nil
}

// owners are all of a kind, in a namespace where the kind has one. They must not be changed.
func (c *chassis) owners(ctx context.Context, k kind, namespace string) ([]client.Object, error) {
	list := k.list()
	if err := c.Kube.List(ctx, list, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing every %s: %w", k.subject, err)
	}
	var out []client.Object
	// It fails for what is no list, and both are.
	_ = apimeta.EachListItem(list, func(o runtime.Object) error {
		out = append(out, o.(client.Object))
		return nil
	})
	return out, nil
}

// facts are what holds for an owner wherever its services go.
func (c *chassis) facts(ctx context.Context, obj client.Object) (Facts, error) {
	f := Facts{Now: c.Clock(), UID: obj.GetUID(), Home: c.home(ownerOf(obj)), Others: map[string]placement.Wish{}}
	var problem error
	if f.Wish, problem = wishOf(obj); problem != nil {
		f.SelectorProblem = problem.Error()
	}
	others, err := c.owners(ctx, kinds[f.Kind], f.Namespace)
	if err != nil {
		return f, err
	}
	for _, o := range others {
		// Another's selector that cannot be read selects nothing, and that one says so.
		f.Others[o.GetName()], _ = wishOf(o)
	}
	if f.Rollout, err = c.rollout(ctx, f.Owner); err != nil {
		return f, err
	}
	if err := c.revisions(ctx, obj, &f); err != nil {
		return f, err
	}
	if f.Providers, err = c.providers(ctx, f.specs()); err != nil {
		return f, err
	}
	if f.Chains, err = c.chains(ctx, f.Home, f.everything()); err != nil {
		return f, err
	}
	f.Templates, err = c.templates(ctx, f.Home, f.everything(), f.Chains)
	return f, err
}

// rollout is the one that counts for an owner, nil if there is none. It must not be changed.
func (c *chassis) rollout(ctx context.Context, o placement.Owner) (*statev1.Rollout, error) {
	var list statev1.RolloutList
	if err := c.Kube.List(ctx, &list, client.InNamespace(c.home(o)), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing Rollouts in namespace %s: %w", c.home(o), err)
	}
	return rollout.Of(list.Items, c.rolloutSubject(o)), nil
}

// revisions are those of an owner. Without a Rollout the newest alone matters, and its name
// comes from what it holds; with one, it is recorded before anybody has it. An owner that goes
// needs none.
func (c *chassis) revisions(ctx context.Context, obj client.Object, f *Facts) (err error) {
	if f.Deleting {
		return nil
	}
	if f.Rollout == nil {
		f.Newest, err = revision.Name(c.revisionOwner(f.Owner), f.Spec.ServiceSpec)
		return err
	}
	f.Newest, f.Recorded, err = c.record(ctx, obj)
	return err
}

func (c *chassis) record(ctx context.Context, obj client.Object) (newest string, recorded map[string]kcm.ServiceSpec, err error) {
	o := ownerOf(obj)
	return c.store.Record(ctx, revision.Subject{
		Owner: c.revisionOwner(o), Reference: control.ControlledBy(obj, kinds[o.Kind].gvk), Spec: specOf(obj).ServiceSpec,
	})
}

// providers are those that specs name and that exist, by name.
func (c *chassis) providers(ctx context.Context, specs []kcm.ServiceSpec) (map[string]*kcm.StateManagementProvider, error) {
	out := map[string]*kcm.StateManagementProvider{}
	for _, spec := range specs {
		name := cmp.Or(spec.Provider.Name, kcm.DefaultStateManagementProviderName)
		if out[name] != nil {
			continue
		}
		var p kcm.StateManagementProvider
		err := c.Kube.Get(ctx, types.NamespacedName{Name: name}, &p)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading StateManagementProvider %s: %w", name, err)
		}
		if err == nil {
			out[name] = &p
		}
	}
	return out, nil
}

// chains are those of services that exist in a namespace.
func (c *chassis) chains(ctx context.Context, namespace string, services []kcm.Service) (map[string]Chain, error) {
	out := map[string]Chain{}
	_, names := named(services)
	for _, name := range names {
		var s kcm.ServiceTemplateChain
		err := c.Kube.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &s)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading ServiceTemplateChain %s/%s: %w", namespace, name, err)
		}
		if err == nil {
			out[name] = Chain{Spec: s.Spec, Valid: s.Status.Valid, Problem: s.Status.ValidationError}
		}
	}
	return out, nil
}

// templates are those that exist in a namespace, of services and of the chains that they follow.
func (c *chassis) templates(ctx context.Context, namespace string, services []kcm.Service, chains ...map[string]Chain) (map[string]Template, error) {
	out := map[string]Template{}
	names, _ := named(services)
	for _, some := range chains {
		names = append(names, listed(some)...)
	}
	for _, name := range unique(names) {
		var t kcm.ServiceTemplate
		err := c.Kube.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &t)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading ServiceTemplate %s/%s: %w", namespace, name, err)
		}
		if err == nil {
			out[name] = Template{Template: service.TemplateOf(&t), Valid: t.Status.Valid, Problem: t.Status.ValidationError, Users: users(&t)}
		}
	}
	return out, nil
}

// site looks at one cluster.
func (c *chassis) site(ctx context.Context, f Facts, cluster types.NamespacedName) (s Site, err error) {
	if s, err = c.cluster(ctx, cluster); err != nil {
		return s, err
	}
	if s.Set, err = c.set(ctx, f.Owner, s.Target); err != nil {
		return s, err
	}
	if s.Set == nil && (f.Deleting || !f.Applies(s.Target)) {
		return s, nil // there is nothing to do, and nothing to say
	}
	for _, name := range f.dependents() {
		set, err := c.set(ctx, f.Others[name].Owner, s.Target)
		if err != nil && !errors.Is(err, fleet.ErrInvalid) {
			return s, err // a set of somebody else is none that depends on this one
		}
		s.Dependents = append(s.Dependents, placement.Dependent{Wish: f.Others[name], Present: set != nil, Set: set})
	}
	for _, name := range unique(append([]string(nil), f.Spec.DependsOn...)) {
		d, err := c.dependency(ctx, f.Others[name], s.Target)
		if err != nil {
			return s, err
		}
		s.Dependencies = append(s.Dependencies, d)
	}
	if s.Chains, err = c.chains(ctx, f.namespace(s.Target), f.everything()); err != nil {
		return s, err
	}
	s.Templates, err = c.templates(ctx, f.namespace(s.Target), f.everything(), f.Chains, s.Chains)
	return s, err
}

// cluster is a target with what its ClusterDeployment says.
func (c *chassis) cluster(ctx context.Context, key types.NamespacedName) (Site, error) {
	if key.Name == "" {
		return Site{Target: placement.Management()}, nil
	}
	var cd kcm.ClusterDeployment
	err := c.Kube.Get(ctx, key, &cd)
	if apierrors.IsNotFound(err) {
		return Site{Target: placement.Target{Cluster: key, Leaving: true}}, nil
	}
	if err != nil {
		return Site{}, fmt.Errorf("reading ClusterDeployment %s: %w", key, err)
	}
	return siteOf(&cd), nil
}

func siteOf(cd *kcm.ClusterDeployment) Site {
	return Site{
		Target: placement.TargetOf(cd), UID: cd.UID, Going: cd.DeletionTimestamp != nil, Regional: cd.Status.Region != "", Kubernetes: cd.Status.KubernetesVersion,
	}
}

// set is an owner's ServiceSet for a target, nil if there is none.
func (c *chassis) set(ctx context.Context, o placement.Owner, t placement.Target) (*kcm.ServiceSet, error) {
	key := placement.SetKey(o, t, c.System)
	var set kcm.ServiceSet
	err := c.Kube.Get(ctx, key, &set)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading ServiceSet %s: %w", key, err)
	}
	if owner, ok := placement.OwnerOfSet(&set); !ok || owner != o {
		return nil, fmt.Errorf("ServiceSet %s is not of %s, though it has the name of its set: %w: delete it, or rename the cluster or the service", key, o, fleet.ErrInvalid)
	}
	return &set, nil
}

// dependency is another owner with its set for a target, and the revision that it has to have
// there. One that does not exist applies nowhere.
func (c *chassis) dependency(ctx context.Context, w placement.Wish, t placement.Target) (placement.Dependency, error) {
	d := placement.Dependency{Wish: w}
	if w.Name == "" || !w.Applies(t) {
		return d, nil
	}
	var err error
	if d.Set, err = c.set(ctx, w.Owner, t); err != nil || d.Set == nil {
		return d, err
	}
	newest, err := revision.Name(c.revisionOwner(w.Owner), w.Spec.ServiceSpec)
	if err != nil {
		return d, err
	}
	waves, err := c.rollout(ctx, w.Owner)
	d.Revision = rollout.RevisionFor(waves, rollout.Ask{
		Cluster: t.String(), Newest: newest, Has: d.Set.Annotations[statev1.RevisionAnnotation],
		Recorded: func(string) bool { return true },
	}).Revision
	return d, err
}

// sitesOf are the clusters that an owner goes to and those on which it has a set, each once.
func (c *chassis) sitesOf(ctx context.Context, w placement.Wish) ([]types.NamespacedName, error) {
	var clusters kcm.ClusterDeploymentList
	if err := c.Kube.List(ctx, &clusters, client.InNamespace(w.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing ClusterDeployments: %w", err)
	}
	var sets kcm.ServiceSetList
	if err := c.Kube.List(ctx, &sets, client.MatchingFields{byOwner: w.Owner.String()}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, fmt.Errorf("listing the ServiceSets of %s: %w", w.Owner, err)
	}
	var out []placement.Target
	if w.SelfManagement() && !w.Deleting {
		out = append(out, placement.Management())
	}
	for i := range clusters.Items {
		if t := placement.TargetOf(&clusters.Items[i]); !w.Deleting && w.Applies(t) {
			out = append(out, t)
		}
	}
	for i := range sets.Items {
		out = append(out, placement.TargetOfSet(&sets.Items[i]))
	}
	return keysOf(out), nil
}
