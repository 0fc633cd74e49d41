package app

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"strconv"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/install"
	"portico.dev/portico/config"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/clusters"
	"portico.dev/portico/observability/topology/connections"
	"portico.dev/portico/observability/topology/ensure"
	"portico.dev/portico/observability/topology/gate"
	"portico.dev/portico/observability/topology/groups"
	"portico.dev/portico/observability/topology/regions"
	"portico.dev/portico/templates"
)

// managementCluster is what telemetry calls the plane's own cluster; the name is KOF's.
const managementCluster = "mothership"

// home is the plane as a region.
func home() types.NamespacedName {
	return types.NamespacedName{Namespace: install.SystemNamespace, Name: managementCluster}
}

// telemetryBase is where children send to. A plane on loopback is reached under another address in
// each local cluster: the name stands for it.
func (p *plane) telemetryBase() string {
	host := p.cfg.Host()
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		host = templates.Telemetry
	}
	return "https://" + net.JoinHostPort(host, strconv.Itoa(p.cfg.Ports().Telemetry))
}

// topology registers the controllers that decide who sends telemetry where, and who may. The plane is
// the region of those that name none, unless it keeps nothing.
func (p *plane) topology(ctx context.Context, mgr ctrl.Manager, s *stores) error {
	writer, err := ensure.New(ctx, mgr)
	if err != nil {
		return err
	}
	var (
		kube, live = mgr.GetClient(), mgr.GetAPIReader()
		settings   = topology.Settings{Self: home(), Template: templates.PropagationTemplate(), RegionalService: templates.RegionalService}
		regionless *topology.Regionless
		guard      error
	)
	if p.cfg.Observability.Stores != config.KeepNever {
		regionless = &topology.Regionless{Cluster: home(), Endpoints: topology.EndpointsAt(p.telemetryBase())}
		guard = p.guard(mgr, s)
	}
	return errors.Join(
		guard,
		mgr.Add(manager.RunnableFunc(p.followFleet(mgr.GetCache()))),
		p.directory.Setup(mgr),
		(&clusters.Controller{
			Kube: kube, Live: live, Writer: writer, Settings: settings, Clock: p.env.Now, Generate: rand.Text,
			Issue: issueForRegion, Local: localRegion(kube),
			Events: mgr.GetEventRecorder("portico-observability"),
		}).Setup(ctx, mgr),
		mgr.Add(&regionDoors{seen: mgr.GetCache(), log: p.log, open: map[int32]*doors{}}),
		(&regions.Controller{
			Kube: kube, Live: live, Writer: writer, Settings: settings, Regionless: regionless, Clock: p.env.Now, Generate: rand.Text,
			Events: mgr.GetEventRecorder("portico-observability"),
		}).Setup(ctx, mgr),
		(&groups.Controller{Kube: kube, Live: live, Clock: p.env.Now, Release: settings.Defaulted().Release, Trusted: trustedNamespaces()}).Setup(ctx, mgr),
		(&connections.Controller{Kube: kube, Live: live, Clock: p.env.Now, Trusted: trustedNamespaces()}).Setup(ctx, mgr),
	)
}

// guard keeps the list of those who may send to this plane's stores and ask them, and starts those
// when somebody does.
func (p *plane) guard(mgr ctrl.Manager, s *stores) error {
	password, err := s.site.Password()
	if err != nil {
		return err
	}
	always, err := s.site.Accesses()
	if err != nil {
		return err
	}
	may := &gate.Controller{
		Live: mgr.GetAPIReader(), Region: home(), Backends: s.site.Backends(password),
		More:    always,
		Publish: func(_ context.Context, content []byte) error { return folder.WriteFile(s.site.DoorFile(), content) },
	}
	s.mgr, s.seen = mgr, mgr.GetCache()
	return errors.Join(may.Setup(mgr), mgr.Add(s))
}
