package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/alert/alertmanager"
	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/httpapi"
	"portico.dev/portico/server/httpapi/held"
	"portico.dev/portico/server/inventory"
	"portico.dev/portico/server/inventory/feed"
	"portico.dev/portico/server/live"
	"portico.dev/portico/server/rights"
)

// twoTenants is telemetry of acme and beta, and of the plane itself.
func twoTenants(now time.Time) held.Telemetry {
	var t held.Telemetry
	for i, tenant := range []store.Tenant{"acme", "beta", store.Platform} {
		for n := range 3 {
			at := now.Add(time.Duration(n-10) * time.Minute)
			t.Records = append(t.Records, store.Record{
				Time: at, Tenant: tenant, Severity: 9 + 4*n, Body: fmt.Sprintf("Line %d of %s", n, tenant),
				Resource: map[string]string{"k8s.cluster.name": "demo", "k8s.pod.name": fmt.Sprintf("pod-%d", n)},
			})
		}
		t.Spans = append(t.Spans, store.Trace{ID: fmt.Sprintf("a%d", i), Spans: []store.Span{
			{ID: "1", Service: "shop-" + string(tenant), Operation: "buy", Tenant: tenant, Start: now.Add(-time.Minute), Duration: time.Second, Status: "ERROR"},
			{ID: "2", Parent: "1", Service: "db-" + string(tenant), Operation: "read", Tenant: tenant, Start: now.Add(-time.Minute), Duration: 2 * time.Second},
		}})
	}
	// A trace that crosses from one tenant to another.
	t.Spans = append(t.Spans, store.Trace{ID: "ff", Spans: []store.Span{
		{ID: "1", Service: "shop-acme", Operation: "buy", Tenant: "acme", Start: now.Add(-time.Minute), Duration: time.Second},
		{ID: "2", Parent: "1", Service: "secret-beta", Operation: "pay", Tenant: "beta", Start: now.Add(-time.Minute), Duration: time.Second},
	}})
	return t
}

// scopes answers with the scope that a mounted handler is given.
func scopes(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintf(w, "%s %s all=%v tenant=%q authorization=%q cookie=%q", r.Method, r.URL.Path, rights.From(r.Context()).All(), rights.From(r.Context()).Tenant(), r.Header.Get("Authorization"), r.Header.Get("Cookie"))
}

// silencer remembers the silences that it is given.
type silencer struct{ made *[]string }

func (s silencer) Alerts(_ context.Context, in store.Scope) ([]alertmanager.Alert, error) {
	return []alertmanager.Alert{{Labels: map[string]string{"alertname": "Down", "tenant": string(in.Tenant())}}}, nil
}

func (s silencer) Silences(context.Context, store.Scope) ([]alertmanager.Silence, error) {
	return nil, nil
}

func (s silencer) Silence(_ context.Context, in store.Scope, what alertmanager.Silence) (string, error) {
	*s.made = append(*s.made, fmt.Sprintf("%s by %s for %q", what.Comment, what.CreatedBy, in.Tenant()))
	return "id-1", nil
}

func (s silencer) Expire(context.Context, store.Scope, string) error { return nil }

type tenancy struct {
	*plane
	admin, ann, both, none string
	made                   []string
}

// startTenancy has acme in namespace a, beta in b, and shared in both.
func startTenancy(t *testing.T) *tenancy {
	y := &tenancy{}
	y.plane = start(t, func(p *httpapi.Parts) {
		all := twoTenants(time.Now()).Over(time.Now)
		p.Logs, p.Traces, p.Metrics, p.Cost, p.Alerts = all, all, http.HandlerFunc(scopes), http.HandlerFunc(scopes), silencer{&y.made}
	})
	y.deploy(y.a, "one", "acme")
	y.deploy(y.b, "two", "beta")
	y.deploy(y.a, "three", "shared")
	y.deploy(y.b, "four", "shared")
	y.deploy(y.a, "five", "")
	y.admin, y.ann, y.both, y.none = y.plane.admin(), y.user("get", y.a), y.user("get", y.a, y.b), y.user("get")
	y.eventually("the fleet is seen", func() bool { return read[inventory.Fleet](y.plane, "/api/v1/fleet", y.admin).Total == 5 })
	return y
}

// Whatever somebody asks, he gets what his tenants' clusters say, and nothing else.
func TestTenants(t *testing.T) {
	y := startTenancy(t)
	for _, tc := range []struct {
		name, why, token, path string
		headers                []string
		code                   int
		says, never            string
	}{
		{"Own", "Ann's namespace holds all of acme.", y.ann, "/api/v1/logs", nil, 200, "Line 0 of acme", "beta"},
		{"Named", "She may name it.", y.ann, "/api/v1/logs?tenant=acme", nil, 200, "of acme", "beta"},
		{"Other", "Beta is in a namespace that she may not see.", y.ann, "/api/v1/logs?tenant=beta", nil, 403, "not yours", "Line"},
		{"Shared", "A tenant of which she sees a part is not hers: whoever labels one cluster would read it all.", y.ann, "/api/v1/logs?tenant=shared", nil, 403, "not all of them", "Line"},
		{"Platform", "The plane's own telemetry is nobody's.", y.ann, "/api/v1/logs?tenant=PLATFORM", nil, 403, "not yours", "Line"},
		{"Header", "The header is no way round.", y.ann, "/api/v1/logs", []string{"X-Portico-Tenant", "beta"}, 403, "not yours", "Line"},
		{"Both", "Query and header: the query counts, and is checked.", y.ann, "/api/v1/logs?tenant=beta", []string{"X-Portico-Tenant", "acme"}, 403, "not yours", "Line"},
		{"Twice", "The first of two counts.", y.ann, "/api/v1/logs?tenant=acme&tenant=beta", nil, 200, "of acme", "of beta"},
		{"Label", "A label is a condition beside the scope, not in its place.", y.ann, "/api/v1/logs?label=tenant%3D~.*", nil, 200, "", "of beta"},
		{"Pattern", "A tenant is a name.", y.ann, "/api/v1/logs?tenant=.*", nil, 400, "tenant", "Line"},
		{"Several", "Who sees several tenants names one.", y.both, "/api/v1/logs", nil, 400, "name one of acme, beta, shared", "Line"},
		{"OneOfSeveral", "And gets that one.", y.both, "/api/v1/logs?tenant=beta", nil, 200, "of beta", "of acme"},
		{"Nobody", "Who sees no cluster sees no telemetry.", y.none, "/api/v1/logs", nil, 403, "no tenant", "Line"},
		{"Admin", "Who may list everywhere sees everybody.", y.admin, "/api/v1/logs", nil, 200, "of beta", "\x00"},
		{"AdminNamed", "And can look at one.", y.admin, "/api/v1/logs?tenant=acme", nil, 200, "of acme", "of beta"},
		{"Traces", "So it is with traces.", y.ann, "/api/v1/traces", nil, 200, "shop-acme", "beta"},
		{"CrossedTrace", "Of a trace that crosses, the spans of others are left out.", y.ann, "/api/v1/traces/ff", nil, 200, "shop-acme", "beta"},
		{"OtherTrace", "A trace of others is not there.", y.ann, "/api/v1/traces/a1", nil, 404, "there is no trace", "beta"},
		{"Services", "Names tell of others too.", y.ann, "/api/v1/tracing/services", nil, 200, "db-acme", "beta"},
		{"Operations", "As do those of operations.", y.ann, "/api/v1/tracing/services/secret-beta/operations", nil, 200, `"names":[]`, "pay"},
		{"Metrics", "Mounted handlers are given the scope, and no secret.", y.ann, "/metrics-api/api/v1/query?query=up", nil, 200, `GET /api/v1/query all=false tenant="acme" authorization="" cookie=""`, "beta"},
		{"MetricsOther", "Or are not asked.", y.ann, "/metrics-api/api/v1/query?query=up&tenant=beta", nil, 403, "not yours", "all="},
		{"Cost", "So it is with cost.", y.admin, "/cost-api/allocation?window=1d", nil, 200, "GET /allocation all=true", "\x00"},
		{"Alerts", "And with alerts.", y.ann, "/api/v1/alerts", nil, 200, `"tenant":"acme"`, "beta"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			code, text := y.get(tc.path, tc.token, tc.headers...)
			if code != tc.code || !strings.Contains(text, tc.says) || strings.Contains(text, tc.never) && tc.never != "\x00" {
				t.Errorf("%s got %d %s; want %d with %q and without %q", tc.why, code, text, tc.code, tc.says, tc.never)
			}
		})
	}
}

// A silence is made by who asks, in his scope, whatever it says. Who may only look at clusters makes none and
// ends none.
func TestSilence(t *testing.T) {
	y := startTenancy(t)
	changer, half := y.user("*", y.a), y.user("*", y.b)
	for _, tc := range []struct {
		why, method, query, token string
		code                      int
		made                      string
	}{
		{"who may change acme's clusters", "POST", "", changer, http.StatusCreated, `for "acme"`},
		{"and may end it", "DELETE", "", changer, http.StatusNoContent, ""},
		{"who may only get them", "POST", "", y.ann, http.StatusForbidden, ""},
		{"ends none either", "DELETE", "", y.ann, http.StatusForbidden, ""},
		{"who may change clusters of another tenant", "POST", "?tenant=acme", half, http.StatusForbidden, ""},
		{"nobody silences everybody but who may change all", "POST", "?tenant=*", changer, http.StatusBadRequest, ""},
		{"who may do everything", "POST", "", y.admin, http.StatusCreated, `for ""`},
		{"also for a tenant without clusters", "POST", "?tenant=gone", y.admin, http.StatusCreated, `for "gone"`},
		{"and for the plane itself", "DELETE", "?tenant=PORTICO", y.admin, http.StatusNoContent, ""},
	} {
		y.made = nil
		path, body := "/api/v1/silences", `{"createdBy": "god", "comment": "quiet", "matchers": [], "endsAt": "2030-01-01T00:00:00Z"}`
		if tc.method == "DELETE" {
			path, body = path+"/id-1", ""
		}
		req, err := http.NewRequest(tc.method, y.URL+path+tc.query, strings.NewReader(body))
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+tc.token)
		res, err := y.Client().Do(req)
		must(t, err)
		text, err := io.ReadAll(res.Body)
		must(t, err)
		res.Body.Close()
		if res.StatusCode != tc.code || (len(y.made) > 0) != (tc.made != "") {
			t.Errorf("%s: got %s %s, made %q", tc.why, res.Status, text, y.made)
			continue
		}
		if tc.made == "" {
			continue
		}
		var made httpapi.Created
		must(t, json.Unmarshal(text, &made))
		if made.ID != "id-1" || !strings.HasPrefix(y.made[0], "quiet by system:serviceaccount:") || !strings.HasSuffix(y.made[0], tc.made) {
			t.Errorf("%s: got %+v, made %q", tc.why, made, y.made)
		}
	}
}

// waiting is a store whose searches are answered when it is let go.
type waiting struct {
	*query.Engine
	asked, open chan struct{}
}

func (s waiting) SearchLogs(ctx context.Context, in store.Scope, what store.LogSearch) ([]store.Record, query.Coverage, error) {
	s.asked <- struct{}{}
	<-s.open
	return s.Engine.SearchLogs(ctx, in, what)
}

// One user takes a share of what there is, and leaves the rest to others.
func TestShares(t *testing.T) {
	y := startTenancy(t)
	engine := twoTenants(time.Now()).Over(time.Now)
	logs := waiting{engine, make(chan struct{}, 100), make(chan struct{})}
	y.plane = start(t, func(p *httpapi.Parts) { p.Logs, p.Traces = logs, engine })
	one, two := y.plane.admin(), y.plane.admin()
	done := make(chan int)
	search := func(token string) {
		go func() {
			code, _ := y.get("/api/v1/logs", token)
			done <- code
		}()
		<-logs.asked
	}
	for range 4 {
		search(one)
	}
	again := y.another(one) // another token makes no other user
	for _, path := range []string{"/api/v1/logs", "/api/v1/traces"} {
		if code, text := y.get(path, again); code != http.StatusTooManyRequests || !strings.Contains(text, "you have 4 searches under way") {
			t.Errorf("a fifth search of one user, %s: %d %s", path, code, text)
		}
	}
	search(two)
	close(logs.open)
	for range 5 {
		if code := <-done; code != http.StatusOK {
			t.Errorf("a search got %d", code)
		}
	}
	for path, share := range map[string]int{"/api/v1/events": 50, "/api/v1/logs/stream": 8} {
		for i := range share + 1 {
			res := y.request("GET", path, one)
			defer res.Body.Close()
			if want := map[bool]int{true: http.StatusOK, false: http.StatusTooManyRequests}[i < share]; res.StatusCode != want {
				t.Errorf("stream %d of one user, %s: %s", i+1, path, res.Status)
			}
		}
		res := y.request("GET", path, two)
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("a stream of another user, %s: %s", path, res.Status)
		}
	}
}

// another is one more token of the account whose token this is.
func (p *plane) another(token string) string {
	p.Helper()
	whole := strings.Split(read[httpapi.Me](p, "/api/v1/me", token).Name, ":")
	answer, err := p.clients.CoreV1().ServiceAccounts(whole[2]).CreateToken(p.Context(), whole[3], &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	must(p.T, err)
	return answer.Status.Token
}

// lost are alerts that cannot be had.
type lost struct{ silencer }

func (lost) Alerts(context.Context, store.Scope) ([]alertmanager.Alert, error) {
	return nil, errors.New("asking https://127.0.0.1:9093/api/v2/alerts: dial tcp 127.0.0.1:9093: connect: connection refused")
}

// Where the parts of the plane are reached is told to those who see everything, and to the log.
func TestAddressesAreOurs(t *testing.T) {
	y := startTenancy(t)
	var said strings.Builder
	failing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, `{"error":"Get \"https://127.0.0.1:9093/api/v2/alerts\": connection refused"}`, http.StatusInternalServerError)
	})
	y.plane = start(t, func(p *httpapi.Parts) {
		p.Alerts, p.Cost, p.Metrics, p.Log = lost{}, failing, failing, slog.New(slog.NewTextHandler(&said, nil))
	})
	y.deploy(y.a, "one", "acme")
	admin, ann := y.plane.admin(), y.user("get", y.a)
	y.eventually("the fleet is seen", func() bool { return read[inventory.Fleet](y.plane, "/api/v1/fleet", admin).Total == 1 })
	for _, path := range []string{"/api/v1/alerts", "/cost-api/allocation", "/metrics-api/api/v1/query"} {
		code, text := y.get(path, ann)
		if code != http.StatusInternalServerError || strings.Contains(text, "127.0.0.1") || !strings.Contains(text, "connection refused") || !json.Valid([]byte(text)) {
			t.Errorf("ann is told by %s: %d %s", path, code, text)
		}
		if code, text = y.get(path, admin); code != http.StatusInternalServerError || !strings.Contains(text, "https://127.0.0.1:9093/api/v2/alerts") {
			t.Errorf("the administrator is told by %s: %d %s", path, code, text)
		}
	}
	if !strings.Contains(said.String(), "https://127.0.0.1:9093/api/v2/alerts") {
		t.Errorf("the log says %s", said.String())
	}
}

func TestLogSearch(t *testing.T) {
	y := startTenancy(t)
	lines := func(query string) []httpapi.LogLine {
		t.Helper()
		code, text := y.get("/api/v1/logs?tenant=acme&"+query, y.admin)
		if code != http.StatusOK {
			t.Fatalf("%s: %d %s", query, code, text)
		}
		var out []httpapi.LogLine
		for in := json.NewDecoder(strings.NewReader(text)); in.More(); {
			var line httpapi.LogLine
			must(t, in.Decode(&line))
			out = append(out, line)
		}
		return out
	}
	for _, tc := range []struct {
		query string
		want  []string
	}{
		{"", []string{"2", "1", "0"}}, {"order=oldest", []string{"0", "1", "2"}}, {"limit=1", []string{"2"}}, {"severity=warn", []string{"2", "1"}}, {"severity=17", []string{"2"}},
		{"text=LINE+1", []string{"1"}}, {"label=pod%3Dpod-1", []string{"1"}}, {"label=k8s.pod.name!%3Dpod-1", []string{"2", "0"}}, {"label=pod%3D~pod-[02]", []string{"2", "0"}},
		{"start=570s", []string{"2", "1"}}, {"end=570s", []string{"0"}}, {"start=1m", nil}, {"label=cluster!~d.*", nil},
	} {
		var got []string
		for _, line := range lines(tc.query) {
			got = append(got, strings.Fields(line.Body)[1])
		}
		if strings.Join(got, " ") != strings.Join(tc.want, " ") {
			t.Errorf("%q found %v, want %v", tc.query, got, tc.want)
		}
	}
	for _, bad := range []string{"start=yesterday", "start=1m&end=1h", "label=pod", "label=pod%3D~[", "label=%3Dx", "limit=0", "limit=10001", "severity=loud", "severity=25", "order=random"} {
		if code, text := y.get("/api/v1/logs?"+bad, y.admin); code != http.StatusBadRequest {
			t.Errorf("%q: %d %s", bad, code, text)
		}
	}
	code, text := y.get("/api/v1/logs?tenant=acme&limit=1", y.admin, "Accept", "application/json")
	var whole httpapi.Logs
	must(t, json.Unmarshal([]byte(text), &whole))
	if code != http.StatusOK || len(whole.Records) != 1 || whole.Records[0].Severity != "ERROR" {
		t.Errorf("in one piece: %d %s", code, text)
	}
}

// A search that no region answers says why, and one that some do not answer says that it is partial.
func TestPartial(t *testing.T) {
	broken := twoTenants(time.Now())
	broken.Failing = errors.New("connection reset")
	lame := query.Region{Name: "far", Logs: broken, Traces: broken, Next: "see to it"}
	lost := query.Region{Name: "lost", Err: fmt.Errorf("%w: Secret kof/x does not exist", fleet.ErrNotYet), Next: "make it"}
	engine := twoTenants(time.Now()).Over(time.Now, lame, lost)
	p := start(t, func(parts *httpapi.Parts) { parts.Logs = engine; parts.Traces = engine })
	admin := p.admin()
	code, text := p.get("/api/v1/logs", admin)
	all := strings.Split(strings.TrimSpace(text), "\n")
	var last httpapi.LogLine
	must(t, json.Unmarshal([]byte(all[len(all)-1]), &last))
	if code != http.StatusOK || len(all) != 10 || last.LogRecord != nil || !last.Partial || len(last.Missing) != 2 || last.Missing[0].Region != "far" || last.Missing[1].Next != "make it" {
		t.Errorf("lines: %d %s", code, text)
	}
	for _, path := range []string{"/api/v1/logs", "/api/v1/traces", "/api/v1/traces/a1", "/api/v1/tracing/services", "/api/v1/tracing/services/shop-acme/operations"} {
		code, text := p.get(path, admin, "Accept", "application/json")
		var cover httpapi.Coverage
		must(t, json.Unmarshal([]byte(text), &cover))
		if code != http.StatusOK || !cover.Partial || !strings.Contains(strings.Join(cover.Warnings, " "), "region lost, which does not answer since") || !strings.Contains(text, "Secret kof/x does not exist; make it") {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	if code, text := p.get("/api/v1/traces/abc", admin); code != http.StatusNotFound || !strings.Contains(text, "region lost") {
		t.Errorf("a trace that may be where nobody answers: %d %s", code, text)
	}
	p = start(t, func(parts *httpapi.Parts) {
		parts.Logs = query.New(func() []query.Region { return []query.Region{lame, lost} }, query.Config{}, time.Now)
	})
	admin = p.admin()
	if code, text := p.get("/api/v1/logs", admin); code != http.StatusBadGateway || !strings.Contains(text, "connection reset; see to it; region lost") {
		t.Errorf("nobody answers: %d %s", code, text)
	}
	if code, text := p.get("/api/v1/traces", admin); code != http.StatusNotFound || !strings.Contains(text, "there are no traces") {
		t.Errorf("without a store: %d %s", code, text)
	}
	broken.Failing = fmt.Errorf("%w: ask for less time", store.ErrTooMuch)
	p = start(t, func(parts *httpapi.Parts) { parts.Logs = broken.Over(time.Now) })
	if code, text := p.get("/api/v1/logs?text=nothing", p.admin()); code != http.StatusUnprocessableEntity || !strings.Contains(text, "ask for less time") {
		t.Errorf("a question that is too big: %d %s", code, text)
	}
}

// As long as nothing is kept, all that is about telemetry has one answer; who may not ask has another.
func TestNothingKept(t *testing.T) {
	var asked []httpapi.Kind
	p := start(t, func(parts *httpapi.Parts) {
		all := twoTenants(time.Now()).Over(time.Now)
		parts.Logs, parts.Traces, parts.Metrics, parts.Cost, parts.Alerts = all, all, http.HandlerFunc(scopes), http.HandlerFunc(scopes), silencer{new([]string)}
		parts.Budgets = func(context.Context, store.Scope) ([]budget.Judgement, error) { return nil, nil }
		parts.Kept = func(k httpapi.Kind) error {
			asked = append(asked, k)
			return fmt.Errorf("%w: no cluster sends telemetry", fleet.ErrNotYet)
		}
	})
	admin, none := p.admin(), p.user("get")
	if code, text := p.get("/api/v1/budgets", admin); code != http.StatusOK || text != `{"budgets":[]}`+"\n" || len(asked) > 0 {
		t.Errorf("budgets are in objects, and told though nothing is kept: %d %s, asked about %v", code, text, asked)
	}
	for path, kind := range map[string]httpapi.Kind{
		"/api/v1/logs": httpapi.LogsKind, "/api/v1/traces": httpapi.TracesKind, "/api/v1/traces/a1": httpapi.TracesKind, "/api/v1/tracing/services": httpapi.TracesKind,
		"/api/v1/tracing/services/x/operations": httpapi.TracesKind, "/metrics-api/api/v1/query": httpapi.MetricsKind, "/cost-api/allocation": httpapi.CostKind,
		"/api/v1/alerts": httpapi.AlertsKind, "/api/v1/silences": httpapi.AlertsKind,
	} {
		asked = nil
		res := p.request("GET", path, admin)
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || string(text) != `{"error":"no cluster sends telemetry"}`+"\n" || len(asked) != 1 || asked[0] != kind {
			t.Errorf("%s: %s %s %v, asked about %v", path, res.Status, text, err, asked)
		}
		if code, text := p.get(path, none); code != http.StatusForbidden {
			t.Errorf("%s of somebody who may not ask: %d %s", path, code, text)
		}
	}
}

// The rights of those whom the API server cannot be asked about are none.
func TestNoAnswer(t *testing.T) {
	p := start(t, func(parts *httpapi.Parts) {
		parts.Judge = rights.New(silentAccess{}, func() (map[store.Tenant][]string, error) { return map[store.Tenant][]string{"acme": {"a"}}, nil }, time.Now)
	})
	for _, path := range []string{"/api/v1/fleet", "/api/v1/events", "/api/v1/logs", "/api/v1/clusters/a/b"} {
		if code, text := p.get(path, p.admin()); code < 500 {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
}

type silentAccess struct{}

func (silentAccess) Create(context.Context, *authorizationv1.SubjectAccessReview, metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	return nil, errors.New("connection refused")
}

// Until all clusters are read nobody is told that he sees all of a tenant's.
func TestReading(t *testing.T) {
	fleet := feed.New(live.NewTopic("test", 10), slog.New(slog.NewTextHandler(io.Discard, nil)))
	p := start(t, func(parts *httpapi.Parts) {
		parts.Feed, parts.Logs = fleet, twoTenants(time.Now()).Over(time.Now)
		parts.Judge = rights.New(instantAccess{}, fleet.Homes, time.Now)
	})
	fleet.Saw(&kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "ns-0", Name: "one", Labels: map[string]string{"k0rdent.mirantis.com/kof-tenant-id": "acme"}}})
	ann := p.user("get")
	for _, path := range []string{"/api/v1/fleet", "/api/v1/services", "/api/v1/logs", "/api/v1/clusters/ns-0/one"} {
		if code, text := p.get(path, ann); code != http.StatusServiceUnavailable || !strings.Contains(text, "not read its fleet yet") {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	fleet.Whole()
	if code, text := p.get("/api/v1/logs", ann); code != http.StatusOK || !strings.Contains(text, "of acme") {
		t.Errorf("once all is read: %d %s", code, text)
	}
}
