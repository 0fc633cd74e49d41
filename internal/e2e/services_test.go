package e2e_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/internal/e2e"
)

// Services on several clusters at once: planned, installed in order, changed in waves, mended,
// and removed.
func TestServices(t *testing.T) {
	s := newStage(t)
	fleet := []e2e.Cluster{{Name: "canary"}, {Name: "second"}, {Name: "third"}}
	for _, c := range fleet {
		d := c.Object()
		d.Labels = map[string]string{"fleet": "test", "tier": c.Name}
		s.apply(d)
	}
	for _, c := range fleet {
		s.awaitReady(c)
	}
	s.offerManifests()
	t.Run("Plan", func(t *testing.T) { s.on(t).planned(settings("first"), 6) })
	t.Run("PlanByHTTP", func(t *testing.T) { s.on(t).asksByHTTP(base(), 6) })
	t.Run("InOrder", func(t *testing.T) { s.on(t).inOrder(fleet) })
	t.Run("Waves", func(t *testing.T) { s.on(t).inWaves(fleet) })
	t.Run("Drift", func(t *testing.T) { s.on(t).mended(fleet[0]) })
	t.Run("Remove", func(t *testing.T) { s.on(t).allRemoved(fleet) })
}

// base and settings are two MultiClusterServices of which the second depends on the first. Their
// services are manifests: nothing has to run for them.
func base() *kcm.MultiClusterService { return manifestService("base", "first") }

func settings(text string) *kcm.MultiClusterService {
	m := manifestService("settings", text)
	m.Spec.DependsOn = []string{"base"}
	return m
}

// manifestService puts two services on every cluster of the fleet, the second after the first. Its
// text is in a ConfigMap, by the patch of the provider's configuration.
func manifestService(name, text string) *kcm.MultiClusterService {
	m := &kcm.MultiClusterService{
		TypeMeta:   metav1.TypeMeta{APIVersion: kcm.GroupVersion.String(), Kind: kcm.MultiClusterServiceKind},
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}
	m.Spec.ClusterSelector = metav1.LabelSelector{MatchLabels: map[string]string{"fleet": "test"}}
	m.Spec.ServiceSpec.Provider.Config = &kcm.JSON{Raw: fmt.Appendf(nil,
		`{"syncMode": "ContinuousWithDriftDetection", "patches": [{"target": {"kind": "ConfigMap", "name": ".*"}, "patch": "data:\n  text: %s\n"}]}`, text)}
	for n, service := range []string{"one", "two"} {
		svc := kcm.Service{Name: name + "-" + service, Namespace: name + "-" + service, Template: "texts"}
		if n > 0 {
			svc.DependsOn = []kcm.ServiceDependsOn{{Name: name + "-one", Namespace: name + "-one"}}
		}
		m.Spec.ServiceSpec.Services = append(m.Spec.ServiceSpec.Services, svc)
	}
	return m
}

// offerManifests makes a template of manifests out of a ConfigMap.
func (s *stage) offerManifests() {
	s.apply(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "texts"},
		Data:       map[string]string{"texts.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: texts\ndata:\n  text: unpatched\n"},
	})
	template := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "texts"}}
	template.Spec.Resources = &kcm.SourceSpec{
		DeploymentType: kcm.DeployRemote,
		LocalSourceRef: &kcm.LocalSourceRef{Kind: "ConfigMap", Name: "texts"},
	}
	s.apply(template)
	_, err := e2e.Await(s.limited(), s.kube, template, func(t *kcm.ServiceTemplate) string {
		if !t.Status.Valid {
			return "it is not valid: " + t.Status.ValidationError
		}
		return ""
	})
	s.must(err)
}

// planned asks the command line what a manifest would do, and that nothing of it is done.
func (s *stage) planned(m *kcm.MultiClusterService, steps int) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "plan.yaml")
	var text []byte
	for _, o := range []*kcm.MultiClusterService{base(), m} {
		one, err := yaml.Marshal(o)
		s.must(err)
		text = append(append(text, "---\n"...), one...)
	}
	s.must(os.WriteFile(file, text, 0o600))
	result, err := s.Portico(s.limited(), "plan", "-f", file)
	s.must(err)
	if got := strings.Count(result.Out, "+ install"); got != 2*steps {
		s.t.Errorf("the plan has %d installations, want %d:\n%s%s", got, 2*steps, result.Out, result.Talk)
	}
	var sets kcm.ServiceSetList
	s.must(s.kube.List(s.limited(), &sets))
	for _, set := range sets.Items {
		if set.Spec.MultiClusterService != "" {
			s.t.Errorf("a plan has made ServiceSet %s", set.Name)
		}
	}
}

// inOrder applies both at once, the dependent first.
func (s *stage) inOrder(fleet []e2e.Cluster) {
	s.timed("two MultiClusterServices with two services each on three clusters", func() {
		s.apply(settings("first"))
		s.apply(base())
		s.awaitDeployed("settings", len(fleet))
	})
	for _, c := range fleet {
		child := s.child(c.Key())
		var before time.Time
		for _, name := range []string{"base-one", "base-two", "settings-one", "settings-two"} {
			record := &corev1.Secret{}
			s.must(child.kube.Get(s.limited(), client.ObjectKey{Namespace: name, Name: "sh.helm.release.v1." + name + ".v1"}, record))
			if record.CreationTimestamp.Time.Before(before) {
				s.t.Errorf("on %s %s was installed before what it depends on", c.Name, name)
			}
			before = record.CreationTimestamp.Time
		}
	}
}

// awaitDeployed waits until a MultiClusterService is deployed on so many clusters, as it is wanted now.
func (s *stage) awaitDeployed(name string, clusters int) {
	s.t.Helper()
	m := &kcm.MultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := e2e.Await(s.limited(), s.kube, m, func(m *kcm.MultiClusterService) string {
		deployed := 0
		for _, c := range m.Status.MatchingClusters {
			if c.Deployed {
				deployed++
			}
		}
		if m.Status.ObservedGeneration != m.Generation || deployed != clusters {
			return fmt.Sprintf("generation %d of %d, deployed on %d of %d clusters: %+v", m.Status.ObservedGeneration, m.Generation, deployed, clusters, m.Status.MatchingClusters)
		}
		return ""
	})
	s.must(err)
}

// inWaves changes the services of all clusters, the canary's first, and aborts the change after
// that.
func (s *stage) inWaves(fleet []e2e.Cluster) {
	one := intstr.FromInt32(1)
	rollout := &statev1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "settings"}}
	rollout.Spec = statev1.RolloutSpec{
		Subject: statev1.RolloutSubject{Kind: statev1.SubjectMultiClusterService, Name: "settings"},
		Waves: []statev1.Wave{
			{Name: "canary", Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "canary"}}, Soak: &metav1.Duration{Duration: 3 * time.Second}},
			{Name: "rest", MaxUnavailable: &one},
		},
	}
	s.apply(rollout)
	s.awaitPhase(statev1.RolloutComplete)
	s.apply(settings("second"))
	s.awaitPhase(statev1.RolloutSoaking)
	for _, c := range fleet {
		want := "first"
		if c.Name == "canary" {
			want = "second"
		}
		s.textIs(c, want)
	}
	s.awaitPhase(statev1.RolloutComplete)
	for _, c := range fleet {
		s.textIs(c, "second")
	}
	s.apply(settings("third"))
	s.awaitPhase(statev1.RolloutSoaking)
	_, err := s.Portico(s.limited(), "rollout", "abort", "settings")
	s.must(err)
	s.awaitPhase(statev1.RolloutAborted)
	for _, c := range fleet {
		s.textBecomes(c, "second")
	}
}

func (s *stage) awaitPhase(want statev1.RolloutPhase) {
	s.t.Helper()
	r := &statev1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "settings"}}
	_, err := e2e.Await(s.limited(), s.kube, r, func(r *statev1.Rollout) string {
		if r.Status.Phase != want {
			return fmt.Sprintf("its phase is %s, want %s: %+v", r.Status.Phase, want, r.Status.Waves)
		}
		return ""
	})
	s.must(err)
}

func (s *stage) text(c e2e.Cluster) string {
	s.t.Helper()
	var m corev1.ConfigMap
	s.must(s.child(c.Key()).kube.Get(s.limited(), client.ObjectKey{Namespace: "settings-one", Name: "texts"}, &m))
	return m.Data["text"]
}

func (s *stage) textIs(c e2e.Cluster, want string) {
	s.t.Helper()
	if got := s.text(c); got != want {
		s.t.Errorf("cluster %s has the text %q, want %q", c.Name, got, want)
	}
}

func (s *stage) textBecomes(c e2e.Cluster, want string) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); s.text(c) != want; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("cluster %s has the text %q, want %q", c.Name, s.text(c), want)
		}
	}
}

// mended changes an object on a cluster by hand.
func (s *stage) mended(c e2e.Cluster) {
	child := s.child(c.Key())
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "settings-one", Name: "texts"}}
	s.timed("from a change by hand until it is mended", func() {
		s.must(child.kube.Patch(s.limited(), m, client.RawPatch("application/merge-patch+json", []byte(`{"data":{"text":"by hand"}}`))))
		s.textBecomes(c, "second")
	})
}

// allRemoved deletes both MultiClusterServices at once, what is depended on first.
func (s *stage) allRemoved(fleet []e2e.Cluster) {
	s.must(s.kube.Delete(s.limited(), &statev1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "settings"}}))
	s.timed("removing both from three clusters", func() {
		s.must(s.kube.Delete(s.limited(), settings("")))
		s.must(s.kube.Delete(s.limited(), base()))
		for _, name := range []string{"settings", "base"} {
			s.must(e2e.AwaitGone(s.limited(), s.kube, &kcm.MultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: name}}))
		}
	})
	for _, c := range fleet {
		child := s.child(c.Key())
		var left corev1.SecretList
		s.must(child.kube.List(s.limited(), &left, client.MatchingLabels{"owner": "helm"}))
		for _, namespace := range []string{"base-one", "base-two", "settings-one", "settings-two"} {
			var maps corev1.ConfigMapList
			s.must(child.kube.List(s.limited(), &maps, client.InNamespace(namespace)))
			names := []string{}
			for _, m := range maps.Items {
				names = append(names, m.Name)
			}
			if slices.Contains(names, "texts") {
				s.t.Errorf("on %s namespace %s still has %v", c.Name, namespace, names)
			}
		}
		if len(left.Items) > 0 {
			s.t.Errorf("on %s %d records of releases are left", c.Name, len(left.Items))
		}
	}
}

// asksByHTTP has the plane itself make the plan, with the rights of a token: a stranger's plan sees
// nothing, and without a token there is no answer.
func (s *stage) asksByHTTP(m *kcm.MultiClusterService, steps int) {
	text, err := yaml.Marshal(m)
	s.must(err)
	address := s.planAddress()
	if code, _ := s.post(address, "", text); code != http.StatusUnauthorized {
		s.t.Errorf("without a token POST /plan answers %d, want 401", code)
	}
	if code, body := s.post(address, s.token("stranger", ""), text); code != http.StatusOK || strings.Contains(body, `"action"`) || !strings.Contains(body, `"unseen"`) {
		s.t.Errorf("with a stranger's token POST /plan answers %d, want a plan that sees nothing: %s", code, body)
	}
	code, body := s.post(address, s.token("operator", "cluster-admin"), text)
	if got := strings.Count(body, `"action":"install"`); code != http.StatusOK || got != steps {
		s.t.Errorf("POST /plan answers %d with %d installations, want %d: %s", code, got, steps, body)
	}
}

// planAddress is the plane's HTTP API: eight ports after that of the API server.
func (s *stage) planAddress() string {
	host, port, err := net.SplitHostPort(strings.TrimPrefix(s.config.Host, "https://"))
	s.must(err)
	n, err := strconv.Atoi(port)
	s.must(err)
	return "https://" + net.JoinHostPort(host, strconv.Itoa(n+8)) + "/plan"
}

// token is that of a new account, bound to a role unless it is empty.
func (s *stage) token(name, role string) string {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: name}}
	s.apply(account)
	if role != "" {
		s.apply(&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: "e2e-" + name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: name}},
		})
	}
	clients, err := kubernetes.NewForConfig(s.config)
	s.must(err)
	made, err := clients.CoreV1().ServiceAccounts(account.Namespace).CreateToken(s.limited(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	s.must(err)
	return made.Status.Token
}

func (s *stage) post(address, token string, body []byte) (int, string) {
	s.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.config.CAData)
	asker := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(s.limited(), http.MethodPost, address, bytes.NewReader(body))
	s.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := asker.Do(req)
	s.must(err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	s.must(err)
	return res.StatusCode, string(text)
}
