package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/certwatcher"

	"portico.dev/portico/app/identity"
	"portico.dev/portico/kube/source/store"
	"portico.dev/portico/oci"
)

// serveRegistry serves the bundled charts and images, by TLS.
func (p *plane) serveRegistry(ctx context.Context) error {
	return p.serveTLS(ctx, served{as: identity.Registry, address: p.registry(), handler: oci.Registry(os.DirFS(p.bin.charts()))})
}

// served is what is served by TLS: under the certificate of a program, at an address.
type served struct {
	as      identity.Program
	address string
	handler http.Handler
	// clients is the authority of those clients that show a certificate; nil asks for none.
	clients *x509.CertPool
}

// serveTLS serves for as long as the plane lives.
func (p *plane) serveTLS(ctx context.Context, what served) error {
	files := p.identities().Files(what.as)
	certificates, err := certwatcher.New(filepath.Join(files.Dir, "tls.crt"), filepath.Join(files.Dir, "tls.key"))
	if err != nil {
		return fmt.Errorf("reading the certificate of %s: %w", what.as.Name, err)
	}
	p.run(life(ctx), certificates.Start)
	l, err := listen(what.address, what.as.Name)
	if err != nil {
		return err
	}
	by := &tls.Config{GetCertificate: certificates.GetCertificate, MinVersion: tls.VersionTLS12}
	if what.clients != nil {
		by.ClientAuth, by.ClientCAs = tls.VerifyClientCertIfGiven, what.clients
	}
	p.serveHTTP(life(ctx), tls.NewListener(l, by), what.handler)
	return nil
}

// serveArtifacts serves what sources have fetched, to the programs of this machine alone: it asks
// nobody who they are.
func (p *plane) serveArtifacts(ctx context.Context) (err error) {
	port := p.cfg.Ports().Artifacts
	if p.artifacts, err = store.New(p.folder.Artifacts(), local("http", port)); err != nil {
		return err
	}
	l, err := listen(loopback(port), "the artifact server")
	if err != nil {
		return err
	}
	p.serveHTTP(life(ctx), l, p.artifacts.Handler())
	return nil
}

func listen(address, what string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for %s: %w", what, err)
	}
	return l, nil
}

// mostReading is how long a request may take to come in, with all that it holds.
const mostReading = time.Minute

// serveHTTP serves until ctx ends.
func (p *plane) serveHTTP(ctx context.Context, l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: mostReading, IdleTimeout: 2 * time.Minute}
	p.run(ctx, func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { s.Close() })()
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving %s: %w", l.Addr(), err)
		}
		return nil
	})
}
