package source_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"portico.dev/portico/kube/control"
)

// repository is a chart repository over HTTP that counts who asks for what.
type repository struct {
	t  *testing.T
	mu sync.Mutex
	// charts maps "<name>-<version>" to the archive.
	charts map[string][]byte
	asked  map[string]int
	// user and password are needed if they are set.
	user, password string
}

func newRepository(t *testing.T) *repository {
	return &repository{t: t, charts: map[string][]byte{}, asked: map[string]int{}}
}

func (r *repository) add(name, version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.charts[name+"-"+version] = chart(r.t, name, version)
}

func (r *repository) count(path string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked[path]
}

func (r *repository) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked[req.URL.Path]++
	if user, password, _ := req.BasicAuth(); r.user != user || r.password != password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if req.URL.Path == "/charts/index.yaml" {
		fmt.Fprint(w, r.index())
		return
	}
	data, ok := r.charts[strings.TrimSuffix(strings.TrimPrefix(req.URL.Path, "/charts/"), ".tgz")]
	if !ok {
		http.NotFound(w, req)
		return
	}
	_, _ = w.Write(data)
}

func (r *repository) index() string {
	entries := map[string]string{}
	for id := range r.charts {
		name, version, _ := strings.Cut(id, "-")
		entries[name] += fmt.Sprintf("  - {version: %s, urls: [%s.tgz]}\n", version, id)
	}
	text := "apiVersion: v1\nentries:\n"
	for name, list := range entries {
		text += "  " + name + ":\n" + list
	}
	return text
}

func helmRepository(e *engine, url string) *sourcev1.HelmRepository {
	return &sourcev1.HelmRepository{ObjectMeta: e.meta("charts"), Spec: sourcev1.HelmRepositorySpec{URL: url, Interval: every(time.Hour)}}
}

func helmChart(e *engine, name, version string) *sourcev1.HelmChart {
	return &sourcev1.HelmChart{ObjectMeta: e.meta(name), Spec: sourcev1.HelmChartSpec{
		Chart: name, Version: version, Interval: every(time.Hour),
		SourceRef: sourcev1.LocalHelmChartSourceReference{Kind: sourcev1.HelmRepositoryKind, Name: "charts"},
	}}
}

// A chart from a repository: fetched once, followed when the repository gets a newer version,
// and the files of versions past are removed.
func TestChartOfRepository(t *testing.T) {
	e, repo := start(t), newRepository(t)
	repo.add("web", "1.0.0")
	server := httptest.NewServer(repo)
	defer server.Close()
	charts, web := helmRepository(e, server.URL+"/charts/"), helmChart(e, "web", "1.x")
	// The chart comes before its repository: it waits, and the repository's coming wakes it.
	e.create(web)
	await(e, web, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool {
		return broken(c, "NoSourceArtifact", "there is no HelmRepository "+e.ns+"/charts")
	})
	e.create(charts)
	awaitReady(e, charts, &sourcev1.HelmRepositoryList{})
	data := awaitReady(e, web, &sourcev1.HelmChartList{})
	if string(data) != string(repo.charts["web-1.0.0"]) {
		t.Error("the artifact is not the archive as the repository serves it")
	}
	if got := web.Status; got.ObservedChartName != "web" || got.Artifact.Revision != "1.0.0" || got.ObservedSourceArtifactRevision != charts.Status.Artifact.Revision ||
		got.Artifact.Path != "helmchart/"+e.ns+"/web/web-1.0.0.tgz" || got.URL != got.Artifact.URL {
		t.Errorf("status %+v", got)
	}
	for _, version := range []string{"1.1.0", "1.2.0"} {
		repo.add("web", version)
		change(e, charts, func(r *sourcev1.HelmRepository) {
			r.Annotations = map[string]string{meta.ReconcileRequestAnnotation: version}
		})
		await(e, web, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool { return ready(c) && c.Status.Artifact.Revision == version })
		await(e, charts, &sourcev1.HelmRepositoryList{}, func(r *sourcev1.HelmRepository) bool { return r.Status.LastHandledReconcileAt == version })
	}
	askAgain(e, web)
	if n := repo.count("/charts/web-1.0.0.tgz"); n != 1 {
		t.Errorf("version 1.0.0 was fetched %d times, want once", n)
	}
	files, err := filepath.Glob(filepath.Join(e.dir, "helmchart", e.ns, "web", "*"))
	if err != nil || len(files) > 2 || len(files) == 0 {
		t.Errorf("after three versions the store has %v, %v; want the newest, at most with the one before", files, err)
	}
}

// askAgain requests a look and waits until it was done.
func askAgain(e *engine, web *sourcev1.HelmChart) {
	e.t.Helper()
	change(e, web, func(c *sourcev1.HelmChart) {
		c.Annotations = map[string]string{meta.ReconcileRequestAnnotation: "again"}
	})
	await(e, web, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool { return c.Status.LastHandledReconcileAt == "again" })
}

// Looking again without news writes nothing but the answer to the request, and fetches nothing.
func TestLookAgainWithoutNews(t *testing.T) {
	e, repo := start(t), newRepository(t)
	repo.add("web", "1.0.0")
	server := httptest.NewServer(repo)
	defer server.Close()
	web := helmChart(e, "web", "")
	e.create(helmRepository(e, server.URL+"/charts"), web)
	awaitReady(e, web, &sourcev1.HelmChartList{})
	before := web.Status.DeepCopy()
	askAgain(e, web)
	before.LastHandledReconcileAt = "again"
	if diff := cmp.Diff(before, &web.Status); diff != "" {
		t.Errorf("a look without news changed the status (-before +after):\n%s", diff)
	}
	if n := repo.count("/charts/web-1.0.0.tgz"); n != 1 {
		t.Errorf("the chart was fetched %d times", n)
	}
}

// After a restart everything is as it was: nothing is fetched, nothing is written. An object that
// went in between leaves no files.
func TestRestart(t *testing.T) {
	e, repo := start(t), newRepository(t)
	repo.add("web", "1.0.0")
	repo.add("api", "1.0.0")
	server := httptest.NewServer(repo)
	defer server.Close()
	charts, web, api := helmRepository(e, server.URL+"/charts"), helmChart(e, "web", ""), helmChart(e, "api", "")
	e.create(charts, web, api)
	awaitReady(e, charts, &sourcev1.HelmRepositoryList{})
	awaitReady(e, web, &sourcev1.HelmChartList{})
	awaitReady(e, api, &sourcev1.HelmChartList{})
	e.stop()
	if err := e.kube.Delete(t.Context(), api); err != nil {
		t.Fatal(err)
	}
	asked := repo.count("/charts/index.yaml")
	e.run()
	// The engine works through what it finds at its start before it comes to a new object.
	repo.add("last", "1.0.0")
	late := helmChart(e, "last", "")
	e.create(late)
	await(e, late, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool { return broken(c, "InvalidChartReference", "there is api, web") })
	if n := repo.count("/charts/index.yaml"); n != asked {
		t.Errorf("the index was fetched %d times more after a restart; its interval was not over", n-asked)
	}
	was := web.ResourceVersion
	await(e, web, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool { return true })
	if web.ResourceVersion != was {
		t.Error("a restart wrote a status that had not changed")
	}
	awaitNoFiles(t, filepath.Join(e.dir, "helmchart", e.ns, "api"))
}

// awaitNoFiles waits for a folder to go; there is no event for that.
func awaitNoFiles(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		found, err := filepath.Glob(dir)
		if err == nil && len(found) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is still there", dir)
		}
	}
}

// What the status says must be true and of use: which host, which chart, which versions, whose
// certificate. A failure is told once: it must not change from one attempt to the next.
func TestFailuresSpeak(t *testing.T) {
	repo := newRepository(t)
	repo.add("web", "1.0.0")
	repo.add("web", "1.1.0")
	server := httptest.NewServer(repo)
	defer server.Close()
	secure := httptest.NewUnstartedServer(repo)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it does not like clients that do not trust it
	secure.StartTLS()
	defer secure.Close()
	closed := httptest.NewServer(repo)
	closed.Close()
	locked := newRepository(t)
	locked.user, locked.password = "me", "secret"
	guarded := httptest.NewServer(locked)
	defer guarded.Close()
	tests := []struct{ name, url, reason, words string }{
		{"UnknownHost", "http://nowhere.invalid/charts", "IndexationFailed", `"nowhere.invalid"`},
		{"NobodyListens", closed.URL, "IndexationFailed", "connection refused"},
		{"NoIndex", server.URL + "/none", "IndexationFailed", "the server answers 404 Not Found"},
		{"UnknownAuthority", secure.URL + "/charts", "IndexationFailed", "put the authority's certificate into key ca.crt"},
		{"PlainHTTP", strings.Replace(server.URL, "http:", "https:", 1), "IndexationFailed", ""},
		{"Unauthorized", guarded.URL + "/charts", "AuthenticationFailed", "check username and password"},
	}
	e := start(t)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			r := helmRepository(e, tc.url)
			r.Name = strings.ToLower(tc.name)
			e.create(r)
			await(e, r, &sourcev1.HelmRepositoryList{}, func(r *sourcev1.HelmRepository) bool { return broken(r, tc.reason, tc.words) })
			if !control.IsTrue(r.Status.Conditions, sourcev1.FetchFailedCondition) || !control.IsTrue(r.Status.Conditions, meta.ReconcilingCondition) {
				t.Errorf("conditions %+v: want FetchFailed, and Reconciling since it is tried again", r.Status.Conditions)
			}
		})
	}
	t.Run("Charts", func(t *testing.T) {
		none, wrong, range_ := helmChart(e, "wep", ""), helmChart(e, "web", "2.x"), helmChart(e, "web", "no range")
		wrong.Name, range_.Name = "wrong", "range"
		e.create(helmRepository(e, server.URL+"/charts"), none, wrong, range_)
		await(e, none, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool {
			return broken(c, "InvalidChartReference", `chart "wep" is not in the repository; there is web`)
		})
		await(e, wrong, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool {
			return broken(c, "InvalidChartReference", `no version matches "2.x"; there is 1.1.0, 1.0.0`)
		})
		await(e, range_, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool {
			return broken(c, "InvalidChartReference", `"no range" is neither`) && control.IsTrue(c.Status.Conditions, meta.StalledCondition)
		})
	})
}

// A repository that was broken becomes ready when its user mends it; the old artifact stays in
// use while it is broken.
func TestCredentialsAndCertificates(t *testing.T) {
	e, repo := start(t), newRepository(t)
	repo.add("web", "1.0.0")
	repo.user, repo.password = "me", "secret"
	server := httptest.NewTLSServer(repo)
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	charts, web := helmRepository(e, server.URL+"/charts"), helmChart(e, "web", "")
	charts.Spec.CertSecretRef = &meta.LocalObjectReference{Name: "ca"}
	e.create(secret(e, "ca", map[string]string{"ca.crt": string(ca)}), charts, web)
	await(e, charts, &sourcev1.HelmRepositoryList{}, func(r *sourcev1.HelmRepository) bool { return broken(r, "AuthenticationFailed", "401") })
	e.create(secret(e, "login", map[string]string{"username": "me", "password": "secret"}))
	change(e, charts, func(r *sourcev1.HelmRepository) { r.Spec.SecretRef = &meta.LocalObjectReference{Name: "login"} })
	awaitReady(e, charts, &sourcev1.HelmRepositoryList{})
	awaitReady(e, web, &sourcev1.HelmChartList{})
	change(e, charts, func(r *sourcev1.HelmRepository) { r.Spec.SecretRef.Name = "missing" })
	await(e, charts, &sourcev1.HelmRepositoryList{}, func(r *sourcev1.HelmRepository) bool {
		return broken(r, "AuthenticationFailed", "reading Secret "+e.ns+"/missing")
	})
	if !control.IsTrue(charts.Status.Conditions, sourcev1.ArtifactInStorageCondition) || charts.Status.Artifact == nil {
		t.Errorf("a failure took the artifact away that was there: %+v", charts.Status)
	}
}

// The interval is honoured without anybody asking.
func TestInterval(t *testing.T) {
	e, repo := start(t), newRepository(t)
	repo.add("web", "1.0.0")
	server := httptest.NewServer(repo)
	defer server.Close()
	charts, web := helmRepository(e, server.URL+"/charts"), helmChart(e, "web", "")
	charts.Spec.Interval = every(time.Second)
	e.create(charts, web)
	awaitReady(e, web, &sourcev1.HelmChartList{})
	repo.add("web", "2.0.0")
	await(e, web, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool { return ready(c) && c.Status.Artifact.Revision == "2.0.0" })
}

// A suspended source is left alone, and taken up again where it was.
func TestSuspend(t *testing.T) {
	e, repo := start(t), newRepository(t)
	repo.add("web", "1.0.0")
	server := httptest.NewServer(repo)
	defer server.Close()
	charts, web := helmRepository(e, server.URL+"/charts"), helmChart(e, "web", "")
	web.Spec.Suspend = true
	e.create(charts, web)
	awaitReady(e, charts, &sourcev1.HelmRepositoryList{})
	other := helmChart(e, "web", "")
	other.Name = "other"
	e.create(other)
	awaitReady(e, other, &sourcev1.HelmChartList{})
	await(e, web, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool { return true })
	if len(web.Status.Conditions) > 0 {
		t.Errorf("a suspended chart got the status %+v", web.Status)
	}
	change(e, web, func(c *sourcev1.HelmChart) { c.Spec.Suspend = false })
	awaitReady(e, web, &sourcev1.HelmChartList{})
}

// Values files replace the chart's default values; the version tells that it is not the original.
func TestValuesFiles(t *testing.T) {
	e, repo := start(t), newRepository(t)
	repo.add("web", "1.0.0")
	server := httptest.NewServer(repo)
	defer server.Close()
	web := helmChart(e, "web", "")
	web.Spec.ValuesFiles = []string{"values.yaml", "values-big.yaml"}
	lost := helmChart(e, "web", "")
	lost.Name, lost.Spec.ValuesFiles = "lost", []string{"values.yaml", "none.yaml"}
	e.create(helmRepository(e, server.URL+"/charts"), web, lost)
	data := awaitReady(e, web, &sourcev1.HelmChartList{})
	if got := content(t, data, "web/values.yaml"); got != "color: red\nsize: 9\n" {
		t.Errorf("values.yaml is %q", got)
	}
	if web.Status.Artifact.Revision != "1.0.0+1" || !strings.Contains(content(t, data, "web/Chart.yaml"), "version: 1.0.0+1") {
		t.Errorf("revision %s, %s", web.Status.Artifact.Revision, content(t, data, "web/Chart.yaml"))
	}
	await(e, lost, &sourcev1.HelmChartList{}, func(c *sourcev1.HelmChart) bool { return broken(c, "ValuesFilesError", `"none.yaml"`) })
	change(e, lost, func(c *sourcev1.HelmChart) { c.Spec.IgnoreMissingValuesFiles = true })
	awaitReady(e, lost, &sourcev1.HelmChartList{})
}

// Where Flux's source-controller runs, nothing of an object is touched; when it goes, we take over.
func TestStepsAside(t *testing.T) {
	e, repo := start(t), newRepository(t)
	repo.add("web", "1.0.0")
	server := httptest.NewServer(repo)
	defer server.Close()
	first := helmRepository(e, server.URL+"/charts")
	e.create(first)
	awaitReady(e, first, &sourcev1.HelmRepositoryList{})
	flux := fluxDeployment(e)
	e.create(flux)
	t.Cleanup(func() { _ = e.kube.Delete(t.Context(), flux) })
	e.stop()
	e.run() // a start with Flux there: what the engine saw of it cannot be late
	web := helmChart(e, "web", "")
	web.Finalizers = []string{sourcev1.SourceFinalizer}
	before := passes(t, "sources.HelmChart")
	e.create(web)
	for passes(t, "sources.HelmChart") == before { // no event tells that nothing was done
		time.Sleep(10 * time.Millisecond)
	}
	await(e, web, &sourcev1.HelmChartList{}, func(*sourcev1.HelmChart) bool { return true })
	if n := repo.count("/charts/web-1.0.0.tgz"); n != 0 || len(web.Status.Conditions) > 0 {
		t.Errorf("while Flux was there the chart was fetched %d times and got the status %+v", n, web.Status)
	}
	if err := e.kube.Delete(t.Context(), flux); err != nil {
		t.Fatal(err)
	}
	awaitReady(e, web, &sourcev1.HelmChartList{})
	// What Flux left must not keep the object alive.
	if err := e.kube.Delete(t.Context(), web); err != nil {
		t.Fatal(err)
	}
	awaitNoFiles(t, filepath.Join(e.dir, "helmchart", e.ns, "web"))
}

// passes counts how often a controller has finished a pass over an object.
func passes(t *testing.T, controller string) float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, f := range families {
		if f.GetName() != "controller_runtime_reconcile_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetValue() == controller {
					total += m.GetCounter().GetValue()
				}
			}
		}
	}
	return total
}
