package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/kube/helm"
	kubeconfigs "portico.dev/portico/kube/kubeconfig"
	"portico.dev/portico/kube/rule"
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
	// rules are compiled once for all clusters.
	rules *rule.Rules

	mu    sync.Mutex
	known map[types.NamespacedName]*Cluster
}

// New returns the finder. kube reads Secrets of the management cluster, past any cache; own
// leads to the management cluster itself.
func New(kube client.Reader, own *rest.Config, log *slog.Logger) *Clusters {
	return &Clusters{kube: kube, own: own, log: log, rules: rule.About(helm.RuleVariable), known: map[types.NamespacedName]*Cluster{}}
}

// Cluster returns the child cluster of that namespace and name: the same one for as long as
// its kubeconfig is the same. It returns fleet.ErrNotYet while there is no kubeconfig, and
// fleet.ErrInvalid if what is there is none.
func (c *Clusters) Cluster(ctx context.Context, key types.NamespacedName) (*Cluster, error) {
	kubeconfig, err := Kubeconfig(ctx, c.kube, key)
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
	// An installation takes some twenty requests; what serves them has its own fairness.
	releases, err := helm.New(to, helm.Config{Log: c.log, QPS: 200, Rules: c.rules})
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

func digestOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
