package controlplane

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"k8s.io/component-base/version"
	"k8s.io/klog/v2"

	"portico.dev/portico/api/config/controlplane"
	"portico.dev/portico/api/config/v1alpha1"
)

// stopWithin is how long requests in flight may take when the process is told to stop.
const stopWithin = 5 * time.Second

// ReadConfig reads the configuration of a control plane.
func ReadConfig(file string) (v1alpha1.ControlPlaneConfiguration, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return v1alpha1.ControlPlaneConfiguration{}, fmt.Errorf("reading the configuration: %w", err)
	}
	c, err := controlplane.Decode(data)
	if err != nil {
		return c, fmt.Errorf("file %s: %w", file, err)
	}
	return c, nil
}

// Run runs the control plane until ctx ends (then the error is nil) or until one of its parts
// ends (then it never is). c is complete and valid, as ReadConfig returns it.
func Run(ctx context.Context, c v1alpha1.ControlPlaneConfiguration, now func() time.Time) error {
	if err := sameVersion(c); err != nil {
		return err
	}
	tune(c.Tuning)
	unlock, err := lock(c.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	listener, err := listen(c)
	if err != nil {
		return err
	}
	defer listener.Close()
	if c.APIServer.AuthenticationConfigFile, err = authentication(c); err != nil {
		return err
	}
	certificates, err := openCertificates(c, now)
	if err != nil {
		return err
	}
	due, err := certificates.refresh()
	if err != nil {
		return err
	}
	etcd, err := startStore(ctx, c)
	if err != nil {
		return ignoreStop(ctx, err)
	}
	defer etcd.stop()
	t := newTogether(ctx)
	t.start("etcd", etcd.run)
	t.start("certificates", func(ctx context.Context) error { return certificates.keepFresh(ctx, due) })
	return startKubernetes(t, c, etcd.server, listener)
}

func sameVersion(c v1alpha1.ControlPlaneConfiguration) error {
	if have := version.Get().GitVersion; c.KubernetesVersion != "" && c.KubernetesVersion != have {
		return fmt.Errorf("this program is Kubernetes %s, the configuration wants kubernetesVersion %s", have, c.KubernetesVersion)
	}
	return nil
}

// startKubernetes starts the programs of Kubernetes and waits for the end of all.
func startKubernetes(t *together, c v1alpha1.ControlPlaneConfiguration, etcdServer string, listener net.Listener) error {
	began := time.Now()
	if err := prepareProcess(); err != nil {
		return err
	}
	api, err := newAPIServer(t.ctx, apiServerFlags(c, etcdServer), listener)
	if err != nil {
		return t.stop(fmt.Errorf("starting kube-apiserver: %w", err))
	}
	served := t.start("kube-apiserver", api.run)
	if err := api.waitReady(t.ctx); err != nil {
		return t.wait(served)
	}
	klog.InfoS("Control plane is ready", "name", c.Name, "server", serverFor(c), "after", time.Since(began).Round(time.Millisecond))
	if !c.ControllerManager.Disabled {
		t.start("kube-controller-manager", func(ctx context.Context) error { return runControllerManager(ctx, controllerManagerFlags(c)) })
	}
	if !c.Scheduler.Disabled {
		t.start("kube-scheduler", func(ctx context.Context) error { return runScheduler(ctx, schedulerFlags(c)) })
	}
	go handBack(t.ctx)
	return t.wait(served)
}

// tune comes before everything that allocates.
func tune(t v1alpha1.TuningConfiguration) {
	debug.SetGCPercent(int(t.GOGC))
	if limit := t.MemoryLimit.Value(); limit > 0 {
		debug.SetMemoryLimit(limit)
	}
}

// lock makes this process the only one of the folder. The kernel frees the lock with the
// process, however it ends.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the control plane's folder: %w", err)
	}
	f, err := os.OpenFile(layout(dir).lock(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the control plane's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: another control plane runs in this folder; stop it first", dir)
	}
	return func() { f.Close() }, nil
}

func listen(c v1alpha1.ControlPlaneConfiguration) (net.Listener, error) {
	address := net.JoinHostPort(c.BindAddress, strconv.Itoa(int(c.Port)))
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("listening on %s: another program has this port; stop it, or set port in the configuration", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf("listening on %s: this machine has no such address; set bindAddress in the configuration", address)
	case err != nil:
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	return l, nil
}

// ignoreStop makes being told to stop no error.
func ignoreStop(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
