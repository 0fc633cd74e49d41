package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/install"
	"portico.dev/portico/app/telemetry"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/fleetmetrics"
)

// serveOwn serves what the plane tells of itself, of its fleet and of its programs, on loopback. Programs
// are asked by the plane, with its own passwords: who may read metrics needs none of theirs.
func (p *plane) serveOwn(ctx context.Context, seen ctrlcache.Cache) error {
	authority, err := p.identities().Authority(p.env.Now())
	if err != nil {
		return err
	}
	capi, err := p.newClusterAPI()
	if err != nil {
		return err
	}
	whatIsKnown, err := p.newKnown(seen)
	if err != nil {
		return err
	}
	whole := prometheus.NewRegistry()
	if err := whole.Register(fleetmetrics.New(whatIsKnown.snapshot)); err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+telemetry.MetricsPath, promhttp.HandlerFor(metrics.Registry, promhttp.HandlerOpts{}))
	mux.Handle("GET "+telemetry.FleetPath, promhttp.HandlerFor(whole, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET "+telemetry.ProgramsPath+"{program}", func(w http.ResponseWriter, r *http.Request) { p.serveProgram(w, r, capi) })
	return p.serveTLS(ctx, served{
		as: identity.Controllers, address: loopback(p.cfg.Ports().Own), handler: readers(mux), clients: trusting(authority.CertificatePEM()),
	})
}

// readers lets those in that may read metrics: the collector, and the person at the keyboard.
func readers(h http.Handler) http.Handler {
	may := []string{identity.Collector.User(), identity.Admin.User()}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.VerifiedChains) == 0 || !slices.Contains(may, r.TLS.VerifiedChains[0][0].Subject.CommonName) {
			http.Error(w, "expected the client certificate of "+may[0]+" or "+may[1], http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// serveProgram asks one program for its metrics and passes them on.
func (p *plane) serveProgram(w http.ResponseWriter, r *http.Request, capi *clusterAPI) {
	name := r.PathValue("program")
	ctx, cancel := context.WithTimeout(r.Context(), tellWithin)
	defer cancel()
	ask := p.stores.tells
	if name == clusterAPIProgram {
		ask = capi.tells
	}
	res, err := ask(ctx, name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body) // who asked has gone, or gets too little and notices
}

// tellWithin is how long a program may take to tell of itself.
const tellWithin = 10 * time.Second

// tells asks a store for its metrics.
func (s *stores) tells(ctx context.Context, name string) (*http.Response, error) {
	if err := s.ready(); err != nil {
		return nil, err
	}
	all, err := s.site.Told()
	if err != nil {
		return nil, err
	}
	address, known := all[name]
	if !known {
		return nil, fmt.Errorf("%w: %q is no program that tells of itself", fleet.ErrInvalid, name)
	}
	asker, err := s.client()
	if err != nil {
		return nil, err
	}
	return get(ctx, asker, address)
}

// told hands what a program tells to read, if it tells.
func told(res *http.Response, err error, read func(io.Reader) error) error {
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", res.Request.URL.Host, res.Status)
	}
	return read(res.Body)
}

// get asks. The error does not name the address: it may hold a password.
func get(ctx context.Context, by *http.Client, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("the address of a program's metrics is none")
	}
	res, err := by.Do(req)
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return res, err
}

// collectorAccount is the ServiceAccount whose tokens programs take that know no certificates.
const collectorAccount = "portico-collector"

// clusterAPI asks Cluster API's manager, which wants a token, and serves by a certificate that it has
// made for itself. The token is good for metrics and events alone.
type clusterAPI struct {
	client *http.Client
	tokens kubernetes.Interface
	clock  fleet.Clock
	url    string

	mu    sync.Mutex
	token string
	// until is when a new token is asked for.
	until time.Time
}

func (p *plane) newClusterAPI() (*clusterAPI, error) {
	own, err := p.connect(identity.Controllers)
	if err != nil {
		return nil, err
	}
	tokens, err := kubernetes.NewForConfig(own)
	if err != nil {
		return nil, fmt.Errorf("connecting to the management API server: %w", err)
	}
	return &clusterAPI{
		client: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: tellWithin},
		tokens: tokens, clock: p.env.Now, url: local("https", p.cfg.Ports().ClusterAPIMetrics) + "/metrics",
	}, nil
}

// tells asks for its metrics.
func (c *clusterAPI) tells(ctx context.Context, _ string) (*http.Response, error) {
	token, err := c.valid(ctx)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	return c.client.Do(req)
}

// valid is a token that is good for a while.
func (c *clusterAPI) valid(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clock().Before(c.until) {
		return c.token, nil
	}
	const life = 3600
	ask := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](life)}}
	got, err := c.tokens.CoreV1().ServiceAccounts(install.SystemNamespace).CreateToken(ctx, collectorAccount, ask, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("asking for a token of %s: %w", collectorAccount, err)
	}
	c.token, c.until = got.Status.Token, c.clock().Add(life*time.Second/2)
	return c.token, nil
}
