package topology

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// Access is somebody who may pass a vmauth.
type Access struct {
	// User is the name.
	User string
	// Passwords are those that are good: one, or two while credentials are replaced.
	Passwords []string
	// Tenant is whose data the user reads and writes. Empty means everybody's, for the plane itself.
	Tenant store.Tenant
	// WriteOnly users read nothing. There is one, the plane's own collector: what its metrics say of
	// whose they are is believed.
	WriteOnly bool
}

// atOnce is how many requests of a tenant's user a vmauth passes on at a time. The collectors of a
// cluster share one user: those of a node and of the cluster send some ten requests, each of which takes
// milliseconds. What is more waits in vmauth for ten seconds, and is sent again by the collector then. It is
// less than a store takes at a time, so that no tenant has it for itself.
const atOnce = 6

type authConfig struct {
	Users []authUser `json:"users"`
}

type authUser struct {
	Name     string    `json:"name"`
	Username string    `json:"username"`
	Password string    `json:"password"`
	AtOnce   int       `json:"max_concurrent_requests,omitempty"`
	URLMap   []authMap `json:"url_map"`
}

type authMap struct {
	SrcPaths  []string `json:"src_paths"`
	URLPrefix string   `json:"url_prefix"`
	Drop      int      `json:"drop_src_path_prefix_parts,omitempty"`
	Headers   []string `json:"headers,omitempty"`
}

// Vmauth is the configuration of a vmauth before these backends, in YAML. Who may pass comes in
// any order; the same set gives the same bytes. Requests of others, and to other paths, are refused.
//
// A user without a password, a name that two have, and a tenant that is none are of kind
// fleet.ErrInvalid: vmauth would take a user without a password for one that needs none.
func Vmauth(to Backends, who []Access) ([]byte, error) {
	out := authConfig{Users: []authUser{}}
	names := map[string]bool{}
	for _, a := range slices.SortedFunc(slices.Values(who), func(a, b Access) int { return cmp.Compare(a.User, b.User) }) {
		if err := a.check(); err != nil {
			return nil, err
		}
		if names[a.User] {
			return nil, fmt.Errorf("%w: two users of stores are named %q", fleet.ErrInvalid, a.User)
		}
		names[a.User] = true
		may := routes(to, a.Tenant)
		if a.WriteOnly {
			may = writes(to, a.Tenant)
		}
		paths, err := authMaps(may)
		if err != nil {
			return nil, err
		}
		for i, password := range a.Passwords {
			// The name stands in vmauth's own metrics, where it has to be unique.
			name := a.User
			if i > 0 {
				name = fmt.Sprintf("%s-previous-%d", a.User, i)
			}
			out.Users = append(out.Users, authUser{name, a.User, password, a.atOnce(), paths})
		}
	}
	return yaml.Marshal(out)
}

func (a Access) check() error {
	if a.User == "" || len(a.Passwords) == 0 || slices.Contains(a.Passwords, "") {
		return fmt.Errorf("%w: user %q of stores has no name or an empty password", fleet.ErrInvalid, a.User)
	}
	// Whoever could choose a password could else read the environment and the files of vmauth.
	if slices.ContainsFunc(append(slices.Clone(a.Passwords), a.User), func(text string) bool { return strings.Contains(text, "%{") }) {
		return fmt.Errorf("%w: user %q of stores has %%{ in its name or password, which vmauth would take for a variable", fleet.ErrInvalid, a.User)
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(a.Passwords))); len(unique) != len(a.Passwords) {
		return fmt.Errorf("%w: user %q of stores has one password twice", fleet.ErrInvalid, a.User)
	}
	if a.Tenant == "" {
		return nil
	}
	if a.Tenant == store.Plane && !a.WriteOnly {
		return fmt.Errorf("%w: user %q of stores is tenant %s's, which is the management plane's own: no cluster may be of it", fleet.ErrInvalid, a.User, store.Plane)
	}
	_, err := store.ParseTenant(string(a.Tenant))
	return err
}

// atOnce is the bound of the user; 0 for the plane itself, which vmauth bounds as it does by default.
func (a Access) atOnce() int {
	if a.Tenant == "" || a.Tenant == store.Plane {
		return 0
	}
	return atOnce
}

func authMaps(paths []route) ([]authMap, error) {
	var out []authMap
	for _, r := range paths {
		prefix, err := r.prefix()
		if err != nil {
			return nil, err
		}
		m := authMap{SrcPaths: r.paths, URLPrefix: prefix, Drop: r.to.Drop}
		if r.to.Authorization != "" {
			m.Headers = []string{"Authorization: " + r.to.Authorization}
		}
		out = append(out, m)
	}
	return out, nil
}
