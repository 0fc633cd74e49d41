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
	"strconv"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/app/identity"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/source/store"
	"portico.dev/portico/oci"
	"portico.dev/portico/server/planning"
)

// serveRegistry serves the bundled charts and images, by TLS.
func (p *plane) serveRegistry(ctx context.Context) error {
	return p.serveTLS(ctx, identity.Registry, p.registry(), oci.Registry(os.DirFS(p.bin.charts())))
}

// serveAPI serves the HTTP API, by TLS. It has no rights of its own: the token of whoever asks is
// what the management API server is asked with.
func (p *plane) serveAPI(ctx context.Context) error {
	scheme, err := planning.NewScheme()
	if err != nil {
		return err
	}
	if err := authenticationv1.AddToScheme(scheme); err != nil {
		return err
	}
	authority, err := p.identities().Authority(p.env.Now())
	if err != nil {
		return err
	}
	planners := func(r *http.Request) (*planning.Planner, error) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			return nil, fmt.Errorf("%w: send a token of the management API server: Authorization: Bearer TOKEN; kubectl create token makes one", fleet.ErrInvalid)
		}
		asker := &rest.Config{Host: p.server(), BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: authority.CertificatePEM()}, QPS: -1}
		kube, err := client.New(asker, client.Options{Scheme: scheme})
		if err != nil {
			return nil, err
		}
		if err := known(r.Context(), kube); err != nil {
			return nil, err
		}
		return p.env.planner(kube, p.cfg.State.Engine), nil
	}
	address := net.JoinHostPort(p.cfg.Host(), strconv.Itoa(p.cfg.Ports().HTTP))
	return p.serveTLS(ctx, identity.HTTP, address, planning.Handler(planners))
}

// known asks the API server who the client speaks for: it takes no token that it does not know.
func known(ctx context.Context, kube client.Client) error {
	if err := kube.Create(ctx, &authenticationv1.SelfSubjectReview{}); err != nil {
		return fmt.Errorf("asking the management API server whose token this is: %w", err)
	}
	return nil
}

// serveTLS serves under the certificate of a program, for as long as the plane lives.
func (p *plane) serveTLS(ctx context.Context, as identity.Program, address string, h http.Handler) error {
	files := p.identities().Files(as)
	certificates, err := certwatcher.New(filepath.Join(files.Dir, "tls.crt"), filepath.Join(files.Dir, "tls.key"))
	if err != nil {
		return fmt.Errorf("reading the certificate of %s: %w", as.Name, err)
	}
	p.run(life(ctx), certificates.Start)
	l, err := listen(address, as.Name)
	if err != nil {
		return err
	}
	p.serveHTTP(life(ctx), tls.NewListener(l, &tls.Config{GetCertificate: certificates.GetCertificate, MinVersion: tls.VersionTLS12}), h)
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
