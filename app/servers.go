package app

import (
	"context"
	"crypto/tls"
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
	files := p.identities().Files(identity.Registry)
	certificates, err := certwatcher.New(filepath.Join(files.Dir, "tls.crt"), filepath.Join(files.Dir, "tls.key"))
	if err != nil {
		return fmt.Errorf("reading the registry's certificate: %w", err)
	}
	p.run(life(ctx), certificates.Start)
	l, err := listen(p.registry(), "the registry")
	if err != nil {
		return err
	}
	secured := tls.NewListener(l, &tls.Config{GetCertificate: certificates.GetCertificate, MinVersion: tls.VersionTLS12})
	p.serveHTTP(life(ctx), secured, oci.Registry(os.DirFS(p.bin.charts())))
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

// serveHTTP serves until ctx ends.
func (p *plane) serveHTTP(ctx context.Context, l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	p.run(ctx, func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { s.Close() })()
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serving %s: %w", l.Addr(), err)
		}
		return nil
	})
}
