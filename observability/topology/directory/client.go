package directory

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"portico.dev/portico/observability/topology"
)

// line is the way to a region: its connections, and as whom it is asked at present.
type line struct {
	transport *http.Transport
	reach     reach
	login     atomic.Pointer[tried]
}

// tried is a login with what is known of it. A vmauth takes two seconds to refuse a password, so that
// the one that was let in last is tried first.
type tried struct {
	Login
	// good says that the first password was let in.
	good bool
}

// newLine makes connections as a region wants them. It does not connect.
func newLine(r topology.Region, far reach) (*line, error) {
	c, err := r.HTTPConfig()
	if err != nil {
		return nil, err
	}
	t, err := trustOf(r)
	if err != nil {
		return nil, err
	}
	roots, err := rootsOf(t.Authorities)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSHandshakeTimeout: c.DialTimeout.Duration,
		TLSClientConfig:     &tls.Config{RootCAs: roots, ServerName: t.ServerName, InsecureSkipVerify: t.Anybody, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:   true, MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute,
	}
	far.connected(transport, c.DialTimeout.Duration)
	return &line{transport: transport, reach: far}, nil
}

// rootsOf are these authorities beside those that are known everywhere; nil for those alone.
func rootsOf(authorities []string) (*x509.CertPool, error) {
	if len(authorities) == 0 {
		return nil, nil
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the certificates that are known everywhere: %w", err)
	}
	for _, text := range authorities {
		roots.AppendCertsFromPEM([]byte(text))
	}
	return roots, nil
}

func isCertificate(text string) bool { return x509.NewCertPool().AppendCertsFromPEM([]byte(text)) }

// client asks by the line. Stores send nobody elsewhere, and credentials must not go there.
func (l *line) client() *http.Client {
	return &http.Client{Transport: l, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// use replaces the credentials. A password that was let in is tried on: the region may not have
// heard of the new one. It comes after those that the region was told of before, as at the end of a rotation
// of ours, and before those that are new, as when somebody writes a Secret.
func (l *line) use(next Login) {
	now := tried{Login: next}
	if before := l.login.Load(); before != nil && before.good && before.User == next.User {
		last := before.Passwords[:1]
		familiar := func(p string) bool { return slices.Contains(before.Passwords, p) }
		switch {
		case familiar(next.Passwords[0]) && !slices.Contains(next.Passwords, last[0]):
			now.Passwords = slices.Concat(next.Passwords, last)
		default:
			now.Passwords, now.good = slices.Concat(last, next.Passwords), true
		}
	}
	now.Passwords = unique(now.Passwords)
	l.login.Store(&now)
}

// letIn notes which password was.
func (l *line) letIn(login *tried, i int) {
	if i == 0 && login.good {
		return
	}
	now := tried{Login: login.Login, good: true}
	now.Passwords = unique(slices.Concat(login.Passwords[i:i+1], login.Passwords))
	l.login.CompareAndSwap(login, &now) // other news come first
}

// mostPasswords is how many passwords are tried: the one that counts, and two before it.
const mostPasswords = 3

func unique(passwords []string) []string {
	var out []string
	for _, p := range passwords {
		if !slices.Contains(out, p) && len(out) < mostPasswords {
			out = append(out, p)
		}
	}
	return out
}

// RoundTrip sends a request with the region's credentials.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	login := l.login.Load()
	for i, password := range login.Passwords {
		attempt, err := again(r, i)
		if err != nil {
			return nil, err
		}
		attempt.SetBasicAuth(login.User, password)
		resp, err := l.transport.RoundTrip(attempt)
		if err != nil {
			return nil, l.reach.toldError(err)
		}
		if resp.StatusCode != http.StatusUnauthorized {
			l.letIn(login, i)
			return l.reach.told(resp), nil
		}
		_, _ = io.CopyN(io.Discard, resp.Body, 4<<10) // a connection that was read to its end is used again
		_ = resp.Body.Close()
	}
	return nil, fmt.Errorf("it does not let in user %q: 401 Unauthorized; have its vmauth know the password in Secret %s, or set there the one that it knows", login.User, login.Secret)
}

// again is a request for another attempt.
func again(r *http.Request, attempt int) (*http.Request, error) {
	out := r.Clone(r.Context())
	if attempt == 0 || r.GetBody == nil {
		return out, nil
	}
	body, err := r.GetBody()
	out.Body = body
	return out, err
}

// digest is what a region's connections depend on: not its credentials.
func digest(r topology.Region) ([sha256.Size]byte, error) {
	text, err := json.Marshal(struct {
		Endpoints       topology.Endpoints
		HTTP, Authority string
	}{r.Endpoints, r.HTTP, r.Authority})
	return sha256.Sum256(text), err
}
