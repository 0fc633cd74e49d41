package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	kubeconfigs "portico.dev/portico/kube/kubeconfig"
)

// Timeout bounds a request to a child cluster that is neither a watch nor a wait.
const Timeout = 10 * time.Second

// dialing bounds how long a cluster may take to accept a connection: one that is gone often
// does not even refuse.
const dialing = 5 * time.Second

// Clusters finds child clusters. It is safe for concurrent use.
type Clusters struct {
	kube client.Reader
	own  *rest.Config
	log  *slog.Logger

	mu    sync.Mutex
	known map[types.NamespacedName]*Cluster
}

// New returns the finder. kube reads Secrets of the management cluster, past any cache; own
// leads to the management cluster itself.
func New(kube client.Reader, own *rest.Config, log *slog.Logger) *Clusters {
	return &Clusters{kube: kube, own: own, log: log, known: map[types.NamespacedName]*Cluster{}}
}

// Cluster returns the child cluster of that namespace and name: the same one for as long as
// its kubeconfig is the same. It returns fleet.ErrNotYet while there is no kubeconfig, and
// fleet.ErrInvalid if what is there is none.
func (c *Clusters) Cluster(ctx context.Context, key types.NamespacedName) (*Cluster, error) {
	kubeconfig, err := c.kubeconfig(ctx, key)
	if err != nil {
		return nil, err
	}
	return c.keep(key, digestOf(kubeconfig), func() (*rest.Config, error) {
		config, err := kubeconfigs.Read(kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("reading the kubeconfig of cluster %s: %w", key, err)
		}
		return config, nil
	})
}

// Own returns the management cluster itself.
func (c *Clusters) Own() (*Cluster, error) {
	return c.keep(types.NamespacedName{}, "own", func() (*rest.Config, error) { return rest.CopyConfig(c.own), nil })
}

func (c *Clusters) keep(key types.NamespacedName, digest string, config func() (*rest.Config, error)) (*Cluster, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if have := c.known[key]; have != nil && have.digest == digest {
		return have, nil
	}
	to, err := config()
	if err != nil {
		return nil, err
	}
	to.UserAgent = "portico"
	to.Dial = (&net.Dialer{Timeout: dialing, KeepAlive: 15 * time.Second}).DialContext
	releases, err := helm.New(to, helm.Config{Log: c.log})
	if err != nil {
		return nil, fmt.Errorf("preparing clients of cluster %s: %w", key, err)
	}
	made := &Cluster{Releases: releases, digest: digest, config: to, log: c.log.With("cluster", key.String())}
	c.known[key] = made
	return made, nil
}

// Forget drops what is kept of a cluster that is gone.
func (c *Clusters) Forget(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.known, key)
}

// kubeconfig reads the cluster's kubeconfig: Cluster API's Secret, else that of an adopted one.
func (c *Clusters) kubeconfig(ctx context.Context, key types.NamespacedName) ([]byte, error) {
	found, err := c.secret(ctx, types.NamespacedName{Namespace: key.Namespace, Name: key.Name + "-kubeconfig"}, "value")
	if err != nil || found != nil {
		return found, err
	}
	name, field, err := c.adopted(ctx, key)
	if err != nil {
		return nil, err
	}
	found, err = c.secret(ctx, types.NamespacedName{Namespace: key.Namespace, Name: name}, field)
	if err == nil && found == nil {
		return nil, fmt.Errorf("reaching cluster %s: %w: there is no Secret %s/%s-kubeconfig", key, fleet.ErrNotYet, key.Namespace, key.Name)
	}
	return found, err
}

// secret returns one key of a Secret, or the first one in order if field is empty; nil if
// there is none.
func (c *Clusters) secret(ctx context.Context, key types.NamespacedName, field string) ([]byte, error) {
	var s corev1.Secret
	err := c.kube.Get(ctx, key, &s)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s: %w", key, err)
	}
	if field == "" && len(s.Data) > 0 {
		field = slices.Min(slices.Collect(maps.Keys(s.Data)))
	}
	if len(s.Data[field]) == 0 {
		return nil, fmt.Errorf("reading Secret %s: %w: it holds no kubeconfig under the key %q", key, fleet.ErrInvalid, field)
	}
	return s.Data[field], nil
}

// adopted says where the kubeconfig of an adopted cluster is, by Sveltos' convention.
func (c *Clusters) adopted(ctx context.Context, key types.NamespacedName) (name, field string, err error) {
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(schema.GroupVersionKind{Group: "lib.projectsveltos.io", Version: "v1beta1", Kind: "SveltosCluster"})
	name = key.Name + "-sveltos-kubeconfig"
	err = c.kube.Get(ctx, key, obj)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return name, "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("reading SveltosCluster %s: %w", key, err)
	}
	if said, _, _ := unstructured.NestedString(obj.Object, "spec", "kubeconfigName"); said != "" {
		name = said
	}
	field, _, _ = unstructured.NestedString(obj.Object, "spec", "kubeconfigKeyName")
	return name, field, nil
}

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
