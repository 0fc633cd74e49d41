package httpapi_test

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/server/explain/reader"
	"portico.dev/portico/server/httpapi"
	"portico.dev/portico/server/inventory/feed"
	"portico.dev/portico/server/live"
	"portico.dev/portico/server/planning"
	"portico.dev/portico/server/rights"
	"portico.dev/portico/server/signin"

	"k8s.io/apimachinery/pkg/types"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plane is the API before a real API server.
type plane struct {
	*httptest.Server
	*testing.T
	cluster *kubetest.Cluster
	kube    client.WithWatch
	clients *kubernetes.Clientset
	door    *signin.Door
	// a and b are namespaces.
	a, b string
}

// start serves the API until the test ends. Change may put parts in.
func start(t *testing.T, change func(*httpapi.Parts)) *plane {
	t.Helper()
	p := &plane{T: t, cluster: shared.Cluster(t)}
	scheme, err := planning.NewScheme()
	must(t, err)
	p.kube = p.cluster.Client(t, func(s *runtime.Scheme) error { *s = *scheme; return nil })
	p.clients, err = kubernetes.NewForConfig(p.cluster.Config)
	must(t, err)
	p.a, p.b = p.cluster.Namespace(t), p.cluster.Namespace(t)

	informers, err := cache.New(p.cluster.Config, cache.Options{Scheme: scheme, DefaultNamespaces: map[string]cache.Config{p.a: {}, p.b: {}}})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- informers.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		must(t, <-ended)
	})
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	fleet := feed.New(live.NewTopic("test", 1000), log)
	must(t, fleet.Start(ctx, informers))

	secrets := func(life time.Duration) *signin.Secrets {
		return signin.NewSecrets(signin.SecretsConfig{Clock: time.Now, Random: rand.Reader, Life: life, Most: 100})
	}
	p.door = signin.New(signin.Parts{
		Links: secrets(signin.LinkLife), Sessions: secrets(signin.SessionLife), Reviews: p.clients.AuthenticationV1().TokenReviews(), Clock: time.Now,
	})
	parts := httpapi.Parts{
		Door: p.door, Judge: rights.New(p.clients.AuthorizationV1().SubjectAccessReviews(), fleet.Homes, time.Now), Feed: fleet,
		Trees: p.trees(scheme), Clock: time.Now, Log: log, Version: "v0.1.0",
	}
	if change != nil {
		change(&parts)
	}
	handler, err := httpapi.New(parts)
	must(t, err)
	p.Server = httptest.NewUnstartedServer(handler)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(p.cluster.Config.CAData)
	p.Server.TLS = &tls.Config{ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: roots}
	p.StartTLS()
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

// trees reads with the rights of a user, by impersonation.
func (p *plane) trees(scheme *runtime.Scheme) func(signin.Identity) (httpapi.Trees, error) {
	return func(who signin.Identity) (httpapi.Trees, error) {
		config := rest.CopyConfig(p.cluster.Config)
		config.Impersonate = rest.ImpersonationConfig{UserName: who.Name, UID: who.UID, Groups: who.Groups, Extra: who.Extra}
		kube, err := client.New(config, client.Options{Scheme: scheme})
		if err != nil {
			return nil, err
		}
		children := func(context.Context, types.NamespacedName) (client.Reader, error) {
			return nil, errors.New("there are no child clusters here")
		}
		return reader.New(kube, children, time.Now), nil
	}
}

// user makes a user who may do that with ClusterDeployments in some namespaces, and returns a token.
func (p *plane) user(verb string, namespaces ...string) string {
	p.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{GenerateName: "user-", Namespace: p.a}}
	must(p.T, p.kube.Create(p.Context(), account))
	subject := []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: p.a, Name: account.Name}}
	rules := []rbacv1.PolicyRule{{APIGroups: []string{kcm.GroupVersion.Group}, Resources: []string{"clusterdeployments"}, Verbs: []string{verb}}}
	for _, namespace := range namespaces {
		meta := metav1.ObjectMeta{Name: account.Name, Namespace: namespace}
		_, err := p.clients.RbacV1().Roles(namespace).Create(p.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
		must(p.T, err)
		_, err = p.clients.RbacV1().RoleBindings(namespace).Create(p.Context(), &rbacv1.RoleBinding{
			ObjectMeta: meta, Subjects: subject, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: account.Name},
		}, metav1.CreateOptions{})
		must(p.T, err)
	}
	answer, err := p.clients.CoreV1().ServiceAccounts(p.a).CreateToken(p.Context(), account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	must(p.T, err)
	return answer.Status.Token
}

// admin is a token of somebody who may do everything.
func (p *plane) admin() string {
	p.Helper()
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{GenerateName: "admin-", Namespace: p.a}}
	must(p.T, p.kube.Create(p.Context(), account))
	_, err := p.clients.RbacV1().ClusterRoleBindings().Create(p.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account.Name + p.a}, Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Namespace: p.a, Name: account.Name}},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
	}, metav1.CreateOptions{})
	must(p.T, err)
	answer, err := p.clients.CoreV1().ServiceAccounts(p.a).CreateToken(p.Context(), account.Name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	must(p.T, err)
	return answer.Status.Token
}

// deploy makes a cluster of a tenant.
func (p *plane) deploy(namespace, name, tenant string) *kcm.ClusterDeployment {
	p.Helper()
	d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if tenant != "" {
		d.Labels = map[string]string{"k0rdent.mirantis.com/kof-tenant-id": tenant}
	}
	d.Spec.Template, d.Spec.Config = "aws-1", &kcm.JSON{Raw: []byte("{}")}
	must(p.T, p.kube.Create(p.Context(), d))
	return d
}

// request asks with a token; an empty one is a stranger.
func (p *plane) request(method, path, token string, headers ...string) *http.Response {
	p.Helper()
	req, err := http.NewRequestWithContext(p.Context(), method, p.URL+path, nil)
	must(p.T, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := p.Client().Do(req)
	must(p.T, err)
	return res
}

// get returns status and body.
func (p *plane) get(path, token string, headers ...string) (int, string) {
	p.Helper()
	res := p.request("GET", path, token, headers...)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(p.T, err)
	return res.StatusCode, string(text)
}

// read decodes an answer, which has to be good.
func read[A any](p *plane, path, token string) A {
	p.Helper()
	code, text := p.get(path, token)
	if code != http.StatusOK {
		p.Fatalf("GET %s: %d %s", path, code, text)
	}
	var answer A
	must(p.T, json.NewDecoder(strings.NewReader(text)).Decode(&answer))
	return answer
}

// eventually repeats a question until the informers have seen what was done.
func (p *plane) eventually(what string, holds func() bool) {
	p.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			p.Fatalf("%s did not happen", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
