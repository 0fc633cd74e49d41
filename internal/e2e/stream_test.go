package e2e_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/internal/e2e"
)

// follows has somebody follow the logs of a cluster, and a pod say something: its line comes by itself, and
// to its tenant alone.
func (s *stage) follows(c e2e.Cluster) {
	s.t.Helper()
	token := s.token("follower", "cluster-admin")
	own, others := s.stream(token, "tenant=team-a&label=container%3Dsayer"), s.stream(token, "tenant=team-b")
	for _, next := range []func(time.Duration) string{own, others} {
		if first := next(within); first != "begin" {
			s.t.Fatalf("a stream of logs begins with %q", first)
		}
	}
	child := s.child(c.Key())
	var running corev1.PodList
	s.must(child.kube.List(s.limited(), &running, client.InNamespace("podinfo")))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "sayer"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "sayer", Image: running.Items[0].Spec.Containers[0].Image, Args: []string{"--port=9898"},
	}}}}
	s.must(child.kube.Create(s.limited(), pod))
	s.timed("from a pod created to its first line followed", func() {
		if text := own(within); !strings.HasPrefix(text, "record ") || !strings.Contains(text, `"k8s.pod.name":"sayer"`) {
			s.t.Errorf("the stream says %q, want a line of pod sayer", text)
		}
	})
	if text := others(2 * time.Second); text != "" {
		s.t.Errorf("another tenant is told of %q", text)
	}
}

// stream follows logs over the HTTP API, and returns a function that waits for the next event; empty where
// none comes.
func (s *stage) stream(token, query string) func(time.Duration) string {
	s.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.config.CAData)
	asker := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	ctx, cancel := context.WithCancel(s.t.Context())
	s.t.Cleanup(cancel)
	address := strings.TrimSuffix(s.planAddress(), "/plan") + "/api/v1/logs/stream?" + query
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	s.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := asker.Do(req)
	s.must(err)
	s.t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK {
		s.t.Fatalf("following logs: %s", res.Status)
	}
	events := make(chan string, 1000)
	go func() {
		kind := ""
		for in := bufio.NewScanner(res.Body); in.Scan(); {
			if text, is := strings.CutPrefix(in.Text(), "event: "); is {
				kind = text
			}
			if text, is := strings.CutPrefix(in.Text(), "data: "); is {
				events <- strings.TrimSuffix(kind+" "+text, " {}")
			}
		}
	}()
	return func(patience time.Duration) string {
		select {
		case e := <-events:
			return e
		case <-time.After(patience):
			return ""
		}
	}
}
