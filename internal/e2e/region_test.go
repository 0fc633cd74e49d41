package e2e_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/internal/e2e"
)

// A cluster with the role of a region keeps what another one sends, under its tenant, and lets that one
// in alone. Who goes is not let in any more.
func TestRegion(t *testing.T) {
	plane := newPlane(t)
	for _, file := range []string{"portico-collector", "portico-store", "images/gate", "libexec/victoria-metrics", "libexec/vmauth", "libexec/vmalert"} {
		if _, err := os.Stat(plane.Bin.File(file)); errors.Is(err, fs.ErrNotExist) {
			t.Skipf("bin/%s is not built: run make build", file)
		}
	}
	s := &stage{Plane: plane, t: t}
	s.up()
	region := e2e.Cluster{Name: "keeper", Workers: 1, Real: true}
	child := e2e.Cluster{Name: "teller", Workers: 1, Real: true, Message: "hello"}
	keeper, teller := region.Object(), child.Object()
	keeper.Labels = map[string]string{kof.ClusterRoleLabel: kof.RegionalRole}
	keeper.Spec.Config = &kcm.JSON{Raw: []byte(`{"workersNumber": 1, "machine": {"kind": "Real", "cpus": 2, "memory": "3Gi"}}`)}
	teller.Labels = map[string]string{kof.ClusterRoleLabel: kof.ChildRole, kof.TenantLabel: "team-a", kof.RegionalClusterNameLabel: region.Name}
	s.apply(keeper)
	s.apply(teller)
	s.t.Cleanup(func() { s.showPods(region) })
	s.timed("from applied to ready, stores included", func() { s.awaitReady(region) })
	s.timed("until the one that reports is ready, too", func() { s.awaitReady(child) })
	door := s.door(region, child)
	s.timed("until its pods are among the region's metrics", func() {
		door.until("/vm/select/0/prometheus/api/v1/query", url.Values{"query": {`count by (cluster, tenant) (k8s_pod_phase{k8s_namespace_name="podinfo"})`}}, `"cluster":"teller","tenant":"team-a"`)
	})
	s.timed("until its logs are found in the region", func() {
		door.until("/vls/select/portico/logs", url.Values{"label": {"cluster=teller", "namespace=podinfo"}}, `"k8s.cluster.name":"teller"`)
	})
	s.timed("until the first line of each of its containers is, too", func() { s.firstLines(door, child) })
	// The region's own telemetry is there, and is not the tenant's.
	if _, text := door.get("/vm/select/0/prometheus/api/v1/query", url.Values{"query": {`count by (cluster) ({cluster="keeper"})`}}); strings.Contains(text, "keeper") {
		t.Errorf("the tenant sees the region's own metrics: %s", text)
	}
	admin := s.admin(region, door)
	s.timed("until the region's own pods are among its metrics", func() {
		admin.until("/vm/select/0/prometheus/api/v1/query", url.Values{"query": {`count by (cluster) (k8s_pod_phase{cluster="keeper"})`}}, `"cluster":"keeper"`)
	})
	s.timed("until the region has recorded what the rules say", func() {
		admin.until("/vm/select/0/prometheus/api/v1/query", url.Values{"query": {`cluster:memory_allocatable_bytes:sum{cluster="teller"}`}}, `"tenant":"team-a"`)
	})
	s.remove(child.Key())
	s.forgotten(child)
	s.timed("until the one that is gone is not let in", func() {
		door.untilStatus("/vm/select/0/prometheus/api/v1/query", url.Values{"query": {"1"}}, http.StatusUnauthorized)
	})
	s.remove(region.Key())
	s.forgotten(region)
}

// door is a region's vmauth, as somebody sees it.
type door struct {
	*stage
	base, user, password string
	http                 *http.Client
}

// door is the region's, by the credentials of a child.
func (s *stage) door(region, child e2e.Cluster) door {
	s.t.Helper()
	var config, of corev1.ConfigMap
	s.must(s.kube.Get(s.limited(), client.ObjectKey{Namespace: e2e.SystemNamespace, Name: "kof-" + region.Name}, &config))
	s.must(s.kube.Get(s.limited(), client.ObjectKey{Namespace: e2e.SystemNamespace, Name: "kof-cluster-config-" + child.Name}, &of))
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM([]byte(config.Data["ca_pem"])) {
		s.t.Fatalf("ConfigMap %s names no authority: %v", config.Name, config.Data)
	}
	d := door{
		stage: s, base: strings.TrimSuffix(config.Data["read_logs_endpoint"], "/vls"),
		http: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}},
	}
	return d.as(of.Annotations["observability.portico.dev/user"])
}

// admin is the door for who reads all.
func (s *stage) admin(region e2e.Cluster, d door) door {
	s.t.Helper()
	var config corev1.ConfigMap
	s.must(s.kube.Get(s.limited(), client.ObjectKey{Namespace: e2e.SystemNamespace, Name: "kof-" + region.Name}, &config))
	return d.as(config.Annotations["observability.portico.dev/user"])
}

func (d door) as(user string) door {
	d.t.Helper()
	var secret corev1.Secret
	d.must(d.kube.Get(d.limited(), client.ObjectKey{Namespace: e2e.SystemNamespace, Name: "kof-vmuser-creds-" + user}, &secret))
	d.user, d.password = user, string(secret.Data["password"])
	return d
}

func (d door) get(path string, question url.Values) (int, string) {
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.base+path+"?"+question.Encode(), nil)
	d.must(err)
	req.SetBasicAuth(d.user, d.password)
	answer, err := d.http.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err.Error()
	}
	return answer.StatusCode, string(text)
}

// until asks until the answer holds the text.
func (d door) until(path string, question url.Values, text string) {
	d.t.Helper()
	d.ask(path, question, func(status int, answer string) bool { return status == http.StatusOK && strings.Contains(answer, text) })
}

func (d door) untilStatus(path string, question url.Values, want int) {
	d.t.Helper()
	d.ask(path, question, func(status int, _ string) bool { return status == want })
}

func (d door) ask(path string, question url.Values, good func(status int, answer string) bool) {
	d.t.Helper()
	last := ""
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(time.Second) {
		status, answer := d.get(path, question)
		if good(status, answer) {
			return
		}
		last = fmt.Sprint(status, " ", answer)
	}
	d.t.Fatalf("%s%s?%s by user %s: %.2000s", d.base, path, question.Encode(), d.user, last)
}

// firstLines waits until the region has the first line of each container of a cluster: its collectors were
// there before the region knew whose they are. Their own lines are not collected.
func (s *stage) firstLines(d door, of e2e.Cluster) {
	s.t.Helper()
	cluster := s.child(of.Key())
	var pods corev1.PodList
	s.must(cluster.kube.List(s.limited(), &pods))
	spoke := map[string]bool{}
	for _, pod := range pods.Items {
		for _, c := range pod.Status.ContainerStatuses {
			if c.RestartCount > 0 || c.State.Running == nil {
				continue
			}
			if pod.Namespace == kof.Namespace {
				s.dropsNothing(cluster, pod, c.Name)
				continue
			}
			said := s.said(cluster, pod, c.Name)
			line, _, _ := strings.Cut(said, "\n")
			if line == "" {
				continue
			}
			spoke[pod.Namespace] = true
			d.until("/vls/select/portico/logs", url.Values{
				"label": {"cluster=" + of.Name, "namespace=" + pod.Namespace, "pod=" + pod.Name, "container=" + c.Name}, "text": {line},
			}, `"k8s.cluster.name":"`+of.Name+`"`)
		}
	}
	if !spoke[e2e.PodinfoNamespace] {
		s.t.Errorf("podinfo has said nothing; of these namespaces there are lines: %v", spoke)
	}
}

// dropsNothing fails if a collector has thrown away anything.
func (s *stage) dropsNothing(c child, pod corev1.Pod, container string) {
	s.t.Helper()
	for line := range strings.Lines(s.said(c, pod, container)) {
		switch {
		case strings.Contains(line, "Dropping data"):
			s.t.Errorf("%s has thrown away data: %.1000s", pod.Name, line)
		case strings.Contains(line, "the credentials"):
			s.t.Logf("%s: %.300s", pod.Name, line)
		}
	}
}

// said is what a container has said.
func (s *stage) said(c child, pod corev1.Pod, container string) string {
	s.t.Helper()
	text, err := c.typed.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: container}).DoRaw(s.limited())
	s.must(err)
	return string(text)
}

// showPods logs what the pods of the stores said, for whoever has to find out what went wrong.
func (s *stage) showPods(of e2e.Cluster) {
	if !s.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	_, kube, err := e2e.Child(ctx, s.kube, of.Key())
	if err != nil {
		s.t.Logf("the pods of %s: %v", of.Name, err)
		return
	}
	var pods corev1.PodList
	err = kube.List(ctx, &pods, client.InNamespace(kof.Namespace))
	for _, pod := range pods.Items {
		for _, c := range pod.Status.ContainerStatuses {
			s.t.Logf("%s/%s: ready %v, restarts %d, state %+v, before %+v", pod.Name, c.Name, c.Ready, c.RestartCount, c.State, c.LastTerminationState)
		}
	}
	s.t.Logf("pods of %s: %d, %v", of.Name, len(pods.Items), err)
}
