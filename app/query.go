package app

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/app/install"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
	records "portico.dev/portico/observability/stores/local"
	remotestore "portico.dev/portico/observability/stores/remote"
	"portico.dev/portico/observability/stores/victoria"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/directory"
	"portico.dev/portico/server/httpapi"
)

// questionTime is how long a question may take. The HTTP API waits a little longer, so that it is told why.
const questionTime = 40 * time.Second

// newDirectory knows the regions besides the plane itself: none, until the controllers run.
func (p *plane) newDirectory() *directory.Directory {
	return directory.New(directory.Parts{
		Settings: directory.Settings{Self: home(), Trusted: trustedNamespaces()},
		Open:     openStores, Serves: p.serves,
	})
}

// trustedNamespaces are those of the people who run the plane.
func trustedNamespaces() []string { return []string{install.SystemNamespace, kof.Namespace} }

// serves says whether the regions of a namespace are asked for a scope. Whoever may write ConfigMaps in
// some namespace may make a region of it: it hears and tells of those alone who have clusters there.
func (p *plane) serves(in store.Scope, namespace string) bool {
	if in.All() || slices.Contains(trustedNamespaces(), namespace) {
		return true
	}
	homes, err := p.feed.Homes()
	return err == nil && slices.Contains(homes[in.Tenant()], namespace)
}

// openStores asks what stands behind a region's vmauth.
func openStores(at topology.Endpoints, by *http.Client) (directory.Stores, error) {
	// In a mesh the charts know where to write; the plane does not write there.
	samples, err := victoria.New(remotestore.Config{Read: at.ReadMetrics, Write: cmp.Or(at.WriteMetrics, at.ReadMetrics), Client: by})
	if err != nil {
		return directory.Stores{}, err
	}
	kept, err := records.New(records.Config{LogsIn: at.ReadLogs, LogsOut: at.ReadLogs, TracesIn: at.ReadTraces, TracesOut: at.ReadTraces, Client: by})
	return directory.Stores{Metrics: samples, Logs: kept, Traces: kept}, err
}

// telemetry asks all regions as if they were one.
func (p *plane) telemetry() (*query.Engine, error) {
	regions, err := p.regions()
	if err != nil {
		return nil, err
	}
	c := query.Defaults()
	c.Timeout = questionTime
	return query.New(regions, c, p.env.Now), nil
}

// regions returns those that keep telemetry, the plane among them if it does.
func (p *plane) regions() (func() []query.Region, error) {
	own, err := p.ownRegion()
	return func() []query.Region {
		all := p.directory.Regions()
		if wanted, err := p.stores.wanted(); wanted {
			self := own
			self.Err = err
			all = append(all, self)
		}
		return all
	}, err
}

// ownRegion is what this plane keeps itself. It is asked directly: its vmauth is for others.
func (p *plane) ownRegion() (query.Region, error) {
	asker, err := p.stores.client()
	if err != nil {
		return query.Region{}, err
	}
	samples, err := p.metricsStore()
	if err != nil {
		return query.Region{}, err
	}
	at := records.At(p.stores.site.RecordsURL())
	at.Client = asker
	kept, err := records.New(at)
	return query.Region{
		Name: managementCluster, Metrics: samples, Logs: kept, Traces: kept, Labels: labels.FromStrings("region", managementCluster),
		Next: "see portico status, and the logs of the stores in the plane's data folder",
	}, err
}

// kept says whether telemetry of a kind is kept anywhere. Alerts are what the plane's own rules say.
func (p *plane) kept(what httpapi.Kind) error {
	own := p.stores.ready()
	if own == nil || what == httpapi.AlertsKind {
		return own
	}
	if err := p.directory.Check(); err != nil {
		return fmt.Errorf("%w: %w", fleet.ErrNotYet, err)
	}
	if len(p.directory.Regions()) > 0 {
		return nil
	}
	return own
}

// metricsStore is the store of metrics of this plane.
func (p *plane) metricsStore() (store.Metrics, error) {
	asker, err := p.stores.client()
	if err != nil {
		return nil, err
	}
	url := p.stores.site.MetricsURL()
	return victoria.New(remotestore.Config{Read: url, Write: url + "/api/v1/write", Client: asker})
}
