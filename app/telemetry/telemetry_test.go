package telemetry_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/telemetry"
	"portico.dev/portico/config"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/pki"
)

// site is one with certificates of its own, on free ports.
func site(t *testing.T) (telemetry.Site, *x509.CertPool) {
	t.Helper()
	root, err := kubetest.Repository()
	if err != nil {
		t.Fatal(err)
	}
	dir, now := t.TempDir(), time.Now()
	authority, err := pki.NewAuthority("test", time.Hour, now)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(pki.Leaf{CommonName: "test", Names: []string{config.Loopback}, Usage: pki.Server, Validity: time.Hour}, now)
	if err != nil {
		t.Fatal(err)
	}
	s := telemetry.Site{
		Folder: folder.Folder(dir), Libexec: filepath.Join(root, "bin", "libexec"), Bin: filepath.Join(root, "bin"), Days: 30,
		Ports: config.Ports{Host: config.Loopback, Telemetry: free(t), Metrics: free(t), Records: free(t), Rules: free(t), Alerts: free(t),
			Own: free(t), API: free(t), CollectorHealth: free(t), CollectorMetrics: free(t), CollectorQueue: free(t)},
		Certificate: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), Authority: filepath.Join(dir, "ca.crt"),
	}
	whole, err := authority.Pair()
	if err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string][]byte{filepath.Join(dir, "ca.pem"): whole.Bundle(), s.Certificate: pair.Certificate, s.Key: pair.Key, s.Authority: authority.CertificatePEM()} {
		if err := folder.WriteFile(file, content); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.CertificatePEM())
	return s, roots
}

func free(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", config.Loopback+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// The second time nothing is written: a program whose files change is started anew.
func TestProgramsTwice(t *testing.T) {
	s, _ := site(t)
	programs := func() string {
		all, err := s.Programs()
		if err != nil {
			t.Fatal(err)
		}
		text := fmt.Sprintf("%+v\n", all)
		err = filepath.WalkDir(string(s.Folder), func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				content, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				text += path + ": " + string(content) + "\n"
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if first, second := programs(), programs(); first != second {
		t.Errorf("the second time differs:\n%s\n--- from ---\n%s", second, first)
	}
}

// No question of a tenant takes the memory that all share.
func TestQuestionsAreBounded(t *testing.T) {
	s, _ := site(t)
	all, err := s.Programs()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(all[0].Args, "-search.maxMemoryPerQuery=64MiB") {
		t.Errorf("%s runs with %q", all[0].Name, all[0].Args)
	}
}

// Nor does a tenant fill Alertmanager with silences.
func TestSilencesAreBounded(t *testing.T) {
	s, _ := site(t)
	all, err := s.Programs()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Name == telemetry.Alerts && (!slices.Contains(p.Args, "--silences.max-silences=10000") || !slices.Contains(p.Args, "--silences.max-silence-size-bytes=16384")) {
			t.Errorf("%s runs with %q", p.Name, p.Args)
		}
	}
}

// All of them run, and who is whose tenant goes by the name that is sent: a tenant writes and reads
// metrics and logs, and sees nothing of another one's.
func TestRealPrograms(t *testing.T) {
	s, roots := site(t)
	if missing := s.Missing(); len(missing) > 0 {
		t.Skipf("not built: %s: run make build", strings.Join(missing, ", "))
	}
	all, err := s.Programs()
	if err != nil {
		t.Fatal(err)
	}
	password, err := s.Password()
	if err != nil {
		t.Fatal(err)
	}
	tenants, err := topology.Vmauth(s.Backends(password), []topology.Access{
		{User: "a", Passwords: []string{"pa"}, Tenant: "team-a"}, {User: "b", Passwords: []string{"pb"}, Tenant: "team-b"},
		{User: telemetry.User, Passwords: []string{password}},
	})
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: 10 * time.Second}
	c := caller{t, client}
	for _, p := range all {
		run(t, p)
		c.await(p.Health, "", "", "")
	}
	if err := folder.WriteFile(s.DoorFile(), tenants); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	ask := func(what string) string {
		return s.DoorURL() + "/vm/select/0/prometheus/api/v1/query?query=" + url.QueryEscape(what)
	}
	query := ask("probe")
	// VictoriaMetrics remembers for a while that there is no such series: the first question is another one.
	c.await(ask("1"), "a", "pa", `"success"`)
	c.post(s.DoorURL()+"/vm/insert/0/prometheus/api/v1/import/prometheus", "a", "pa", "text/plain", fmt.Sprintf("probe{tenant=\"team-b\"} 7 %d\n", now.UnixMilli()))
	c.await(query, "a", "pa", `"tenant":"team-a"`)
	if got := c.get(query, "b", "pb"); strings.Contains(got, "probe") {
		t.Errorf("team-b sees the metric of team-a: %s", got)
	}
	record := fmt.Sprintf(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d","body":{"stringValue":"it works"}}]}]}]}`, now.UnixNano())
	c.post(s.DoorURL()+"/vli/insert/opentelemetry/v1/logs", "a", "pa", "application/json", record)
	if got := c.status(s.MetricsURL()+"/api/v1/query?query=1", "", ""); got != http.StatusUnauthorized {
		t.Errorf("the store of metrics answers %d to somebody unknown", got)
	}
	if got := c.status(s.DoorURL()+"/vm/select/0/prometheus/api/v1/query?query=1", "a", "wrong"); got != http.StatusUnauthorized {
		t.Errorf("vmauth answers %d to a wrong password", got)
	}
}

func run(t *testing.T, p telemetry.Program) *exec.Cmd {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env = append(os.Environ(), p.Variables...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("%s said:\n%s", p.Name, log.String())
		}
	})
	return cmd
}

type caller struct {
	*testing.T
	*http.Client
}

func (c caller) do(method, url, user, password, kind, body string) (int, string) {
	c.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	answer, err := c.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		c.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func (c caller) get(url, user, password string) string {
	c.Helper()
	_, text := c.do(http.MethodGet, url, user, password, "", "")
	return text
}

func (c caller) status(url, user, password string) int {
	c.Helper()
	code, _ := c.do(http.MethodGet, url, user, password, "", "")
	return code
}

func (c caller) post(url, user, password, kind, body string) {
	c.Helper()
	if code, text := c.do(http.MethodPost, url, user, password, kind, body); code/100 != 2 {
		c.Fatalf("%s answers %d: %s", url, code, text)
	}
}

// await asks until the answer has the text; Alertmanager answers 401, and serves all the same.
func (c caller) await(url, user, password, text string) {
	c.Helper()
	last := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		code, got := c.do(http.MethodGet, url, user, password, "", "")
		if last = fmt.Sprint(code, " ", got); code != 0 && strings.Contains(got, text) {
			return
		}
	}
	c.Fatalf("%s does not answer %q: %s", url, text, last)
}
