package directory

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/observability/stores/local"
	"portico.dev/portico/observability/stores/remote"
	"portico.dev/portico/observability/stores/victoria"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/pki"
)

var shared kubetest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// open is how a plane opens stores.
func open(at topology.Endpoints, by *http.Client) (Stores, error) {
	m, err := victoria.New(remote.Config{Read: at.ReadMetrics, Write: cmp.Or(at.WriteMetrics, at.ReadMetrics), Client: by})
	if err != nil {
		return Stores{}, err
	}
	s, err := local.New(local.Config{LogsIn: at.ReadLogs, LogsOut: at.ReadLogs, TracesIn: at.ReadTraces, TracesOut: at.ReadTraces, Client: by})
	return Stores{m, s, s}, err
}

// world is an API server with regions, and an engine that asks them.
type world struct {
	*testing.T
	kube      client.Client
	namespace string
	directory *Directory
	engine    *query.Engine
}

func startWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t}
	cluster := shared.Cluster(t)
	w.kube, w.namespace = cluster.Client(t, clientgoscheme.AddToScheme), cluster.Namespace(t)
	if err := w.kube.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: kof.Namespace}}); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	w.directory = New(Parts{Open: open, Settings: Settings{Self: self, Trusted: []string{w.namespace}}})
	if err := w.directory.Check(); !errors.Is(err, ErrReading) {
		t.Errorf("before it has read: %v", err)
	}
	cluster.Control(t, ctrl.Options{Scheme: w.kube.Scheme()}, func(_ context.Context, mgr ctrl.Manager) error { return w.directory.Setup(mgr) })
	w.engine = query.New(w.directory.Regions, query.Config{RegionTimeout: 5 * time.Second}, time.Now)
	w.eventually("the directory has read that there is nothing", func() bool { return w.directory.Check() == nil })
	return w
}

func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.Fatalf("%s did not happen; the regions are %+v", what, w.directory.Regions())
		}
	}
}

// listed waits until the directory has these regions; a name with a ! cannot be asked.
func (w *world) listed(names ...string) {
	w.Helper()
	want := strings.Join(names, " ")
	w.eventually("the regions are "+want, func() bool {
		var have []string
		for _, r := range w.directory.Regions() {
			if r.Err != nil {
				r.Name += "!"
			}
			have = append(have, r.Name)
		}
		return strings.Join(have, " ") == want
	})
}

// add makes a region at an address, with a password.
func (w *world) add(name, base string, password topology.Credential, change ...func(*corev1.ConfigMap)) (*corev1.ConfigMap, *corev1.Secret) {
	w.Helper()
	cm := region(w.namespace, name, 0, append([]func(*corev1.ConfigMap){func(cm *corev1.ConfigMap) {
		at := topology.Region{NamespacedName: client.ObjectKey{Namespace: w.namespace, Name: name}, Endpoints: topology.EndpointsAt(base)}
		cm.Data = at.Data()
	}}, change...)...)
	s := adminOf(cm, password)
	must(w.T, w.kube.Create(w.Context(), &s))
	must(w.T, w.kube.Create(w.Context(), &cm))
	w.Cleanup(func() { _ = w.kube.Delete(context.Background(), &s) }) // another test may have the same
	return &cm, &s
}

// ask evaluates an expression in a scope.
func (w *world) ask(in store.Scope, text string) (query.Result, error) {
	expr, err := engine.Parser().ParseExpr(text)
	must(w.T, err)
	now := time.Now()
	return w.engine.Query(w.Context(), in, expr, store.Range{Start: now, End: now})
}

// site is a region: the real programs.
type site struct {
	base, file string
	backends   topology.Backends
	metrics    *victoria.Store
	records    *local.Store
	flush      string
}

func (s site) let(t *testing.T, who ...topology.Access) {
	t.Helper()
	text, err := topology.Vmauth(s.backends, who)
	must(t, err)
	must(t, pki.WriteFile(s.file, text))
}

// startSite starts a region's programs; with a certificate, it is served by TLS.
func startSite(t *testing.T, certificate *pki.Pair, who ...topology.Access) site {
	t.Helper()
	root, err := kubetest.Repository()
	must(t, err)
	find := func(path string) string {
		return storetest.Find(t, "build it with `make`", filepath.Join(root, "bin", path))
	}
	dir := t.TempDir()
	metrics := &storetest.Program{Path: find("libexec/victoria-metrics"), Ready: "/health", Args: func(at string) []string {
		return []string{"-httpListenAddr=" + at, "-storageDataPath=" + filepath.Join(dir, "metrics"), "-retentionPeriod=1y", "-memory.allowedBytes=64MB", "-search.latencyOffset=0s"}
	}}
	records := &storetest.Program{Path: find("portico-store"), Ready: "/health", Args: func(at string) []string {
		return []string{"-listen", at, "-dir", filepath.Join(dir, "records"), "-memory", "128MiB"}
	}}
	m, r := metrics.Start(t), records.Start(t)
	s := site{file: filepath.Join(dir, "auth.yaml"), backends: topology.SingleBackends(m, r), flush: m + "/internal/force_flush"}
	s.metrics, err = victoria.New(remote.Config{Read: m, Write: m + "/api/v1/write"})
	must(t, err)
	s.records, err = local.New(local.At(r))
	must(t, err)
	s.let(t, who...)
	args := []string{"-auth.config=" + s.file, "-configCheckInterval=200ms"}
	scheme := "http://"
	if certificate != nil {
		scheme = "https://"
		must(t, pki.WriteFile(filepath.Join(dir, "tls.crt"), certificate.Certificate))
		must(t, pki.WriteFile(filepath.Join(dir, "tls.key"), certificate.Key))
		args = append(args, "-tls", "-tlsCertFile="+filepath.Join(dir, "tls.crt"), "-tlsKeyFile="+filepath.Join(dir, "tls.key"))
	}
	s.base = scheme + run(t, find("libexec/vmauth"), args...)
	return s
}

// run runs a program until the test ends, and returns where it listens.
func run(t *testing.T, path string, args ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	must(t, l.Close())
	c := exec.Command(path, append(args, "-httpListenAddr="+address)...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, c.Start())
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
	})
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return address
		}
	}
	t.Fatalf("%s does not listen", path)
	return ""
}

// fill writes what the two tenants say to a region.
func (s site) fill(t *testing.T, now time.Time) {
	t.Helper()
	for of, series := range storetest.TwoTenants(now) {
		must(t, s.metrics.Write(t.Context(), of, series))
		logs, traces := plog.NewLogs(), ptrace.NewTraces()
		l := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		l.SetTimestamp(pcommon.NewTimestampFromTime(now.Add(-time.Second)))
		l.Body().SetStr("a line of " + string(of))
		r := traces.ResourceSpans().AppendEmpty()
		r.Resource().Attributes().PutStr("service.name", "service-of-"+string(of))
		span := r.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
		span.SetTraceID(pcommon.TraceID{1, byte(len(of)), of[len(of)-1]})
		span.SetSpanID(pcommon.SpanID{2})
		span.SetName("buy")
		span.SetStartTimestamp(pcommon.NewTimestampFromTime(now.Add(-time.Second)))
		span.SetEndTimestamp(pcommon.NewTimestampFromTime(now))
		must(t, s.records.WriteLogs(t.Context(), of, logs))
		must(t, s.records.WriteTraces(t.Context(), of, traces))
	}
	resp, err := http.Get(s.flush)
	must(t, err)
	must(t, resp.Body.Close())
}

func one(text string) topology.Credential { return topology.Credential{Password: text} }

func as(user string, passwords ...string) topology.Access {
	return topology.Access{User: user, Passwords: passwords}
}

// userOf is the admin's name of a region of the world.
func (w *world) userOf(name string) string {
	return topology.AdminUser(client.ObjectKey{Namespace: w.namespace, Name: "kof-" + name})
}

// Two regions with the real programs, one of them by a certificate of its own authority, answer as one;
// what becomes of one of them is said, and the other answers.
func TestRegions(t *testing.T) {
	w := startWorld(t)
	authority, err := pki.NewAuthority("eu", time.Hour, time.Now())
	must(t, err)
	pair, err := authority.Issue(pki.Leaf{CommonName: "vmauth", Names: []string{"127.0.0.1"}, Usage: pki.Server, Validity: time.Hour}, time.Now())
	must(t, err)
	now := time.Now().Add(-2 * time.Second)
	eu, us := startSite(t, &pair, as(w.userOf("eu"), "p-eu")), startSite(t, nil, as(w.userOf("us"), "p-us"))
	eu.fill(t, now)
	us.fill(t, now)
	trusting, err := json.Marshal(map[string]any{"dial_timeout": "3s", "tls_config": map[string]any{"ca": string(authority.CertificatePEM())}})
	must(t, err)
	euConfig, euSecret := w.add("eu", eu.base, one("p-eu"), set(httpKey, string(trusting)))
	usConfig, usSecret := w.add("us", us.base, one("p-us"))
	w.listed("eu", "us")
	w.sees("eu", "us")
	w.isolated()

	t.Run("Rotation", func(t *testing.T) { w.rotates(us, usSecret) })
	t.Run("Lame", func(t *testing.T) { w.lame(us) })
	t.Run("Untrusted", func(t *testing.T) {
		euConfig.Data[httpKey] = ""
		must(t, w.kube.Update(t.Context(), euConfig))
		w.lacks("eu", "certificate")
		euConfig.Data[httpKey] = `{"tls_config":{"insecure_skip_verify":true}}`
		must(t, w.kube.Update(t.Context(), euConfig))
		w.eventually("nobody's certificate is checked", func() bool { got, err := w.ask(store.Of(storetest.A), "shared"); return err == nil && !got.Partial() })
	})
	t.Run("Gone", func(t *testing.T) {
		must(t, w.kube.Delete(t.Context(), euSecret))
		w.listed("eu!", "us")
		w.lacks("eu", "does not exist")
		must(t, w.kube.Delete(t.Context(), usConfig))
		w.listed("eu!")
		if _, err := w.ask(store.Of(storetest.A), "shared"); !errors.Is(err, query.ErrNobody) {
			t.Errorf("nobody can be asked: %v", err)
		}
		must(t, w.kube.Delete(t.Context(), euConfig))
		w.listed()
		if got, err := w.ask(store.Of(storetest.A), "shared"); err != nil || len(got.Series) > 0 || got.Partial() {
			t.Errorf("without regions: %v, %v", got, err)
		}
	})
}

// sees checks that all kinds of telemetry of both tenants come from all of the regions.
func (w *world) sees(regions ...string) {
	w.Helper()
	for _, of := range []store.Tenant{storetest.A, storetest.B} {
		got, err := w.ask(store.Of(of), "count by (region) (shared)")
		if err != nil || got.Partial() || len(got.Series) != len(regions) {
			w.Errorf("metrics of %s: %v, %v, %v", of, got.Series, got.Warnings, err)
		}
		span := store.LogSearch{Start: time.Now().Add(-time.Hour), End: time.Now()}
		records, cover, err := w.engine.SearchLogs(w.Context(), store.Of(of), span)
		if err != nil || cover.Partial() || len(records) != len(regions) {
			w.Errorf("logs of %s: %v, %v, %v", of, records, cover.Warnings, err)
		}
		for i, r := range records {
			if r.Resource["region"] != regions[i] || !strings.HasSuffix(r.Body, string(of)) {
				w.Errorf("logs of %s have %v", of, r)
			}
		}
		traces, cover, err := w.engine.SearchTraces(w.Context(), store.Of(of), store.TraceSearch{Start: span.Start, End: span.End})
		if err != nil || cover.Partial() || len(traces) != 1 || traces[0].Spans[0].Service != "service-of-"+string(of) {
			w.Errorf("traces of %s: %v, %v, %v", of, traces, cover.Warnings, err)
		}
		services, cover, err := w.engine.Services(w.Context(), store.Of(of))
		if err != nil || cover.Partial() || len(services) != 1 {
			w.Errorf("services of %s: %v, %v, %v", of, services, cover.Warnings, err)
		}
	}
}

// isolated tries what PromQL offers to see in one of the regions what is another tenant's.
func (w *world) isolated() {
	w.Helper()
	for _, trick := range storetest.Tricks() {
		expr, err := engine.Parser().ParseExpr(trick.Expr)
		must(w.T, err)
		if expr.Type() == parser.ValueTypeString {
			continue
		}
		got, err := w.ask(store.Of(storetest.A), trick.Expr)
		if err == nil && storetest.Leaks(got.Series) != "" {
			w.Errorf("%s: %s shows A %s", trick.Name, trick.Expr, storetest.Leaks(got.Series))
		}
	}
}

// rotates replaces the credentials of a region while it is asked all the time.
func (w *world) rotates(us site, secret *corev1.Secret) {
	var asked, failed atomic.Int64
	ctx, stop := context.WithCancel(w.Context())
	ended := make(chan struct{})
	var said atomic.Value
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			got, err := w.ask(store.Of(storetest.A), "shared")
			asked.Add(1)
			if err != nil || got.Partial() {
				failed.Add(1)
				said.Store(fmt.Sprint(err, got.Warnings))
			}
		}
	}()
	before := w.directory.Regions()[1].Metrics
	user := w.userOf("us")
	rewrite := func(c topology.Credential) {
		*secret = *w.rewritten(secret, c)
		must(w.T, w.kube.Update(w.Context(), secret))
	}
	knows := func(password string) func() bool {
		return func() bool {
			w.directory.mu.Lock()
			defer w.directory.mu.Unlock()
			for at, h := range w.directory.lines {
				if at.Name == "kof-us" {
					return slices.Contains(h.login.Load().Passwords, password)
				}
			}
			return false
		}
	}
	settle := func() { time.Sleep(500 * time.Millisecond) } // so that questions meet each state
	// Portico makes a new one, and the region learns of it later.
	rewrite(topology.Credential{Password: "p-us-2", Previous: "p-us", At: time.Now(), For: "1"})
	w.eventually("the new password is known", knows("p-us-2"))
	settle()
	us.let(w.T, as(user, "p-us-2", "p-us"))
	settle()
	// An hour later both forget the one before.
	rewrite(topology.Credential{Password: "p-us-2", For: "1"})
	settle()
	us.let(w.T, as(user, "p-us-2"))
	settle()
	// Somebody replaces it by hand, which leaves no trace of the one before.
	rewrite(one("p-us-3"))
	w.eventually("the third password is known", knows("p-us-3"))
	settle()
	us.let(w.T, as(user, "p-us-3"))
	settle()
	stop()
	<-ended
	if n := failed.Load(); n > 0 || asked.Load() < 20 {
		w.Errorf("%d of %d questions were not answered: %v", n, asked.Load(), said.Load())
	}
	if after := w.directory.Regions()[1].Metrics; after != before {
		w.Error("the connections of the region were replaced, too")
	}
}

// rewritten is a Secret with another credential.
func (w *world) rewritten(s *corev1.Secret, c topology.Credential) *corev1.Secret {
	var now corev1.Secret
	must(w.T, w.kube.Get(w.Context(), client.ObjectKeyFromObject(s), &now))
	made := adminOf(region(w.namespace, "us", 0), c)
	now.Data, now.Annotations = made.Data, made.Annotations
	return &now
}

// lacks waits until answers are partial without a region, for a reason, and come from the other one.
func (w *world) lacks(name, why string) {
	w.Helper()
	var last string
	w.eventually("answers lack "+name, func() bool {
		got, err := w.ask(store.Of(storetest.A), "count(shared)")
		last = fmt.Sprint(got.Warnings, err)
		return err == nil && len(got.Missing) == 1 && got.Missing[0].Region == name && strings.Contains(got.Warnings[0], why) && len(got.Series) == 1
	})
	if !strings.Contains(last, ":") {
		w.Errorf("it says %s", last)
	}
}

// lame adds regions that cannot answer, each in its own way.
func (w *world) lame(us site) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.T, err)
	defer silent.Close()
	elsewhere := http.Server{Handler: http.RedirectHandler(us.base, http.StatusFound)}
	redirects, err := net.Listen("tcp", "127.0.0.1:0")
	must(w.T, err)
	go func() { _ = elsewhere.Serve(redirects) }() // it ends with its listener
	defer elsewhere.Close()
	for _, tc := range []struct {
		name, base, password string
		change               func(*corev1.ConfigMap)
		says                 string
	}{
		{"hangs", "http://" + silent.Addr().String(), "x", nil, "it did not answer within 5s; see the endpoints in ConfigMap " + w.namespace + "/kof-hangs"},
		{"stranger", us.base, "wrong", nil, `it does not let in user "` + w.userOf("stranger") + `": 401 Unauthorized; have its vmauth know the password in Secret kof/kof-vmuser-creds-` + w.userOf("stranger")},
		{"nowhere", "http://127.0.0.1:1", "x", nil, "connection refused"},
		{"moved", "http://" + redirects.Addr().String(), "x", nil, "302 Found"},
		{"dumb", us.base, "x", set("read_metrics_endpoint", "nowhere"), "expected http:// or https:// at its beginning; correct ConfigMap"},
	} {
		w.Run(tc.name, func(t *testing.T) {
			change := []func(*corev1.ConfigMap){}
			if tc.change != nil {
				change = append(change, tc.change)
			}
			cm, s := w.add(tc.name, tc.base, one(tc.password), change...)
			w.lacks(tc.name, tc.says)
			must(t, w.kube.Delete(t.Context(), cm))
			must(t, w.kube.Delete(t.Context(), s))
			w.listed("eu", "us")
		})
	}
}
