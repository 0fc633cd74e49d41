package config

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// HTTP says how people sign in to the HTTP API. It listens where the management API server does,
// eight ports after it.
type HTTP struct {
	// Links says where one-time links can be followed: Local, on the plane's own machine, or
	// Anywhere. Default: Local.
	Links LinkPlace `json:"links,omitempty"`
	// External is the URL by which browsers reach the HTTP API beside its own address, for instance
	// through a proxy. OIDC's issuer sends them back to it. Default: none.
	External string `json:"external,omitempty"`
	// OIDC lets the users of an OpenID Connect issuer sign in.
	OIDC OIDC `json:"oidc,omitzero"`
}

// LinkPlace is Local or Anywhere.
type LinkPlace string

// Where one-time links can be followed.
const (
	LinksLocal    LinkPlace = "Local"
	LinksAnywhere LinkPlace = "Anywhere"
)

// OIDC is an OpenID Connect issuer. There is none if Issuer is empty.
type OIDC struct {
	// Issuer is its URL, as it stands in its tokens.
	Issuer string `json:"issuer,omitempty"`
	// ClientID is what the issuer knows this plane by.
	ClientID string `json:"clientID,omitempty"`
	// Audiences are further clients of the issuer whose ID tokens are believed, such as that of a
	// plugin of kubectl. Default: none.
	Audiences []string `json:"audiences,omitempty"`
	// ClientSecretFile is a file with the secret that belongs to it. Without file and Secret the
	// client is a public one.
	ClientSecretFile string `json:"clientSecretFile,omitempty"`
	// ClientSecretRef is a Secret on the management cluster with it, instead of a file.
	ClientSecretRef SecretKey `json:"clientSecretRef,omitzero"`
	// Scopes are asked for beside openid. Default: profile, email, groups.
	Scopes []string `json:"scopes,omitempty"`
	// UsernameClaim is the claim that holds the user's name; an email has to be verified. Default: email.
	UsernameClaim string `json:"usernameClaim,omitempty"`
	// UsernamePrefix comes before the name. Default: oidc:.
	UsernamePrefix string `json:"usernamePrefix,omitempty"`
	// GroupsClaim is the claim that holds the names of the user's groups. Default: groups.
	GroupsClaim string `json:"groupsClaim,omitempty"`
	// GroupsPrefix comes before each of these. Default: oidc:.
	GroupsPrefix string `json:"groupsPrefix,omitempty"`
	// RequiredClaims have to have these values, or the user is not let in. Default: none.
	RequiredClaims map[string]string `json:"requiredClaims,omitempty"`
	// CAFile is a file with the certificates by which the issuer is trusted. Default: those of this
	// machine.
	CAFile string `json:"caFile,omitempty"`
}

// SecretKey is a key of a Secret on the management cluster.
type SecretKey struct {
	// Namespace is that of the Secret. Default: kcm-system.
	Namespace string `json:"namespace,omitempty"`
	// Name is that of the Secret.
	Name string `json:"name,omitempty"`
	// Key holds the value. Default: clientSecret.
	Key string `json:"key,omitempty"`
}

// reservedNames begin those of Kubernetes and of the plane's programs, which no issuer may write.
func reservedNames() []string { return []string{"system:", "portico:"} }

func (h HTTP) validate() error {
	switch h.Links {
	case LinksLocal, LinksAnywhere:
	default:
		return fmt.Errorf("http.links: %q is none of Local, Anywhere", h.Links)
	}
	if h.External != "" {
		if err := httpsURL(h.External); err != nil {
			return fmt.Errorf("http.external: %q %w", h.External, err)
		}
		if u, _ := url.Parse(h.External); strings.Trim(u.Path, "/") != "" {
			return fmt.Errorf("http.external: %q has a path: the HTTP API takes a host of its own, such as https://portico.example.com", h.External)
		}
	}
	if h.OIDC.Issuer == "" {
		if h.OIDC.ClientID != "" {
			return errors.New("http.oidc.issuer: it is missing: the URL of the issuer that knows the client")
		}
		return nil
	}
	return h.OIDC.validate()
}

func (o OIDC) validate() error {
	if err := httpsURL(o.Issuer); err != nil {
		return fmt.Errorf("http.oidc.issuer: %q %w", o.Issuer, err)
	}
	if o.ClientID == "" {
		return fmt.Errorf("http.oidc.clientID: it is missing: what %s knows this plane by", o.Issuer)
	}
	if o.ClientSecretFile != "" && o.ClientSecretRef.Name != "" {
		return errors.New("http.oidc.clientSecretRef: there is a clientSecretFile too: name one of them")
	}
	if o.ClientSecretRef != (SecretKey{}) && o.ClientSecretRef.Name == "" {
		return errors.New("http.oidc.clientSecretRef.name: it is missing: the Secret that holds the client's secret")
	}
	for _, file := range []struct{ field, path string }{{"clientSecretFile", o.ClientSecretFile}, {"caFile", o.CAFile}} {
		if file.path != "" && !filepath.IsAbs(file.path) {
			return fmt.Errorf("http.oidc.%s: %q is not an absolute path", file.field, file.path)
		}
	}
	for _, prefix := range []struct{ field, text string }{{"usernamePrefix", o.UsernamePrefix}, {"groupsPrefix", o.GroupsPrefix}} {
		// Half of a reserved word would leave the other half to the issuer.
		if prefix.text != "" && slices.ContainsFunc(reservedNames(), func(r string) bool {
			return strings.HasPrefix(prefix.text, r) || strings.HasPrefix(r, prefix.text)
		}) {
			return fmt.Errorf("http.oidc.%s: %q could make names that begin with system: or portico:, which are those of Kubernetes and of the plane", prefix.field, prefix.text)
		}
	}
	for i, audience := range o.Audiences {
		if audience == "" || audience == o.ClientID || slices.Contains(o.Audiences[:i], audience) {
			return fmt.Errorf("http.oidc.audiences[%d]: %q is empty, or is named already", i, audience)
		}
	}
	for i, scope := range o.Scopes {
		if scope == "" || strings.ContainsAny(scope, " \"\\") {
			return fmt.Errorf("http.oidc.scopes[%d]: %q is no scope", i, scope)
		}
	}
	return nil
}

// httpsURL says what keeps a text from being the URL of a site.
func httpsURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Scheme != "https" || u.Hostname() == "":
		return errors.New("is no URL that begins with https:// and names a host")
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return errors.New("has a user, a query or a fragment, which it cannot have")
	}
	return nil
}
