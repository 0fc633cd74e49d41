package localmachine

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/bootstrap"
	"portico.dev/portico/clusters/local/localcluster"
	"portico.dev/portico/clusters/local/machine"
	"portico.dev/portico/clusters/provider"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/pki"
)

// Observed is everything that a decision about a LocalMachine rests on.
type Observed struct {
	Now time.Time `json:"now"`
	// Machine is nil until Cluster API made one the owner, Cluster nil while it is not there.
	Machine *Owner   `json:"machine,omitempty"`
	Cluster *Cluster `json:"cluster,omitempty"`
	Paused  bool     `json:"paused,omitempty"`
	// Missing names a Secret that is needed and not there yet.
	Missing string `json:"missing,omitempty"`
	// Problem is what only the user can mend.
	Problem string `json:"problem,omitempty"`
	// State and Credentials are those of a real machine.
	State       State       `json:"state,omitzero"`
	Credentials Credentials `json:"credentials,omitzero"`

	data       bootstrap.Data
	authority  *pki.Authority
	files      machine.Files
	kubeconfig []byte
	program    string
}

// Owner is what matters of the Machine.
type Owner struct {
	Version string `json:"version,omitempty"`
	// Bootstrap is the name of the Secret with the bootstrap data.
	Bootstrap string `json:"bootstrap,omitempty"`
}

// Cluster is what matters of the Cluster and its LocalCluster.
type Cluster struct {
	Name string `json:"name"`
	// ID is the cluster's identity on this computer.
	ID string `json:"id,omitempty"`
	// Provisioned says whether machines may be made, ControlPlane whether the API server answered.
	Provisioned  bool `json:"provisioned,omitempty"`
	ControlPlane bool `json:"controlPlane,omitempty"`
	// Network is the mode; Index and Gateway are there if it is Isolated.
	Network infra.NetworkMode `json:"network,omitempty"`
	Index   int32             `json:"index,omitempty"`
	Gateway string            `json:"gateway,omitempty"`
	// Version is what the API server says it has; empty if it never answered or is not ours.
	Version string `json:"version,omitempty"`
}

// observe looks at everything once. Deletion looks at nothing but the pause.
func (c *Controller) observe(ctx context.Context, m *infra.LocalMachine) (Observed, error) {
	saw := Observed{Now: c.Clock()}
	if err := c.observeOwner(ctx, m, &saw); err != nil {
		return saw, err
	}
	if saw.Paused || !m.DeletionTimestamp.IsZero() {
		return saw, nil
	}
	if isReal(m) {
		// First, since a machine that runs does so whatever else is missing.
		var err error
		if saw.State, err = c.Machines.State(ctx, client.ObjectKeyFromObject(m), ID(m)); err != nil {
			return saw, fmt.Errorf("looking at machine %s: %w", ID(m), err)
		}
	}
	if saw.Machine == nil || saw.Cluster == nil || !saw.Cluster.Provisioned {
		return saw, nil
	}
	if !isReal(m) {
		return saw, c.observeKubeconfig(ctx, m, &saw)
	}
	return saw, c.observeReal(ctx, m, &saw)
}

func (c *Controller) observeOwner(ctx context.Context, m *infra.LocalMachine, saw *Observed) error {
	saw.Paused = provider.Paused(m, nil)
	name := m.Labels[clusterv1.ClusterNameLabel]
	if ref, ok := control.OwnerOf(m, provider.MachineKind); ok {
		var owner clusterv1.Machine
		err := c.Kube.Get(ctx, types.NamespacedName{Namespace: m.Namespace, Name: ref.Name}, &owner)
		if client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("reading Machine %s: %w", ref.Name, err)
		}
		if err == nil {
			saw.Machine = &Owner{Version: owner.Spec.Version}
			if secret := owner.Spec.Bootstrap.DataSecretName; secret != nil {
				saw.Machine.Bootstrap = *secret
			}
			name = owner.Spec.ClusterName
		}
	}
	if name == "" {
		return nil
	}
	return c.observeCluster(ctx, m, name, saw)
}

// observeCluster asks the LocalCluster whether machines may be made, which is as soon as its
// network is there: Cluster API learns of it only once the API server answers.
func (c *Controller) observeCluster(ctx context.Context, m *infra.LocalMachine, name string, saw *Observed) error {
	cluster, err := provider.ClusterNamed(ctx, c.Kube, types.NamespacedName{Namespace: m.Namespace, Name: name})
	if err != nil || cluster == nil {
		return err
	}
	saw.Paused = provider.Paused(m, cluster)
	up := cluster.Status.Initialization.ControlPlaneInitialized
	saw.Cluster = &Cluster{Name: cluster.Name, ControlPlane: up != nil && *up}
	hosted, _, err := provider.ControlPlaneOf(ctx, c.Kube, cluster)
	if err != nil {
		return err
	}
	if hosted != nil {
		saw.Cluster.Version = hosted.Status.Version
	}
	local, err := provider.LocalClusterOf(ctx, c.Kube, cluster)
	if err != nil || local == nil {
		return err
	}
	saw.Cluster.ID = localcluster.ID(local)
	saw.Cluster.setNetwork(local)
	return nil
}

// setNetwork copies what the LocalCluster says of its network.
func (c *Cluster) setNetwork(l *infra.LocalCluster) {
	c.Provisioned, c.Network = l.HasNetwork(), l.Spec.Network
	c.Index, c.Gateway = l.Status.Network.Index, l.Status.Network.Gateway
}

func (c *Controller) observeKubeconfig(ctx context.Context, m *infra.LocalMachine, saw *Observed) error {
	if !saw.Cluster.ControlPlane {
		return nil
	}
	data, err := c.secret(ctx, m.Namespace, saw.Cluster.Name+"-kubeconfig", saw)
	saw.kubeconfig = data["value"]
	return err
}

func (c *Controller) observeReal(ctx context.Context, m *infra.LocalMachine, saw *Observed) error {
	if saw.Machine.Bootstrap == "" {
		return nil
	}
	err := c.observeWanted(ctx, m, saw)
	if errors.Is(err, fleet.ErrInvalid) {
		saw.Problem = fleet.Sentence(err)
		return nil
	}
	return err
}

// observeWanted reads what the machine is made from.
func (c *Controller) observeWanted(ctx context.Context, m *infra.LocalMachine, saw *Observed) error {
	if c.Refusal != "" {
		return fmt.Errorf("%w: %s", fleet.ErrInvalid, c.Refusal)
	}
	given, err := c.secret(ctx, m.Namespace, saw.Machine.Bootstrap, saw)
	if err != nil || saw.Missing != "" {
		return err
	}
	if saw.data, err = bootstrap.Decode(given[bootstrap.SecretKey]); err != nil {
		return fmt.Errorf("reading Secret %s: %w", saw.Machine.Bootstrap, err)
	}
	authority, err := c.secret(ctx, m.Namespace, saw.Cluster.Name+"-ca", saw)
	if err != nil || saw.Missing != "" {
		return err
	}
	pair := pki.Pair{Certificate: authority[corev1.TLSCertKey], Key: authority[corev1.TLSPrivateKeyKey]}
	if saw.authority, err = pki.ParseAuthority(pair); err != nil {
		return fmt.Errorf("%w: Secret %s-ca: %w", fleet.ErrInvalid, saw.Cluster.Name, err)
	}
	if saw.files, err = c.Machines.Files(ID(m)); err != nil {
		return err
	}
	saw.Credentials = judge(m, *saw)
	saw.program, err = c.Programs.Find(saw.Machine.Version)
	return err
}

// secret reads the data of a Secret. That it is not there is a fact.
func (c *Controller) secret(ctx context.Context, namespace, name string, saw *Observed) (map[string][]byte, error) {
	var s corev1.Secret
	err := c.Live.Get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, &s)
	if apierrors.IsNotFound(err) {
		saw.Missing = name
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", name, err)
	}
	return s.Data, nil
}
