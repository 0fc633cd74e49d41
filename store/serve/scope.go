package serve

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"portico.dev/portico/store/tables"
	"portico.dev/portico/store/wire"
)

// Platform is the tenant of what names none, as in k0rdent.
const Platform = "PLATFORM"

// everybody is what a search says to ask for all tenants.
const everybody = "*"

// The arguments by which VMAuth says whose a request is.
const (
	fieldsArgument  = "extra_fields"
	filtersArgument = "extra_filters"
)

var (
	errScope     = errors.New("invalid scope")
	errForbidden = errors.New("not allowed")

	// tenantText is the value of a Kubernetes label.
	tenantText = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)
	// filterText is one condition that a tenant is equal to something, as LogsQL or a selector writes it.
	filterText = regexp.MustCompile(`^\s*\{?\s*"?(?:resource_attr:)?tenant"?\s*(?::=|=)\s*"?([^"{}\s]+?)"?\s*\}?\s*$`)
	// filterJSON is the same as an object of JSON.
	filterJSON = regexp.MustCompile(`^\s*\{\s*"(?:resource_attr:)?tenant"\s*:\s*"([^"\\]+)"\s*\}\s*$`)
)

// claims are what a request says about whose data it is, each of which has to hold.
type claims []string

// writeTenant is whose a write is: what all claims say, Platform where there are none.
func writeTenant(r *http.Request, user User) (string, error) {
	c, err := claimsOf(r, user)
	if err != nil {
		return "", err
	}
	in, err := c.scope()
	switch {
	case err != nil:
		return "", err
	case in.Everybody && len(c) > 0:
		return "", fmt.Errorf("%w: a write has one tenant, not %s", errScope, everybody)
	case in.Everybody:
		return Platform, nil
	}
	return in.Tenant, nil
}

// readScope is whose data a search sees: what all claims say, everybody's where there are none.
func readScope(r *http.Request, user User) (tables.Scope, error) {
	c, err := claimsOf(r, user)
	if err != nil {
		return tables.Scope{}, err
	}
	return c.scope()
}

// scope is what satisfies all claims. Claims that differ are refused: nobody has such data, and who
// asks has tried to get around one of them.
func (c claims) scope() (tables.Scope, error) {
	tenant := ""
	for _, claim := range c {
		switch {
		case claim == everybody || claim == tenant:
		case tenant != "":
			return tables.Scope{}, fmt.Errorf("%w: the request names the tenants %q and %q", errForbidden, tenant, claim)
		default:
			tenant = claim
		}
	}
	if tenant == "" {
		return tables.Scope{Everybody: true}, nil
	}
	return tables.Scope{Tenant: tenant}, nil
}

func claimsOf(r *http.Request, user User) (claims, error) {
	var c claims
	if user.Tenant != "" {
		c = append(c, user.Tenant)
	}
	for _, value := range r.Header.Values(wire.TenantHeader) {
		c = append(c, value)
	}
	// A query that does not parse as a whole could hide an argument: it is refused.
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: reading the query: %w", errScope, err)
	}
	for _, args := range []url.Values{query, r.PostForm} {
		more, err := argumentClaims(args)
		if err != nil {
			return nil, err
		}
		c = append(c, more...)
	}
	for _, tenant := range c {
		if tenant != everybody && !tenantText.MatchString(tenant) {
			return nil, fmt.Errorf("%w: tenant %q: expected at most 63 letters, digits, '-', '_' and '.', which begin and end with a letter or a digit", errScope, tenant)
		}
	}
	return c, nil
}

func argumentClaims(args url.Values) (claims, error) {
	var c claims
	for _, value := range args[fieldsArgument] {
		for field := range strings.SplitSeq(value, ",") {
			name, tenant, ok := strings.Cut(field, "=")
			if name != "tenant" && name != "resource_attr:tenant" || !ok {
				return nil, fmt.Errorf("%w: %s=%q: expected tenant=<id>", errScope, fieldsArgument, value)
			}
			c = append(c, tenant)
		}
	}
	for _, value := range args[filtersArgument] {
		found := filterJSON.FindStringSubmatch(value)
		if found == nil {
			found = filterText.FindStringSubmatch(value)
		}
		if found == nil {
			return nil, fmt.Errorf("%w: %s=%q: expected \"tenant\":=\"<id>\"", errScope, filtersArgument, value)
		}
		c = append(c, found[1])
	}
	for name := range args {
		if strings.HasPrefix(name, "extra_") && name != fieldsArgument && name != filtersArgument {
			return nil, fmt.Errorf("%w: the argument %s is not understood", errScope, name)
		}
	}
	return c, nil
}
