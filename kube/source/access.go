package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/google/go-containerregistry/pkg/authn"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
)

// secret is the content of a Secret; nil where none is named.
type secret map[string][]byte

// vault reads the Secrets that sources name.
type vault struct{ kube client.Reader }

func (v vault) read(ctx context.Context, namespace string, ref *meta.LocalObjectReference) (secret, error) {
	if ref == nil {
		return nil, nil
	}
	var s corev1.Secret
	if err := v.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: ref.Name}, &s); err != nil {
		return nil, failed(sourcev1.AuthenticationFailedReason, fmt.Sprintf("reading Secret %s/%s", namespace, ref.Name), err)
	}
	return s.Data, nil
}

// first returns the value of the first key that is there.
func (s secret) first(keys ...string) []byte {
	for _, k := range keys {
		if v := s[k]; len(v) > 0 {
			return v
		}
	}
	return nil
}

// tls makes the client's side of TLS from ca.crt, tls.crt and tls.key, or from the older names
// of the same. It is nil where the secret has none of them.
func (s secret) tls() (*tls.Config, error) {
	ca, cert, key := s.first("ca.crt", "caFile"), s.first("tls.crt", "certFile"), s.first("tls.key", "keyFile")
	if ca == nil && cert == nil && key == nil {
		return nil, nil
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != nil {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(ca) {
			return nil, failed(sourcev1.AuthenticationFailedReason, "reading key ca.crt of the Secret", errors.New("it holds no certificate in PEM form"))
		}
	}
	if (cert == nil) != (key == nil) {
		return nil, failed(sourcev1.AuthenticationFailedReason, "reading the Secret", errors.New("tls.crt and tls.key are needed together"))
	}
	if cert != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			return nil, failed(sourcev1.AuthenticationFailedReason, "reading tls.crt and tls.key of the Secret", err)
		}
		conf.Certificates = []tls.Certificate{pair}
	}
	return conf, nil
}

// proxy is the address with the credentials in it, nil where the secret is nil.
func (s secret) proxy() (*url.URL, error) {
	if s == nil {
		return nil, nil
	}
	u, err := url.Parse(string(s["address"]))
	if err != nil || u.Host == "" {
		return nil, failed(sourcev1.AuthenticationFailedReason, "reading key address of the proxy's Secret", fmt.Errorf("%q is not a URL", s["address"]))
	}
	if user := s["username"]; len(user) > 0 {
		u.User = url.UserPassword(string(user), string(s["password"]))
	}
	return u, nil
}

// registry makes the credentials for an OCI registry: from a Docker configuration or from
// username and password.
func (s secret) registry(host string) (authn.Authenticator, error) {
	if user := s["username"]; len(user) > 0 {
		return authn.FromConfig(authn.AuthConfig{Username: string(user), Password: string(s["password"])}), nil
	}
	raw := s[corev1.DockerConfigJsonKey]
	if raw == nil {
		return authn.Anonymous, nil
	}
	var file struct {
		Auths map[string]struct {
			Username, Password, Auth string
		} `json:"auths"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		return nil, failed(sourcev1.AuthenticationFailedReason, "reading key "+corev1.DockerConfigJsonKey+" of the Secret", errors.New("it is not a Docker configuration"))
	}
	for name, entry := range file.Auths {
		if registryHost(name) != registryHost(host) {
			continue
		}
		if plain, err := base64.StdEncoding.DecodeString(entry.Auth); err == nil && len(plain) > 0 {
			entry.Username, entry.Password, _ = strings.Cut(string(plain), ":")
		}
		return authn.FromConfig(authn.AuthConfig{Username: entry.Username, Password: entry.Password}), nil
	}
	return nil, failed(sourcev1.AuthenticationFailedReason, "reading the Secret's Docker configuration", fmt.Errorf("it has no entry for %s", host))
}

// registryHost reduces the many ways to write a registry's name to its host.
func registryHost(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://")
	host, _, _ := strings.Cut(name, "/")
	if host == "docker.io" || host == "registry-1.docker.io" {
		return "index.docker.io"
	}
	return host
}

// idle is how long a connection that nobody uses is kept.
const idle = 30 * time.Second

// roundTripper makes the way to a server. Each look makes its own, so its connections have to
// end by themselves where nobody closes them.
func roundTripper(conf *tls.Config, proxy *url.URL) *http.Transport {
	t := &http.Transport{TLSClientConfig: conf, Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: idle}
	if proxy != nil {
		t.Proxy = http.ProxyURL(proxy)
	}
	return t
}

// unsupported refuses a part of a spec that this engine does not serve: silently leaving out a
// signature check would be worse than no artifact.
func unsupported(field, value string) error {
	return failed(sourcev1.InvalidProviderConfigurationReason, field, fmt.Errorf("%w: %s is not served by Portico's sources engine; install Flux's source-controller, and Portico steps aside", fleet.ErrInvalid, value))
}
