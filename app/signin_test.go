package app

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/identity"
	"portico.dev/portico/config"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/server/signin/signintest"
)

// signingIn is a plane with an issuer.
func signingIn(t *testing.T, issuer config.OIDC) (*plane, *strings.Builder) {
	t.Helper()
	c := config.Default(0, func(string) string { return "" })
	c.Data, c.HTTP.OIDC = t.TempDir(), issuer
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	e := newEmbedded(Env{Now: time.Now}, c)
	if err := os.MkdirAll(e.folder.Management(), 0o700); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	return &plane{embedded: e, log: slog.New(slog.NewTextHandler(&said, nil))}, &said
}

// The API server believes the tokens of the issuer that is configured, and of none that was. What is wrong
// with one keeps no plane from starting.
func TestTokens(t *testing.T) {
	authority := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(authority, signintest.Start(t, time.Now).Authority(), 0o600); err != nil {
		t.Fatal(err)
	}
	good := config.OIDC{Issuer: "https://i.example.com", ClientID: "portico", Audiences: []string{"kubectl"}, CAFile: authority, RequiredClaims: map[string]string{"hd": "example.com"}}
	p, said := signingIn(t, good)
	file := p.tokens()
	before, err := os.ReadFile(file)
	if err != nil || said.String() != "" || !strings.Contains(string(before), "BEGIN CERTIFICATE") || !strings.Contains(string(before), "example.com") {
		t.Fatalf("tokens = %q: %s, %v, saying %s", file, before, err, said)
	}
	if again := p.tokens(); again != file {
		t.Errorf("the second time: %q", again)
	}
	for _, tc := range []struct {
		why    string
		issuer config.OIDC
	}{
		{"The authority is not there.", config.OIDC{Issuer: good.Issuer, ClientID: "portico", CAFile: "/nonexistent/ca.crt"}},
		{"It is none.", config.OIDC{Issuer: good.Issuer, ClientID: "portico", CAFile: "/etc/hostname"}},
	} {
		fresh, said := signingIn(t, tc.issuer)
		if file := fresh.tokens(); file != "" || !strings.Contains(said.String(), "caFile") && !strings.Contains(said.String(), "certificateAuthority") {
			t.Errorf("%s In a new folder: %q, saying %s", tc.why, file, said)
		}
		p.cfg.HTTP.OIDC = tc.issuer
		if kept := p.tokens(); kept != file {
			t.Errorf("%s What counted before does not any more: %q", tc.why, kept)
		}
		if text, err := os.ReadFile(file); err != nil || string(text) != string(before) {
			t.Errorf("%s What counted before is %s, %v", tc.why, text, err)
		}
	}
	p.cfg.HTTP.OIDC = config.OIDC{}
	if left := p.tokens(); left != "" {
		t.Errorf("without an issuer: %q", left)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file of an issuer that is none any more: %v", err)
	}
}

// The secret is what the file holds at the moment, without the end of its line.
func TestClientSecretFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	p, _ := signingIn(t, config.OIDC{Issuer: "https://i", ClientID: "portico", ClientSecretFile: file})
	if _, err := p.clientSecret(t.Context()); err == nil {
		t.Error("a file that is not there holds a secret")
	}
	for _, text := range []string{"one\n", "two\r\n", " three "} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := p.clientSecret(t.Context()); err != nil || got != strings.TrimRight(text, "\r\n") {
			t.Errorf("of %q: %q, %v", text, got, err)
		}
	}
}

// An issuer is trusted by the certificates that are named for it, and by no others.
func TestIssuerClient(t *testing.T) {
	issuer := signintest.Start(t, time.Now)
	file := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(file, issuer.Authority(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		file string
		good bool
	}{{file, true}, {"", false}} {
		client, err := issuerClient(tc.file)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Get(issuer.URL + "/keys")
		if err == nil {
			res.Body.Close()
		}
		if (err == nil) != tc.good {
			t.Errorf("by %q: %v", tc.file, err)
		}
		client.CloseIdleConnections()
	}
	for _, none := range []string{"/nonexistent", "/etc/hostname"} {
		if _, err := issuerClient(none); err == nil || !strings.Contains(err.Error(), "http.oidc.caFile") {
			t.Errorf("%s: %v", none, err)
		}
	}
}

// The HTTP API is asked by the names that it has.
func TestGuarded(t *testing.T) {
	p, _ := signingIn(t, config.OIDC{})
	p.cfg.Listen, p.cfg.HTTP.External = "10.0.0.5:7443", "https://Portico.example.com:8443/"
	h := p.guarded(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "in") }))
	for host, in := range map[string]bool{"10.0.0.5:7451": true, "127.0.0.1:7451": true, "localhost:7451": true, "portico.example.com:8443": true, "10.0.0.6:7451": false, "example.com": false} {
		r := httptest.NewRequest("GET", "/healthz", nil)
		r.Host = host
		answer := httptest.NewRecorder()
		if h.ServeHTTP(answer, r); (answer.Code == http.StatusOK) != in {
			t.Errorf("%s: %d", host, answer.Code)
		}
	}
}

// The secret may be in a Secret on the management cluster, which the plane reads as its controllers do.
func TestClientSecretRef(t *testing.T) {
	cluster := kubetest.Start(t)
	p, _ := signingIn(t, config.OIDC{Issuer: "https://i", ClientID: "portico", ClientSecretRef: config.SecretKey{Name: "dex"}})
	kubeconfig, err := os.ReadFile(cluster.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.WriteFile(p.identities().Files(identity.Controllers).Kubeconfig, kubeconfig); err != nil {
		t.Fatal(err)
	}
	clients, err := kubernetes.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if _, err := p.clientSecret(ctx); err == nil || !strings.Contains(err.Error(), `"dex" not found`) {
		t.Errorf("before there is one: %v", err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kcm-system"}}
	if _, err := clients.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "dex"}, Data: map[string][]byte{"clientSecret": []byte("one\n"), "other": []byte("two")}}
	if _, err := clients.CoreV1().Secrets("kcm-system").Create(ctx, secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"": "one", "other": "two", "none": "the Secret kcm-system/dex has no key none"} {
		p.cfg.HTTP.OIDC.ClientSecretRef.Key = key
		got, err := p.clientSecret(ctx)
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("key %q: %q, want %q", key, got, want)
		}
	}
}
