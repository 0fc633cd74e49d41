package source

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	remotetransport "github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"portico.dev/portico/fleet"
)

// shelf is one repository of an OCI registry.
type shelf struct {
	repo    name.Repository
	auth    authn.Authenticator
	through *http.Transport
}

// access is what a source says about how to reach a registry.
type access struct {
	url      string
	insecure bool
	provider string
	login    secret
	certs    secret
	proxy    secret
}

// openShelf makes the way to a repository.
func openShelf(a access) (*shelf, error) {
	if a.provider != "" && a.provider != sourcev1.GenericOCIProvider {
		return nil, unsupported("spec.provider", a.provider)
	}
	path, ok := strings.CutPrefix(a.url, sourcev1.OCIRepositoryPrefix)
	if !ok {
		return nil, invalidURL(a.url, errors.New("it has to begin with oci://"))
	}
	options := []name.Option{name.WithDefaultRegistry("")}
	if a.insecure {
		options = append(options, name.Insecure)
	}
	repo, err := name.NewRepository(strings.TrimSuffix(path, "/"), options...)
	if err != nil {
		return nil, invalidURL(a.url, err)
	}
	auth, err := a.login.registry(repo.RegistryStr())
	if err != nil {
		return nil, err
	}
	through, err := a.transport()
	if err != nil {
		return nil, err
	}
	return &shelf{repo: repo, auth: auth, through: through}, nil
}

func (a access) transport() (*http.Transport, error) {
	conf, err := a.tls()
	if err != nil {
		return nil, err
	}
	proxy, err := a.proxyURL()
	if err != nil {
		return nil, err
	}
	return roundTripper(conf, proxy), nil
}

func (a access) tls() (*tls.Config, error) {
	if a.certs == nil {
		return a.login.tls()
	}
	return a.certs.tls()
}

func (a access) proxyURL() (*url.URL, error) { return a.proxy.proxy() }

func invalidURL(u string, err error) error {
	return &failure{sourcev1.FetchFailedCondition, sourcev1.URLInvalidReason, fmt.Errorf("spec.url %q: %w: %w", u, fleet.ErrInvalid, err)}
}

func (s *shelf) close() { s.through.CloseIdleConnections() }

func (s *shelf) options(ctx context.Context) []remote.Option {
	// One attempt: back-off between attempts is the controller's business.
	return []remote.Option{remote.WithContext(ctx), remote.WithTransport(s.through), remote.WithAuth(s.auth), remote.WithRetryBackoff(remote.Backoff{Steps: 1})}
}

// tags lists the repository's tags.
func (s *shelf) tags(ctx context.Context) ([]string, error) {
	tags, err := remote.List(s.repo, s.options(ctx)...)
	if err != nil {
		return nil, s.failed("listing the tags of "+s.repo.String(), err)
	}
	return tags, nil
}

// digest asks for what a tag stands for. It is errNoTag where there is no such tag.
func (s *shelf) digest(ctx context.Context, tag string) (v1.Hash, error) {
	desc, err := remote.Head(s.repo.Tag(tag), s.options(ctx)...)
	if isNotFound(err) {
		return v1.Hash{}, errNoTag
	}
	if err != nil {
		return v1.Hash{}, s.failed("asking for "+s.repo.Tag(tag).String(), err)
	}
	return desc.Digest, nil
}

// image opens the artifact with a digest.
func (s *shelf) image(ctx context.Context, digest v1.Hash) (v1.Image, error) {
	ref := s.repo.Digest(digest.String())
	img, err := remote.Image(ref, s.options(ctx)...)
	if err != nil {
		return nil, s.failed("reading "+ref.String(), err)
	}
	return img, nil
}

// errNoTag says that a registry has no such tag.
var errNoTag = errors.New("no such tag")

func isNotFound(err error) bool {
	answer := (*remotetransport.Error)(nil)
	return errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound
}

func (s *shelf) failed(doing string, err error) error {
	answer := (*remotetransport.Error)(nil)
	if !errors.As(err, &answer) {
		return failed(sourcev1.OCIPullFailedReason, doing, err)
	}
	switch answer.StatusCode {
	case http.StatusUnauthorized, http.StatusForbidden:
		return failed(sourcev1.AuthenticationFailedReason, doing, statusError{answer.StatusCode})
	case http.StatusNotFound:
		return failed(sourcev1.OCIPullFailedReason, doing, fmt.Errorf("registry %s has no repository %s", s.repo.RegistryStr(), s.repo.RepositoryStr()))
	}
	return failed(sourcev1.OCIPullFailedReason, doing, err)
}
