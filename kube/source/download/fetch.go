package download

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"time"

	"portico.dev/portico/fleet"
)

const (
	// most bounds the content of a place, unpacked: it is held in memory.
	most = 8 << 20
	// fetching bounds an attempt.
	fetching = 30 * time.Second
	// mostRedirects bounds how often a server may send us on.
	mostRedirects = 5
)

// validators are by what a server is asked whether something has changed.
type validators struct {
	// ETag is the server's, or the digest that a registry's tag stands for.
	ETag         string `json:"etag,omitempty"`
	LastModified string `json:"lastModified,omitempty"`
}

// found is what an attempt has brought.
type found struct {
	validators
	// files is nil where the server says that nothing has changed.
	files    map[string]string
	revision string
}

// errMissing says that a server has nothing there.
var errMissing = errors.New("the server has nothing there: correct the URL, or put the manifests there")

// fetch asks a place for its content, unless it is what was there before.
func fetch(ctx context.Context, wish Wish, was validators) (found, error) {
	ctx, cancel := context.WithTimeout(ctx, fetching)
	defer cancel()
	through, end, err := way(wish.Place, wish.Credentials)
	if err != nil {
		return found{}, err
	}
	defer end()
	if fleet.IsArtifactURL(wish.URL) {
		return pull(ctx, through, wish, was)
	}
	return get(ctx, through, wish, was)
}

func get(ctx context.Context, through http.RoundTripper, wish Wish, was validators) (found, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, wish.URL, http.NoBody)
	if err != nil {
		return found{}, err
	}
	wish.Credentials.sign(req)
	if was.ETag != "" {
		req.Header.Set("If-None-Match", was.ETag)
	}
	if was.LastModified != "" {
		req.Header.Set("If-Modified-Since", was.LastModified)
	}
	resp, err := (&http.Client{Transport: through, CheckRedirect: redirected}).Do(req)
	if err != nil {
		return found{}, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotModified:
		if was == (validators{}) {
			return found{}, errors.New("the server says that nothing has changed, and was never asked before: mend the server")
		}
		return found{validators: was}, nil
	case http.StatusNotFound, http.StatusGone:
		return found{}, errMissing
	case http.StatusUnauthorized, http.StatusForbidden:
		return found{}, fmt.Errorf("the server answers %d %s: correct the credentials in the Secret that secretRef names", resp.StatusCode, http.StatusText(resp.StatusCode))
	default:
		return found{}, fmt.Errorf("the server answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	body, err := bounded(resp.Body, most)
	if err != nil {
		return found{}, err
	}
	if err := manifests(body); err != nil {
		return found{}, err
	}
	return found{
		validators: validators{ETag: resp.Header.Get("ETag"), LastModified: resp.Header.Get("Last-Modified")},
		files:      map[string]string{"content.yaml": string(body)},
	}, nil
}

// sign puts the credentials into a request.
func (c Credentials) sign(req *http.Request) {
	switch {
	case c.word("token") != "":
		req.Header.Set("Authorization", "Bearer "+c.word("token"))
	case c.word("username") != "":
		req.SetBasicAuth(c.word("username"), c.word("password"))
	}
}

// redirected says whether to go where a server sends us.
func redirected(req *http.Request, via []*http.Request) error {
	switch {
	case len(via) > mostRedirects:
		return fmt.Errorf("the server sends us on more than %d times: name the last URL", mostRedirects)
	case req.URL.Scheme != "https" && via[0].URL.Scheme == "https":
		return errors.New("the server sends us from https to http: name the other URL if that is meant")
	}
	return nil
}

// manifests says why a body cannot be manifests, as far as that is seen at once.
func manifests(body []byte) error {
	switch text := bytes.TrimSpace(body); {
	case len(text) == 0:
		return errors.New("the content is empty: put manifests there")
	case text[0] == '<':
		return errors.New("the content is a web page, no YAML or JSON: name the raw file")
	case bytes.IndexByte(text, 0) >= 0:
		return errors.New("the content is an archive or a program, no YAML or JSON: serve the manifests as one file, or as an artifact of a registry (oci://)")
	}
	return nil
}

func bounded(r io.Reader, atMost int64) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, atMost+1))
	if err != nil {
		return nil, err
	}
	if int64(len(body)) > atMost {
		return nil, fmt.Errorf("the content is more than %d MiB: split it", most>>20)
	}
	return body, nil
}

// words says what went wrong so that it stays the same from one attempt to the next.
func words(err error) string {
	var refused refusal
	var timeout net.Error
	var dns *net.DNSError
	var op *net.OpError
	var errno syscall.Errno
	switch {
	case errors.As(err, &refused):
		return refused.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("no answer within %s: look whether the server can be reached from the plane", fetching)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Sprintf("unknown host %q: correct the URL", dns.Name)
	case errors.As(err, &dns):
		return fmt.Sprintf("host %q cannot be looked up: the name service does not answer", dns.Name)
	case errors.As(err, &op) && op.Addr != nil && errors.As(op, &errno):
		return fmt.Sprintf("%s %s: %s: look whether the server runs, and can be reached from the plane", op.Op, op.Addr, errno)
	}
	if text := certificate(err); text != "" {
		return text
	}
	// What the HTTP client wraps around an error begins with the URL, which the reader has.
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		return wrapped.Err.Error()
	}
	return err.Error()
}

// certificate says what is wrong with a server's certificate; empty if that is not what is wrong.
func certificate(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &unknown):
		return "the server's certificate is signed by an unknown authority: put the authority's certificate into key caFile of the Secret that secretRef names"
	case errors.As(err, &host):
		return fmt.Sprintf("the server's certificate is not for %q: correct the URL, or the certificate", host.Host)
	case errors.As(err, &invalid):
		return "the server's certificate is not valid at this time: renew it"
	}
	return ""
}
