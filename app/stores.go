package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	toolscache "k8s.io/client-go/tools/cache"
	ctrl "sigs.k8s.io/controller-runtime"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/telemetry"
	"portico.dev/portico/config"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/alert/delivery"
)

// stores are what keeps telemetry on this plane: programs that are started once something uses them.
type stores struct {
	*plane
	site  telemetry.Site
	asked chan struct{}
	// client is made when the first one needs it: the plane's authority is there by then.
	client func() (*http.Client, error)
	// mgr is there before the programs are started; seen is what its controllers see.
	mgr  ctrl.Manager
	seen ctrlcache.Cache

	mu sync.Mutex
	// rules evaluates rules, once the programs for that serve.
	rules *delivery.Controller
	// begun says that something uses them, serving that all of them serve, trouble why they do not yet.
	begun, serving bool
	trouble        error
}

func (p *plane) newStores() *stores {
	files := p.identities().Files(identity.Telemetry)
	s := &stores{
		plane: p, asked: make(chan struct{}, 1),
		site: telemetry.Site{
			Folder: p.folder, Libexec: p.bin.libexec(), Bin: string(p.bin), Ports: p.cfg.Ports(), Days: p.cfg.Observability.Retention,
			Certificate: filepath.Join(files.Dir, "tls.crt"), Key: filepath.Join(files.Dir, "tls.key"),
			Authority: filepath.Join(p.folder.Management(), "pki", "ca.crt"),
		},
	}
	s.client = sync.OnceValues(s.newClient)
	return s
}

// ask has the programs started.
func (s *stores) ask() {
	select {
	case s.asked <- struct{}{}:
	default:
	}
}

// ready returns nil once telemetry is kept here, else an error of kind fleet.ErrNotYet that says what
// has to happen.
func (s *stores) ready() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.serving:
		return nil
	case s.cfg.Observability.Stores == config.KeepNever:
		return fmt.Errorf("%w: this plane keeps no telemetry: observability.stores is Never in its configuration", fleet.ErrNotYet)
	case s.begun && s.trouble == nil:
		return fmt.Errorf("%w: the stores of telemetry are being started", fleet.ErrNotYet)
	case s.trouble != nil:
		return fmt.Errorf("%w: the stores of telemetry are being started: %s", fleet.ErrNotYet, fleet.Sentence(s.trouble))
	}
	return fmt.Errorf("%w: no cluster sends telemetry: give one the label %s=child, or set observability.stores to Always", fleet.ErrNotYet, kof.ClusterRoleLabel)
}

// wanted says whether something uses the stores of this plane: what they know is missed by whoever asks
// before they serve, which the error says.
func (s *stores) wanted() (bool, error) {
	s.mu.Lock()
	wanted := s.begun || s.serving
	s.mu.Unlock()
	if !wanted {
		return false, nil
	}
	return true, s.ready()
}

// follow asks as soon as a cluster has a role in telemetry.
func (s *stores) follow(ctx context.Context) error {
	informer, err := s.seen.GetInformer(ctx, &kcm.ClusterDeployment{})
	if err != nil {
		return fmt.Errorf("watching for clusters that send telemetry: %w", err)
	}
	look := func(o any) {
		if d, ok := o.(client.Object); ok && d.GetLabels()[kof.ClusterRoleLabel] != "" {
			s.ask()
		}
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{AddFunc: look, UpdateFunc: func(_, o any) { look(o) }})
	return err
}

// Start implements manager.Runnable: it starts the programs when somebody asks, and tries until all
// of them serve.
func (s *stores) Start(ctx context.Context) error {
	if err := s.follow(ctx); err != nil {
		return err
	}
	if s.cfg.Observability.Stores == config.KeepAlways {
		s.ask()
	}
	if !await(ctx, s.asked, nil) {
		return nil
	}
	s.mu.Lock()
	s.begun = true
	s.mu.Unlock()
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		err := s.bring(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil {
			return s.use(ctx)
		}
		s.fail(err)
		if !await(ctx, nil, time.After(pause)) {
			return nil
		}
	}
}

// use begins what needs the programs.
func (s *stores) use(ctx context.Context) error {
	port := s.cfg.Ports().Telemetry
	open := newDoors(port, net.JoinHostPort(s.cfg.Host(), strconv.Itoa(port)), s.log)
	err := errors.Join(open.follow(ctx, s.seen), s.alerting(s.mgr), s.collect(ctx))
	s.costs.wake()
	return err
}

func (s *stores) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble == nil || s.trouble.Error() != err.Error() {
		s.log.Warn("the stores of telemetry do not serve yet", "reason", err)
	}
	s.trouble = err
}

func (s *stores) bring(ctx context.Context) error {
	if missing := s.site.Missing(); len(missing) > 0 {
		return fmt.Errorf("%w: not built: %s: run make build and start the plane again", fleet.ErrInvalid, strings.Join(missing, ", "))
	}
	began := s.env.Now()
	all, err := s.site.Programs()
	if err != nil {
		return err
	}
	asker, err := s.client()
	if err != nil {
		return err
	}
	for _, p := range all {
		program := s.onDemandProgram(p.Name, p.Path, "", 0)
		program.Spec.Args, program.Inputs, program.Ready = p.Args, p.Inputs, answersTo(asker, p.Health)
		if err := s.supervisor.Keep(ctx, program); err != nil {
			return fmt.Errorf("starting %s: %w", p.Name, err)
		}
	}
	limited, cancel := context.WithTimeoutCause(ctx, serveWithin, errors.New("it does not serve yet"))
	defer cancel()
	for _, p := range all {
		if err := s.supervisor.Await(limited, p.Name); err != nil {
			return fmt.Errorf("waiting for %s: %w", p.Name, err)
		}
	}
	s.mu.Lock()
	s.serving, s.trouble = true, nil
	s.mu.Unlock()
	s.log.Info("telemetry is kept", "took", s.env.Now().Sub(began))
	return nil
}

// newClient is by what the plane asks the stores: it trusts the plane's authority, and says on every
// request that it is the plane's.
func (s *stores) newClient() (*http.Client, error) {
	authority, err := s.identities().Authority(s.env.Now())
	if err != nil {
		return nil, err
	}
	password, err := s.site.Password()
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: trusting(authority.CertificatePEM()), MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true,
	}
	return &http.Client{Transport: signed{transport, password}}, nil
}

// signed says on every request that it is the plane's.
type signed struct {
	http.RoundTripper
	password string
}

func (s signed) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.SetBasicAuth(telemetry.User, s.password)
	return s.RoundTripper.RoundTrip(r)
}
