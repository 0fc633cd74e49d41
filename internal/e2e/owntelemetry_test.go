package e2e_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"portico.dev/portico/internal/e2e"
	"portico.dev/portico/observability/alert"
)

// untold are the metrics that this plane has no series of, each with the reason.
var untold = map[string]string{
	"portico_cluster_deleting": "no cluster is being deleted",
}

// mostOfCollector is how much memory the plane's collector may have beside the pages of its program and
// of its queue's files, in KiB.
const mostOfCollector = 100 << 10

// ownTelemetry is what the plane says of itself and its fleet, by a collector of its own.
func (s *stage) ownTelemetry(c e2e.Cluster) {
	s.t.Helper()
	ready := fmt.Sprintf(`portico_cluster_ready{cluster=%q, clusterNamespace=%q} == 1`, c.Name, c.Key().Namespace)
	s.timed("until the plane's metrics say that its cluster is ready", func() { s.untilSays("metrics", "query", ready, "-o", "json") })
	s.untilSays("metrics", "query", ready, "--tenant", "team-a", "-o", "json")
	s.timed("until there is each metric that rules ask the plane for", s.everyMetric)
	for _, job := range []string{"portico", "portico-fleet", "apiserver", "cluster-api", "victoria-metrics", "portico-store", "vmauth", "vmalert", "alertmanager", "portico-collector"} {
		s.untilSays("metrics", "query", fmt.Sprintf(`up{job=%q, cluster="mothership"} == 1`, job), "-o", "json")
	}
	s.untilSays("metrics", "query", `system_memory_usage_bytes{cluster="mothership"}`, "-o", "json")
	for _, program := range []string{"plane", "management", "kubernetes-events"} {
		s.untilLogged("mothership", "--label", "service.name="+program)
	}
	for _, question := range [][]string{
		{"metrics", "query", ready, "--tenant", "team-b"}, {"metrics", "query", `up{cluster="mothership"}`, "--tenant", "team-a"},
	} {
		if res := s.portico(append(question, "-o", "json")...); res.Code != 0 || says(res.Out) {
			s.t.Errorf("%v of a tenant: exit status %d, %.500s%s", question, res.Code, res.Out, res.Talk)
		}
	}
	if res := s.portico("logs", "mothership", "--tenant", "team-a", "-o", "json"); res.Code != 0 || strings.TrimSpace(res.Out) != "" {
		s.t.Errorf("a tenant reads the plane's logs: exit status %d, %.500s%s", res.Code, res.Out, res.Talk)
	}
	if res := s.portico("status"); !strings.Contains(res.Out, "portico-collector") {
		s.t.Errorf("portico status does not show the collector:\n%s", res.Out)
	}
	s.collectorComesBack()
}

// untilLogged asks until there is such a line.
func (s *stage) untilLogged(question ...string) {
	s.t.Helper()
	var last e2e.Result
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(time.Second) {
		last = s.portico(append([]string{"logs", "-o", "json"}, question...)...)
		if last.Code == 0 && strings.Contains(last.Out, `"k8s.cluster.name":"mothership"`) {
			return
		}
	}
	s.t.Fatalf("portico logs %s finds nothing: exit status %d, %.500s%s", strings.Join(question, " "), last.Code, last.Out, last.Talk)
}

// everyMetric fails unless there is a series of each metric that is listed, or a reason why not.
func (s *stage) everyMetric() {
	s.t.Helper()
	for _, m := range alert.Metrics() {
		question := []string{"metrics", "query", "count(" + m.Name + ")", "-o", "json"}
		reason, excused := untold[m.Name]
		if !excused {
			s.untilSays(question...)
			continue
		}
		if res := s.portico(question...); res.Code != 0 || says(res.Out) {
			s.t.Errorf("%s is there although %s: %s%s", m.Name, reason, res.Out, res.Talk)
		}
	}
}

// collectorComesBack kills the collector: it is started again, and sends what was written meanwhile.
func (s *stage) collectorComesBack() {
	s.t.Helper()
	first, runs := s.pids("portico-collector")["portico-collector"]
	if !runs {
		s.t.Error("the plane's collector does not run")
		return
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", first.PID))
	s.must(err)
	for line := range bytes.Lines(text) {
		if value, is := bytes.CutPrefix(line, []byte("RssAnon:")); is {
			kib, err := strconv.Atoi(string(bytes.TrimSpace(bytes.TrimSuffix(bytes.TrimSpace(value), []byte("kB")))))
			s.must(err)
			s.t.Logf("the plane's collector has %d KiB of its own", kib)
			if kib > mostOfCollector {
				s.t.Errorf("the plane's collector has %d KiB of its own, at most %d", kib, mostOfCollector)
			}
		}
	}
	s.must(syscall.Kill(first.PID, syscall.SIGKILL))
	s.untilLogged("mothership", "--label", "service.name=plane", "--text", "program=portico-collector", "--text", "starting it again")
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if second, runs := s.pids("portico-collector")["portico-collector"]; runs && second.PID != first.PID {
			return
		}
	}
	s.t.Error("the plane's collector was killed and does not come back")
}
