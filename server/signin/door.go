package signin

import (
	"context"
	"crypto/sha256"
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
	parts    Parts
	reviewed *memory
	// asking is held by who asks whose token it is.
	asking chan struct{}
}

// Bounds of what anybody can send: tokens that are asked about at a time, and how long one may be.
const (
	mostAsking = 32
	mostToken  = 64 << 10
)

// Parts are what a door is made of.
type Parts struct {
	Links, Sessions *Secrets
	Reviews         TokenReviews
	// OIDC is nil where none is configured.
	OIDC *OIDC
	// External is the URL by which browsers find us beside our own address, for instance through a
	// proxy; empty where there is none.
	External string
	// LinksAnywhere lets links be followed from other machines than ours.
	LinksAnywhere bool
	// Home is the path of our page, to which those go who have signed in; empty while there is none.
	Home  string
	Clock fleet.Clock
}

// New returns a door.
func New(p Parts) *Door {
	return &Door{parts: p, reviewed: newMemory(p.Clock, reviewLife), asking: make(chan struct{}, mostAsking)}
}

// Identify says whom a request comes from, and how that is known. The error wraps ErrUnknown, or
// ErrForged, or is about the management API server, which did not answer.
//
// Certificates count as far as the connection was made to verify them: the server asks for them
// with tls.VerifyClientCertIfGiven, against the authority of the management API server.
func (d *Door) Identify(r *http.Request) (Identity, How, error) {
	if given := r.Header.Get("Authorization"); given != "" {
		scheme, token, _ := strings.Cut(given, " ")
		if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > mostToken {
			return Identity{}, "", fmt.Errorf("%w: Authorization: expected Bearer and a token", ErrUnknown)
		}
		who, err := d.review(r.Context(), token)
		return who, ByToken, err
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
			return who, ByCertificate, d.own(r)
		}
		return who, ByCertificate, nil
	}
	cookie, err := r.Cookie(Cookie)
	if err != nil {
		return Identity{}, "", fmt.Errorf("%w: sign in with the link of portico link create, or send a token of the management API server: Authorization: Bearer TOKEN", ErrUnknown)
	}
	who, ok := d.parts.Sessions.Look(cookie.Value)
	if !ok {
		return Identity{}, "", fmt.Errorf("%w: the session has ended: sign in again", ErrUnknown)
	}
	return who, BySession, d.own(r)
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
	answer, err := d.parts.Reviews.Create(ctx, &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}, metav1.CreateOptions{})
	if err != nil {
		return Identity{}, fmt.Errorf("asking the management API server whose token this is: %w", err)
	}
	if !answer.Status.Authenticated || answer.Status.User.Username == "" {
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
	secret, expires, err := d.parts.Links.Issue(who)
	if err != nil {
		return "", time.Time{}, err
	}
	return LinkPath + "?" + url.Values{"token": {secret}}.Encode(), expires, nil
}
