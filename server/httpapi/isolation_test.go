package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/alert/alertmanager"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/metrics"
	"portico.dev/portico/observability/cost/opencost"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/query/promapi"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/server/httpapi"
	"portico.dev/portico/server/httpapi/held"
	"portico.dev/portico/server/inventory"
	"portico.dev/portico/server/rights"
)

// twoRegions have data of both tenants each. What is B's has one of the words of foreign in it.
func twoRegions(t *testing.T, now time.Time) []query.Region {
	t.Helper()
	var out []query.Region
	for i, name := range []string{"eu", "us"} {
		m := storetest.NewMemory()
		told := held.Telemetry{}
		for of, series := range storetest.TwoTenants(now) {
			word := map[store.Tenant]string{storetest.A: "a-", storetest.B: storetest.ForeignWord}[of]
			must(t, m.Write(t.Context(), of, append(series, pods(now, word)...)))
			told.Records = append(told.Records, store.Record{
				Time: now.Add(-time.Minute), Tenant: of, Severity: 9, Body: word + "who says something",
				Resource: map[string]string{"k8s.cluster.name": word + "cluster", store.TenantLabel: string(of)}, Attributes: map[string]string{"who": word + "who"},
			})
			span := store.Span{
				ID: word + fmt.Sprint(i), Service: word + "job", Operation: word + "label", Tenant: of, Start: now.Add(-time.Minute), Duration: time.Second,
				Resource: map[string]string{store.TenantLabel: string(of)}, Attributes: map[string]string{"who": word + "who"},
			}
			// One trace of its own, in both regions, and one that goes through both tenants.
			own := map[store.Tenant]string{storetest.A: "aa", storetest.B: "bb"}[of]
			told.Spans = append(told.Spans, store.Trace{ID: own, Spans: []store.Span{span}}, store.Trace{ID: "cc", Spans: []store.Span{span}})
		}
		out = append(out, query.Region{Name: name, Metrics: m, Logs: told, Traces: joined(told), Labels: labels.FromStrings("region", name)})
	}
	return out
}

// joined puts the spans of a trace into one.
func joined(t held.Telemetry) held.Telemetry {
	byID := map[string]int{}
	var out []store.Trace
	for _, trace := range t.Spans {
		i, again := byID[trace.ID]
		if !again {
			i = len(out)
			byID[trace.ID], out = i, append(out, store.Trace{ID: trace.ID})
		}
		out[i].Spans = append(out[i].Spans, trace.Spans...)
	}
	t.Spans = out
	return t
}

// pods are what costs are computed from.
func pods(now time.Time, word string) []store.Series {
	values := make([]float64, 60)
	for i := range values {
		values[i] = 2
	}
	with := func(name string, more ...string) store.Series {
		pairs := append([]string{"cluster", word + "cluster", "clusterNamespace", "n"}, more...)
		return storetest.Line(storetest.Labels(name, pairs...), now, time.Minute, values...)
	}
	pod := []string{"k8s_namespace_name", word + "who", "k8s_pod_name", word + "label", "k8s_node_name", word + "job"}
	return []store.Series{
		with("k8s_node_allocatable_cpu", "k8s_node_name", word+"job"), with("k8s_node_allocatable_memory_bytes", "k8s_node_name", word+"job"),
		with("k8s_pod_phase", pod...), with("k8s_container_cpu_request", pod...), with("k8s_pod_cpu_usage", pod...),
	}
}

// foreign are words that only B's data have.
var foreign = []string{
	storetest.ForeignWord + "job", storetest.ForeignWord + "who", storetest.ForeignWord + "label", storetest.ForeignWord + "value", storetest.ForeignWord + "cluster",
	storetest.ForeignName, string(storetest.B), `"100000`, `"-100000`, `"200000`,
}

// prober asks as two users: ann of A, who tries to see what is B's, and bob of B, who may.
type prober struct {
	*plane
	ann, bob string
	// asked counts questions, shown those that show bob what is B's: a test that shows nobody anything
	// would not see a leak either.
	asked, shown int
}

func startProber(t *testing.T) *prober {
	t.Helper()
	y := &prober{}
	now := time.Now()
	regions := twoRegions(t, now)
	engine := query.New(func() []query.Region { return regions }, query.Config{}, time.Now)
	scoped := func(r *http.Request) (store.Scope, error) { return rights.From(r.Context()), nil }
	y.plane = start(t, func(p *httpapi.Parts) {
		p.Metrics, p.Logs, p.Traces = promapi.New(engine, scoped, time.Now), engine, engine
		p.Cost = opencost.API{
			Source: metrics.New(query.Whole{Engine: engine}, time.Now, metrics.Options{}), Access: scoped, Clock: time.Now,
			Terms: func() (cost.Terms, error) { return cost.Terms{}, nil },
		}.Handler()
		p.Alerts = realAlerts(t)
	})
	y.deploy(y.a, "one", string(storetest.A))
	y.deploy(y.b, "two", string(storetest.B))
	admin := y.admin()
	y.ann, y.bob = y.user("*", y.a), y.user("*", y.b)
	y.eventually("the fleet is seen", func() bool { return read[inventory.Fleet](y.plane, "/api/v1/fleet", admin).Total == 2 })
	return y
}

// send asks as somebody, with parameters in the address, in the body or in both.
func (y *prober) send(method, path, token string, address, body url.Values, headers ...string) (int, string) {
	y.Helper()
	var content io.Reader
	if body != nil {
		content = strings.NewReader(body.Encode())
	}
	req, err := http.NewRequestWithContext(y.Context(), method, y.URL+path+"?"+address.Encode(), content)
	must(y.T, err)
	req.Header.Set("Authorization", "Bearer "+token)
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := y.Client().Do(req)
	must(y.T, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(y.T, err)
	return res.StatusCode, string(text)
}

// leak is what of B's an answer has in it. What a question said itself may come back in words about what
// is wrong with it.
func leak(code int, text string) string {
	if code >= 300 {
		return ""
	}
	var a struct{ Data json.RawMessage }
	if json.Unmarshal([]byte(text), &a) == nil && a.Data != nil {
		text = string(a.Data)
	}
	for _, word := range foreign {
		if strings.Contains(text, word) {
			return word
		}
	}
	return ""
}

func (y *prober) try(method, path string, address, body url.Values, headers ...string) {
	y.Helper()
	y.asked++
	if code, text := y.send(method, path, y.ann, address, body, headers...); leak(code, text) != "" || code >= 500 {
		y.Errorf("%s %s?%s with %s shows A %q (%d):\n%.600s", method, path, address.Encode(), body.Encode(), leak(code, text), code, text)
	}
	if code, text := y.send(method, path, y.bob, address, body, headers...); leak(code, text) != "" {
		y.shown++
	}
}

// both asks by GET and by POST.
func (y *prober) both(path string, form url.Values) {
	y.Helper()
	y.try("GET", path, form, nil)
	y.try("POST", path, nil, form)
}

// done ends a part of the test: so many questions have to show bob his own.
func (y *prober) done(t *testing.T, least int) {
	t.Logf("%d questions of A; %d of them show B its own", y.asked, y.shown)
	if y.shown < least {
		t.Error("too few of the questions show B its own: the test sees nothing")
	}
	y.asked, y.shown = 0, 0
}

// In every way that the API offers, over two regions, nobody sees what is another tenant's.
func TestIsolation(t *testing.T) {
	y := startProber(t)
	t.Run("Metrics", func(t *testing.T) { y.metrics(); y.done(t, 150) })
	t.Run("Series", func(t *testing.T) { y.series(); y.done(t, 80) })
	t.Run("Logs", func(t *testing.T) { y.logs(); y.done(t, 20) })
	t.Run("Traces", func(t *testing.T) { y.traces(); y.done(t, 10) })
	t.Run("Cost", func(t *testing.T) { y.cost(); y.done(t, 20) })
	t.Run("Tenant", func(t *testing.T) { y.tenants(); y.done(t, 25) })
	t.Run("Alerts", func(t *testing.T) { y.alerts(t) })
}

const metricsAPI = httpapi.MetricsPath + "/api/v1"

// metrics tries expressions; those of storetest, and some with the label of the regions.
func (y *prober) metrics() {
	all := []string{
		`shared{region="eu",tenant="team-b"}`, `shared{region=~".+"} or shared{tenant="team-b",region="us"}`, `count by (region, tenant) ({__name__=~".+"})`,
		`label_replace({region="eu"}, "tenant", "$1", "region", "(.*)")`, `label_replace({region="eu"}, "region", "$1", "tenant", "(.*)")`, `sum by (region) (` + storetest.ForeignName + `)`,
		`shared{region!=""} unless on (job) shared{region="us"} or ` + storetest.ForeignName, `max_over_time((shared{region="eu"} or ` + storetest.ForeignName + `)[5m:1m])`,
		`group by (tenant, region) ({tenant!=""})`, `shared * on (region) group_left (who) group by (region, who) (` + storetest.ForeignName + `)`, `absent(shared{region="eu",tenant="team-b"})`,
	}
	for _, trick := range storetest.Tricks() {
		all = append(all, trick.Expr)
	}
	own := `shared{tenant="team-a"}`
	now := time.Now().Unix()
	for i, text := range all {
		y.both(metricsAPI+"/query", url.Values{"query": {text}})
		grid := url.Values{"query": {text}, "start": {fmt.Sprint(now - 60)}, "end": {fmt.Sprint(now)}, "step": {"15"}}
		y.try([]string{"GET", "POST"}[i%2], metricsAPI+"/query_range", grid, nil)
		y.try("POST", metricsAPI+"/query", url.Values{"query": {own}}, url.Values{"query": {text}})
		y.try("POST", metricsAPI+"/query", url.Values{"query": {text}}, url.Values{"query": {own}, "tenant": {"team-b"}, "extra_filters[]": {`{tenant="team-b"}`}})
	}
}

// series tries what looks for series and labels.
func (y *prober) series() {
	own := `shared{tenant="team-a"}`
	for _, selector := range []string{`{tenant="team-b"}`, `{__name__=~".+"}`, `{tenant!="team-a"}`, `{region="eu"}`, `{region=~"eu|us",tenant=~".*"}`, `shared{region="us",tenant="team-b"}`, storetest.ForeignName} {
		for _, path := range []string{"/series", "/labels", "/metadata", "/federate", "/export", "/query_exemplars", "/rules", "/alerts", "/targets", "/status/tsdb"} {
			y.both(metricsAPI+path, url.Values{"match[]": {own, selector}, "query": {storetest.ForeignName}})
			y.try("POST", metricsAPI+path, url.Values{"match[]": {own}}, url.Values{"match[]": {selector}, "match": {selector}})
		}
		y.try("GET", httpapi.MetricsPath+"/federate", url.Values{"match[]": {selector}}, nil)
		for _, name := range []string{"tenant", "job", "region", "__name__", storetest.ForeignWord + "label", "who"} {
			y.try("GET", metricsAPI+"/label/"+name+"/values", url.Values{"match[]": {own, selector}}, nil)
			y.try("GET", metricsAPI+"/label/"+name+"/values", nil, nil)
		}
	}
}

func (y *prober) logs() {
	for _, form := range []url.Values{
		{}, {"label": {"tenant=team-b"}}, {"label": {"tenant=~.*"}}, {"label": {"tenant!=team-a"}}, {"label": {"region=eu"}}, {"label": {"region=~.*", "tenant=team-b"}}, {"label": {"region!=eu", "who=b-who"}},
		{"text": {"b-who"}}, {"text": {"who", "says"}}, {"label": {"cluster=b-cluster"}}, {"label": {"cluster!=a-cluster"}}, {"label": {"region=team-b"}}, {"order": {"oldest"}, "limit": {"10000"}}, {"severity": {"1"}},
		{"label": {`tenant=team-a" or tenant="team-b`}}, {"text": {`" or "tenant":="team-b`}}, {"extra_filters": {`"tenant":="team-b"`}, "query": {"*"}},
	} {
		y.try("GET", "/api/v1/logs", form, nil)
		y.try("GET", "/api/v1/logs", form, nil, "Accept", "application/json")
	}
}

func (y *prober) traces() {
	for _, form := range []url.Values{
		{}, {"label": {"tenant=team-b"}}, {"service": {"b-job"}}, {"operation": {"b-label"}}, {"label": {"region=us"}}, {"label": {"region=eu", "who=b-who"}}, {"least": {"1ms"}, "limit": {"500"}}, {"label": {"tenant!=team-a"}},
	} {
		y.try("GET", "/api/v1/traces", form, nil)
	}
	for _, path := range []string{"/traces/aa", "/traces/bb", "/traces/BB", "/traces/cc", "/tracing/services", "/tracing/services/b-job/operations", "/tracing/services/a-job/operations", "/tracing/services/%2A/operations", "/tracing/services/" + url.PathEscape(`b-job" or "`) + "/operations"} {
		y.try("GET", "/api/v1"+path, nil, nil)
	}
}

func (y *prober) cost() {
	for _, form := range []url.Values{
		{}, {"aggregate": {"cluster"}}, {"aggregate": {"namespace"}}, {"aggregate": {"tenant"}}, {"aggregate": {"label:tenant"}}, {"aggregate": {"pod"}, "includeIdle": {"true"}}, {"aggregate": {"cluster"}, "shareIdle": {"true"}},
		{"aggregate": {"cluster"}, "filter": {`cluster:"b-cluster"`}}, {"aggregate": {"namespace"}, "filter": {`namespace!:"a-who"`}}, {"aggregate": {"cluster"}, "shareNamespaces": {"b-who"}}, {"accumulate": {"true"}, "aggregate": {"node"}},
		{"aggregate": {"label:region"}}, {"filter": {`label[tenant]:"team-b"`}},
	} {
		form.Set("window", "1h")
		for _, path := range []string{"/allocation", "/allocation/compute", "/assets"} {
			y.try("GET", httpapi.CostPath+path, form, nil)
		}
	}
}

// tenants names the other tenant wherever a request may name one.
func (y *prober) tenants() {
	q := url.Values{"query": {"{__name__=~\".+\"}"}, "match[]": {`{__name__=~".+"}`}, "window": {"1h"}}
	for _, path := range []string{metricsAPI + "/query", metricsAPI + "/series", "/api/v1/logs", "/api/v1/traces", "/api/v1/traces/bb", httpapi.CostPath + "/assets", "/api/v1/alerts", "/api/v1/silences"} {
		for _, names := range [][]string{{"team-b"}, {"team-a", "team-b"}, {"", "team-b"}, {"PLATFORM"}, {"*"}, {"team-a|team-b"}, {"team-B"}} {
			form := url.Values{"tenant": names}
			for k, v := range q {
				form[k] = v
			}
			y.try("GET", path, form, nil)
			y.try("GET", path, q, nil, httpapi.TenantHeader, names[len(names)-1])
		}
		y.try("GET", path, url.Values{"tenant": {"team-a"}, "query": q["query"], "match[]": q["match[]"]}, nil, httpapi.TenantHeader, "team-b")
	}
}

// realAlerts is the real Alertmanager, with an alert of each tenant.
func realAlerts(t *testing.T) *alertmanager.Client {
	t.Helper()
	root, err := kubetest.Repository()
	must(t, err)
	path := storetest.Find(t, "build it with `make engines`", filepath.Join(root, "bin/libexec/alertmanager"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	at := l.Addr().String()
	must(t, l.Close())
	dir := t.TempDir()
	config := alertmanager.ConfigFile{Path: filepath.Join(dir, "config.yaml"), Reload: func(context.Context) error { return nil }}
	must(t, config.Apply(t.Context(), alertmanager.DefaultConfig()))
	c := exec.Command(path, "--config.file="+config.Path, "--storage.path="+filepath.Join(dir, "data"), "--web.listen-address="+at, "--cluster.listen-address=", "--log.level=error")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
	})
	text, err := json.Marshal([]map[string]any{
		{"labels": map[string]string{"alertname": "Down", "tenant": "team-a", "cluster": "a-cluster"}},
		{"labels": map[string]string{"alertname": "Down", "tenant": "team-b", "cluster": "b-cluster"}},
	})
	must(t, err)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		res, err := http.Post("http://"+at+"/api/v2/alerts", "application/json", bytes.NewReader(text))
		if err == nil {
			res.Body.Close()
			if res.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatalf("Alertmanager takes no alerts: %v", err)
		}
	}
	return alertmanager.New("http://"+at, http.DefaultClient)
}

// alerts tries to see and to silence what is B's.
func (y *prober) alerts(t *testing.T) {
	silence := func(token, matcher string) (int, httpapi.Created) {
		t.Helper()
		body := `{"comment": "quiet", "endsAt": "` + time.Now().Add(time.Hour).UTC().Format(time.RFC3339) + `", "matchers": [` + matcher + `]}`
		req, err := http.NewRequestWithContext(t.Context(), "POST", y.URL+"/api/v1/silences", strings.NewReader(body))
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := y.Client().Do(req)
		must(t, err)
		defer res.Body.Close()
		var made httpapi.Created
		_ = json.NewDecoder(res.Body).Decode(&made) // a refusal has none
		return res.StatusCode, made
	}
	y.try("GET", "/api/v1/alerts", nil, nil)
	y.try("GET", "/api/v1/alerts", url.Values{"filter": {`tenant="team-b"`}, "active": {"true"}}, nil)
	for _, matcher := range []string{
		`{"name": "alertname", "value": "Down", "isEqual": true}`, `{"name": "tenant", "value": "team-b", "isEqual": true}`, `{"name": "tenant", "value": ".*", "isRegex": true, "isEqual": true}`,
		`{"name": "tenant", "value": "team-a", "isEqual": false}`, `{"name": "cluster", "value": "b-cluster", "isEqual": true}`,
	} {
		silence(y.ann, matcher)
	}
	for _, a := range read[httpapi.Alerts](y.plane, "/api/v1/alerts", y.bob).Alerts {
		if a.Silenced() {
			t.Errorf("ann has silenced %v", a.Labels)
		}
	}
	_, theirs := silence(y.bob, `{"name": "alertname", "value": "Down", "isEqual": true}`)
	if code, text := y.send("GET", "/api/v1/silences", y.ann, nil, nil); code != http.StatusOK || strings.Contains(text, theirs.ID) || !strings.Contains(text, "quiet") {
		t.Errorf("ann's silences: %d %s", code, text)
	}
	if code, text := y.send("DELETE", "/api/v1/silences/"+theirs.ID, y.ann, nil, nil); code != http.StatusNotFound {
		t.Errorf("ann ends a silence of bob's: %d %s", code, text)
	}
	hidden := 0
	for _, a := range read[httpapi.Alerts](y.plane, "/api/v1/alerts", y.bob).Alerts {
		if a.Silenced() {
			hidden++
		}
	}
	if hidden != 1 {
		t.Errorf("%d of bob's alerts are hidden by his silence", hidden)
	}
	y.done(t, 2)
}
