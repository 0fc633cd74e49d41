package telemetry_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"testing"
	"time"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/telemetry"
	"portico.dev/portico/observability/topology"
)

// VictoriaMetrics is killed as soon as a tenant's metric was acknowledged: the next one has it.
func TestAcknowledgedMetricsOutliveVictoriaMetrics(t *testing.T) {
	s, roots := site(t)
	if len(s.Missing()) > 0 {
		t.Skip("not all programs are built: run make build")
	}
	all, err := s.Programs()
	if err != nil {
		t.Fatal(err)
	}
	password, err := s.Password()
	if err != nil {
		t.Fatal(err)
	}
	door, err := topology.Vmauth(s.Backends(password), []topology.Access{{User: "a", Passwords: []string{"pa"}, Tenant: "team-a"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.WriteFile(s.DoorFile(), door); err != nil {
		t.Fatal(err)
	}
	c := caller{t, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: 10 * time.Second}}
	var metrics *exec.Cmd
	for _, p := range all[:3] {
		cmd := run(t, p)
		if p.Name == telemetry.Metrics {
			metrics = cmd
		}
		c.await(p.Health, "", "", "")
	}
	c.post(s.DoorURL()+"/vm/insert/0/prometheus/api/v1/import/prometheus", "a", "pa", "text/plain", fmt.Sprintf("probe 7 %d\n", time.Now().UnixMilli()))
	if err := metrics.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = metrics.Wait() // it was killed
	run(t, all[0])
	// vmauth leaves out for a while what did not answer, and VictoriaMetrics remembers that there is no such series.
	c.await(s.DoorURL()+"/vm/select/0/prometheus/api/v1/query?query="+url.QueryEscape("last_over_time(probe[5m])"), "a", "pa", `"tenant":"team-a"`)
}
