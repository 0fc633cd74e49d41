package app

import (
	"context"
	"fmt"
	"os"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/install"
)

// makeCertificates makes what is missing and leaves a goroutine that renews.
func (p *plane) makeCertificates(ctx context.Context) error {
	site := p.identities()
	next, err := site.Ensure(p.env.Now())
	if err != nil {
		return err
	}
	p.run(life(ctx), func(ctx context.Context) error {
		for {
			due := time.NewTimer(next.Sub(p.env.Now()))
			select {
			case <-ctx.Done():
				due.Stop()
				return ctx.Err()
			case <-due.C:
			}
			if next, err = site.Ensure(p.env.Now()); err != nil {
				return fmt.Errorf("renewing certificates: %w", err)
			}
			if err := p.lent.renew(ctx); err != nil {
				return err
			}
			p.log.Info("certificates renewed", "next", next)
		}
	})
	return nil
}

// startManagement returns as soon as the server takes definitions.
func (p *plane) startManagement(ctx context.Context) error {
	program, err := p.management(p.tokens())
	if err != nil {
		return err
	}
	if err := p.supervisor.Keep(ctx, program); err != nil {
		return err
	}
	cfg, err := p.connect(identity.Admin)
	if err != nil {
		return err
	}
	if p.installer, err = install.New(cfg); err != nil {
		return err
	}
	return p.installer.AwaitServer(ctx)
}

func (p *plane) awaitManagement(ctx context.Context) error {
	return p.supervisor.Await(ctx, managementProgram)
}

func (p *plane) startClusterAPI(ctx context.Context) error {
	if err := p.supervisor.Keep(ctx, p.clusterAPI()); err != nil {
		return err
	}
	return p.supervisor.Await(ctx, clusterAPIProgram)
}

func (p *plane) startKeeper(ctx context.Context) error { return p.supervisor.Keep(ctx, p.keeper()) }

// connect returns how a program reaches the management API server.
func (e *embedded) connect(as identity.Program) (*rest.Config, error) {
	cfg, err := clientcmd.BuildConfigFromFlags("", e.identities().Files(as).Kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig of %s: %w", as.Name, err)
	}
	return cfg, nil
}

func (p *plane) installAccess(ctx context.Context) error {
	objects, err := install.Access()
	if err != nil {
		return err
	}
	return p.installer.Apply(ctx, objects)
}

// installDefinitions applies all kinds but those of engines that are started on demand, and
// Cluster API's webhooks with them: what they guard cannot exist before the manager answers for it.
func (p *plane) installDefinitions(ctx context.Context) error {
	manifests, err := install.Read(os.DirFS(p.bin.crds()), fluxKinds, sveltosKinds)
	if err != nil {
		return fmt.Errorf("reading %s: %w", p.bin.crds(), err)
	}
	authority, err := p.identities().Authority(p.env.Now())
	if err != nil {
		return err
	}
	manifests.Route(install.Endpoint{URL: local("https", p.cfg.Ports().ClusterAPIWebhooks), Authority: authority.CertificatePEM()})
	if err := p.installer.Apply(ctx, manifests.Webhooks); err != nil {
		return err
	}
	return p.installer.Define(ctx, manifests.Definitions)
}
