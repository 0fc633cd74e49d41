package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/config"
	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/alert/alertmanager"
	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/httpapi"
	"portico.dev/portico/server/httpapi/held"
	"portico.dev/portico/server/inventory/feed"
	"portico.dev/portico/server/live"
	"portico.dev/portico/server/rights"
	"portico.dev/portico/server/signin"
)

// apiWorld is what the HTTP API of a scenario knows.
type apiWorld struct {
	Args []string `json:"args"`
	// Terminal says that a person looks at the output.
	Terminal bool `json:"terminal"`
	// Plane is what the management plane says.
	Plane    toldPlane               `json:"plane"`
	Clusters []kcm.ClusterDeployment `json:"clusters"`
	Records  []store.Record          `json:"records"`
	Traces   []store.Trace           `json:"traces"`
	// Coming are records that come while somebody follows, after so many that are skipped.
	Coming  []store.Record `json:"coming"`
	Skipped int            `json:"skipped"`
	// Lacking are regions that cannot be asked, and why.
	Lacking map[string]string `json:"lacking"`
	// Metrics and Cost are the answers of Prometheus' and OpenCost's API, by what is asked.
	Metrics map[string]json.RawMessage `json:"metrics"`
	Cost    map[string]json.RawMessage `json:"cost"`
	Alerts  []alertmanager.Alert       `json:"alerts"`
	// Rules is the report of rules; nil where there is none, or nobody may read it.
	Rules   *alert.Report      `json:"rules"`
	Budgets []budget.Judgement `json:"budgets"`
	// Stranger says that the API does not know who asks, Lost that it does not answer.
	Stranger bool `json:"stranger"`
	Lost     bool `json:"lost"`

	silenced []string
}

// The real API answers, over what the scenario holds.
func TestTelemetryCommands(t *testing.T) {
	scenario.Run(t, "testdata/api/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var w apiWorld
		if err := in.Decode("world.yaml", &w); err != nil {
			return nil, err
		}
		var out, talk bytes.Buffer
		status := w.run(screen{&out, w.Terminal}, screen{&talk, w.Terminal})
		sections := []scenario.Section{scenario.Text("stdout", out.String()), scenario.Text("stderr", talk.String()), scenario.Text("status", fmt.Sprint(status))}
		if w.silenced != nil {
			sections = append(sections, scenario.Text("silenced", strings.Join(w.silenced, "\n")))
		}
		return sections, nil
	})
}

// screen is a terminal, or a file.
type screen struct {
	*bytes.Buffer
	terminal bool
}

func (s screen) Stat() (os.FileInfo, error) {
	if s.terminal {
		return os.Stat(os.DevNull)
	}
	return nil, errors.New("it is no file")
}

func (w *apiWorld) run(out, talk io.Writer) int {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	handler := w.api(func() time.Time { return now })
	return Run(ctx, Deps{
		Streams: Streams{In: strings.NewReader(""), Out: out, Err: talk}, Version: "v0.1.0", UID: 1000,
		Getenv: func(string) string { return "" }, Now: func() time.Time { return now }, Plane: func(config.Config) Plane { return &w.Plane },
		dialAPI: func() *http.Client { return &http.Client{Transport: &inside{handler, w}} },
	}, w.Args)
}

// inside is the way to a handler without a network.
type inside struct {
	handler http.Handler
	world   *apiWorld
}

func (i *inside) RoundTrip(r *http.Request) (*http.Response, error) {
	if i.world.Lost {
		return nil, errors.New("dial tcp 127.0.0.1:7451: connect: connection refused")
	}
	if !i.world.Stranger {
		r.Header.Set("Authorization", "Bearer admin")
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	i.handler.ServeHTTP(answer, r)
	res := answer.Result()
	res.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte("the plane's")}}}
	return res, nil
}

// reviews knows everybody as the administrator.
type (
	tokens struct{}
	access struct{}
)

func (tokens) Create(_ context.Context, r *authenticationv1.TokenReview, _ metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	r.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: authenticationv1.UserInfo{Username: r.Spec.Token}}
	return r, nil
}

func (access) Create(_ context.Context, r *authorizationv1.SubjectAccessReview, _ metav1.CreateOptions) (*authorizationv1.SubjectAccessReview, error) {
	r.Status.Allowed = true
	return r, nil
}

func (w *apiWorld) api(now func() time.Time) http.Handler {
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	fleet := feed.New(live.NewTopic("cli", 10), log)
	for i := range w.Clusters {
		fleet.Saw(&w.Clusters[i])
	}
	fleet.Whole()
	secrets := signin.NewSecrets(signin.SecretsConfig{Clock: now, Random: rand.Reader, Life: time.Hour, Most: 10})
	links := signin.NewSecrets(signin.SecretsConfig{Clock: now, Random: strings.NewReader(strings.Repeat("known", 10)), Life: signin.LinkLife, Most: 10})
	var beside []query.Region
	for name, why := range w.Lacking {
		beside = append(beside, query.Region{Name: name, Err: errors.New(why)})
	}
	telemetry := held.Telemetry{Records: w.Records, Coming: w.Coming, Skipped: w.Skipped, Spans: w.Traces}.Over(now, beside...)
	parts := httpapi.Parts{
		Door:  signin.New(signin.Parts{Links: links, Sessions: secrets, Reviews: tokens{}, Clock: now}),
		Judge: rights.New(access{}, fleet.Homes, now), Feed: fleet, Logs: telemetry, Traces: telemetry, Alerts: ringer{w}, Clock: now, Log: log,
		Budgets: func(context.Context, store.Scope) ([]budget.Judgement, error) { return w.Budgets, nil },
	}
	if w.Rules != nil {
		parts.AlertRules = func(context.Context, signin.Identity) (alert.Report, error) { return *w.Rules, nil }
	}
	if w.Metrics != nil {
		parts.Metrics = answers(w.Metrics)
	}
	if w.Cost != nil {
		parts.Cost = answers(w.Cost)
	}
	handler, err := httpapi.New(parts)
	must(err)
	return handler
}

// answers are those of an API, by path and query.
func answers(all map[string]json.RawMessage) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, err := url.QueryUnescape(strings.TrimPrefix(r.URL.RequestURI(), "https://portico.test"))
		must(err)
		w.Header().Set("Content-Type", "application/json")
		answer, known := all[asked]
		if !known {
			w.WriteHeader(http.StatusBadRequest)
			answer = []byte(`{"status": "error", "error": "nobody expected ` + strings.ReplaceAll(asked, `"`, `'`) + `"}`)
		}
		_, _ = w.Write(answer)
	})
}

// ringer knows the alerts of a scenario.
type ringer struct{ world *apiWorld }

func (r ringer) Alerts(context.Context, store.Scope) ([]alertmanager.Alert, error) {
	return r.world.Alerts, nil
}

func (ringer) Silences(context.Context, store.Scope) ([]alertmanager.Silence, error) { return nil, nil }

func (r ringer) Silence(_ context.Context, _ store.Scope, s alertmanager.Silence) (string, error) {
	text, err := json.Marshal(s)
	r.world.silenced = append(r.world.silenced, string(text))
	return "4f1c9d1e-8a52-4c2e-9c43-0d4a1f1f6e0b", err
}

func (ringer) Expire(context.Context, store.Scope, string) error { return nil }

func TestSparkline(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, tc := range []struct {
		why    string
		values []float64
		width  int
		want   string
	}{
		{"The least is the lowest, the most the highest.", []float64{0, 1, 2, 3, 4, 5, 6, 7}, 10, "▁▂▃▄▅▆▇█"},
		{"What does not move is in the middle.", []float64{3, 3, 3}, 10, "▅▅▅"},
		{"What is missing is a gap, and so is what cannot be drawn.", []float64{0, nan, 7, inf}, 10, "▁ █ "},
		{"Many values share a letter.", []float64{0, 0, 7, 7}, 2, "▁█"},
		{"Gaps do not pull a mean down.", []float64{0, nan, 7, nan}, 2, "▁█"},
		{"Nothing is nothing.", nil, 10, ""},
		{"The largest numbers have a difference.", []float64{-math.MaxFloat64, math.MaxFloat64}, 10, "▁█"},
	} {
		if got := sparkline(tc.values, tc.width); got != tc.want {
			t.Errorf("%s got %q, want %q", tc.why, got, tc.want)
		}
	}
}

func TestBar(t *testing.T) {
	for _, tc := range []struct {
		part, whole float64
		want        string
	}{
		{4, 4, "████"}, {2, 4, "██"}, {0, 4, ""}, {0.001, 4, "▏"}, {2.5, 4, "██▌"}, {9, 4, "████"}, {1, 0, ""}, {-1, 4, ""}, {math.NaN(), 1, ""}, {math.Inf(1), 1, ""},
	} {
		if got := bar(tc.part, tc.whole, 4); got != tc.want {
			t.Errorf("%v of %v: %q, want %q", tc.part, tc.whole, got, tc.want)
		}
	}
}

// A log line draws nothing on a terminal.
func FuzzLogText(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b[2J\x1b]0;title\a")
	f.Add("two\nlines\r\xff\u009b")
	f.Fuzz(func(t *testing.T, body string) {
		text := logText(httpapi.LogRecord{Body: body, Resource: map[string]string{"k8s.pod.name": body}})
		if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 }); i >= 0 {
			t.Errorf("%q has a control character at %d", text, i)
		}
	})
}

// Following shows what there is and then what comes, each record once, says what it lacks, and ends when
// it is stopped.
func TestFollow(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	record := func(after time.Duration, body string) store.Record {
		return store.Record{Time: now.Add(after - time.Hour), Tenant: "acme", Body: body, Resource: map[string]string{"k8s.cluster.name": "demo"}}
	}
	w := &apiWorld{
		Records: []store.Record{record(0, "one"), record(time.Second, "two")}, Skipped: 3,
		Coming:  []store.Record{record(time.Second, "two"), record(-time.Hour, "three, late"), record(time.Hour, "last")},
		Lacking: map[string]string{"far": "it has no address"},
	}
	server := httptest.NewTLSServer(w.api(func() time.Time { return now }))
	defer server.Close()
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	var talk bytes.Buffer
	out := &until{stop: stop, text: "last"}
	s := &session{Deps: Deps{Streams: Streams{Out: out, Err: &talk}, Now: func() time.Time { return now }}}
	client := &http.Client{Transport: bearing{server.Client().Transport}}
	if err := s.followLogs(ctx, &remoteAPI{base: server.URL, http: client}, logQuestion{since: "2h", most: 100, cluster: "demo"}, outTable); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, line[strings.LastIndex(line, "  ")+2:len(line)-1])
	}
	if want := "one|two|three, late|last"; strings.Join(got, "|") != want {
		t.Errorf("shown was %q, want %q", strings.Join(got, "|"), want)
	}
	for _, words := range []string{"Warning: region far is not followed: it has no address", "Warning: 3 records came faster than they could be shown", "Warning: the answer lacks region far"} {
		if !strings.Contains(talk.String(), words) {
			t.Errorf("it does not say %q: %s", words, talk.String())
		}
	}
	if err := s.followLogs(t.Context(), &remoteAPI{base: server.URL, http: server.Client()}, logQuestion{since: "2h", most: 100}, outTable); err == nil || !strings.Contains(err.Error(), "who are you") {
		t.Errorf("a stranger follows: %v", err)
	}
}

// until stops what writes to it when it has written a text.
type until struct {
	bytes.Buffer
	stop func()
	text string
}

func (u *until) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte(u.text)) {
		defer u.stop()
	}
	return u.Buffer.Write(p)
}

type bearing struct{ http.RoundTripper }

func (b bearing) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("Authorization", "Bearer admin")
	return b.RoundTripper.RoundTrip(r)
}

// What a stream says is shown, whatever it is, and what cannot be is an error.
func TestEvents(t *testing.T) {
	for _, tc := range []struct{ why, stream, out, talk, err string }{
		{"A region comes back.", "event: back\ndata: {\"region\":\"eu\"}\n\n", "", "Warning: region eu is followed again", ""},
		{"The plane says why it ends.", "event: end\ndata: {\"why\":\"the session has ended\"}\n\n", "", "", "the session has ended"},
		{"What is new to this version is passed over.", ": still here\n\nevent: news\ndata: {}\n\n", "", "", ""},
		{"Junk is an error.", "event: record\ndata: <html>\n\n", "", "", "reading a record"},
	} {
		var out, talk bytes.Buffer
		s := &session{Deps: Deps{Streams: Streams{Out: &out, Err: &talk}}}
		err := eachEvent(strings.NewReader(tc.stream), func(kind string, data []byte) error { return s.showTold(kind, data, outTable) })
		if fmt.Sprint(err) != "<nil>" && (tc.err == "" || !strings.Contains(err.Error(), tc.err)) || err == nil && tc.err != "" || !strings.Contains(talk.String(), tc.talk) || out.String() != tc.out {
			t.Errorf("%s out %q, talk %q, %v", tc.why, out.String(), talk.String(), err)
		}
	}
}

// The HTTP API of a plane is eight ports after its API server, unless somebody says otherwise.
func TestBesides(t *testing.T) {
	f := &apiFlags{session: &session{Deps: Deps{Getenv: func(string) string { return "" }}, data: t.TempDir()}}
	if got, err := f.besides(&rest.Config{Host: "https://10.0.0.1:7443"}); err != nil || got != "https://10.0.0.1:7451" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := f.besides(&rest.Config{Host: "https://api.example.com"}); err == nil || !strings.Contains(err.Error(), "--api URL") {
		t.Errorf("an API server of somebody else: %v", err)
	}
}

// The API is asked with the credentials of the kubeconfig, and trusted by its authority.
func TestReach(t *testing.T) {
	w := &apiWorld{Clusters: []kcm.ClusterDeployment{{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Name: "demo"}}}}
	server := httptest.NewTLSServer(w.api(time.Now))
	defer server.Close()
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for _, tc := range []struct {
		why, token string
		status     int
		says       string
	}{
		{"The user of the kubeconfig is known.", "admin", 0, "a/demo\n"},
		{"One without a token is not.", "", 1, "who are you"},
	} {
		kubeconfig := clientcmdapi.NewConfig()
		kubeconfig.Clusters["c"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:1", CertificateAuthorityData: authority}
		kubeconfig.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: tc.token}
		kubeconfig.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
		kubeconfig.CurrentContext = "x"
		file := filepath.Join(t.TempDir(), "kubeconfig")
		must(clientcmd.WriteToFile(*kubeconfig, file))
		var out bytes.Buffer
		status := Run(t.Context(), Deps{
			Streams: Streams{Out: &out, Err: &out}, UID: 1000, Getenv: func(string) string { return "" }, Now: time.Now, Plane: func(config.Config) Plane { return &toldPlane{} },
		}, []string{"fleet", "--data", t.TempDir(), "--kubeconfig", file, "--api", server.URL, "-o", "name"})
		if status != tc.status || !strings.Contains(out.String(), tc.says) {
			t.Errorf("%s got %d %s", tc.why, status, out.String())
		}
	}
}
