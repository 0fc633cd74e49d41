package localcluster

import (
	"context"
	"fmt"
	"time"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/provider"
)

// Observed is everything that a decision about a LocalCluster rests on.
type Observed struct {
	Now time.Time `json:"now"`
	// Owned says whether Cluster API made a Cluster the owner.
	Owned  bool `json:"owned,omitempty"`
	Paused bool `json:"paused,omitempty"`
	// Settled says whether anybody may have been told of the endpoint already.
	Settled bool `json:"settled,omitempty"`
	// Unanswered says whether the control plane is one of ours and has never answered yet.
	Unanswered bool `json:"unanswered,omitempty"`
	// Machines are the names of LocalMachines that are left.
	Machines []string `json:"machines,omitempty"`
	// Indexes and Ports are taken: by other LocalClusters, or by something else on this
	// computer. They are looked at only to allocate.
	Indexes []int32 `json:"indexes,omitempty"`
	Ports   []int32 `json:"ports,omitempty"`
	// Refusal says why this computer cannot make networks, and what to do; empty if it can.
	Refusal string `json:"refusal,omitempty"`
	// Network is whether the network of package network exists; only deletion asks.
	Network bool `json:"network,omitempty"`
}

func (c *Controller) observe(ctx context.Context, l *infra.LocalCluster) (Observed, error) {
	saw := Observed{Now: c.Clock(), Refusal: c.Refusal}
	if err := c.observeOwner(ctx, l, &saw); err != nil {
		return saw, err
	}
	if !l.DeletionTimestamp.IsZero() {
		return saw, c.observeLeft(ctx, l, &saw)
	}
	if saw.Owned && (l.Spec.ControlPlaneEndpoint.Port == 0 || isolated(l) && !saw.Settled) {
		return saw, c.observeTaken(ctx, l, &saw)
	}
	return saw, nil
}

func (c *Controller) observeOwner(ctx context.Context, l *infra.LocalCluster, saw *Observed) error {
	cluster, err := provider.OwnerOf(ctx, c.Kube, l)
	saw.Paused = provider.Paused(l, cluster)
	if err != nil || cluster == nil {
		return err
	}
	saw.Owned = true
	saw.Settled = l.HasNetwork() || cluster.Spec.ControlPlaneEndpoint.Port != 0
	if l.Status.Initialization.Done() {
		return nil
	}
	hosted, ours, err := provider.ControlPlaneOf(ctx, c.Kube, cluster)
	saw.Unanswered = ours && (hosted == nil || !hosted.Status.Initialization.Done())
	return err
}

// observeLeft lists the machines live: removing the network under one of them would leave its
// namespace behind.
func (c *Controller) observeLeft(ctx context.Context, l *infra.LocalCluster, saw *Observed) error {
	ids, err := c.Network.List()
	if err != nil {
		return err
	}
	for _, id := range ids {
		saw.Network = saw.Network || id == ID(l)
	}
	name := l.Labels[clusterv1.ClusterNameLabel]
	if name == "" {
		return nil
	}
	var machines infra.LocalMachineList
	if err := c.Live.List(ctx, &machines, client.InNamespace(l.Namespace), client.MatchingLabels{clusterv1.ClusterNameLabel: name}); err != nil {
		return fmt.Errorf("listing LocalMachines: %w", err)
	}
	for i := range machines.Items {
		saw.Machines = append(saw.Machines, machines.Items[i].Name)
	}
	return nil
}

// observeTaken lists live, since a cache could miss what was allocated a moment ago.
func (c *Controller) observeTaken(ctx context.Context, l *infra.LocalCluster, saw *Observed) error {
	var all infra.LocalClusterList
	if err := c.Live.List(ctx, &all); err != nil {
		return fmt.Errorf("listing LocalClusters: %w", err)
	}
	for i := range all.Items {
		other := &all.Items[i]
		if other.UID == l.UID {
			continue
		}
		if n, ok := indexOf(other); ok {
			saw.Indexes = append(saw.Indexes, n)
		} else if port := other.Spec.ControlPlaneEndpoint.Port; port != 0 {
			saw.Ports = append(saw.Ports, port)
		}
	}
	indexes, ports, err := c.Taken(ID(l))
	if err != nil {
		return err
	}
	saw.Indexes, saw.Ports = append(saw.Indexes, indexes...), append(saw.Ports, ports...)
	return nil
}
