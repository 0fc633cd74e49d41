package app

import (
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/app/install"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/source"
	"portico.dev/portico/observability/alert"
	"portico.dev/portico/server/planning"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engines/direct"
	"portico.dev/portico/state/engines/flux"
	"portico.dev/portico/state/engines/sveltos"
	smp "portico.dev/portico/state/provider"
	"portico.dev/portico/state/serviceset"
	"portico.dev/portico/state/values"
)

// planner makes plans on the command line. Its engines are asked what they refuse, and nothing
// else; what sources have fetched is read where the plane serves it.
func (e Env) planner(kube client.Client, fallback string) *planning.Planner {
	return &planning.Planner{
		Kube: kube,
		Adapter: serviceset.Config{
			Engines: []engine.Engine{direct.New(nil, nil, e.Now), &flux.Engine{}, sveltos.New(sveltos.Parts{})},
			Default: fallback, Home: install.SystemNamespace, Clock: e.Now,
		},
		Sources:     library{helm.NewCharts(chartsInMemory), source.Reader{HTTP: http.DefaultClient}},
		ParseValues: parseValues,
		CompileRule: new(smp.Rules).Check,
		CheckRules:  alert.Validate,
		CheckPrices: checkPrices,
	}
}

// parseValues says what is wrong with the expressions in values.
func parseValues(text string) error { return values.Check("values", text) }
