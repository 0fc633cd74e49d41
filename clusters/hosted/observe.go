package hosted

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	cp "portico.dev/portico/api/local/controlplane/v1alpha1"
	"portico.dev/portico/clusters/provider"
	"portico.dev/portico/fleet"
)

// Observed is everything that a decision about a HostedControlPlane rests on.
type Observed struct {
	Now time.Time `json:"now"`
	// Cluster is nil until Cluster API made one the owner.
	Cluster *Cluster `json:"cluster,omitempty"`
	Paused  bool     `json:"paused,omitempty"`
	Secrets Secrets  `json:"secrets"`
	// Problem is what only the user can mend: a reference to nothing, a wrong value.
	Problem string `json:"problem,omitempty"`
	// Wanted is the digest of the instance that should run; empty while it cannot be known.
	Wanted   string `json:"wanted,omitempty"`
	Instance State  `json:"instance"`
	Child    Child  `json:"child"`

	files       map[string][]byte
	authorities authorities
	kubeconfig  []byte
	addons      []client.Object
}

// Cluster is what matters of the owner and its infrastructure.
type Cluster struct {
	Name string `json:"name"`
	// Host and Port are where the API server has to be; Port is 0 until it is known.
	Host string `json:"host,omitempty"`
	Port int32  `json:"port,omitempty"`
	// Netns is the network namespace to run in, empty for the computer's own.
	Netns       string `json:"netns,omitempty"`
	PodCIDR     string `json:"podCIDR,omitempty"`
	ServiceCIDR string `json:"serviceCIDR,omitempty"`
	Domain      string `json:"domain,omitempty"`
}

// Child is what the control plane itself says, once it answers.
type Child struct {
	Version string `json:"version,omitempty"`
	// Applied and Wanted are digests of the add-ons: what is there, and what should be.
	Applied string `json:"applied,omitempty"`
	Wanted  string `json:"wanted,omitempty"`
	// Problem says why it could not be asked.
	Problem string `json:"problem,omitempty"`
}

// observe looks at everything once. Deleting needs none of it but the instance and the
// Secrets, so their absence is a fact and not an error.
func (c *Controller) observe(ctx context.Context, p *cp.HostedControlPlane) (Observed, error) {
	saw := Observed{Now: c.Clock()}
	var err error
	if saw.Instance, err = c.Runner.State(ctx, client.ObjectKeyFromObject(p)); err != nil {
		return saw, fmt.Errorf("looking at the instance: %w", err)
	}
	if err := c.observeCluster(ctx, p, &saw); err != nil || (saw.Cluster == nil && p.DeletionTimestamp.IsZero()) {
		return saw, err
	}
	if err := c.observeSecrets(ctx, p, &saw); err != nil {
		return saw, err
	}
	if saw.Paused || !p.DeletionTimestamp.IsZero() {
		return saw, nil
	}
	if err := c.observeWanted(ctx, p, &saw); err != nil {
		return saw, err
	}
	c.observeChild(ctx, &saw)
	return saw, nil
}

func (c *Controller) observeCluster(ctx context.Context, p *cp.HostedControlPlane, saw *Observed) error {
	cluster, err := provider.OwnerOf(ctx, c.Kube, p)
	saw.Paused = provider.Paused(p, cluster)
	if err != nil || cluster == nil {
		return err
	}
	facts, err := c.clusterFacts(ctx, cluster)
	saw.Cluster = &facts
	return err
}

// clusterFacts takes the address from a LocalCluster once its network is ready: the namespace
// stands only there, and a LocalCluster says that it is provisioned only after our answer.
func (c *Controller) clusterFacts(ctx context.Context, cluster *clusterv1.Cluster) (Cluster, error) {
	facts := Cluster{
		Name: cluster.Name,
		Host: cluster.Spec.ControlPlaneEndpoint.Host, Port: cluster.Spec.ControlPlaneEndpoint.Port,
		PodCIDR:     first(cluster.Spec.ClusterNetwork.Pods.CIDRBlocks, "10.244.0.0/16"),
		ServiceCIDR: first(cluster.Spec.ClusterNetwork.Services.CIDRBlocks, "10.96.0.0/16"),
		Domain:      cluster.Spec.ClusterNetwork.ServiceDomain,
	}
	if facts.Domain == "" {
		facts.Domain = "cluster.local"
	}
	local, err := provider.LocalClusterOf(ctx, c.Kube, cluster)
	if err != nil || local == nil {
		return facts, err
	}
	facts.Host, facts.Port = "", 0
	if local.HasNetwork() {
		facts.Host, facts.Port = local.Spec.ControlPlaneEndpoint.Host, local.Spec.ControlPlaneEndpoint.Port
		facts.Netns = local.Status.Network.Namespace
	}
	return facts, nil
}

// observeWanted works out what should run. What only the user can mend becomes a Problem.
func (c *Controller) observeWanted(ctx context.Context, p *cp.HostedControlPlane, saw *Observed) error {
	var err error
	saw.files, err = c.references(ctx, p)
	in := instance(p, *saw)
	if err == nil {
		err = valid(in)
	}
	// One that was made with such ranges lives with them.
	if err == nil && !p.Status.Initialization.Done() {
		err = apart(in)
	}
	if errors.Is(err, fleet.ErrInvalid) {
		saw.Problem = fleet.Sentence(err)
		return nil
	}
	if err != nil || saw.Cluster.Port == 0 || len(saw.Secrets.Missing) > 0 {
		return err
	}
	saw.Wanted, err = in.Digest()
	return err
}

// observeChild asks the control plane, if it answers at all. That it does not is a fact.
func (c *Controller) observeChild(ctx context.Context, saw *Observed) {
	if saw.Instance.Phase != Ready || saw.Cluster.Port == 0 || saw.Secrets.Kubeconfig != "" {
		return // this pass writes the kubeconfig, the next one asks with it
	}
	var err error
	if saw.addons, saw.Child.Wanted, err = c.wantedAddons(saw.Cluster); err != nil {
		saw.Child.Problem = err.Error()
		return
	}
	child, err := c.Children(saw.kubeconfig)
	if err == nil {
		saw.Child.Version, saw.Child.Applied, err = child.Look(ctx)
	}
	if err != nil {
		saw.Child.Problem = steady(err)
	}
}

// steady is the text of err without the port that was asked from: a text that is another one
// each time would be written into the status each time.
func steady(err error) string {
	var at *net.OpError
	if errors.As(err, &at) {
		return strings.Replace(err.Error(), at.Error(), at.Op+": "+at.Err.Error(), 1)
	}
	return err.Error()
}

func first(values []string, otherwise string) string {
	if len(values) == 0 {
		return otherwise
	}
	return values[0]
}
