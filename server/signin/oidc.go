package signin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
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

const (
	// flightLife is how long somebody may take to sign in at an issuer.
	flightLife = 10 * time.Minute
	// skew is how far an issuer's clock may be behind ours.
	skew = time.Minute
	// known is how long what an issuer says of itself counts, retry how soon one is asked again
	// that did not answer.
	known = time.Hour
	retry = 5 * time.Second
	// mostGroups and mostName bound what an issuer may say of a user.
	mostGroups = 1000
	mostName   = 256
)

// OIDCConfig says how people sign in with an OpenID Connect issuer.
type OIDCConfig struct {
	// Issuer is its URL, ClientID is what it knows us by.
	Issuer, ClientID string
	// Audiences are further clients whose ID tokens the management API server is to believe.
	Audiences []string
	// Secret reads what proves that it is us; nil is for a public client, which has none.
	Secret func(context.Context) (string, error)
	// External is the URL of our page as browsers see it.
	External string
	// Scopes are asked for beside openid; none means profile, email and groups.
	Scopes []string
	// UserClaim and GroupsClaim hold the names; empty means "email" and "groups". An email
	// counts only if the issuer has verified it.
	UserClaim, GroupsClaim string
	// UserPrefix and GroupsPrefix come before each name; empty means "oidc:".
	UserPrefix, GroupsPrefix string
	// Required are claims that have to have a value, or nobody is let in.
	Required map[string]string

	// HTTP makes the client that asks the issuer; nil means one that trusts what this machine does.
	HTTP   func() (*http.Client, error)
	Random io.Reader
	Clock  fleet.Clock
}

// OIDC signs people in with an issuer: by the code flow, with PKCE. It is safe for concurrent use.
type OIDC struct {
	cfg OIDCConfig
	// spent are the sign-ins that came back.
	spent *memory

	mu      sync.Mutex
	issuer  *issuer
	problem error
	// next is when the issuer is asked again what it is.
	next time.Time
}

// issuer is one that has said what it is.
type issuer struct {
	*oidc.Provider
	http *http.Client
	// ways are those in which it takes a secret; empty means in the header.
	ways []string
}

// reserved begin the names of Kubernetes itself and of the plane's programs.
func reserved() []string { return []string{"system:", "portico:"} }

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
	orElse(&c.UserPrefix, "oidc:")
	orElse(&c.GroupsPrefix, "oidc:")
	if c.Scopes == nil {
		c.Scopes = []string{"profile", "email", "groups"}
	}
	if c.HTTP == nil {
		c.HTTP = func() (*http.Client, error) { return &http.Client{Timeout: 10 * time.Second}, nil }
	}
	switch {
	case !strings.HasPrefix(c.Issuer, "https://"):
		return nil, fmt.Errorf("%w: issuer %q of OpenID Connect: expected a URL that begins with https://", fleet.ErrInvalid, c.Issuer)
	case c.ClientID == "":
		return nil, fmt.Errorf("%w: OpenID Connect needs the client id by which %s knows us", fleet.ErrInvalid, c.Issuer)
	case !strings.HasPrefix(c.External, "https://"):
		return nil, fmt.Errorf("%w: URL %q of the page: expected one that begins with https://, as browsers see it", fleet.ErrInvalid, c.External)
	}
	for _, prefix := range []string{c.UserPrefix, c.GroupsPrefix} {
		// Half of a reserved word would leave it to the issuer to write the other half.
		if slices.ContainsFunc(reserved(), func(r string) bool { return strings.HasPrefix(prefix, r) || strings.HasPrefix(r, prefix) }) {
			return nil, fmt.Errorf("%w: prefix %q of OpenID Connect: names that begin with system: or portico: are those of Kubernetes and of the plane", fleet.ErrInvalid, prefix)
		}
	}
	c.External = strings.TrimRight(c.External, "/")
	return &OIDC{cfg: c, spent: newMemory(c.Clock, flightLife)}, nil
}

// flight is a sign-in that is under way.
type flight struct {
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Expires  time.Time `json:"e"`
}

// reach returns the issuer, which is asked who it is now and then. One that does not answer is not
// asked by each who would like to sign in, and one that did before is the one that it was.
func (o *OIDC) reach(ctx context.Context) (*issuer, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.cfg.Clock(); !now.Before(o.next) {
		found, err := o.discover(ctx)
		switch {
		case err == nil:
			o.issuer, o.problem, o.next = found, nil, now.Add(known)
		default:
			o.problem, o.next = err, now.Add(retry)
		}
	}
	if o.issuer != nil {
		return o.issuer, nil
	}
	return nil, o.problem
}

func (o *OIDC) discover(ctx context.Context) (*issuer, error) {
	client, err := o.cfg.HTTP()
	if err != nil {
		return nil, err
	}
	// The provider keeps the context for later requests for keys; and who hangs up must not have
	// all others hear that the issuer does not answer. The client bounds the time.
	living := oidc.ClientContext(context.WithoutCancel(ctx), client)
	p, err := oidc.NewProvider(living, o.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("the OpenID Connect issuer %s does not answer: %w", o.cfg.Issuer, err)
	}
	var says struct {
		Ways []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := p.Claims(&says); err != nil {
		return nil, fmt.Errorf("the OpenID Connect issuer %s describes itself in a way that is not understood: %w", o.cfg.Issuer, err)
	}
	return &issuer{p, client, says.Ways}, nil
}

// client is how we are known at the issuer.
func (o *OIDC) client(at *issuer, secret string) oauth2.Config {
	c := oauth2.Config{
		ClientID: o.cfg.ClientID, ClientSecret: secret, Endpoint: at.Endpoint(),
		RedirectURL: o.cfg.External + CallbackPath, Scopes: append([]string{oidc.ScopeOpenID}, o.cfg.Scopes...),
	}
	// To try both ways would give the issuer the code twice, which some take for a theft.
	c.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if o.cfg.Secret == nil || len(at.ways) > 0 && !slices.Contains(at.ways, "client_secret_basic") {
		c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return c
}

// movedMark says that a browser was sent to our external name already.
const movedMark = "moved"

func (o *OIDC) start(w http.ResponseWriter, r *http.Request) error {
	// The issuer sends the browser back to the external name: its cookie has to be of that.
	if hostname(r.Host) != HostOf(o.cfg.External) && !r.URL.Query().Has(movedMark) {
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, o.cfg.External+OIDCPath+"?"+movedMark, http.StatusSeeOther)
		return nil
	}
	at, err := o.reach(r.Context())
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
	client := o.client(at, "")
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
	at, err := o.reach(r.Context())
	if err != nil {
		return Identity{}, err
	}
	raw, err := o.exchange(r.Context(), at, r.URL.Query().Get("code"), f.Verifier)
	if err != nil {
		return Identity{}, err
	}
	token, err := o.verify(oidc.ClientContext(r.Context(), at.http), at, raw)
	if err != nil {
		return Identity{}, err
	}
	if subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(f.Nonce)) != 1 {
		return Identity{}, fmt.Errorf("%w: the ID token is of another sign-in", fleet.ErrInvalid)
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return Identity{}, fmt.Errorf("%w: the claims of the ID token: %w", fleet.ErrInvalid, err)
	}
	if by, said := claims["azp"].(string); said && by != o.cfg.ClientID || !said && len(token.Audience) > 1 {
		return Identity{}, fmt.Errorf("%w: the ID token was issued to another program, %q", fleet.ErrInvalid, by)
	}
	return o.identity(claims)
}

// exchange gives the issuer the code for an ID token.
func (o *OIDC) exchange(ctx context.Context, at *issuer, code, verifier string) (string, error) {
	secret := ""
	if o.cfg.Secret != nil {
		var err error
		if secret, err = o.cfg.Secret(ctx); err != nil {
			return "", fmt.Errorf("reading the client secret for %s: %w", o.cfg.Issuer, err)
		}
	}
	client := o.client(at, secret)
	tokens, err := client.Exchange(oidc.ClientContext(ctx, at.http), code, oauth2.VerifierOption(verifier))
	var refused *oauth2.RetrieveError
	switch {
	case errors.As(err, &refused) && refused.ErrorCode != "":
		return "", fmt.Errorf("%w: %s refuses the code: %s %s", fleet.ErrInvalid, o.cfg.Issuer, refused.ErrorCode, refused.ErrorDescription)
	case errors.As(err, &refused):
		return "", fmt.Errorf("exchanging the code at %s: it answers %s", o.cfg.Issuer, refused.Response.Status)
	case err != nil:
		return "", fmt.Errorf("exchanging the code at %s: %w", o.cfg.Issuer, err)
	}
	raw, is := tokens.Extra("id_token").(string)
	if !is {
		return "", fmt.Errorf("%w: %s sent no ID token", fleet.ErrInvalid, o.cfg.Issuer)
	}
	return raw, nil
}

func (o *OIDC) verify(ctx context.Context, at *issuer, raw string) (*oidc.IDToken, error) {
	now := o.cfg.Clock()
	verifier := at.VerifierContext(ctx, &oidc.Config{ClientID: o.cfg.ClientID, Now: func() time.Time { return now.Add(-skew) }})
	token, err := verifier.Verify(ctx, raw)
	var old *oidc.TokenExpiredError
	if errors.As(err, &old) {
		return nil, fmt.Errorf("%w: the ID token of %s expired at %s, and the plane's clock says %s: compare the clocks", fleet.ErrInvalid, o.cfg.Issuer,
			old.Expiry.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	if err != nil {
		return nil, fmt.Errorf("%w: the ID token of %s: %w", fleet.ErrInvalid, o.cfg.Issuer, err)
	}
	return token, nil
}

// landed is the sign-in with which a browser comes back, for the first time.
func (o *OIDC) landed(r *http.Request) (flight, error) {
	var f flight
	again := fmt.Errorf("%w: this browser has no sign-in under way: begin again at %s%s", fleet.ErrInvalid, o.cfg.External, OIDCPath)
	cookie, err := r.Cookie(flightCookie)
	if err != nil {
		return f, again
	}
	text, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || json.Unmarshal(text, &f) != nil || f.State == "" || f.Nonce == "" || !o.cfg.Clock().Before(f.Expires) {
		return f, again
	}
	query := r.URL.Query()
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(f.State)) != 1 {
		return f, again
	}
	// An issuer takes a code once; that a sign-in ends once does not depend on it.
	if o.spent.put(sha256.Sum256([]byte(f.State)), Identity{}) {
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
	if name == "" || len(name) > mostName {
		return Identity{}, fmt.Errorf("%w: the ID token has no claim %q of at most %d letters, which is to hold the user's name", fleet.ErrInvalid, o.cfg.UserClaim, mostName)
	}
	// An issuer that says nothing about it lets people write what they like.
	if verified, _ := claims["email_verified"].(bool); o.cfg.UserClaim == "email" && !verified {
		return Identity{}, fmt.Errorf("%w: the issuer has not verified the email address %s", fleet.ErrInvalid, name)
	}
	for _, claim := range sortedKeys(o.cfg.Required) {
		if value, _ := claims[claim].(string); value != o.cfg.Required[claim] {
			return Identity{}, fmt.Errorf("%w: the claim %q of the ID token is not %q, which http.oidc.requiredClaims asks for", fleet.ErrInvalid, claim, o.cfg.Required[claim])
		}
	}
	groups, err := o.groups(claims[o.cfg.GroupsClaim])
	if err != nil {
		return Identity{}, err
	}
	return Identity{Name: o.cfg.UserPrefix + name, Groups: append([]string{Authenticated}, groups...)}, nil
}

func (o *OIDC) groups(claim any) ([]string, error) {
	wrong := fmt.Errorf("%w: claim %q of the ID token: expected a list of at most %d names of at most %d letters", fleet.ErrInvalid, o.cfg.GroupsClaim, mostGroups, mostName)
	var given []any
	switch claim := claim.(type) {
	case nil:
	case string:
		given = []any{claim}
	case []any:
		given = claim
	default:
		return nil, wrong
	}
	if len(given) > mostGroups {
		return nil, wrong
	}
	var out []string
	for _, g := range given {
		text, is := g.(string)
		if !is || len(text) > mostName {
			return nil, wrong
		}
		out = append(out, o.cfg.GroupsPrefix+text)
	}
	return out, nil
}
