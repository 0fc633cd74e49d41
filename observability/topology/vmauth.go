package topology

import (
	"cmp"
	"fmt"
	"slices"

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
}

type authConfig struct {
	Users []authUser `json:"users"`
}

type authUser struct {
	Name     string    `json:"name"`
	Username string    `json:"username"`
	Password string    `json:"password"`
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
		paths, err := authMaps(routes(to, a.Tenant))
		if err != nil {
			return nil, err
		}
		for i, password := range a.Passwords {
			// The name stands in vmauth's own metrics, where it has to be unique.
			name := a.User
			if i > 0 {
				name = fmt.Sprintf("%s-previous-%d", a.User, i)
			}
			out.Users = append(out.Users, authUser{name, a.User, password, paths})
		}
	}
	return yaml.Marshal(out)
}

func (a Access) check() error {
	if a.User == "" || len(a.Passwords) == 0 || slices.Contains(a.Passwords, "") {
		return fmt.Errorf("%w: user %q of stores has no name or an empty password", fleet.ErrInvalid, a.User)
	}
	if unique := slices.Compact(slices.Sorted(slices.Values(a.Passwords))); len(unique) != len(a.Passwords) {
		return fmt.Errorf("%w: user %q of stores has one password twice", fleet.ErrInvalid, a.User)
	}
	if a.Tenant == "" {
		return nil
	}
	_, err := store.ParseTenant(string(a.Tenant))
	return err
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
