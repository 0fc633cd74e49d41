package topology

import (
	"cmp"
	"fmt"
	"net/url"

	"portico.dev/portico/observability/store"
)

// Backend is where a region's vmauth sends the requests of one kind to.
type Backend struct {
	// URL comes before the rest of the path; Drop is how many of the path's parts are left out
	// of the rest, from its beginning.
	URL  string
	Drop int
	// Authorization is the header of that name with which vmauth asks; empty for none.
	Authorization string
}

// Backends are all of them.
type Backends struct {
	MetricsSelect, MetricsInsert     Backend
	LogsSelect, LogsInsert           Backend
	AuditLogsSelect, AuditLogsInsert Backend
	TracesSelect, TracesInsert       Backend
}

// KOFBackends are the services that KOF's charts install on a regional cluster.
func KOFBackends() Backends {
	at := func(service, port string) Backend {
		return Backend{URL: "http://" + service + ".kof.svc:" + port, Drop: 1}
	}
	return Backends{
		MetricsSelect: at("vmselect-cluster", "8481"), MetricsInsert: at("vminsert-cluster", "8480"),
		LogsSelect: at("kof-storage-victoria-logs-cluster-vlselect", "9471"), LogsInsert: at("kof-storage-victoria-logs-cluster-vlinsert", "9481"),
		AuditLogsSelect: at("vlselect-audit-logs", "9471"), AuditLogsInsert: at("vlinsert-audit-logs", "9481"),
		TracesSelect: at("kof-storage-vt-cluster-vtselect", "10471"), TracesInsert: at("kof-storage-vt-cluster-vtinsert", "10481"),
	}
}

// SingleBackends are one VictoriaMetrics without a cluster, and one store of logs and traces that
// serves VictoriaLogs' and VictoriaTraces' paths, such as portico-store.
func SingleBackends(metrics, records string) Backends {
	// /vm/select/0/prometheus/api/v1/query becomes /api/v1/query: one node has no tenants.
	m, r := Backend{URL: metrics, Drop: 4}, Backend{URL: records, Drop: 1}
	return Backends{
		MetricsSelect: m, MetricsInsert: m, LogsSelect: r, LogsInsert: r,
		AuditLogsSelect: r, AuditLogsInsert: r, TracesSelect: r, TracesInsert: r,
	}
}

// Signed are the backends with which vmauth signs in, by that header Authorization.
func (b Backends) Signed(authorization string) Backends {
	for _, of := range []*Backend{
		&b.MetricsSelect, &b.MetricsInsert, &b.LogsSelect, &b.LogsInsert,
		&b.AuditLogsSelect, &b.AuditLogsInsert, &b.TracesSelect, &b.TracesInsert,
	} {
		of.Authorization = authorization
	}
	return b
}

// argument is a query argument that a request gets, whatever the client sent under that name.
type argument struct{ name, value string }

// route is one of the paths that a user may go.
type route struct {
	// paths are regular expressions over the whole path.
	paths []string
	to    Backend
	args  []argument
	way   way
	// metrics says that it leads to metrics: logs and traces are written whole, as one tenant's.
	metrics bool
}

// way is what a route is for.
type way int

const (
	reading way = iota
	writing
)

// routes are the paths of a user of that tenant; of everybody, for an empty one.
//
// A client may not widen what it sees. VictoriaMetrics joins several extra_filters by "or", under
// two spellings of the name, so that a filter of the client's beside ours would let it see what it asks
// for. extra_label is joined by "and" with each of them, and is what holds; it is KOF's filter that is
// there beside it, in both spellings. VictoriaLogs and VictoriaTraces join filters by "and".
func routes(b Backends, of store.Tenant) []route {
	var labelled, filtered, fields, chosen, attributes, spans []argument
	if of != "" {
		label := string(store.TenantLabel) + "=" + string(of)
		matcher := fmt.Sprintf("{%s=%q}", store.TenantLabel, string(of))
		labelled = []argument{{"extra_label", label}}
		filtered = []argument{{"extra_filters", matcher}, {"extra_filters[]", matcher}, {"extra_label", label}}
		fields = []argument{{"extra_fields", label}}
		chosen = []argument{{"extra_filters", fmt.Sprintf("%q:=%q", store.TenantLabel, string(of))}}
		attributes = []argument{{"extra_fields", "resource_attr:" + label}}
		spans = []argument{{"extra_filters", fmt.Sprintf("%q:=%q", "resource_attr:"+store.TenantLabel, string(of))}}
	}
	paths := func(all string, tenants ...string) []string {
		if of == "" {
			return []string{all}
		}
		return tenants
	}
	return []route{
		{paths("/vls/.*", "/vls/select/(logsql|portico)/.*"), b.LogsSelect, chosen, reading, false},
		{paths("/vli/.*", "/vli/insert/.*"), b.LogsInsert, fields, writing, false},
		{paths("/vlas/.*", "/vlas/select/(logsql|portico)/.*"), b.AuditLogsSelect, chosen, reading, false},
		{paths("/vlai/.*", "/vlai/insert/.*"), b.AuditLogsInsert, fields, writing, false},
		{paths("/vm/select/.*", metricsRead...), b.MetricsSelect, filtered, reading, true},
		{paths("/vm/insert/.*", metricsWrite...), b.MetricsInsert, labelled, writing, true},
		{paths("/vts/.*", "/vts/select/(jaeger|logsql|tempo)/.*"), b.TracesSelect, spans, reading, false},
		{paths("/vti/.*", "/vti/insert/.*"), b.TracesInsert, attributes, writing, false},
	}
}

// writes are the routes of those who only write: the plane's own collector. Its logs and traces are the
// tenant's; its metrics tell of the whole fleet, and say themselves whose they are. It goes no other paths than
// a tenant does: behind the same address a store has others, by which it deletes.
func writes(b Backends, of store.Tenant) []route {
	anybodys := routes(b, "")
	var out []route
	for i, r := range routes(b, cmp.Or(of, store.Plane)) {
		if r.way != writing {
			continue
		}
		if r.metrics {
			r.args = anybodys[i].args
		}
		out = append(out, r)
	}
	return out
}

// The paths of metrics that tenants may go. KOF opens all of them. Among those are the protocols
// between the parts of a cluster, which know no filters, the deletion of series, profiles and flags; and where
// one program reads and writes, whoever may write could read by the path of another.
//
// The path of a Pushgateway is none of them: what a client writes there becomes labels, and no collector goes it.
// Nor is OTLP's: VictoriaMetrics follows values within values as deep as they go, until it dies.
var (
	metricsRead = []string{
		"/vm/select/0/prometheus/(prometheus/)?api/v1/(query|query_range|query_exemplars|series|labels|label/[^/]+/values|export|export/csv|format_query|parse_query|status/buildinfo)",
		"/vm/select/0/prometheus/(prometheus/)?federate",
	}
	metricsWrite = []string{
		"/vm/insert/0/prometheus/(prometheus/)?api/v1/(write|push|import|import/csv|import/prometheus)",
	}
)

// prefix is the backend's address with the arguments.
func (r route) prefix() (string, error) {
	u, err := url.Parse(r.to.URL)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		// The address is not repeated: it may hold a password.
		return "", invalid(ReasonBadEndpoint, "the backend of %s is no address: expected one like http://127.0.0.1:8428", r.paths[0])
	}
	q := u.Query()
	for _, a := range r.args {
		q.Set(a.name, a.value)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}
