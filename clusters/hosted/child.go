package hosted

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/clusters/bootstrap"
	"portico.dev/portico/clusters/hosted/addons"
	"portico.dev/portico/kube/control"
	kubeconfigs "portico.dev/portico/kube/kubeconfig"
)

const (
	// childTimeout bounds one request to a control plane: a slow one must not hold a worker.
	childTimeout = 10 * time.Second
	// noteName is the ConfigMap inside the child that says which add-ons were applied. It is
	// there and not in a status, so that a control plane which lost its data gets them again.
	noteName = "portico-addons"
	noteKey  = "digest"
)

// remote is a control plane behind its kubeconfig.
type remote struct {
	kube      client.Client
	discovery *discovery.DiscoveryClient
}

// OpenChild opens a control plane by its kubeconfig, without asking it anything yet.
func OpenChild(kubeconfig []byte) (ChildCluster, error) {
	cfg, err := kubeconfigs.Read(kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	cfg.Timeout, cfg.QPS = childTimeout, -1
	kube, err := client.New(cfg, client.Options{})
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", cfg.Host, err)
	}
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", cfg.Host, err)
	}
	return remote{kube: kube, discovery: d}, nil
}

// Look asks for the version and the note.
func (r remote) Look(ctx context.Context) (version, applied string, err error) {
	info, err := r.discovery.ServerVersion()
	if err != nil {
		return "", "", fmt.Errorf("asking for the version: %w", err)
	}
	var note corev1.ConfigMap
	err = r.kube.Get(ctx, client.ObjectKey{Namespace: metav1.NamespaceSystem, Name: noteName}, &note)
	if client.IgnoreNotFound(err) != nil {
		return info.GitVersion, "", fmt.Errorf("reading which add-ons are there: %w", err)
	}
	return info.GitVersion, note.Data[noteKey], nil
}

// Apply applies the objects in their order and then the note: a crash before it repeats all.
func (r remote) Apply(ctx context.Context, objects []client.Object, digest string) error {
	for _, o := range objects {
		if err := control.Apply(ctx, r.kube, owner, o); err != nil {
			return err
		}
	}
	return control.Apply(ctx, r.kube, owner, &corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: noteName},
		Data:       map[string]string{noteKey: digest},
	})
}

// wantedAddons are the objects and their digest.
func (c *Controller) wantedAddons(cluster *Cluster) ([]client.Object, string, error) {
	dns, err := bootstrap.NameServer(cluster.ServiceCIDR)
	if err != nil {
		return nil, "", err
	}
	address, err := netip.ParseAddr(dns)
	if err != nil {
		return nil, "", err
	}
	objects, err := addons.Objects(addons.Config{ClusterDNS: address, ClusterDomain: cluster.Domain, Nameservers: c.Nameservers})
	if err != nil {
		return nil, "", err
	}
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(objects); err != nil {
		return nil, "", fmt.Errorf("encoding the add-ons: %w", err)
	}
	return objects, hex.EncodeToString(h.Sum(nil))[:16], nil
}

func (c *Controller) applyAddons(ctx context.Context, saw *Observed) error {
	child, err := c.Children(saw.kubeconfig)
	if err != nil {
		return err
	}
	return child.Apply(ctx, saw.addons, saw.Child.Wanted)
}
