package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"

	"portico.dev/portico/fleet"
)

const (
	maxIndex = 64 << 20
	maxChart = 64 << 20
)

// helmRepository fetches the index of an HTTP repository: the index is small, so looking at it
// and fetching it are one.
func (l lookers) helmRepository(ctx context.Context, repo *sourcev1.HelmRepository) (Found, error) {
	web, err := l.web(ctx, repo)
	if err != nil {
		return Found{}, err
	}
	defer web.close()
	address := strings.TrimSuffix(repo.Spec.URL, "/") + "/index.yaml"
	data, err := web.get(ctx, address, maxIndex)
	if err != nil {
		return Found{}, failed(reasonOf(err, sourcev1.IndexationFailedReason), "fetching "+address, err)
	}
	if _, err := parseIndex(data); err != nil {
		return Found{}, failed(sourcev1.IndexationFailedReason, "reading "+address, err)
	}
	digest := digestOf(data)
	return Found{
		Revision: "sha256:" + digest,
		File:     "index-" + digest + ".yaml",
		Input:    digest,
		Reason:   meta.SucceededReason,
		Message:  fmt.Sprintf("stored artifact: revision 'sha256:%s'", digest),
		Fetch: func(_ context.Context, w io.Writer) error {
			_, err := w.Write(data)
			return err
		},
	}, nil
}

// web is a way to an HTTP repository.
type web struct {
	client             *http.Client
	username, password string
	// home is the host that may see the credentials; empty means that all may.
	home string
}

// web makes the way to an HTTP repository.
func (l lookers) web(ctx context.Context, repo *sourcev1.HelmRepository) (*web, error) {
	at, err := url.Parse(repo.Spec.URL)
	if err != nil || (at.Scheme != "http" && at.Scheme != "https") || at.Host == "" {
		return nil, &failure{sourcev1.FetchFailedCondition, sourcev1.URLInvalidReason, fmt.Errorf("spec.url %q: %w: an HTTP repository has an address like https://example.org/charts; for a registry set spec.type: oci", repo.Spec.URL, fleet.ErrInvalid)}
	}
	login, err := l.secrets.read(ctx, repo.Namespace, repo.Spec.SecretRef)
	if err != nil {
		return nil, err
	}
	certs, err := l.secrets.read(ctx, repo.Namespace, repo.Spec.CertSecretRef)
	if err != nil {
		return nil, err
	}
	if certs == nil {
		certs = login
	}
	conf, err := certs.tls()
	if err != nil {
		return nil, err
	}
	w := &web{client: &http.Client{Transport: roundTripper(conf, nil)}, username: string(login["username"]), password: string(login["password"]), home: at.Host}
	if repo.Spec.PassCredentials {
		w.home = ""
	}
	return w, nil
}

func (w *web) close() { w.client.CloseIdleConnections() }

// statusError is an answer other than 200.
type statusError struct{ code int }

func (e statusError) Error() string {
	text := fmt.Sprintf("the server answers %d %s", e.code, http.StatusText(e.code))
	if e.code == http.StatusUnauthorized || e.code == http.StatusForbidden {
		text += "; check username and password in the Secret that spec.secretRef names"
	}
	return text
}

// get reads an address whole.
func (w *web) get(ctx context.Context, address string, most int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	if w.username != "" && (w.home == "" || w.home == req.URL.Host) {
		req.SetBasicAuth(w.username, w.password)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return nil, plain(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, statusError{resp.StatusCode}
	}
	return limited(resp.Body, most)
}

// reasonOf is AuthenticationFailed where the server wants to know who we are, else the other.
func reasonOf(err error, other string) string {
	var status statusError
	if errors.As(err, &status) && (status.code == http.StatusUnauthorized || status.code == http.StatusForbidden) {
		return sourcev1.AuthenticationFailedReason
	}
	return other
}

func digestOf(parts ...[]byte) string {
	sum := sha256.New()
	for _, p := range parts {
		sum.Write(p)
	}
	return hex.EncodeToString(sum.Sum(nil))
}
