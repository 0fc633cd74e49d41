package app

import (
	"context"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/install"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engines/direct"
	"portico.dev/portico/state/engines/flux"
	"portico.dev/portico/state/engines/sveltos"
	"portico.dev/portico/state/serviceset"
)

// engines are those that a plane offers. Each finds clusters by itself: what one forgets, another
// may still need.
func (p *plane) engines(mgr manager.Manager, sources library) ([]engine.Engine, error) {
	// Nobody but the engines may do on the management cluster whatever charts ask for.
	own, err := p.connect(identity.Services)
	if err != nil {
		return nil, err
	}
	find := func() targets { return targets{remote.New(mgr.GetAPIReader(), own, p.log)} }
	byFlux, err := p.flux(mgr, find(), sources)
	if err != nil {
		return nil, err
	}
	return []engine.Engine{
		direct.New(find(), sources, p.env.Now),
		byFlux,
		p.sveltos(mgr, find(), sources),
	}, nil
}

// flux is the engine that has Flux's helm-controller at work.
func (p *plane) flux(mgr ctrl.Manager, clusters targets, sources library) (engine.Engine, error) {
	made, err := flux.New(flux.Config{
		Management: rest.CopyConfig(mgr.GetConfig()), Charts: sources, Clock: p.env.Now,
		Clusters: fluxTargets{targets: clusters, live: mgr.GetAPIReader(), kube: mgr.GetClient(), lent: p.lent},
	})
	if err != nil {
		return nil, err
	}
	program := &upstream{
		plane: p, engine: made.Name(), program: p.helmController(), access: install.FluxAccess, mapper: mgr.GetRESTMapper(),
		kinds: fluxKinds, kind: schema.GroupResource{Group: "helm.toolkit.fluxcd.io", Resource: "helmreleases"},
	}
	return newOnDemand(made, program, p.log), nil
}

// sveltosNamespace is where Sveltos' programs keep what is their own.
const sveltosNamespace = "projectsveltos"

// sveltos is the engine that has Sveltos' addon-controller at work.
func (p *plane) sveltos(mgr ctrl.Manager, clusters targets, sources library) engine.Engine {
	made := sveltos.New(sveltos.Parts{
		Kube: mgr.GetClient(), Cache: mgr.GetCache(), Clusters: sveltosTargets{clusters}, Charts: sources, Clock: p.env.Now, Log: p.log,
	})
	return newOnDemand(made, &upstream{
		plane: p, engine: made.Name(), program: p.addonController(), access: install.SveltosAccess, mapper: mgr.GetRESTMapper(),
		kinds: sveltosKinds, kind: schema.GroupResource{Group: "config.projectsveltos.io", Resource: "profiles"},
		before: func(ctx context.Context) error { return p.joinItself(ctx, mgr.GetClient()) },
	}, p.log)
}

// preview is the adapter that hands nothing to anybody.
func (p *plane) preview(mgr manager.Manager, engines []engine.Engine) *serviceset.Preview {
	return serviceset.NewPreview(mgr.GetClient(), mgr.GetAPIReader(), p.adapter(engines))
}

// adapter is the configuration of the adapter.
func (p *plane) adapter(engines []engine.Engine) serviceset.Config {
	return serviceset.Config{Engines: engines, Default: p.cfg.State.Engine, Home: install.SystemNamespace, Clock: p.env.Now, Store: p.artifacts}
}
