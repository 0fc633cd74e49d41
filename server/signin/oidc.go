package signin

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"portico.dev/portico/fleet"
)

// flightCookie holds what a browser needs when it comes back from an issuer. It has to come with a
// request that another site caused, hence it is Lax.
const flightCookie = "__Host-portico-oidc"

// flightLife is how long somebody may take to sign in at an issuer.
const flightLife = 10 * time.Minute

// OIDCConfig says how people sign in with an OpenID Connect issuer.
type OIDCConfig struct {
	// Issuer is its URL, ClientID and ClientSecret are what it knows us by; a public client has
	// no secret.
	Issuer, ClientID, ClientSecret string
	// External is the URL of our page as browsers see it.
	External string
	// Scopes are asked for beside openid; none means profile, email and groups.
	Scopes []string
	// UserClaim and GroupsClaim hold the names; empty means "email" and "groups". An email
	// counts only if the issuer has verified it.
	UserClaim, GroupsClaim string
	// Prefix comes before each name of a user and a group; empty means "oidc:".
	Prefix string

	HTTP   *http.Client
	Random io.Reader
	Clock  fleet.Clock
}

// OIDC signs people in with an issuer: by the code flow, with PKCE. It is safe for concurrent use.
type OIDC struct {
	cfg OIDCConfig

	mu       sync.Mutex
	provider *oidc.Provider
}

// NewOIDC returns the sign-in of an issuer, which is asked when somebody signs in, and not before.
// The error is of kind fleet.ErrInvalid.
func NewOIDC(c OIDCConfig) (*OIDC, error) {
	orElse := func(s *string, other string) {
		if *s == "" {
			*s = other
		}
	}
	orElse(&c.UserClaim, "email")
	orElse(&c.GroupsClaim, "groups")
	orElse(&c.Prefix, "oidc:")
	if c.Scopes == nil {
		c.Scopes = []string{"profile", "email", "groups"}
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{Timeout: 10 * time.Second}
	}
	switch {
	case !strings.HasPrefix(c.Issuer, "https://"):
		return nil, fmt.Errorf("%w: issuer %q of OpenID Connect: expected a URL that begins with https://", fleet.ErrInvalid, c.Issuer)
	case c.ClientID == "":
		return nil, fmt.Errorf("%w: OpenID Connect needs the client id by which %s knows us", fleet.ErrInvalid, c.Issuer)
	case !strings.HasPrefix(c.External, "https://"):
		return nil, fmt.Errorf("%w: URL %q of the page: expected one that begins with https://, as browsers see it", fleet.ErrInvalid, c.External)
	case strings.HasPrefix(c.Prefix, "system:"):
		return nil, fmt.Errorf("%w: prefix %q of OpenID Connect: names that begin with system: are Kubernetes' own", fleet.ErrInvalid, c.Prefix)
	}
	c.External = strings.TrimRight(c.External, "/")
	return &OIDC{cfg: c}, nil
}

// flight is a sign-in that is under way.
type flight struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Expires  time.Time `json:"e"`
}

// reach returns the issuer, which is asked once who it is.
func (o *OIDC) reach(ctx context.Context) (*oidc.Provider, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.provider != nil {
		return o.provider, nil
	}
	// The provider keeps the context for later requests for keys.
	living := oidc.ClientContext(context.WithoutCancel(ctx), o.cfg.HTTP)
	p, err := oidc.NewProvider(living, o.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration of %s: %w", o.cfg.Issuer, err)
	}
	o.provider = p
	return p, nil
}

func (o *OIDC) client(p *oidc.Provider) oauth2.Config {
	return oauth2.Config{
		ClientID: o.cfg.ClientID, ClientSecret: o.cfg.ClientSecret, Endpoint: p.Endpoint(),
		RedirectURL: o.cfg.External + CallbackPath, Scopes: append([]string{oidc.ScopeOpenID}, o.cfg.Scopes...),
	}
}

func (o *OIDC) start(w http.ResponseWriter, r *http.Request) error {
	p, err := o.reach(r.Context())
	if err != nil {
		return err
	}
	f := flight{Expires: o.cfg.Clock().Add(flightLife)}
	for _, part := range []*string{&f.State, &f.Nonce, &f.Verifier} {
		if *part, err = newSecret(o.cfg.Random); err != nil {
			return err
		}
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	o.cookie(w, base64.RawURLEncoding.EncodeToString(text), int(flightLife.Seconds()))
	client := o.client(p)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, client.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), http.StatusSeeOther)
	return nil
}

func (o *OIDC) cookie(w http.ResponseWriter, value string, age int) {
	http.SetCookie(w, &http.Cookie{Name: flightCookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode})
}

// finish says who signed in. An error of kind fleet.ErrInvalid is about the request or about what
// the issuer says of the user.
func (o *OIDC) finish(w http.ResponseWriter, r *http.Request) (Identity, error) {
	f, err := o.landed(r)
	o.cookie(w, "", -1)
	if err != nil {
		return Identity{}, err
	}
	p, err := o.reach(r.Context())
	if err != nil {
		return Identity{}, err
	}
	ctx, client := oidc.ClientContext(r.Context(), o.cfg.HTTP), o.client(p)
	tokens, err := client.Exchange(ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return Identity{}, fmt.Errorf("exchanging the code at %s: %w", o.cfg.Issuer, err)
	}
	raw, is := tokens.Extra("id_token").(string)
	if !is {
		return Identity{}, fmt.Errorf("%w: %s sent no ID token", fleet.ErrInvalid, o.cfg.Issuer)
	}
	token, err := p.VerifierContext(ctx, &oidc.Config{ClientID: o.cfg.ClientID, Now: o.cfg.Clock}).Verify(ctx, raw)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: the ID token of %s: %w", fleet.ErrInvalid, o.cfg.Issuer, err)
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(f.Nonce)) != 1 {
		return Identity{}, fmt.Errorf("%w: the ID token is of another sign-in", fleet.ErrInvalid)
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return Identity{}, fmt.Errorf("%w: the claims of the ID token: %w", fleet.ErrInvalid, err)
	}
	return o.identity(claims)
}

// landed is the sign-in with which a browser comes back.
func (o *OIDC) landed(r *http.Request) (flight, error) {
	var f flight
	again := fmt.Errorf("%w: this browser has no sign-in under way: begin again at %s%s", fleet.ErrInvalid, o.cfg.External, OIDCPath)
	cookie, err := r.Cookie(flightCookie)
	if err != nil {
		return f, again
	}
	text, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || json.Unmarshal(text, &f) != nil || f.State == "" || !o.cfg.Clock().Before(f.Expires) {
		return f, again
	}
	query := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(f.State)) != 1 {
		return f, again
	}
	if problem := query.Get("error"); problem != "" {
		return f, fmt.Errorf("%w: %s says %s: %s", fleet.ErrInvalid, o.cfg.Issuer, problem, query.Get("error_description"))
	}
	return f, nil
}

// identity is the user of an ID token, under the names that RBAC is to know.
func (o *OIDC) identity(claims map[string]any) (Identity, error) {
	name, _ := claims[o.cfg.UserClaim].(string)
	if name == "" {
		return Identity{}, fmt.Errorf("%w: the ID token has no claim %q, which is to hold the user's name", fleet.ErrInvalid, o.cfg.UserClaim)
	}
	// An issuer that says nothing about it lets people write what they like.
	if verified, _ := claims["email_verified"].(bool); o.cfg.UserClaim == "email" && !verified {
		return Identity{}, fmt.Errorf("%w: the issuer has not verified the email address %s", fleet.ErrInvalid, name)
	}
	who := Identity{Name: o.cfg.Prefix + name, Groups: []string{Authenticated}}
	switch groups := claims[o.cfg.GroupsClaim].(type) {
	case nil:
	case string:
		who.Groups = append(who.Groups, o.cfg.Prefix+groups)
	case []any:
		for _, g := range groups {
			text, is := g.(string)
			if !is {
				return Identity{}, fmt.Errorf("%w: claim %q of the ID token: expected a list of names", fleet.ErrInvalid, o.cfg.GroupsClaim)
			}
			who.Groups = append(who.Groups, o.cfg.Prefix+text)
		}
	default:
		return Identity{}, fmt.Errorf("%w: claim %q of the ID token: expected a list of names", fleet.ErrInvalid, o.cfg.GroupsClaim)
	}
	return who, nil
}
