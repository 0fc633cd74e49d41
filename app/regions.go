package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	infrav1 "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/local/network"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/pki"
	"portico.dev/portico/templates"
)

// firstRegionPort is below those that clusters without a network of their own take. A region on this
// computer has the one that its network's number says.
const firstRegionPort = 19000

func regionPort(index int32) int { return firstRegionPort + int(index) }

func hostOf(index int32) string {
	return network.Host{}.Of(network.Cluster{Index: int(index)}).HostIP.String()
}

// localRegion says where the stores of a region on this computer are reached: by the plane at the
// computer's address on the region's network, by children at that on their own.
func localRegion(kube client.Reader) func(context.Context, types.NamespacedName) (topology.Here, error) {
	return func(ctx context.Context, cluster types.NamespacedName) (topology.Here, error) {
		var l infrav1.LocalCluster
		err := kube.Get(ctx, cluster, &l)
		if client.IgnoreNotFound(err) != nil {
			return topology.Here{}, fmt.Errorf("reading LocalCluster %s: %w", cluster, err)
		}
		return hereOf(&l), nil
	}
}

// hereOf is where the stores on a local cluster are reached; one that does not exist has no network yet.
func hereOf(l *infrav1.LocalCluster) topology.Here {
	index := l.Status.Network.Index
	switch {
	case l.Spec.Network == infrav1.NetworkHost:
		return topology.Here{} // its machines run no containers
	case index == 0:
		return topology.Here{Pending: "the cluster has no network on this computer yet, by which its stores are reached"}
	}
	at := func(host string) string { return "https://" + net.JoinHostPort(host, strconv.Itoa(regionPort(index))) }
	return topology.Here{Read: at(hostOf(index)), Write: at(templates.Telemetry)}
}

const (
	regionAuthorityValidity = 10 * 365 * 24 * time.Hour
	regionValidity          = 365 * 24 * time.Hour
)

// issueForRegion makes an authority of a region's own, and a certificate by it.
func issueForRegion(had topology.Stores, names []string, now time.Time) (topology.Stores, time.Time, error) {
	authority, err := pki.ParseAuthority(pki.Pair{Certificate: had.Authority, Key: had.AuthorityKey})
	if err != nil || !now.Before(authority.NotAfter().Add(-regionValidity)) {
		if authority, err = pki.NewAuthority("portico-region", regionAuthorityValidity, now); err != nil {
			return had, time.Time{}, err
		}
	}
	made, err := authority.Pair()
	if err != nil {
		return had, time.Time{}, err
	}
	had.Authority, had.AuthorityKey = made.Certificate, made.Key
	leaf := pki.Leaf{CommonName: topology.Door, Names: everywhere(names), Usage: pki.Server, Validity: regionValidity}
	pair := pki.Pair{Certificate: had.Certificate, Key: had.Key}
	if authority.Check(pair, leaf, now) != "" {
		if pair, err = authority.Issue(leaf, now); err != nil {
			return had, time.Time{}, err
		}
	}
	had.Certificate, had.Key = pair.Certificate, pair.Key
	return had, pki.RenewAt(pair), nil
}

// everywhere are the names under which stores are reached where one of them stands for this computer
// on the network of each local cluster.
func everywhere(names []string) []string {
	if !slices.Contains(names, templates.Telemetry) {
		return names
	}
	out := slices.Clone(names)
	for index := int32(1); index < 255; index++ {
		out = append(out, hostOf(index))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// regionDoors lead from the network of each local cluster to the stores of regions on this computer,
// whose networks are apart.
type regionDoors struct {
	seen ctrlcache.Cache
	log  *slog.Logger

	mu   sync.Mutex
	open map[int32]*doors
}

// Start implements manager.Runnable.
func (r *regionDoors) Start(ctx context.Context) error {
	look := func(any) { r.look(ctx) }
	for _, kind := range []client.Object{&infrav1.LocalCluster{}, &kcm.ClusterDeployment{}} {
		informer, err := r.seen.GetInformer(ctx, kind)
		if err != nil {
			return fmt.Errorf("watching for regions on this computer: %w", err)
		}
		handled, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: look, UpdateFunc: func(_, o any) { look(o) }, DeleteFunc: look})
		if err != nil {
			return fmt.Errorf("watching for regions on this computer: %w", err)
		}
		defer func() { _ = informer.RemoveEventHandler(handled) }() // the manager ends with it
	}
	<-ctx.Done()
	r.set(ctx, nil, nil)
	return nil
}

func (r *regionDoors) look(ctx context.Context) {
	var all infrav1.LocalClusterList
	var deployments kcm.ClusterDeploymentList
	err := r.seen.List(ctx, &deployments, client.MatchingLabels{kof.ClusterRoleLabel: kof.RegionalRole})
	if err == nil && len(deployments.Items) > 0 {
		err = r.seen.List(ctx, &all)
	}
	if err != nil {
		r.log.Warn("opening the way to regions for local clusters failed", "error", err)
		return
	}
	regions, hosts := map[int32]types.NamespacedName{}, []string(nil)
	for i := range all.Items {
		l := &all.Items[i]
		index := l.Status.Network.Index
		if index == 0 {
			continue
		}
		hosts = append(hosts, hostOf(index))
		if slices.ContainsFunc(deployments.Items, func(d kcm.ClusterDeployment) bool { return d.Namespace == l.Namespace && d.Name == l.Name }) {
			regions[index] = client.ObjectKeyFromObject(l)
		}
	}
	if ctx.Err() == nil {
		r.set(ctx, regions, hosts)
	}
}

// set makes the doors those from these hosts to these regions.
func (r *regionDoors) set(ctx context.Context, regions map[int32]types.NamespacedName, hosts []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for index, d := range r.open {
		if _, still := regions[index]; !still {
			d.set(nil)
			delete(r.open, index)
		}
	}
	for index, region := range regions {
		if r.open[index] == nil {
			d := newDoors(regionPort(index), "", r.log)
			d.dial = func() (net.Conn, error) { return r.dial(ctx, region) }
			r.open[index] = d
		}
		r.open[index].set(hosts)
	}
}

// dial connects to the stores by the first node that answers: each of them leads there.
func (r *regionDoors) dial(ctx context.Context, region types.NamespacedName) (net.Conn, error) {
	var machines infrav1.LocalMachineList
	if err := r.seen.List(ctx, &machines, client.InNamespace(region.Namespace), client.MatchingLabels{clusterv1.ClusterNameLabel: region.Name}); err != nil {
		return nil, fmt.Errorf("listing the machines of region %s: %w", region, err)
	}
	err := fmt.Errorf("region %s has no machine with an address", region)
	for _, m := range machines.Items {
		for _, a := range m.Status.Addresses {
			if a.Type != infrav1.MachineInternalIP {
				continue
			}
			var to net.Conn
			if to, err = net.DialTimeout("tcp", net.JoinHostPort(a.Address, strconv.Itoa(templates.RegionPort)), 2*time.Second); err == nil {
				return to, nil
			}
		}
	}
	return nil, err
}
