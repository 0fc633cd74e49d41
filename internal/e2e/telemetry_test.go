package e2e_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/internal/e2e"
)

// A cluster that carries the label of a child sends its metrics and logs to the plane, as its tenant.
// The programs for that come with it, and not before; what it was let in by goes with it.
func TestTelemetry(t *testing.T) {
	plane := newPlane(t)
	for _, file := range []string{"portico-store", "portico-collector", "libexec/victoria-metrics", "libexec/vmauth", "libexec/vmalert", "libexec/alertmanager"} {
		if _, err := os.Stat(plane.Bin.File(file)); errors.Is(err, fs.ErrNotExist) {
			t.Skipf("bin/%s is not built: run make build", file)
		}
	}
	s := &stage{Plane: plane, t: t}
	s.up()
	programs := []string{"victoria-metrics", "portico-store", "vmauth", "vmalert", "alertmanager", "portico-collector"}
	if early := s.pids(programs...); len(early) > 0 {
		t.Errorf("before any cluster sends telemetry these run: %v", early)
	}
	if res := s.portico("metrics", "query", "up"); res.Code == 0 || !strings.Contains(res.Talk, kof.ClusterRoleLabel) {
		t.Errorf("a question without stores: exit status %d, %q; want what has to be done", res.Code, res.Talk)
	}
	child := e2e.Cluster{Name: "talker", Workers: 1, Real: true, Message: "hello"}
	object := child.Object()
	object.Labels = map[string]string{kof.ClusterRoleLabel: kof.ChildRole, kof.TenantLabel: "team-a"}
	s.apply(object)
	s.timed("from applied to ready, collectors and stores included", func() { s.awaitReady(child) })
	s.releases(s.kube, child.Key().Namespace, child.Name, "deployed") // what telemetry adds to the cluster is no second revision
	s.talks(child)
	s.timed("until its pods are among the metrics", func() {
		s.untilSays("metrics", "query", `count by (cluster, tenant) (k8s_pod_phase{k8s_namespace_name="podinfo"})`, "--tenant", "team-a", "-o", "json")
	})
	s.timed("until its logs are found", func() { s.untilSays("logs", child.Name, "--in", "podinfo", "--tenant", "team-a", "-o", "json") })
	for _, question := range [][]string{{"metrics", "query", "{__name__=~\"k8s_.+\"}"}, {"logs", child.Name}} {
		res := s.portico(append(question, "--tenant", "team-b", "-o", "json")...)
		if res.Code != 0 || says(res.Out) {
			t.Errorf("%v of another tenant: exit status %d, %s%s", question, res.Code, res.Out, res.Talk)
		}
	}
	if res := s.portico("fleet"); res.Code != 0 || !strings.Contains(res.Out, child.Name) {
		t.Errorf("portico fleet: exit status %d, %s%s", res.Code, res.Out, res.Talk)
	}
	if res := s.portico("cost", "--by", "namespace", "--window", "1h", "--tenant", "team-a"); res.Code != 0 || !strings.Contains(res.Out, "podinfo") {
		t.Errorf("portico cost: exit status %d, %s%s", res.Code, res.Out, res.Talk)
	}
	if res := s.portico("alert", "list"); res.Code != 0 {
		t.Errorf("portico alert list: exit status %d, %s%s", res.Code, res.Out, res.Talk)
	}
	s.follows(child)
	s.timed("until each dashboard shows something", s.dashboards)
	s.variables()
	s.ownTelemetry(child) // with the budget that the dashboards show
	if running := s.pids(programs...); len(running) != len(programs) {
		t.Errorf("of the programs %v there run %v", programs, running)
	}
	s.remove(child.Key())
	s.forgotten(child)
	s.must(s.Down(s.limited()))
	if left := s.pids(programs...); len(left) > 0 {
		t.Errorf("after portico down these run: %v", left)
	}
}

func (s *stage) portico(args ...string) e2e.Result {
	s.t.Helper()
	res, err := s.Portico(s.limited(), args...)
	s.must(err)
	return res
}

// untilSays asks until the answer holds something.
func (s *stage) untilSays(args ...string) {
	s.t.Helper()
	var last e2e.Result
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(time.Second) {
		if last = s.portico(args...); last.Code == 0 && says(last.Out) {
			return
		}
	}
	s.t.Fatalf("portico %s finds nothing: exit status %d, %s%s", strings.Join(args, " "), last.Code, last.Out, last.Talk)
}

// says says whether JSON holds anything: a list, or an answer with series in result.
func says(text string) bool {
	var answer struct {
		Result *[]json.RawMessage `json:"result"`
	}
	if json.Unmarshal([]byte(text), &answer) == nil && answer.Result != nil {
		return len(*answer.Result) > 0
	}
	text = strings.TrimSpace(text)
	return text != "" && text != "[]" && text != "null"
}

// forgotten fails unless nothing is left by which a cluster could send.
func (s *stage) forgotten(c e2e.Cluster) {
	s.t.Helper()
	var left []string
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		left = nil
		var secrets corev1.SecretList
		s.must(s.kube.List(s.limited(), &secrets))
		var configs corev1.ConfigMapList
		s.must(s.kube.List(s.limited(), &configs))
		for _, o := range secrets.Items {
			left = append(left, mentions(o.ObjectMeta, c)...)
		}
		for _, o := range configs.Items {
			left = append(left, mentions(o.ObjectMeta, c)...)
		}
		if len(left) == 0 {
			return
		}
	}
	s.t.Errorf("after cluster %s is gone there are %v", c.Name, left)
}

func mentions(o metav1.ObjectMeta, c e2e.Cluster) []string {
	if o.Labels[kof.ClusterNameLabel] == c.Name || o.Name == "kof-cluster-config-"+c.Name {
		return []string{o.Namespace + "/" + o.Name}
	}
	return nil
}
