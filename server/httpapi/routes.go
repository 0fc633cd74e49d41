package httpapi

import (
	"net/http"
	"slices"

	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/alert/alertmanager"
	"portico.dev/portico/server/explain"
	"portico.dev/portico/server/inventory"
	"portico.dev/portico/server/openapi"
	"portico.dev/portico/server/signin"
)

// route is a row of the table: what is described, and who answers it.
type route struct {
	openapi.Route
	handler http.Handler
}

func described(routes []route) []openapi.Route {
	out := make([]openapi.Route, len(routes))
	for i, r := range routes {
		out[i] = r.Route
	}
	return out
}

// routes are all of the API.
func (s *server) routes() []route {
	all := append(s.doorRoutes(), s.fleetRoutes()...)
	all = append(all, s.telemetryRoutes()...)
	all = append(all, s.alertRoutes()...)
	all = append(all, s.mounts()...)
	return all
}

func (s *server) doorRoutes() []route {
	return []route{
		{openapi.Route{Method: "GET", Path: "/healthz", Summary: "Whether the API serves", Answer: Health{}, Open: true}, http.HandlerFunc(s.health)},
		{openapi.Route{Method: "GET", Path: "/openapi.json", Summary: "This description", Answer: openapi.Object{}, Open: true}, http.HandlerFunc(s.describe)},
		{openapi.Route{
			Method: "GET", Path: signin.LinkPath, Summary: "Begin a session by a one-time link", Open: true, Media: "text/plain",
			Query: []openapi.Parameter{{Name: "token", Text: "the secret of the link"}},
		}, http.HandlerFunc(s.Door.Follow)},
		{openapi.Route{Method: "GET", Path: signin.OIDCPath, Summary: "Begin a session at the OpenID Connect issuer", Open: true, Code: http.StatusSeeOther}, http.HandlerFunc(s.Door.Start)},
		{openapi.Route{
			Method: "GET", Path: signin.CallbackPath, Summary: "Come back from the OpenID Connect issuer", Open: true, Media: "text/plain",
			Query: []openapi.Parameter{{Name: "code", Text: "what the issuer gave"}, {Name: "state", Text: "what the issuer was given"}},
		}, http.HandlerFunc(s.Door.Callback)},
		{openapi.Route{Method: "POST", Path: signin.OutPath, Summary: "End the session", Open: true, Code: http.StatusNoContent}, http.HandlerFunc(s.Door.Leave)},
		{openapi.Route{Method: "GET", Path: "/api/v1/me", Summary: "Who asks, and what he may see", Answer: Me{}}, s.known(s.me)},
		{openapi.Route{
			Method: "POST", Path: "/api/v1/links", Summary: "Make a one-time link that signs the asker in", Answer: Link{}, Code: http.StatusCreated,
			Text: "It takes a token or a certificate: a session cannot prolong itself.",
		}, s.known(s.makeLink)},
	}
}

// paging are the values of all lists.
func paging(columns []string) []openapi.Parameter {
	return []openapi.Parameter{
		{Name: "sort", Text: "the column to sort by, after a - for the reverse order", Values: bothWays(columns)},
		{Name: "limit", Text: "rows at most: 1 to 1000, by default 100", Type: "integer"},
		{Name: "continue", Text: "what the page before said"},
	}
}

func bothWays(columns []string) []string {
	out := make([]string, 0, 2*len(columns))
	for _, c := range columns {
		out = append(out, c, "-"+c)
	}
	return out
}

func several(name, text string) openapi.Parameter {
	return openapi.Parameter{Name: name, Text: text, Repeated: true}
}

func (s *server) fleetRoutes() []route {
	marks := openapi.Parameter{Name: "mark", Text: "how it stands", Repeated: true, Values: []string{string(explain.OK), string(explain.Working), string(explain.Broken)}}
	search := openapi.Parameter{Name: "q", Text: "words that each have to be in what the row shows"}
	space := several("namespace", "the namespace of the ClusterDeployment")
	return []route{
		{openapi.Route{
			Method: "GET", Path: "/api/v1/fleet", Summary: "Clusters, a page of those that match, and figures over all of them", Answer: inventory.Fleet{},
			Query: append(paging(s.Feed.Clusters.Columns()), search, space, marks, several("region", "the region; management for those in none"), several("owner", "the tenant"),
				several("template", "the ClusterTemplate"), several("version", "the version of Kubernetes"), openapi.Parameter{Name: "selector", Text: "labels of the ClusterDeployment, as kubectl -l has them"}),
		}, s.known(s.fleet)},
		{openapi.Route{Method: "GET", Path: "/api/v1/clusters/{namespace}/{name}", Summary: "One cluster with its services", Answer: ClusterDetail{}}, s.known(s.cluster)},
		{openapi.Route{
			Method: "GET", Path: "/api/v1/clusters/{namespace}/{name}/tree", Summary: "All that a cluster is made of, and the first cause of its not being well", Answer: Tree{},
			Text: "What the asker may not read on the management cluster is left out.",
		}, s.known(s.tree)},
		{openapi.Route{
			Method: "GET", Path: "/api/v1/services", Summary: "Services on clusters, a page of those that match", Answer: inventory.Services{},
			Query: append(paging(s.Feed.Services.Columns()), search, space, marks, several("cluster", "the ClusterDeployment"), several("template", "the ServiceTemplate"), several("state", "the state that the engine reports")),
		}, s.known(s.services)},
		{openapi.Route{
			Method: "GET", Path: "/api/v1/events", Summary: "Changes of the fleet, as they happen", Media: "text/event-stream",
			Text: "Server-sent events: cluster and service carry a row as it is now, gone names one that is no more, begin comes first, reset says that events are lost and that the model has to be read again, " +
				"end says why the stream ends. A client that comes back names the last event in the header Last-Event-ID.",
			Query: []openapi.Parameter{{Name: "resume", Text: "the event after which to begin; lists say it"}},
		}, s.endless(s.events)},
		{openapi.Route{
			Method: "POST", Path: "/plan", Summary: "What manifests would do to the fleet", Body: openapi.Object{}, Answer: openapi.Object{},
			Text: "The body are manifests, the answer is a plan, as far as the asker may read.", Query: []openapi.Parameter{
				{Name: "namespace", Text: "of objects that name none"}, {Name: "delete", Text: "plan the deletion", Type: "boolean"}, {Name: "diff", Text: "show how objects would change", Type: "boolean"},
			},
		}, s.planning()},
	}
}

// planning hands plans over to their handler.
func (s *server) planning() http.Handler {
	return s.endless(func(w http.ResponseWriter, r *http.Request) error {
		if s.Plan == nil {
			return absent("no plans are made")
		}
		s.discreetly(s.Plan, w, r)
		return nil
	})
}

// when are the bounds of time that questions about telemetry have.
func when() []openapi.Parameter {
	return []openapi.Parameter{
		{Name: "tenant", Text: "whose telemetry; needed by those who see several tenants"},
		{Name: "start", Text: "the earliest time: RFC 3339, seconds since 1970, or how long ago, such as 1h; by default 1h"},
		{Name: "end", Text: "the time before which it has to be, written likewise; by default now"},
	}
}

func (s *server) telemetryRoutes() []route {
	labels := several("label", "name=value, name!=value, name=~regexp or name!~regexp; cluster, namespace, pod, container and node stand for OpenTelemetry's names")
	limit := openapi.Parameter{Name: "limit", Text: "how many at most", Type: "integer"}
	return []route{
		{openapi.Route{
			Method: "GET", Path: "/api/v1/logs", Summary: "Search log records", Media: linesMedia, Answer: LogLine{},
			Text: "A record a line, as they are found. With Accept: application/json, one object with all of them. Where regions did not answer, a last line without a record says which: partial, missing, warnings.",
			Query: append(when(), labels, limit, several("text", "text that each has to be in the body, without regard to case"),
				openapi.Parameter{Name: "severity", Text: "the least severity: a word such as WARN, or OpenTelemetry's number"},
				openapi.Parameter{Name: "order", Text: "which come first, by default newest", Values: []string{"newest", "oldest"}}),
		}, s.scoped(s.kept(LogsKind, s.logs))},
		{openapi.Route{
			Method: "GET", Path: "/api/v1/logs/stream", Summary: "Log records, as they come", Media: "text/event-stream",
			Text: "Server-sent events: record carries a record, skipped says how many records came faster than the client takes them, missing names a region that is not followed, back one that is again, " +
				"warning says what the past lacks, begin comes once all regions are followed, end says why the stream ends. With start, records since then come after begin, limit of them at most.",
			Query: slices.Concat(when()[:2], []openapi.Parameter{labels, limit, several("text", "text that each has to be in the body, without regard to case"),
				{Name: "severity", Text: "the least severity: a word such as WARN, or OpenTelemetry's number"}}),
		}, s.endless(s.followLogs)},
		{openapi.Route{
			Method: "GET", Path: "/api/v1/traces", Summary: "Search traces", Answer: Traces{},
			Query: append(when(), labels, limit, openapi.Parameter{Name: "service", Text: "of a span"}, openapi.Parameter{Name: "operation", Text: "of a span"},
				openapi.Parameter{Name: "least", Text: "the least duration of a span, such as 100ms"}, openapi.Parameter{Name: "most", Text: "the most"}),
		}, s.scoped(s.kept(TracesKind, s.traces))},
		{openapi.Route{Method: "GET", Path: "/api/v1/traces/{id}", Summary: "One trace", Answer: OneTrace{}, Query: when()[:1]}, s.scoped(s.kept(TracesKind, s.trace))},
		{openapi.Route{Method: "GET", Path: "/api/v1/tracing/services", Summary: "The services that sent spans", Answer: Names{}, Query: when()[:1]}, s.scoped(s.kept(TracesKind, s.traceServices))},
		{openapi.Route{Method: "GET", Path: "/api/v1/tracing/services/{service}/operations", Summary: "The operations of a service", Answer: Names{}, Query: when()[:1]}, s.scoped(s.kept(TracesKind, s.traceOperations))},
	}
}

func (s *server) alertRoutes() []route {
	whose := when()[:1]
	return []route{
		{openapi.Route{Method: "GET", Path: "/api/v1/alerts", Summary: "Alerts, silenced ones included", Answer: Alerts{}, Query: whose}, s.scoped(s.kept(AlertsKind, s.alerts))},
		{openapi.Route{
			Method: "GET", Path: "/api/v1/alert-rules", Summary: "Rules that are refused, and those that single clusters have", Answer: AlertRules{},
			Text: "It is for those who may read ConfigMap kof/" + alert.ReportName + ".",
		}, s.known(s.kept(AlertsKind, s.alertRules))},
		{openapi.Route{Method: "GET", Path: "/api/v1/silences", Summary: "Silences, expired ones included", Answer: Silences{}, Query: whose}, s.scoped(s.kept(AlertsKind, s.silences))},
		{openapi.Route{
			Method: "POST", Path: "/api/v1/silences", Summary: "Silence alerts for a time", Body: alertmanager.Silence{}, Answer: Created{}, Code: http.StatusCreated, Query: whose,
			Text: "In the scope of a tenant it hides the alerts of that tenant alone. Who made it is who asks. It takes the right to update ClusterDeployments in all namespaces of the scope.",
		}, s.scoped(s.kept(AlertsKind, s.silence))},
		{openapi.Route{Method: "DELETE", Path: "/api/v1/silences/{id}", Summary: "End a silence", Code: http.StatusNoContent, Query: whose, Text: "It takes the right to update ClusterDeployments in all namespaces of the scope."}, s.scoped(s.kept(AlertsKind, s.expire))},
		{openapi.Route{Method: "GET", Path: "/api/v1/budgets", Summary: "Budgets of this month, what was spent, and what it will come to", Answer: Budgets{}, Query: whose}, s.scoped(s.budgets)},
	}
}

func (s *server) mounts() []route {
	var out []route
	add := func(m mount, text string, methods ...string) {
		for _, method := range methods {
			out = append(out, route{openapi.Route{
				Method: method, Path: m.path + "/{path...}", Summary: text, Media: "application/json",
				Query: when()[:1], Text: "Clients of that API work with this URL as its base. The tenant may be named by the header " + TenantHeader + ".",
			}, s.mounted(m)})
		}
	}
	add(mount{s.Metrics, MetricsPath, "there are no metrics", MetricsKind}, "Prometheus' HTTP API over all regions", "GET", "POST")
	add(mount{s.Cost, CostPath, "there is no cost", CostKind}, "OpenCost's API: allocation and assets", "GET")
	return out
}
