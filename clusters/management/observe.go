package management

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Observed is what a decision about the Management rests on.
type Observed struct {
	Now time.Time `json:"now"`
	// Release is nil if there is none of the name in spec.release.
	Release *Release `json:"release,omitempty"`
	// Components are those that are wanted, in the order in which they need each other.
	Components []Component `json:"components,omitempty"`
	// Kinds are those that Cluster API providers have defined.
	Kinds []Kind `json:"kinds,omitempty"`
	// CoreContracts are the versions in which Cluster API's own kind Cluster is served.
	CoreContracts []string `json:"coreContracts,omitempty"`
	// MissingKinds are kinds of our own API that are not served.
	MissingKinds []string `json:"missingKinds,omitempty"`
	// Regions and Clusters are what lives under a Management that goes, as text for people.
	Regions  []string `json:"regions,omitempty"`
	Clusters []string `json:"clusters,omitempty"`
}

// Release is how the release stands.
type Release struct {
	// Checked says whether its present spec has been looked at.
	Checked bool `json:"checked,omitempty"`
	Ready   bool `json:"ready,omitempty"`
	// Problem is what keeps it from being ready.
	Problem string `json:"problem,omitempty"`
}

// Component is one component and how its template stands.
type Component struct {
	Name string `json:"name"`
	// Template is the name of its ProviderTemplate; empty where nobody names one.
	Template string `json:"template,omitempty"`
	// Exists says whether there is a ProviderTemplate of that name.
	Exists bool `json:"exists,omitempty"`
	// Open says that it is still being looked at: its chart may be on the way.
	Open bool `json:"open,omitempty"`
	// Valid says whether it can be used, Problem why not.
	Valid   bool   `json:"valid,omitempty"`
	Problem string `json:"problem,omitempty"`
	// Providers are what the component brings, Contracts what they implement.
	Providers []string      `json:"providers,omitempty"`
	Contracts kcm.Contracts `json:"contracts,omitempty"`
}

// Kind is the definition of a kind of a Cluster API provider.
type Kind struct {
	// Name of the definition, for instance localclusters.infrastructure.cluster.x-k8s.io.
	Name     string `json:"name"`
	Provider string `json:"provider"`
	// Contracts are its labels: by contract of Cluster API the versions of the kind that
	// implement it, joined with "_".
	Contracts kcm.Contracts `json:"contracts,omitempty"`
}

// definitionKind is the kind whose objects define kinds. Of them only metadata is read.
var definitionKind = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}

// coreKind is the kind by whose versions Cluster API's contracts are known.
var coreKind = schema.GroupKind{Group: "cluster.x-k8s.io", Kind: "Cluster"}

func (c *Controller) observe(ctx context.Context, m *kcm.Management) (Observed, error) {
	saw := Observed{Now: c.Clock()}
	if !m.DeletionTimestamp.IsZero() {
		return saw, c.seeUsers(ctx, &saw)
	}
	release, err := c.seeRelease(ctx, m, &saw)
	if err != nil {
		return saw, err
	}
	for _, w := range wishes(m, release) {
		component, err := c.component(ctx, w)
		if err != nil {
			return saw, err
		}
		saw.Components = append(saw.Components, component)
	}
	return saw, c.seeKinds(ctx, &saw)
}

func (c *Controller) seeRelease(ctx context.Context, m *kcm.Management, saw *Observed) (*kcm.Release, error) {
	var r kcm.Release
	err := c.Kube.Get(ctx, client.ObjectKey{Name: m.Spec.Release}, &r)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Release %s: %w", m.Spec.Release, err)
	}
	saw.Release = &Release{Checked: r.Status.ObservedGeneration == r.Generation, Ready: r.Status.Ready}
	for _, condition := range r.Status.Conditions {
		if condition.Status != metav1.ConditionTrue {
			saw.Release.Problem = condition.Message
			break
		}
	}
	return &r, nil
}

func (c *Controller) component(ctx context.Context, w wish) (Component, error) {
	out := Component{Name: w.name, Template: w.template}
	if w.template == "" {
		return out, nil
	}
	var t kcm.ProviderTemplate
	err := c.Kube.Get(ctx, client.ObjectKey{Name: w.template}, &t)
	if apierrors.IsNotFound(err) {
		return out, nil
	}
	if err != nil {
		return out, fmt.Errorf("reading ProviderTemplate %s: %w", w.template, err)
	}
	checked := t.Status.ObservedGeneration == t.Generation
	out.Exists, out.Valid, out.Problem = true, checked && t.Status.Valid, t.Status.ValidationError
	out.Providers, out.Contracts = t.Status.Providers, t.Status.CAPIContracts
	out.Open = !checked
	return out, nil
}

// seeKinds looks at which kinds are there: those of providers, Cluster API's and our own.
func (c *Controller) seeKinds(ctx context.Context, saw *Observed) error {
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(definitionKind)
	if err := c.Kube.List(ctx, list); err != nil {
		return fmt.Errorf("listing the definitions of kinds: %w", err)
	}
	defined := map[string]bool{}
	for _, d := range list.Items {
		defined[d.Name] = true
		if provider := d.Labels[kcm.CAPIProviderLabel]; provider != "" {
			saw.Kinds = append(saw.Kinds, Kind{Name: d.Name, Provider: provider, Contracts: contractLabels(d.Labels)})
		}
	}
	slices.SortFunc(saw.Kinds, func(a, b Kind) int { return cmp.Compare(a.Name, b.Name) })
	mappings, err := c.mapper().RESTMappings(coreKind)
	if err != nil && !meta.IsNoMatchError(err) {
		return fmt.Errorf("looking up the versions of %s: %w", coreKind, err)
	}
	for _, mapping := range mappings {
		saw.CoreContracts = append(saw.CoreContracts, mapping.GroupVersionKind.Version)
	}
	slices.Sort(saw.CoreContracts)
	return c.seeOwnKinds(defined, saw)
}

// seeOwnKinds looks for each kind that this program knows of our API.
func (c *Controller) seeOwnKinds(defined map[string]bool, saw *Observed) error {
	scheme := c.Kube.Scheme()
	for name := range scheme.KnownTypes(kcm.GroupVersion) {
		gvk := kcm.GroupVersion.WithKind(name)
		empty, err := scheme.New(gvk)
		if err != nil {
			return fmt.Errorf("making a %s: %w", name, err)
		}
		if _, single := empty.(client.Object); !single {
			continue
		}
		mapping, err := c.mapper().RESTMapping(gvk.GroupKind(), gvk.Version)
		switch {
		case meta.IsNoMatchError(err):
			saw.MissingKinds = append(saw.MissingKinds, name)
		case err != nil:
			return fmt.Errorf("looking up the kind %s: %w", name, err)
		case !defined[mapping.Resource.GroupResource().String()]:
			saw.MissingKinds = append(saw.MissingKinds, name)
		}
	}
	slices.Sort(saw.MissingKinds)
	return nil
}

func (c *Controller) mapper() meta.RESTMapper { return c.Kube.RESTMapper() }

// contractLabels are the labels by which Cluster API finds the version of a kind that
// implements a contract: cluster.x-k8s.io/v1beta2=v1alpha1.
func contractLabels(labels map[string]string) kcm.Contracts {
	out := kcm.Contracts{}
	for key, value := range labels {
		if contract, ok := strings.CutPrefix(key, kcm.ChartContractPrefix); ok && admission.IsContract(contract) {
			out[contract] = value
		}
	}
	return out
}

// seeUsers lists what keeps a Management that was deleted.
func (c *Controller) seeUsers(ctx context.Context, saw *Observed) error {
	var regions kcm.RegionList
	if err := c.Kube.List(ctx, &regions); err != nil {
		return fmt.Errorf("listing Regions: %w", err)
	}
	for _, r := range regions.Items {
		saw.Regions = append(saw.Regions, r.Name)
	}
	var clusters kcm.ClusterDeploymentList
	if err := c.Kube.List(ctx, &clusters); err != nil {
		return fmt.Errorf("listing ClusterDeployments: %w", err)
	}
	for _, d := range clusters.Items {
		saw.Clusters = append(saw.Clusters, d.Namespace+"/"+d.Name)
	}
	slices.Sort(saw.Regions)
	slices.Sort(saw.Clusters)
	return nil
}
