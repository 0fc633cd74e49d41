package app

import (
	"context"
	"errors"
	"net/http"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/app/install"
	"portico.dev/portico/clusters/adopted"
	"portico.dev/portico/clusters/chain"
	"portico.dev/portico/clusters/credential"
	"portico.dev/portico/clusters/deployment"
	"portico.dev/portico/clusters/hosted"
	"portico.dev/portico/clusters/hosted/processrunner"
	"portico.dev/portico/clusters/installed"
	"portico.dev/portico/clusters/management"
	"portico.dev/portico/clusters/release"
	"portico.dev/portico/clusters/template"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/source"
	"portico.dev/portico/observability/tenant/homes"
	"portico.dev/portico/state/multicluster"
	smp "portico.dev/portico/state/provider"
	"portico.dev/portico/state/rollout"
	"portico.dev/portico/state/service"
	"portico.dev/portico/state/serviceset"
)

// chartsInMemory is how many bytes of charts are kept parsed.
const chartsInMemory = 32 << 20

// controllers registers every controller of the plane. This list is the whole system.
func (p *plane) controllers(ctx context.Context, mgr ctrl.Manager) error {
	var (
		clock     = p.env.Now
		kube      = mgr.GetClient()
		live      = mgr.GetAPIReader()
		charts    = helm.NewCharts(chartsInMemory)
		artifacts = source.Reader{Store: p.artifacts, HTTP: http.DefaultClient}
		out       = p.wayOut()
	)
	for _, w := range out.Warnings {
		p.log.Warn(w)
	}
	releases, err := helm.New(mgr.GetConfig(), helm.Config{Clock: clock})
	if err != nil {
		return err
	}
	engines, err := p.engines(mgr, library{charts, artifacts})
	if err != nil {
		return err
	}
	p.admit(mgr, engines)
	programs := installed.New(string(p.bin))
	controlPlanes, machines := control.NewBell(), control.NewBell()
	runner := processrunner.New(processrunner.Config{
		Folder: p.folder.Clusters(), Logs: p.folder.Logs(), Table: p.table, Programs: programs,
		NetnsFolder: "/run/netns", Ring: controlPlanes.Ring, Clock: clock,
	})
	return errors.Join(
		source.Setup(mgr, source.Options{Store: p.artifacts, Clock: clock}),

		template.Setup(mgr, template.Dependencies{Charts: charts, Artifacts: artifacts, Home: install.SystemNamespace}),
		chain.Setup(mgr, install.SystemNamespace),
		release.New(kube, clock).Setup(mgr),
		(&management.Controller{Kube: kube, Events: mgr.GetEventRecorder(kcm.EventSource), Clock: clock}).Setup(mgr),
		credential.New(mgr, clock).SetupWithManager(mgr),
		deployment.New(deployment.Parts{
			Kube: kube, Live: live, Releases: releases, Artifacts: artifacts, Charts: charts,
			Children: deployment.Direct{}, Events: mgr.GetEventRecorder("portico-clusters"), Clock: clock,
		}).Setup(ctx, mgr),
		(&adopted.Controller{Kube: kube, Live: live, Clock: clock}).Setup(ctx, mgr),
		(&hosted.Controller{Kube: kube, Secrets: live, Runner: runner, Children: hosted.OpenChild, Nameservers: out.Nameservers, Clock: clock}).SetupWithManager(mgr, controlPlanes),
		p.infrastructure(mgr, programs, runner, machines, out),
		mgr.Add(p.watchPrograms(programs, kube, controlPlanes, machines)),

		service.NewGated(kube, rollout.NewGate(kube, mgr.GetCache())).SetupWithManager(mgr),
		multicluster.New(multicluster.Parts{Kube: kube, Live: mgr.GetAPIReader(), Events: mgr.GetEventRecorder("portico-state"), Clock: clock, System: install.SystemNamespace}).SetupWithManager(mgr),
		rollout.New(mgr, clock, install.SystemNamespace).SetupWithManager(mgr),
		smp.New(mgr, install.SystemNamespace, clock).SetupWithManager(mgr),
		serviceset.New(mgr, p.adapter(engines)).SetupWithManager(mgr),
		(&homes.Controller{Kube: kube, Live: live, System: install.SystemNamespace}).SetupWithManager(mgr),

		p.topology(ctx, mgr, p.stores),
		p.costs.setup(mgr),
	)
}

// uncached are the kinds that are read from the API server each time.
func uncached() []client.Object { return []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}} }
