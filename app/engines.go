package app

import (
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"portico.dev/portico/app/identity"
	"portico.dev/portico/app/install"
	"portico.dev/portico/kube/remote"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engines/direct"
	"portico.dev/portico/state/serviceset"
)

// engines are those that a plane offers.
func (p *plane) engines(mgr manager.Manager, sources library) ([]engine.Engine, error) {
	// Nobody but the engines may do on the management cluster whatever charts ask for.
	own, err := p.connect(identity.Services)
	if err != nil {
		return nil, err
	}
	return []engine.Engine{
		direct.New(targets{remote.New(mgr.GetAPIReader(), own, p.log)}, sources, p.env.Now),
	}, nil
}

// preview is the adapter that hands nothing to anybody.
func (p *plane) preview(mgr manager.Manager, engines []engine.Engine) *serviceset.Preview {
	return serviceset.NewPreview(mgr.GetClient(), mgr.GetAPIReader(), p.adapter(engines))
}

// adapter is the configuration of the adapter.
func (p *plane) adapter(engines []engine.Engine) serviceset.Config {
	return serviceset.Config{Engines: engines, Default: p.cfg.State.Engine, Home: install.SystemNamespace, Clock: p.env.Now}
}
