package controlplane

import (
	"context"
	"fmt"
	"net"
	"time"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	controllermanageroptions "k8s.io/kubernetes/cmd/kube-controller-manager/app/options"
	scheduleroptions "k8s.io/kubernetes/cmd/kube-scheduler/app/options"

	"portico.dev/portico/api/config/v1alpha1"
)

// RefusedError says that a configuration is wrong, whatever becomes of the computer.
type RefusedError struct{ Err error }

// Error is that of what was found.
func (e RefusedError) Error() string { return e.Err.Error() }

// Unwrap is what was found.
func (e RefusedError) Unwrap() error { return e.Err }

// Check goes as far as a start can go without being heard: flags, and the files for auditing,
// authentication and encryption. It writes into the folder of c what a start would write, a database
// included, so c should have one of its own; the port of c stays free. What it has against c is a
// RefusedError; other errors say that it could not look.
func Check(ctx context.Context, c v1alpha1.ControlPlaneConfiguration, now func() time.Time) error {
	if err := sameVersion(c); err != nil {
		return RefusedError{err}
	}
	unlock, err := lock(c.Dir)
	if err != nil {
		return err
	}
	defer unlock()
	if c.APIServer.AuthenticationConfigFile, err = authentication(c); err != nil {
		return RefusedError{err}
	}
	certificates, err := openCertificates(c, now)
	if err != nil {
		return err
	}
	if _, err := certificates.refresh(); err != nil {
		return err
	}
	etcd, err := startStore(ctx, c)
	if err != nil {
		return err
	}
	defer etcd.stop()
	if err := prepareProcess(); err != nil {
		return err
	}
	// Upstream wants to hold a port.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	if _, err := configureAPIServer(ctx, apiServerFlags(c, etcd.server), listener); err != nil {
		return RefusedError{fmt.Errorf("checking kube-apiserver: %w", err)}
	}
	if err := checkControllerManager(c); err != nil {
		return RefusedError{fmt.Errorf("checking kube-controller-manager: %w", err)}
	}
	if err := checkScheduler(c); err != nil {
		return RefusedError{fmt.Errorf("checking kube-scheduler: %w", err)}
	}
	return nil
}

func checkControllerManager(c v1alpha1.ControlPlaneConfiguration) error {
	if c.ControllerManager.Disabled {
		return nil
	}
	s, err := controllermanageroptions.NewKubeControllerManagerOptions()
	if err != nil {
		return err
	}
	if err := parse(controllerManagerFlagSets(s), controllerManagerFlags(c)); err != nil {
		return err
	}
	return s.Validate(controllermanager.KnownControllers(), controllermanager.ControllersDisabledByDefault(), controllermanager.ControllerAliases())
}

func checkScheduler(c v1alpha1.ControlPlaneConfiguration) error {
	if c.Scheduler.Disabled {
		return nil
	}
	o := scheduleroptions.NewOptions()
	if err := parse(*o.Flags, schedulerFlags(c)); err != nil {
		return err
	}
	return utilerrors.NewAggregate(o.Validate())
}
