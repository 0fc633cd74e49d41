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

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/observability/alert/alertmanager"
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
		all := twoTenants(time.Now())
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

// A silence is made by who asks, in his scope, whatever it says.
func TestSilence(t *testing.T) {
	y := startTenancy(t)
	req, err := http.NewRequest("POST", y.URL+"/api/v1/silences", strings.NewReader(`{"createdBy": "god", "comment": "quiet", "matchers": [], "endsAt": "2030-01-01T00:00:00Z"}`))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+y.ann)
	res, err := y.Client().Do(req)
	must(t, err)
	defer res.Body.Close()
	var made httpapi.Created
	must(t, json.NewDecoder(res.Body).Decode(&made))
	if res.StatusCode != http.StatusCreated || made.ID != "id-1" || len(y.made) != 1 || !strings.HasPrefix(y.made[0], "quiet by system:serviceaccount:") || !strings.HasSuffix(y.made[0], `for "acme"`) {
		t.Errorf("got %s %+v, made %q", res.Status, made, y.made)
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

// A search that breaks off says so: in its status as long as nothing was sent, then in its last line.
func TestLogSearchFails(t *testing.T) {
	telemetry := twoTenants(time.Now())
	telemetry.Failing = fmt.Errorf("%w: ask for less time", store.ErrTooMuch)
	p := start(t, func(parts *httpapi.Parts) { parts.Logs = telemetry })
	admin := p.admin()
	if code, text := p.get("/api/v1/logs?text=nothing", admin); code != http.StatusUnprocessableEntity || !strings.Contains(text, "ask for less time") {
		t.Errorf("nothing was sent: %d %s", code, text)
	}
	code, text := p.get("/api/v1/logs", admin)
	all := strings.Split(strings.TrimSpace(text), "\n")
	if code != http.StatusOK || len(all) != 10 || !strings.Contains(all[9], `"error":"invalid: the question is too big: ask for less time"`) {
		t.Errorf("after some lines: %d %s", code, text)
	}
	if code, text := p.get("/api/v1/traces", admin); code != http.StatusNotFound || !strings.Contains(text, "there are no traces") {
		t.Errorf("without a store: %d %s", code, text)
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
		parts.Feed, parts.Logs = fleet, twoTenants(time.Now())
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
