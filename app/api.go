package app

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/telemetry"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/query/promapi"
	"portico.dev/portico/observability/store"
	records "portico.dev/portico/observability/stores/local"
	"portico.dev/portico/observability/stores/remote"
	"portico.dev/portico/observability/stores/victoria"
	"portico.dev/portico/server/httpapi"
	"portico.dev/portico/server/inventory/feed"
	"portico.dev/portico/server/live"
	"portico.dev/portico/server/planning"
	"portico.dev/portico/server/rights"
	"portico.dev/portico/server/signin"
)

// Bounds of what the HTTP API remembers.
const (
	mostLinks    = 100
	mostSessions = 10_000
	keptChanges  = 1000
)

// serveAPI serves the HTTP API, by TLS. Who asks is found out from each request, and what that one
// may see is asked of the management API server.
func (p *plane) serveAPI(ctx context.Context) error {
	authority, err := p.identities().Authority(p.env.Now())
	if err != nil {
		return err
	}
	parts, err := p.apiParts(authority.CertificatePEM())
	if err != nil {
		return err
	}
	handler, err := httpapi.New(parts)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.CertificatePEM())
	address := net.JoinHostPort(p.cfg.Host(), strconv.Itoa(p.cfg.Ports().HTTP))
	return p.serveTLS(ctx, served{as: identity.HTTP, address: address, handler: handler, clients: roots})
}

func (p *plane) apiParts(authority []byte) (httpapi.Parts, error) {
	own, err := p.connect(identity.Controllers)
	if err != nil {
		return httpapi.Parts{}, err
	}
	clients, err := kubernetes.NewForConfig(own)
	if err != nil {
		return httpapi.Parts{}, fmt.Errorf("connecting to the management API server: %w", err)
	}
	plan, err := p.plans(authority)
	if err != nil {
		return httpapi.Parts{}, err
	}
	metrics, err := p.metricsAPI()
	if err != nil {
		return httpapi.Parts{}, err
	}
	kept, err := p.records()
	if err != nil {
		return httpapi.Parts{}, err
	}
	alerts, err := p.stores.alerts()
	if err != nil {
		return httpapi.Parts{}, err
	}
	links := signin.SecretsConfig{Clock: p.env.Now, Random: rand.Reader, Life: signin.LinkLife, Most: mostLinks}
	sessions := signin.SecretsConfig{Clock: p.env.Now, Random: rand.Reader, Life: signin.SessionLife, Most: mostSessions}
	return httpapi.Parts{
		Door: signin.New(signin.Parts{
			Links: signin.NewSecrets(links), Sessions: signin.NewSecrets(sessions), Reviews: clients.AuthenticationV1().TokenReviews(), Clock: p.env.Now,
		}),
		Judge:   rights.New(clients.AuthorizationV1().SubjectAccessReviews(), p.feed.Homes, p.env.Now),
		Feed:    p.feed,
		Metrics: metrics, Plan: plan, Logs: kept, Traces: kept, Alerts: keptAlerts{alerts, p.stores},
		Clock: p.env.Now, Log: p.log, Version: p.env.Version,
	}, nil
}

// newFeed is the fleet of the HTTP API: nothing, until the controllers run.
func (p *plane) newFeed() *feed.Feed { return feed.New(live.NewTopic(rand.Text(), keptChanges), p.log) }

// followFleet fills the feed from what the controllers see.
func (p *plane) followFleet(seen ctrlcache.Cache) func(context.Context) error {
	return func(ctx context.Context) error { return p.feed.Start(ctx, seen) }
}

// metricsAPI asks the store of this plane.
func (p *plane) metricsAPI() (http.Handler, error) {
	asker, err := p.stores.client()
	if err != nil {
		return nil, err
	}
	password, err := p.stores.site.Password()
	if err != nil {
		return nil, err
	}
	url := p.stores.site.MetricsURL()
	kept, err := victoria.New(remote.Config{Read: url, Write: url + "/api/v1/write", User: telemetry.User, Password: password, Client: asker})
	if err != nil {
		return nil, err
	}
	region := query.Region{Name: managementCluster, Metrics: kept, Labels: labels.FromStrings("region", managementCluster)}
	engine := query.New(func() []query.Region { return []query.Region{region} }, query.Defaults(), p.env.Now)
	who := func(r *http.Request) (store.Scope, error) {
		scope := rights.From(r.Context())
		return scope, scope.Check()
	}
	return p.stores.behind(promapi.New(engine, who, p.env.Now)), nil
}

// records asks the store of logs and traces of this plane.
func (p *plane) records() (keptRecords, error) {
	asker, err := p.stores.signedClient()
	if err != nil {
		return keptRecords{}, err
	}
	c := records.At(p.stores.site.RecordsURL())
	c.Client = asker
	kept, err := records.New(c)
	return keptRecords{kept, p.stores}, err
}

// plans answers POST /plan. It has no rights of its own: the token of whoever asks is what the
// management API server is asked with.
func (p *plane) plans(authority []byte) (http.Handler, error) {
	scheme, err := planning.NewScheme()
	if err != nil {
		return nil, err
	}
	if err := authenticationv1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	return planning.Handler(func(r *http.Request) (*planning.Planner, error) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok {
			return nil, fmt.Errorf("%w: send a token of the management API server: Authorization: Bearer TOKEN; kubectl create token makes one", fleet.ErrInvalid)
		}
		asker := &rest.Config{Host: p.server(), BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: authority}, QPS: -1}
		kube, err := client.New(asker, client.Options{Scheme: scheme})
		if err != nil {
			return nil, err
		}
		if err := known(r.Context(), kube); err != nil {
			return nil, err
		}
		return p.env.planner(kube, p.cfg.State.Engine), nil
	}), nil
}
