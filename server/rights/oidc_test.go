package rights_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/httpapi"
	"portico.dev/portico/server/httpapi/held"
	"portico.dev/portico/server/inventory"
	"portico.dev/portico/server/inventory/feed"
	"portico.dev/portico/server/live"
	"portico.dev/portico/server/planning"
	"portico.dev/portico/server/rights"
	"portico.dev/portico/server/signin"
	"portico.dev/portico/server/signin/signintest"
)

// plane is the HTTP API before a real API server, with a real issuer.
type plane struct {
	*httptest.Server
	*testing.T
	cluster *kubetest.Cluster
	kube    client.WithWatch
	clients *kubernetes.Clientset
	issuer  *signintest.Issuer
	oidc    *signin.OIDC
	// browser keeps cookies.
	browser *http.Client
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T) *plane {
	t.Helper()
	p := &plane{T: t, cluster: kubetest.Start(t, "deploy/crds"), issuer: signintest.Start(t, time.Now)}
	scheme, err := planning.NewScheme()
	must(t, err)
	p.kube = p.cluster.Client(t, func(s *runtime.Scheme) error { *s = *scheme; return nil })
	p.clients, err = kubernetes.NewForConfig(p.cluster.Config)
	must(t, err)
	fleet := p.feed(scheme)

	p.Server = httptest.NewUnstartedServer(nil)
	p.oidc, err = signin.NewOIDC(signin.OIDCConfig{
		Issuer: p.issuer.URL, ClientID: signintest.Client, Audiences: []string{"kubectl"}, Secret: func(context.Context) (string, error) { return signintest.Secret, nil },
		External: "https://" + p.Listener.Addr().String(), HTTP: func() (*http.Client, error) { return p.issuer.Client(), nil }, Random: rand.Reader, Clock: time.Now,
	})
	must(t, err)
	secrets := signin.NewSecrets(signin.SecretsConfig{Clock: time.Now, Random: rand.Reader, Life: time.Hour, Most: 100})
	records := held.Telemetry{}
	for _, tenant := range []store.Tenant{"acme", "beta", store.Platform} {
		records.Records = append(records.Records, store.Record{Time: time.Now().Add(-time.Minute), Tenant: tenant, Body: "of " + string(tenant)})
	}
	handler, err := httpapi.New(httpapi.Parts{
		Door:  signin.New(signin.Parts{Links: secrets, Sessions: secrets, Reviews: p.clients.AuthenticationV1().TokenReviews(), OIDC: p.oidc, Clock: time.Now}),
		Judge: rights.New(p.clients.AuthorizationV1().SubjectAccessReviews(), fleet.Homes, time.Now), Feed: fleet, Logs: records.Over(time.Now), Traces: records.Over(time.Now),
		Clock: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	must(t, err)
	p.Config.Handler = signin.Guard([]string{"127.0.0.1"}, handler)
	p.StartTLS()
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	jar, err := cookiejar.New(nil)
	must(t, err)
	p.browser = &http.Client{Transport: p.Client().Transport, Jar: jar}
	return p
}

// feed is the fleet as the API server tells it.
func (p *plane) feed(scheme *runtime.Scheme) *feed.Feed {
	informers, err := cache.New(p.cluster.Config, cache.Options{Scheme: scheme})
	must(p.T, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- informers.Start(ctx) }()
	p.Cleanup(func() {
		cancel()
		must(p.T, <-ended)
	})
	fleet := feed.New(live.NewTopic("test", 1000), slog.New(slog.NewTextHandler(io.Discard, nil)))
	must(p.T, fleet.Start(ctx, informers))
	return fleet
}

func (p *plane) deploy(namespace, name, tenant string) {
	p.Helper()
	d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if tenant != "" {
		d.Labels = map[string]string{"k0rdent.mirantis.com/kof-tenant-id": tenant}
	}
	d.Spec.Template, d.Spec.Config = "aws-1", &kcm.JSON{Raw: []byte("{}")}
	must(p.T, p.kube.Create(p.Context(), d))
}

// let gives a group what its members may do with ClusterDeployments of a namespace.
func (p *plane) let(group, verb, namespace string) {
	p.Helper()
	meta := metav1.ObjectMeta{Name: "viewers", Namespace: namespace}
	_, err := p.clients.RbacV1().Roles(namespace).Create(p.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{kcm.GroupVersion.Group}, Resources: []string{"clusterdeployments"}, Verbs: []string{verb}},
	}}, metav1.CreateOptions{})
	must(p.T, err)
	_, err = p.clients.RbacV1().RoleBindings(namespace).Create(p.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: group}},
	}, metav1.CreateOptions{})
	must(p.T, err)
}

// ask asks with the cookies of the browser, and with a token if there is one.
func (p *plane) ask(path, token string) (int, string) {
	p.Helper()
	req, err := http.NewRequestWithContext(p.Context(), "GET", p.URL+path, nil)
	must(p.T, err)
	req.Header.Set("Accept", "application/json")
	by := p.browser
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
		by = p.Client()
	}
	res, err := by.Do(req)
	must(p.T, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(p.T, err)
	return res.StatusCode, string(text)
}

func (p *plane) eventually(what string, holds func() bool) {
	p.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			p.Fatalf("%s did not happen", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Who signs in at an issuer sees what RBAC gives to his group there: its namespaces, and the tenants
// all of whose clusters are in them. An ID token of that issuer is worth the same, to kubectl too.
func TestGroupOfIssuer(t *testing.T) {
	p := start(t)
	a, b := p.cluster.Namespace(t), p.cluster.Namespace(t)
	p.deploy(a, "one", "acme")
	p.deploy(a, "two", "beta")
	p.deploy(b, "three", "beta")
	p.deploy(a, "four", "")
	p.let("oidc:ops", "get", a)

	if code, said := p.ask(signin.OIDCPath, ""); code != http.StatusOK || !strings.Contains(said, "Signed in as oidc:ann@example.com") {
		t.Fatalf("signing in: %d %s", code, said)
	}
	p.eventually("ann sees three clusters", func() bool { return len(p.clustersOf("")) == 3 })
	p.seesHerOwn("", a, b)

	p.believe()
	token := p.issuer.Token()
	p.eventually("the API server believes the issuer", func() bool {
		code, _ := p.ask("/api/v1/me", token)
		return code == http.StatusOK
	})
	p.seesHerOwn(token, a, b)
	p.kubectl(token, a, b)
	p.issuer.Claims(map[string]any{"aud": "kubectl"})
	p.kubectl(p.issuer.Token(), a, b)
	for why, claims := range map[string]map[string]any{
		"a token for another program":    {"aud": "grafana"},
		"a token of another issuer":      {"iss": "https://evil.example"},
		"an old token":                   {"exp": time.Now().Add(-time.Hour).Unix()},
		"an address that nobody checked": {"email_verified": false},
		"an address without a word":      {"email_verified": nil},
	} {
		p.issuer.Claims(claims)
		if code, said := p.ask("/api/v1/me", p.issuer.Token()); code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", why, code, said)
		}
	}

	must(t, p.clients.RbacV1().RoleBindings(a).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	p.eventually("ann sees nothing", func() bool { return len(p.clustersOf("")) == 0 })
}

func (p *plane) clustersOf(token string) []string {
	p.Helper()
	code, text := p.ask("/api/v1/fleet", token)
	if code != http.StatusOK {
		return nil
	}
	var f inventory.Fleet
	must(p.T, json.Unmarshal([]byte(text), &f))
	names := []string{}
	for _, c := range f.Items {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

// seesHerOwn asks for everything that could be somebody else's.
func (p *plane) seesHerOwn(token, a, b string) {
	p.Helper()
	_, text := p.ask("/api/v1/me", token)
	var me httpapi.Me
	must(p.T, json.Unmarshal([]byte(text), &me))
	if me.Name != "oidc:ann@example.com" || me.Everything || !slices.Equal(me.Namespaces, []string{a}) || !slices.Equal(me.Tenants, []store.Tenant{"acme"}) || !slices.Contains(me.Groups, "oidc:ops") {
		p.Errorf("ann is %s", text)
	}
	if names := p.clustersOf(token); !slices.Equal(names, []string{"four", "one", "two"}) {
		p.Errorf("ann sees %v", names)
	}
	for _, tc := range []struct {
		path, holds string
		code        int
	}{
		{"/api/v1/clusters/" + a + "/one", `"acme"`, 200},
		{"/api/v1/clusters/" + b + "/three", "may not get ClusterDeployments", 403},
		{"/api/v1/clusters/" + b + "/three/tree", "may not get ClusterDeployments", 403},
		{"/api/v1/logs", "of acme", 200}, // she sees one tenant, so that is meant
		{"/api/v1/logs?tenant=acme", "of acme", 200},
		{"/api/v1/logs?tenant=beta", "or not all of them", 403},
		{"/api/v1/logs?tenant=PLATFORM", "or not all of them", 403},
	} {
		if code, said := p.ask(tc.path, token); code != tc.code || !strings.Contains(said, tc.holds) || strings.Contains(said, "of beta") || strings.Contains(said, "of PLATFORM") {
			p.Errorf("%s: %d %s", tc.path, code, said)
		}
	}
}

// believe has the API server let in whom the issuer knows, as a plane does that is configured so. It
// reads the file again by itself.
func (p *plane) believe() {
	p.Helper()
	text, err := p.oidc.Authentication(p.issuer.Authority())
	must(p.T, err)
	var document map[string]any
	must(p.T, json.Unmarshal(text, &document))
	var anonymous []any
	for _, path := range []string{"/healthz", "/livez", "/readyz"} {
		anonymous = append(anonymous, map[string]any{"path": path})
	}
	document["anonymous"] = map[string]any{"enabled": true, "conditions": anonymous}
	text, err = json.Marshal(document)
	must(p.T, err)
	must(p.T, os.WriteFile(filepath.Join(p.cluster.Dir, "authentication.yaml"), text, 0o600))
}

// kubectl asks the API server itself.
func (p *plane) kubectl(token, a, b string) {
	p.Helper()
	as := rest.AnonymousClientConfig(p.cluster.Config)
	as.BearerToken = token
	kube, err := client.New(as, client.Options{Scheme: p.kube.Scheme()})
	must(p.T, err)
	if err := kube.Get(p.Context(), client.ObjectKey{Namespace: a, Name: "one"}, &kcm.ClusterDeployment{}); err != nil {
		p.Errorf("ann's cluster: %v", err)
	}
	if err := kube.Get(p.Context(), client.ObjectKey{Namespace: b, Name: "three"}, &kcm.ClusterDeployment{}); err == nil {
		p.Error("ann reads a cluster that is not hers")
	}
}
