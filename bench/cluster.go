package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"portico.dev/portico/internal/e2e"
)

const (
	mostOverBare     = 1.3
	mostReal         = 40  // seconds
	mostDeletion     = 30  // seconds
	mostControlPlane = 300 // MiB
	rounds           = 5
)

// cluster measures the life of one cluster.
func cluster(ctx context.Context, b *bench) error {
	if _, err := b.up(ctx); err != nil {
		return err
	}
	if err := b.overBare(ctx); err != nil {
		return err
	}
	real := e2e.Cluster{Name: "real", Workers: 1, Real: true, Message: "measured"}
	began := time.Now()
	if err := e2e.Apply(ctx, b.kube, real.Object()); err != nil {
		return err
	}
	if _, err := e2e.AwaitReady(ctx, b.kube, real.Key()); err != nil {
		return err
	}
	if err := b.answers(ctx, real); err != nil {
		return err
	}
	figure("ClusterDeployment applied, until a real node's service answers", mostReal, since(began), "s")
	if err := pause(ctx, 40*time.Second); err != nil {
		return err
	}
	memory, _, err := b.memory(ctx, controlPlane)
	if err != nil {
		return err
	}
	figure("memory of a hosted control plane with a node and a service (RSS)", mostControlPlane, memory, "MiB")
	took, err := b.remove(ctx, real)
	figure("deletion of a cluster with a real node and a service", mostDeletion, took, "s")
	return err
}

// overBare compares a child's API server with a control plane that is started by hand, in turns.
func (b *bench) overBare(ctx context.Context) error {
	var bare, child []float64
	for n := range rounds {
		talk("round %d of %d: a control plane by hand, and one by ClusterDeployment", n+1, rounds)
		alone, err := b.bare(ctx, n)
		if err != nil {
			return err
		}
		declared, err := b.declared(ctx, e2e.Cluster{Name: fmt.Sprintf("round-%d", n)})
		if err != nil {
			return err
		}
		bare, child = append(bare, alone), append(child, declared)
	}
	remark("bare portico-kube controlplane, until /readyz (median)", median(bare), "s")
	remark("ClusterDeployment applied, until the child's /readyz (median)", median(child), "s")
	figure("the second in parts of the first", mostOverBare, median(child)/median(bare), "")
	return nil
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// bare starts a control plane by hand and measures until it is ready.
func (b *bench) bare(ctx context.Context, n int) (float64, error) {
	dir := filepath.Join(b.dir, fmt.Sprintf("bare-%d", n))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	file := filepath.Join(dir, "config.yaml")
	config := fmt.Sprintf("apiVersion: config.portico.dev/v1alpha1\nkind: ControlPlaneConfiguration\nname: bare\ndir: %s\nport: %d\n", dir, port)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return 0, err
	}
	began := time.Now()
	cmd := exec.CommandContext(ctx, b.Bin.File("portico-kube"), "controlplane", "--config", file)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed, and that is what the error says
	}()
	err = untilReady(ctx, func() (*rest.Config, error) {
		return clientcmd.BuildConfigFromFlags("", filepath.Join(dir, "kubeconfig"))
	})
	return since(began), err
}

// declared applies a ClusterDeployment, measures until its API server is ready, and deletes it.
func (b *bench) declared(ctx context.Context, c e2e.Cluster) (float64, error) {
	began := time.Now()
	if err := e2e.Apply(ctx, b.kube, c.Object()); err != nil {
		return 0, err
	}
	config, _, err := e2e.Child(ctx, b.kube, c.Key())
	if err != nil {
		return 0, err
	}
	if err := untilReady(ctx, func() (*rest.Config, error) { return config, nil }); err != nil {
		return 0, err
	}
	took := since(began)
	_, err = b.remove(ctx, c)
	return took, err
}

// untilReady asks until /readyz says yes, as often as it is worth: nothing tells of it.
func untilReady(ctx context.Context, config func() (*rest.Config, error)) error {
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		cfg, err := config()
		if err == nil && ready(ctx, cfg) {
			return nil
		}
	}
	return ctx.Err()
}

func ready(ctx context.Context, cfg *rest.Config) bool {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cfg.CAData)
	c := http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, cfg.Host+"/readyz", nil)
	if err != nil {
		return false
	}
	r, err := c.Do(req)
	if err != nil {
		return false
	}
	r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// answers waits until podinfo on the cluster says what it should.
func (b *bench) answers(ctx context.Context, c e2e.Cluster) error {
	config, _, err := e2e.Child(ctx, b.kube, c.Key())
	if err != nil {
		return err
	}
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	for ; ; time.Sleep(20 * time.Millisecond) {
		page, err := clients.RESTClient().Get().AbsPath(e2e.PodinfoServiceURL).DoRaw(ctx)
		if err == nil && strings.Contains(string(page), c.Message) {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("asking podinfo of %s: %w: %s", c.Name, err, page)
		}
	}
}

// remove deletes clusters at once, and measures until they are gone.
func (b *bench) remove(ctx context.Context, clusters ...e2e.Cluster) (float64, error) {
	began := time.Now()
	for _, c := range clusters {
		if err := b.kube.Delete(ctx, c.Object()); err != nil {
			return 0, err
		}
	}
	for _, c := range clusters {
		if err := e2e.AwaitGone(ctx, b.kube, c.Object()); err != nil {
			return 0, err
		}
	}
	return since(began), nil
}
