package app

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/admission"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/identity"
	"portico.dev/portico/config"
	"portico.dev/portico/server/signin"
)

// Bounds of what is remembered of people.
const (
	mostLinks    = 100
	mostSessions = 10_000
)

// issuerWithin bounds a question to an OpenID Connect issuer.
const issuerWithin = 10 * time.Second

// door is where people come in who use the HTTP API. By is who asks for what their tokens are.
func (p *plane) door(by *kubernetes.Clientset) (*signin.Door, error) {
	issuer, err := p.issuer()
	if err != nil {
		return nil, err
	}
	secrets := func(life time.Duration, most int) *signin.Secrets {
		return signin.NewSecrets(signin.SecretsConfig{Clock: p.env.Now, Random: rand.Reader, Life: life, Most: most})
	}
	return signin.New(signin.Parts{
		Links: secrets(signin.LinkLife, mostLinks), Sessions: secrets(signin.SessionLife, mostSessions),
		Reviews: by.AuthenticationV1().TokenReviews(), OIDC: issuer, External: strings.TrimRight(p.cfg.HTTP.External, "/"),
		LinksAnywhere: p.cfg.HTTP.Links == config.LinksAnywhere, Clock: p.env.Now,
	}), nil
}

// guarded lets requests pass that name the HTTP API as it is called.
func (e *embedded) guarded(h http.Handler) http.Handler {
	hosts := []string{config.Loopback, "::1", "localhost"}
	for _, more := range []string{e.cfg.Host(), signin.HostOf(e.cfg.HTTP.External)} {
		if more != "" && !slices.Contains(hosts, more) {
			hosts = append(hosts, more)
		}
	}
	return signin.Guard(hosts, h)
}

// issuer is the OpenID Connect issuer whose users may sign in; nil where none is configured.
func (e *embedded) issuer() (*signin.OIDC, error) {
	c := e.cfg.HTTP.OIDC
	if c.Issuer == "" {
		return nil, nil
	}
	external := e.cfg.HTTP.External
	if external == "" {
		external = "https://" + net.JoinHostPort(e.cfg.Host(), strconv.Itoa(e.cfg.Ports().HTTP))
	}
	o := signin.OIDCConfig{
		Issuer: c.Issuer, ClientID: c.ClientID, Audiences: c.Audiences, External: external, Scopes: c.Scopes,
		UserClaim: c.UsernameClaim, UserPrefix: c.UsernamePrefix, GroupsClaim: c.GroupsClaim, GroupsPrefix: c.GroupsPrefix, Required: c.RequiredClaims,
		HTTP: func() (*http.Client, error) { return issuerClient(c.CAFile) }, Random: rand.Reader, Clock: e.env.Now,
	}
	if c.ClientSecretFile != "" || c.ClientSecretRef.Name != "" {
		o.Secret = e.clientSecret
	}
	issuer, err := signin.NewOIDC(o)
	if err != nil {
		return nil, fmt.Errorf("configuration: http.oidc: %w", err)
	}
	return issuer, nil
}

// clientSecret reads the secret by which the issuer knows the plane. It is read when it is needed, so
// that one that was changed counts, and one that is missing keeps nothing else from working.
func (e *embedded) clientSecret(ctx context.Context) (string, error) {
	c := e.cfg.HTTP.OIDC
	if c.ClientSecretFile != "" {
		text, err := os.ReadFile(c.ClientSecretFile)
		return strings.TrimRight(string(text), "\r\n"), err
	}
	ref := c.ClientSecretRef
	if ref.Namespace == "" {
		ref.Namespace = kcm.DefaultSystemNamespace
	}
	if ref.Key == "" {
		ref.Key = "clientSecret"
	}
	// The HTTP API may read nothing by itself; the controllers read Secrets as it is.
	as, err := e.connect(identity.Controllers)
	if err != nil {
		return "", err
	}
	clients, err := kubernetes.NewForConfig(as)
	if err != nil {
		return "", err
	}
	secret, err := clients.CoreV1().Secrets(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	value, is := secret.Data[ref.Key]
	if !is {
		return "", fmt.Errorf("the Secret %s/%s has no key %s", ref.Namespace, ref.Name, ref.Key)
	}
	return strings.TrimRight(string(value), "\r\n"), nil
}

// issuerClient asks an issuer that is trusted by the certificates in a file, or by those of this
// machine if it has no name.
func issuerClient(file string) (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading http.oidc.caFile: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("http.oidc.caFile %s holds no certificate in PEM", file)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{Transport: transport, Timeout: issuerWithin}, nil
}

// tokens is the file that has the management API server let in who comes with an ID token of the
// issuer; empty where there is none. What is wrong with it is told, and keeps no plane from starting:
// the one of the start before counts then.
func (p *plane) tokens() string {
	file := filepath.Join(p.folder.Management(), "tokens.json")
	text, err := p.authentication()
	if err == nil && text != nil {
		err = folder.WriteFile(file, text)
	}
	if err == nil && text == nil {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			p.log.Warn("a file that nobody reads was not removed", "file", file, "error", err)
		}
		return ""
	}
	if err != nil {
		p.log.Warn("the management API server does not know the ID tokens of the issuer", "issuer", p.cfg.HTTP.OIDC.Issuer, "error", err)
		if _, err := os.Stat(file); err != nil {
			return ""
		}
	}
	return file
}

// authentication is the document of that file, if an API server can start with it.
func (e *embedded) authentication() ([]byte, error) {
	issuer, err := e.issuer()
	if issuer == nil || err != nil {
		return nil, err
	}
	var authority []byte
	if file := e.cfg.HTTP.OIDC.CAFile; file != "" {
		if authority, err = os.ReadFile(file); err != nil {
			return nil, fmt.Errorf("reading http.oidc.caFile: %w", err)
		}
	}
	text, err := issuer.Authentication(authority)
	if err != nil {
		return nil, err
	}
	var document kcm.AuthenticationConfiguration
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("reading the authentication of the API server: %w", err)
	}
	whole := &kcm.ClusterAuthentication{Spec: kcm.ClusterAuthenticationSpec{AuthenticationConfiguration: &document}}
	return text, admission.ValidateClusterAuthentication(whole, nil).ToAggregate()
}
