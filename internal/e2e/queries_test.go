package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/internal/e2e"
	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/observability/stores/local"
	"portico.dev/portico/observability/stores/remote"
	"portico.dev/portico/observability/stores/victoria"
	"portico.dev/portico/observability/topology"
)

// A plane that keeps nothing itself asks a region that is no cluster of it, as soon as two objects say
// where that is, and says what an answer lacks.
func TestQueriesOverRegions(t *testing.T) {
	plane := newPlane(t)
	for _, file := range []string{"portico-store", "libexec/victoria-metrics", "libexec/vmauth"} {
		if _, err := os.Stat(plane.Bin.File(file)); err != nil {
			t.Skipf("bin/%s is not built: run make build", file)
		}
	}
	s := &stage{Plane: plane, t: t}
	s.must(os.MkdirAll(plane.Data, 0o700))
	s.must(os.WriteFile(filepath.Join(plane.Data, "portico.yaml"), []byte("apiVersion: config.portico.dev/v1alpha1\nkind: PorticoConfiguration\nobservability: {stores: Never}\n"), 0o600))
	s.up()
	s.saysUntil("there is no region", 1, "keeps no telemetry", "metrics", "query", "shared")
	office, door := s.office()
	s.apply(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "office-reader"}, StringData: map[string]string{"username": "reader", "password": "word"}})
	s.apply(s.regionAt("office", office, `{"basic_auth":{"credentials_secret_name":"office-reader"}}`))
	s.saysUntil("the region is asked", 0, `"region":"office"`, "metrics", "query", "count(shared)by(region)", "-o", "json")
	s.saysUntil("its logs are found", 0, "a line from the office", "logs", "--label", "region=office")
	s.saysUntil("its costs are asked for", 0, "Nothing is known of costs", "cost", "--window", "1h")
	s.saysUntil("alerts are the plane's own", 1, "keeps no telemetry", "alert", "list")
	s.apply(s.regionAt("lost", office, `{"basic_auth":{"credentials_secret_name":"nobody"}}`))
	s.saysUntil("what is missing is said", 0, "Warning: the answer lacks region lost", "metrics", "query", "count(shared)by(region)")
	s.saysUntil("and how it is mended", 0, "Secret kcm-system/nobody does not exist, which kof_http_config names: create it with the keys username and password", "logs", "--since", "5m")
	door.End(t)
	s.saysUntil("nobody answers", 1, "no region answers", "metrics", "query", "shared")
}

// office are a region's programs, with a series and a record; door is its vmauth.
func (s *stage) office() (base string, door *storetest.Program) {
	s.t.Helper()
	dir := s.t.TempDir()
	metrics := &storetest.Program{Path: s.Bin.File("libexec/victoria-metrics"), Ready: "/health", Args: func(at string) []string {
		return []string{"-httpListenAddr=" + at, "-storageDataPath=" + filepath.Join(dir, "metrics"), "-memory.allowedBytes=64MB", "-search.latencyOffset=0s"}
	}}
	records := &storetest.Program{Path: s.Bin.File("portico-store"), Ready: "/health", Args: func(at string) []string {
		return []string{"-listen", at, "-dir", filepath.Join(dir, "records"), "-memory", "128MiB"}
	}}
	m, r := metrics.Start(s.t), records.Start(s.t)
	text, err := topology.Vmauth(topology.SingleBackends(m, r), []topology.Access{{User: "reader", Passwords: []string{"word"}}})
	s.must(err)
	file := filepath.Join(dir, "auth.yaml")
	s.must(os.WriteFile(file, text, 0o600))
	door = &storetest.Program{Path: s.Bin.File("libexec/vmauth"), Ready: "/health", Args: func(at string) []string {
		return []string{"-httpListenAddr=" + at, "-auth.config=" + file}
	}}
	samples, err := victoria.New(remote.Config{Read: m, Write: m + "/api/v1/write"})
	s.must(err)
	s.must(samples.Write(s.limited(), storetest.A, storetest.TwoTenants(time.Now())[storetest.A]))
	// A question about a series that is not visible yet has VictoriaMetrics remember for ten seconds that
	// there is none.
	flushed, err := http.Get(m + "/internal/force_flush")
	s.must(err)
	s.must(flushed.Body.Close())
	kept, err := local.New(local.At(r))
	s.must(err)
	logs := plog.NewLogs()
	record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	record.Body().SetStr("a line from the office")
	s.must(kept.WriteLogs(s.limited(), storetest.A, logs))
	return door.Start(s.t), door
}

// regionAt is the ConfigMap of a region, as somebody writes it.
func (s *stage) regionAt(name, base, how string) *corev1.ConfigMap {
	r := topology.Region{NamespacedName: types.NamespacedName{Namespace: e2e.SystemNamespace, Name: name}, HTTP: how, Endpoints: topology.EndpointsAt(base)}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "kof-" + name, Labels: map[string]string{kof.ClusterRoleLabel: kof.RegionalRole}},
		Data:       r.Data(),
	}
}

// saysUntil runs a command until it ends with a status and says something.
func (s *stage) saysUntil(what string, code int, says string, args ...string) {
	s.t.Helper()
	var last e2e.Result
	began := time.Now()
	for deadline := began.Add(within); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		var err error
		last, err = s.Portico(s.limited(), args...)
		s.must(err)
		if last.Code == code && strings.Contains(strings.ReplaceAll(last.Out+last.Talk, `": "`, `":"`), says) {
			s.t.Logf("%s: after %.1fs", what, time.Since(began).Seconds())
			return
		}
	}
	s.t.Fatalf("%s: portico %s ends with status %d and says %s%s", what, strings.Join(args, " "), last.Code, last.Out, last.Talk)
}
