package processrunner

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/clusters/hosted"
	"portico.dev/portico/process"
)

const (
	// adoptTimeout is how long State waits for a control plane that it sees for the first
	// time: one that is up answers at once, and need not be called starting.
	adoptTimeout = 2 * time.Second
	// askAgain is the pause between two questions to a control plane that is starting.
	askAgain = 50 * time.Millisecond
	// waitAgain is the pause after a wait for the end of a process that failed.
	waitAgain = 5 * time.Second
)

// watch is the goroutine that looks after one process.
type watch struct {
	process process.Process
	cancel  context.CancelFunc
	up      atomic.Bool
}

func (w *watch) ready() bool { return w.up.Load() }

// watch returns the watch over p, and begins one if there is none. The watch outlives ctx.
func (r *Runner) watch(ctx context.Context, key types.NamespacedName, p process.Process) (*watch, error) {
	r.mu.Lock()
	w, ok := r.watched[key]
	if ok && w.process == p {
		r.mu.Unlock()
		return w, nil
	}
	if ok {
		w.cancel()
	}
	delete(r.watched, key)
	probe, err := newProbe(r.dir(key))
	if err != nil {
		r.mu.Unlock()
		return nil, err
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w = &watch{process: p, cancel: cancel}
	r.watched[key] = w
	r.mu.Unlock()

	first, stop := context.WithTimeout(ctx, adoptTimeout)
	defer stop()
	if probe.ask(first) == nil {
		w.up.Store(true)
	}
	go r.look(background, key, w, probe)
	return w, nil
}

// look waits for the first answer, then for the end. It rings at both.
func (r *Runner) look(ctx context.Context, key types.NamespacedName, w *watch, probe probe) {
	begun := r.cfg.Clock()
	ended := make(chan error, 1)
	go func() { ended <- r.untilEnded(ctx, w.process) }()
	if !w.ready() && probe.untilReady(ctx, ended) {
		w.up.Store(true)
		r.cfg.Ring(key)
	}
	if err := <-ended; err != nil {
		return // we were told to look away
	}
	r.ended(key, w, r.cfg.Clock().Sub(begun))
}

// untilEnded returns when p has ended, or with ctx's error. A wait that failed for another reason,
// such as too many open files, says nothing about p, so it is begun anew.
func (r *Runner) untilEnded(ctx context.Context, p process.Process) error {
	for {
		err := r.cfg.Table.Wait(ctx, p)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(waitAgain):
		}
	}
}

// forget ends the watch over an instance that we stop ourselves.
func (r *Runner) forget(key types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if w, ok := r.watched[key]; ok {
		w.cancel()
		delete(r.watched, key)
	}
}

// ended notes the end of a process that was not ended by us, and rings now and when it may be
// started again.
func (r *Runner) ended(key types.NamespacedName, w *watch, lived time.Duration) {
	r.mu.Lock()
	if r.watched[key] != w {
		r.mu.Unlock()
		return // another one took its place
	}
	delete(r.watched, key)
	r.mu.Unlock()
	wait := r.setbacks.Ended(key, lived)
	r.cfg.Ring(key)
	if wait > 0 {
		time.AfterFunc(wait, func() { r.cfg.Ring(key) })
	}
}

// probe asks a control plane whether it is ready.
type probe struct {
	client *http.Client
	url    string
}

// newProbe reads the address and the authority from the folder: an adopted control plane is
// where it was started, whatever is wanted now.
func newProbe(dir string) (probe, error) {
	address, err := addressIn(filepath.Join(dir, configFile))
	if err != nil {
		return probe{}, fmt.Errorf("reading where the control plane listens: %w", err)
	}
	ca, err := os.ReadFile(filepath.Join(dir, "pki", "ca.crt"))
	if err != nil {
		return probe{}, fmt.Errorf("reading the control plane's authority: %w", err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	return probe{
		url: "https://" + address + "/readyz",
		client: &http.Client{Timeout: adoptTimeout, Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{
				RootCAs: pool, MinVersion: tls.VersionTLS12, GetClientCertificate: administrator(dir),
			},
		}},
	}, nil
}

// addressIn reads the address from a configuration that a newer or older version of us may have
// written: fields that we do not know do not matter.
func addressIn(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var at struct {
		BindAddress string `json:"bindAddress"`
		Port        int32  `json:"port"`
	}
	if err := yaml.Unmarshal(text, &at); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	if at.BindAddress == "" || at.Port == 0 {
		return "", fmt.Errorf("%s has no bindAddress and port", file)
	}
	return net.JoinHostPort(at.BindAddress, strconv.Itoa(int(at.Port))), nil
}

// administrator shows the certificate that the control plane makes for its administrator: the user
// may have closed /readyz to everybody else. It is read each time, since it is made after our first
// question, and renewed. Without it we ask as anybody may.
func administrator(dir string) func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	return func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		bundle, err := os.ReadFile(filepath.Join(dir, "pki", "admin.pem"))
		if err != nil {
			return &tls.Certificate{}, nil
		}
		pair, err := tls.X509KeyPair(bundle, bundle)
		if err != nil {
			return &tls.Certificate{}, nil
		}
		return &pair, nil
	}
}

func (p probe) ask(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url, nil)
	if err != nil {
		return err
	}
	res, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", p.url, res.Status)
	}
	return nil
}

// untilReady asks until the answer is yes. It gives up when the process ended, whose news it
// puts back for the caller. This is the one place that asks again by the clock: a program that
// starts has no way to tell us that it is up.
func (p probe) untilReady(ctx context.Context, ended chan error) bool {
	for {
		if p.ask(ctx) == nil {
			return true
		}
		select {
		case err := <-ended:
			ended <- err
			return false
		case <-time.After(askAgain):
		}
	}
}

var _ hosted.Runner = (*Runner)(nil)
