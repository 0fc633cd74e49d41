package signin

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/fleet"
)

// Cookie is the name of a session's cookie. Browsers accept the prefix only from TLS, for the whole
// host and for no other.
const Cookie = "__Host-portico"

// Header is what requests of our page carry that change something: another page cannot set it.
const Header = "X-Portico"

// Lives of what people are given.
const (
	LinkLife    = 10 * time.Minute
	SessionLife = 12 * time.Hour
)

// reviewLife is how long the answer to a TokenReview counts, in which a token that was revoked
// still works.
const reviewLife = 10 * time.Second

// TokenReviews asks the management API server whose token it is.
type TokenReviews interface {
	Create(ctx context.Context, review *authenticationv1.TokenReview, opts metav1.CreateOptions) (*authenticationv1.TokenReview, error)
}

// Door lets people in. It is safe for concurrent use.
type Door struct {
	links, sessions *Secrets
	reviews         TokenReviews
	reviewed        *memory
	oidc            *OIDC
	clock           fleet.Clock
	// asking is held by who asks whose token it is.
	asking chan struct{}
}

// mostAsking is how many tokens are asked about at a time: anybody can send some.
const mostAsking = 32

// Parts are what a door is made of.
type Parts struct {
	Links, Sessions *Secrets
	Reviews         TokenReviews
	// OIDC is nil where none is configured.
	OIDC  *OIDC
	Clock fleet.Clock
}

// New returns a door.
func New(p Parts) *Door {
	return &Door{links: p.Links, sessions: p.Sessions, reviews: p.Reviews, oidc: p.OIDC, clock: p.Clock, reviewed: newMemory(p.Clock, reviewLife), asking: make(chan struct{}, mostAsking)}
}

// Identify says whom a request comes from, and how that is known. The error wraps ErrUnknown, or
// ErrForged, or is about the management API server, which did not answer.
//
// Certificates count as far as the connection was made to verify them: the server asks for them
// with tls.VerifyClientCertIfGiven, against the authority of the management API server.
func (d *Door) Identify(r *http.Request) (Identity, How, error) {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		who, err := d.review(r.Context(), token)
		return who, ByToken, err
	}
	if r.Header.Get("Authorization") != "" {
		return Identity{}, "", fmt.Errorf("%w: Authorization: expected Bearer and a token", ErrUnknown)
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		subject := r.TLS.VerifiedChains[0][0].Subject
		if subject.CommonName == "" {
			return Identity{}, "", fmt.Errorf("%w: the client certificate has no common name", ErrUnknown)
		}
		who := Identity{Name: subject.CommonName, Groups: append(slices.Clone(subject.Organization), Authenticated)}
		// A browser sends its certificate with the requests of all pages, as it does with cookies.
		// Other clients have no pages.
		if r.Header.Get("Origin")+r.Header.Get("Sec-Fetch-Site") != "" {
			return who, ByCertificate, own(r)
		}
		return who, ByCertificate, nil
	}
	cookie, err := r.Cookie(Cookie)
	if err != nil {
		return Identity{}, "", fmt.Errorf("%w: sign in with the link that portico up prints, or send a token of the management API server: Authorization: Bearer TOKEN", ErrUnknown)
	}
	who, ok := d.sessions.Look(cookie.Value)
	if !ok {
		return Identity{}, "", fmt.Errorf("%w: the session has ended: sign in again", ErrUnknown)
	}
	return who, BySession, own(r)
}

// own refuses a request that changes something, and that another page could have sent with the
// cookie of our user.
func own(r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodOptions {
		return nil
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return fmt.Errorf("%w: it comes from another site", ErrForged)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		u, err := url.Parse(origin)
		if err != nil || u.Scheme != "https" || u.Host != r.Host {
			return fmt.Errorf("%w: its origin is %q, expected https://%s", ErrForged, origin, r.Host)
		}
		return nil
	}
	if r.Header.Get(Header) == "" {
		return fmt.Errorf("%w: send the header %s: 1", ErrForged, Header)
	}
	return nil
}

// review asks the management API server whose token it is.
func (d *Door) review(ctx context.Context, token string) (Identity, error) {
	hash := sha256.Sum256([]byte(token))
	if who, ok := d.reviewed.get(hash); ok {
		return who, nil
	}
	select {
	case d.asking <- struct{}{}:
		defer func() { <-d.asking }()
	case <-ctx.Done():
		return Identity{}, fmt.Errorf("waiting to ask the management API server whose token this is: %w", context.Cause(ctx))
	}
	answer, err := d.reviews.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return Identity{}, fmt.Errorf("asking the management API server whose token this is: %w", err)
	}
	if !answer.Status.Authenticated {
		return Identity{}, fmt.Errorf("%w: the management API server does not know the token", ErrUnknown)
	}
	u := answer.Status.User
	who := Identity{Name: u.Username, UID: u.UID, Groups: u.Groups, Extra: map[string][]string{}}
	for k, v := range u.Extra {
		who.Extra[k] = v
	}
	d.reviewed.put(hash, who)
	return who, nil
}

// Link returns the path of a link that signs somebody in, once, and when it ends.
func (d *Door) Link(who Identity) (path string, expires time.Time, err error) {
	secret, expires, err := d.links.Issue(who)
	if err != nil {
		return "", time.Time{}, err
	}
	return LinkPath + "?" + url.Values{"token": {secret}}.Encode(), expires, nil
}

// Paths of the door.
const (
	LinkPath     = "/signin/link"
	OIDCPath     = "/signin/oidc"
	CallbackPath = "/signin/oidc/callback"
	OutPath      = "/signout"
)

// Follow answers a one-time link: with a session, and with our page.
func (d *Door) Follow(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		// Programs that show a preview of a link ask like this, and must not use it up.
		say(w, http.StatusMethodNotAllowed, "Open the link in a browser.")
		return
	}
	who, ok := d.links.Take(r.URL.Query().Get("token"))
	if !ok {
		say(w, http.StatusUnauthorized, "This link was used already, or is too old. Make a new one: portico up")
		return
	}
	d.enter(w, who)
}

// Start sends a browser to the OpenID Connect issuer.
func (d *Door) Start(w http.ResponseWriter, r *http.Request) {
	if d.oidc == nil {
		say(w, http.StatusNotFound, "No OpenID Connect issuer is configured. Sign in with the link that portico up prints.")
		return
	}
	if err := d.oidc.start(w, r); err != nil {
		say(w, http.StatusBadGateway, "The OpenID Connect issuer does not answer: "+err.Error())
	}
}

// Callback answers a browser that comes back from the issuer.
func (d *Door) Callback(w http.ResponseWriter, r *http.Request) {
	if d.oidc == nil {
		d.Start(w, r)
		return
	}
	who, err := d.oidc.finish(w, r)
	switch {
	case errors.Is(err, fleet.ErrInvalid):
		say(w, http.StatusUnauthorized, "The sign-in did not succeed: "+err.Error())
	case err != nil:
		say(w, http.StatusBadGateway, "The sign-in did not succeed: "+err.Error())
	default:
		d.enter(w, who)
	}
}

// enter begins a session. It answers with a page and not with a redirect: a browser that comes from
// another site would follow that without the cookie, which is for our own site alone.
func (d *Door) enter(w http.ResponseWriter, who Identity) {
	secret, expires, err := d.sessions.Issue(who)
	if err != nil {
		say(w, http.StatusInternalServerError, err.Error())
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: Cookie, Value: secret, Path: "/", Expires: expires, MaxAge: int(expires.Sub(d.clock()).Seconds()),
		HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode,
	})
	w.Header().Set("Refresh", "0; url=/")
	say(w, http.StatusOK, "Signed in as "+who.Name+".")
}

// Leave ends the session of a request.
func (d *Door) Leave(w http.ResponseWriter, r *http.Request) {
	if err := own(r); err != nil {
		say(w, http.StatusForbidden, err.Error())
		return
	}
	if cookie, err := r.Cookie(Cookie); err == nil {
		d.sessions.Take(cookie.Value)
	}
	http.SetCookie(w, &http.Cookie{Name: Cookie, Path: "/", MaxAge: -1, HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode})
	w.WriteHeader(http.StatusNoContent)
}

// say answers a browser in a sentence. Nothing of it is kept or told to others: the address may hold
// a secret.
func say(w http.ResponseWriter, code int, sentence string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	fmt.Fprintln(w, sentence)
}
