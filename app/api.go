package app

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	ctrlcache "sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/app/identity"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/observability/query/promapi"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/explain/reader"
	"portico.dev/portico/server/httpapi"
	"portico.dev/portico/server/inventory/feed"
	"portico.dev/portico/server/live"
	"portico.dev/portico/server/planning"
	"portico.dev/portico/server/rights"
	"portico.dev/portico/server/signin"
)

// keptChanges is how many changes of the fleet are kept for those who listen again.
const keptChanges = 1000

// serveAPI serves the HTTP API, by TLS. Who asks is found out from each request, and what that one
// may see is asked of the management API server.
func (p *plane) serveAPI(ctx context.Context) error {
	authority, err := p.identities().Authority(p.env.Now())
	if err != nil {
		return err
	}
	parts, err := p.apiParts()
	if err != nil {
		return err
	}
	handler, err := httpapi.New(parts)
	if err != nil {
		return err
	}
	address := net.JoinHostPort(p.cfg.Host(), strconv.Itoa(p.cfg.Ports().HTTP))
	return p.serveTLS(ctx, served{as: identity.HTTP, address: address, handler: p.guarded(handler), clients: trusting(authority.CertificatePEM())})
}

func (p *plane) apiParts() (httpapi.Parts, error) {
	own, err := p.connect(identity.HTTP)
	if err != nil {
		return httpapi.Parts{}, err
	}
	clients, err := kubernetes.NewForConfig(own)
	if err != nil {
		return httpapi.Parts{}, fmt.Errorf("connecting to the management API server: %w", err)
	}
	scheme, err := planning.NewScheme()
	if err != nil {
		return httpapi.Parts{}, err
	}
	telemetry, err := p.telemetry()
	if err != nil {
		return httpapi.Parts{}, err
	}
	alerts, err := p.stores.alerts()
	if err != nil {
		return httpapi.Parts{}, err
	}
	door, err := p.door(clients)
	if err != nil {
		return httpapi.Parts{}, err
	}
	return httpapi.Parts{
		Door:    door,
		Judge:   rights.New(clients.AuthorizationV1().SubjectAccessReviews(), p.feed.Homes, p.env.Now),
		Feed:    p.feed,
		Metrics: promapi.New(telemetry, scoped, p.env.Now), Cost: p.costs.handler(telemetry), Budgets: p.costs.judgements, Plan: p.plans(scheme), Trees: p.trees(scheme),
		Logs: telemetry, Traces: telemetry, Alerts: alerts, AlertRules: p.alertRules(scheme), Kept: p.kept,
		Clock: p.env.Now, Log: p.log, Version: p.env.Version,
	}, nil
}

// newFeed is the fleet of the HTTP API: nothing, until the controllers run.
func (p *plane) newFeed() *feed.Feed { return feed.New(live.NewTopic(rand.Text(), keptChanges), p.log) }

// followFleet fills the feed from what the controllers see.
func (p *plane) followFleet(seen ctrlcache.Cache) func(context.Context) error {
	return func(ctx context.Context) error { return p.feed.Start(ctx, seen) }
}

// scoped says whose telemetry a request may see: the HTTP API has found it out.
func scoped(r *http.Request) (store.Scope, error) {
	scope := rights.From(r.Context())
	return scope, scope.Check()
}

// as is the configuration by which somebody acts on the management cluster. The HTTP API may do
// nothing there itself but act as others.
func (p *plane) as(who signin.Identity) (*rest.Config, error) {
	config, err := p.connect(identity.HTTP)
	if err != nil {
		return nil, err
	}
	config.Impersonate = rest.ImpersonationConfig{UserName: who.Name, UID: who.UID, Groups: who.Groups, Extra: who.Extra}
	config.QPS = -1
	return config, nil
}

// plans answers POST /plan with the rights of whoever asks.
func (p *plane) plans(scheme *runtime.Scheme) http.Handler {
	return planning.Handler(func(r *http.Request) (*planning.Planner, error) {
		config, err := p.as(signin.From(r.Context()))
		if err != nil {
			return nil, err
		}
		kube, err := client.New(config, client.Options{Scheme: scheme})
		if err != nil {
			return nil, err
		}
		return p.env.planner(kube, p.cfg.State.Engine), nil
	})
}

// trees reads what bears on an object, likewise; child clusters by the kubeconfigs that the user may read.
func (p *plane) trees(scheme *runtime.Scheme) func(signin.Identity) (httpapi.Trees, error) {
	return func(who signin.Identity) (httpapi.Trees, error) {
		config, err := p.as(who)
		if err != nil {
			return nil, err
		}
		kube, err := client.New(config, client.Options{Scheme: scheme})
		if err != nil {
			return nil, err
		}
		return reader.New(kube, reader.ChildrenOf(remote.New(kube, config, p.log)), p.env.Now), nil
	}
}
