package topology

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/store"
)

func accesses() []Access {
	return []Access{
		{User: "200", Passwords: []string{"b"}, Tenant: "team-b"},
		{User: "admin-1", Passwords: []string{"root"}},
		{User: "100", Passwords: []string{"new", "old"}, Tenant: "team-a"},
		{User: "collector", Passwords: []string{"c"}, Tenant: store.Plane, WriteOnly: true},
	}
}

func TestVmauth(t *testing.T) {
	got, err := Vmauth(SingleBackends("http://127.0.0.1:8428", "http://127.0.0.1:9471"), accesses())
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "vmauth.yaml")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("Vmauth (-want +got), UPDATE=1 accepts it:\n%s", diff)
	}
	reversed := accesses()
	reversed[0], reversed[2] = reversed[2], reversed[0]
	again, err := Vmauth(SingleBackends("http://127.0.0.1:8428", "http://127.0.0.1:9471"), reversed)
	if err != nil || string(again) != string(got) {
		t.Errorf("another order gives other bytes (%v)", err)
	}
}

func TestVmauthRefuses(t *testing.T) {
	good := SingleBackends("http://127.0.0.1:8428", "http://127.0.0.1:9471")
	tests := []struct {
		name, why string
		to        Backends
		who       []Access
	}{
		{"NoPassword", "vmauth would let anybody in under that name.", good, []Access{{User: "a"}}},
		{"EmptyPassword", "As above.", good, []Access{{User: "a", Passwords: []string{""}}}},
		{"NoName", "vmauth would take it for one that needs none.", good, []Access{{Passwords: []string{"p"}}}},
		{"TwoNames", "The second one would be let in as the first.", good, []Access{{User: "a", Passwords: []string{"p"}}, {User: "a", Passwords: []string{"q"}}}},
		{"OnePasswordTwice", "vmauth refuses the whole configuration.", good, []Access{{User: "a", Passwords: []string{"p", "p"}}}},
		{"Plane", "What operators go by would be a cluster's to write.", good, []Access{{User: "a", Passwords: []string{"p"}, Tenant: store.Plane}}},
		{"Variable", "vmauth would put its environment there.", good, []Access{{User: "a", Passwords: []string{"%{HOME}"}}}},
		{"VariableName", "As above.", good, []Access{{User: "%{HOME}", Passwords: []string{"p"}}}},
		{"Tenant", "A quote would end the filter.", good, []Access{{User: "a", Passwords: []string{"p"}, Tenant: `a"} or {b="`}}},
		{"Backend", "A typing mistake must not become a path on vmauth itself.", SingleBackends("localhost", "http://127.0.0.1:9471"), []Access{{User: "a", Passwords: []string{"p"}}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got, err := Vmauth(tc.to, tc.who); !errors.Is(err, fleet.ErrInvalid) {
				t.Errorf("%s\nVmauth = %s, %v; want ErrInvalid", tc.why, got, err)
			}
		})
	}
}

// program is the path of an engine; the test is skipped where it is not built.
func program(t *testing.T, name string) string {
	t.Helper()
	root, err := kubetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, "bin", "libexec", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not built (hack/build-engines.sh): %v", name, err)
	}
	return path
}

func write(t *testing.T, to Backends) string {
	t.Helper()
	text, err := Vmauth(to, accesses())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "auth.yaml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// The real vmauth takes what we write, also for KOF's services.
func TestRealVmauthTakesIt(t *testing.T) {
	vmauth := program(t, "vmauth")
	for _, to := range []Backends{KOFBackends(), SingleBackends("http://127.0.0.1:8428", "http://127.0.0.1:9471")} {
		out, err := exec.CommandContext(t.Context(), vmauth, "-dryRun", "-auth.config="+write(t, to)).CombinedOutput()
		if err != nil {
			t.Errorf("vmauth refuses it: %v\n%s", err, out)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs a program until the test ends, and returns when it answers.
func start(t *testing.T, address, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		answer, err := http.Get("http://" + address + "/health")
		if err == nil {
			answer.Body.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s does not answer: %v", program, err)
		}
	}
}

// One tenant reads another one's data in no way that arguments offer, with the real programs.
func TestTenantsThroughRealVmauth(t *testing.T) {
	auth, metrics := program(t, "vmauth"), program(t, "victoria-metrics")
	vm, front := freeAddress(t), freeAddress(t)
	start(t, vm, metrics, "-httpListenAddr="+vm, "-storageDataPath="+t.TempDir(), "-memory.allowedBytes=64MB", "-search.latencyOffset=0s")
	start(t, front, auth, "-httpListenAddr="+front, "-auth.config="+write(t, SingleBackends("http://"+vm, "http://"+vm)))
	base := "http://" + front + "/vm"
	for user, password := range map[string]string{"100": "old", "200": "b"} {
		// Whose it is, is not for the writer to say.
		body := fmt.Sprintf("secret{of=%q,tenant=\"forged\"} 1 %d\n", user, time.Now().Add(-10*time.Second).UnixMilli())
		importing := base + "/insert/0/prometheus/api/v1/import/prometheus"
		if answer := ask(t, http.MethodPost, importing+"?extra_label=tenant=forged", user, password, body); answer != "" {
			t.Fatalf("the write of %s is refused: %s", user, answer)
		}
		// Labels that stand in the path, and what stands there for the end of the path, come before ours.
		for _, path := range []string{"/metrics/job/j/tenant/forged", "/metrics/job/j/k/v%3F", "/metrics/job/j/k/v%23", "/metrics/job/j/k/v%252f"} {
			if answer := ask(t, http.MethodPost, importing+path, user, password, body); !strings.Contains(answer, "missing route") {
				t.Errorf("%s is open to a tenant: %.200s", path, answer)
			}
		}
		for _, path := range []string{"/insert/0/prometheus/opentelemetry/v1/metrics", "/insert/0/opentelemetry/v1/metrics", "/insert/0/opentelemetry/api/v1/push"} {
			if answer := ask(t, http.MethodPost, base+path, user, password, body); !strings.Contains(answer, "missing route") {
				t.Errorf("%s, by which a tenant ends VictoriaMetrics, is open: %.200s", path, answer)
			}
		}
	}
	ask(t, http.MethodGet, "http://"+vm+"/internal/force_flush", "", "", "")
	own := ask(t, http.MethodGet, base+"/select/0/prometheus/api/v1/query?query=secret", "100", "new", "")
	if !strings.Contains(own, `"of":"100"`) || !strings.Contains(own, `"tenant":"team-a"`) {
		t.Fatalf("the tenant does not see its own data, so the rest says nothing: %s", own)
	}
	other := `{tenant="team-b"}`
	for name, args := range map[string]url.Values{
		"plain": {}, "filter": {"extra_filters": {other}}, "filters": {"extra_filters[]": {other}}, "label": {"extra_label": {"tenant=team-b"}},
		"both": {"extra_filters": {other}, "extra_filters[]": {other, "{of=~\".*\"}"}, "extra_label": {"tenant=team-b"}},
	} {
		for _, path := range []string{"query", "series", "export"} {
			q := url.Values{"query": {`secret or {of="200"}`}, "match[]": {`{of="200"}`, "{__name__=~\".*\"}"}}
			if path == "export" {
				q.Del("query")
			}
			for key, value := range args {
				q[key] = value
			}
			target := base + "/select/0/prometheus/api/v1/" + path
			for how, answer := range map[string]string{
				"url":  ask(t, http.MethodGet, target+"?"+q.Encode(), "100", "new", ""),
				"body": ask(t, http.MethodPost, target, "100", "new", q.Encode()),
			} {
				if strings.Contains(answer, "team-b") && strings.Contains(answer, `"of":"200"`) {
					t.Errorf("%s of %s in the %s shows another tenant's data: %s", name, path, how, answer)
				}
			}
		}
	}
	for _, path := range []string{
		"/insert/0/prometheus/api/v1/query?query=secret", "/insert/0/prometheus/api/v1/export?match[]=secret", "/select/0/prometheus/metrics",
		"/select/0/prometheus/api/v1/admin/tsdb/delete_series?match[]=secret", "/select/0/prometheus/api/v1/export/native?match[]=secret",
		"/insert/0/prometheus/api/v1/write/../query?query=secret", "/select/0/prometheus/api/v1/metadata", "/select/0/prometheus/debug/pprof/cmdline",
		"/select/0/prometheus/api/v1/status/tsdb", "/select/0/prometheus/api/v1/status/active_queries", "/insert/0/prometheus/api/v1/import/prometheus/metrics/job/..%2f..%2f..%2f..%2fquery?query=secret",
	} {
		if answer := ask(t, http.MethodGet, base+path, "100", "new", ""); !strings.Contains(answer, "missing route") {
			t.Errorf("%s is open to a tenant: %.200s", path, answer)
		}
		if answer := ask(t, http.MethodGet, base+path, "collector", "c", ""); !strings.Contains(answer, "missing route") {
			t.Errorf("%s is open to who only writes: %.200s", path, answer)
		}
	}
	if answer := ask(t, http.MethodGet, base+"/select/0/prometheus/api/v1/query?query=secret", "collector", "c", ""); !strings.Contains(answer, "missing route") {
		t.Errorf("who only writes reads: %.200s", answer)
	}
	all := ask(t, http.MethodGet, base+"/select/0/prometheus/api/v1/query?query=secret", "admin-1", "root", "")
	if !strings.Contains(all, "team-a") || !strings.Contains(all, "team-b") || strings.Contains(all, "forged") {
		t.Errorf("the plane sees %s; want both tenants' data, under their own names", all)
	}
	if answer := ask(t, http.MethodGet, base+"/select/0/prometheus/api/v1/query?query=secret", "100", "b", ""); strings.Contains(answer, "success") {
		t.Errorf("another tenant's password is let in: %s", answer)
	}
}

func ask(t *testing.T, method, address, user, password, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	if method == http.MethodPost && !strings.Contains(address, "/import/") {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
