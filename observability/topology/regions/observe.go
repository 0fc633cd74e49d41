package regions

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

// Observed is what a decision about a region rests on.
type Observed struct {
	// Regions are all regions, this one among them.
	Regions []topology.Candidate `json:"regions,omitempty"`
	// Cluster is the region's ClusterDeployment; nil if it is no cluster of this plane.
	Cluster *metav1.ObjectMeta `json:"cluster,omitempty"`
	// Holder is the Secret with the short name of the region's admin; nil if there is none.
	Holder *metav1.PartialObjectMetadata `json:"holder,omitempty"`
	// Secret holds the admin's credentials; nil if there are none.
	Secret *corev1.Secret `json:"secret,omitempty"`
	Now    time.Time      `json:"now"`
}

func (c *Controller) observe(ctx context.Context, cm *corev1.ConfigMap) (Observed, error) {
	saw := Observed{Now: c.Clock()}
	var found corev1.ConfigMapList
	if err := c.Live.List(ctx, &found, client.MatchingLabels{kof.ClusterRoleLabel: kof.RegionalRole}); err != nil {
		return saw, fmt.Errorf("listing the ConfigMaps of regions: %w", err)
	}
	for i := range found.Items {
		saw.Regions = append(saw.Regions, topology.CandidateOf(&found.Items[i], c.Settings.Self))
	}
	cluster, err := ensure.Read(ctx, c.Kube, topology.ReportsTo(cm), &kcm.ClusterDeployment{})
	if err != nil {
		return saw, err
	}
	if cluster != nil {
		saw.Cluster = &cluster.ObjectMeta
	}
	holder := &metav1.PartialObjectMetadata{}
	holder.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Secret"))
	short := topology.AdminUser(client.ObjectKeyFromObject(cm))
	if saw.Holder, err = ensure.Read(ctx, c.Live, types.NamespacedName{Namespace: kof.Namespace, Name: topology.Credentials(short)}, holder); err != nil {
		return saw, err
	}
	key := types.NamespacedName{Namespace: cm.Namespace, Name: topology.Credentials(adminOf(cm, saw))}
	saw.Secret, err = ensure.Read(ctx, c.Live, key, &corev1.Secret{})
	return saw, err
}

// adminOf is the name of a region's admin.
func adminOf(cm *corev1.ConfigMap, saw Observed) string {
	var holder metav1.Object
	if saw.Holder != nil {
		holder = saw.Holder
	}
	key := client.ObjectKeyFromObject(cm)
	return topology.NameUser(topology.AdminUser(key), cm.Annotations[topology.UserAnnotation], ownerOf(key), holder)
}

func ownerOf(config types.NamespacedName) topology.Owner {
	return topology.Owner{Kind: "ConfigMap", NamespacedName: config}
}
