package clusters

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/ensure"
)

// Observed is what a decision about a cluster rests on.
type Observed struct {
	// Template says whether the ClusterTemplate is there, and Providers what it needs.
	Template  bool     `json:"template,omitempty"`
	Providers []string `json:"providers,omitempty"`
	// Here is where a region's stores are reached without being told.
	Here topology.Here `json:"here,omitzero"`
	// Stores is the Secret with what a region's stores get; nil if there is none.
	Stores *corev1.Secret `json:"stores,omitempty"`
	// Config is the cluster's ConfigMap; nil if there is none.
	Config *corev1.ConfigMap `json:"config,omitempty"`
	// Regions are all regions that a child may choose from, whether they are of use or not.
	Regions []topology.Candidate `json:"regions,omitempty"`
	// Deployed says which of them are clusters of this plane.
	Deployed map[string]bool `json:"deployed,omitempty"`
	// Holder is the Secret with the short name of the child's user; nil if there is none.
	Holder *metav1.PartialObjectMetadata `json:"holder,omitempty"`
	// Secret holds the credentials of the child; nil if it has none.
	Secret *corev1.Secret `json:"secret,omitempty"`
	// Delivery is the MultiClusterService that brings the user to its region; nil if there is none.
	Delivery *kcm.MultiClusterService `json:"delivery,omitempty"`
	// Parent is the ClusterDeployment of the cluster that runs Cluster API for this one, as its Region
	// says; empty where that is no cluster of this plane.
	Parent types.NamespacedName `json:"parent,omitzero"`
	// NamespaceTenant is the tenant that the namespace belongs to; empty if it does not say.
	NamespaceTenant string    `json:"namespaceTenant,omitempty"`
	Now             time.Time `json:"now"`
}

func (c *Controller) observe(ctx context.Context, d *kcm.ClusterDeployment, role topology.Role) (Observed, error) {
	saw := Observed{Now: c.Clock()}
	if role == topology.None {
		return saw, nil
	}
	var t kcm.ClusterTemplate
	err := c.Kube.Get(ctx, types.NamespacedName{Namespace: d.Namespace, Name: d.Spec.Template}, &t)
	if client.IgnoreNotFound(err) != nil {
		return saw, fmt.Errorf("reading ClusterTemplate %s/%s: %w", d.Namespace, d.Spec.Template, err)
	}
	saw.Template, saw.Providers = err == nil, t.Status.Providers
	name := topology.RegionConfig(d.Name)
	if role == topology.Child {
		name = topology.ChildConfig(d.Name)
	}
	if saw.Config, err = ensure.Read(ctx, c.Live, types.NamespacedName{Namespace: d.Namespace, Name: name}, &corev1.ConfigMap{}); err != nil {
		return saw, err
	}
	if role == topology.Regional {
		return saw, c.observeStores(ctx, d, &saw)
	}
	if err := c.observeRegions(ctx, d, &saw); err != nil {
		return saw, err
	}
	if saw.Parent, err = c.parent(ctx, d.Status.Region); err != nil {
		return saw, err
	}
	namespace := &metav1.PartialObjectMetadata{}
	namespace.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Namespace"))
	if namespace, err = ensure.Read(ctx, c.Live, types.NamespacedName{Name: d.Namespace}, namespace); err != nil {
		return saw, err
	}
	if namespace != nil {
		saw.NamespaceTenant = namespace.Labels[kof.TenantLabel]
	}
	return saw, c.observeUser(ctx, d, &saw)
}

// parent is the cluster that a Region names.
func (c *Controller) parent(ctx context.Context, region string) (types.NamespacedName, error) {
	if region == "" {
		return types.NamespacedName{}, nil
	}
	r, err := ensure.Read(ctx, c.Kube, types.NamespacedName{Name: region}, &kcm.Region{})
	if err != nil || r == nil || r.Spec.ClusterDeployment == nil {
		return types.NamespacedName{}, err
	}
	return types.NamespacedName{Namespace: r.Spec.ClusterDeployment.Namespace, Name: r.Spec.ClusterDeployment.Name}, nil
}

func (c *Controller) observeStores(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) (err error) {
	if cloud, unknown := topology.CloudOf(saw.Providers); unknown == nil && cloud == topology.Local && c.Local != nil {
		if saw.Here, err = c.Local(ctx, client.ObjectKeyFromObject(d)); err != nil {
			return err
		}
	}
	saw.Stores, err = ensure.Read(ctx, c.Live, types.NamespacedName{Namespace: d.Namespace, Name: topology.StoresSecret(d.Name)}, &corev1.Secret{})
	return err
}

func (c *Controller) observeRegions(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) error {
	var found corev1.ConfigMapList
	if err := c.Live.List(ctx, &found, client.MatchingLabels{kof.ClusterRoleLabel: kof.RegionalRole}); err != nil {
		return fmt.Errorf("listing the ConfigMaps of regions: %w", err)
	}
	saw.Deployed = map[string]bool{}
	for i := range found.Items {
		candidate := topology.CandidateOf(&found.Items[i], c.Settings.Self)
		var cluster kcm.ClusterDeployment
		err := c.Kube.Get(ctx, candidate.Region.NamespacedName, &cluster)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading ClusterDeployment %s: %w", candidate.Region.NamespacedName, err)
		}
		if err == nil {
			candidate.KCMRegion = cluster.Status.Region
			saw.Deployed[candidate.Region.String()] = true
		}
		saw.Regions = append(saw.Regions, candidate)
	}
	return nil
}

func (c *Controller) observeUser(ctx context.Context, d *kcm.ClusterDeployment, saw *Observed) (err error) {
	key := client.ObjectKeyFromObject(d)
	short := topology.ChildUser(key)
	holder := &metav1.PartialObjectMetadata{}
	holder.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	if saw.Holder, err = ensure.Read(ctx, c.Live, types.NamespacedName{Namespace: kof.Namespace, Name: topology.Credentials(short)}, holder); err != nil {
		return err
	}
	user := userOf(key, *saw)
	if saw.Secret, err = ensure.Read(ctx, c.Live, types.NamespacedName{Namespace: d.Namespace, Name: topology.Credentials(user)}, &corev1.Secret{}); err != nil {
		return err
	}
	saw.Delivery, err = ensure.Read(ctx, c.Kube, types.NamespacedName{Name: topology.UserPropagation(user)}, &kcm.MultiClusterService{})
	return err
}

// userOf is the name of a child's user.
func userOf(child types.NamespacedName, saw Observed) string {
	had := ""
	if saw.Config != nil {
		had = saw.Config.Annotations[topology.UserAnnotation]
	}
	var holder metav1.Object
	if saw.Holder != nil {
		holder = saw.Holder
	}
	return topology.NameUser(topology.ChildUser(child), had, ownerOf(child), holder)
}

func ownerOf(cluster types.NamespacedName) topology.Owner {
	return topology.Owner{Kind: kcm.ClusterDeploymentKind, NamespacedName: cluster}
}
