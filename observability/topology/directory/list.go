package directory

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/topology"
)

// Settings say which regions are listed, and whom they are believed.
type Settings struct {
	// Self is the region that the plane is itself: it is not listed, and nobody else gets its name.
	Self types.NamespacedName
	// Release is where credentials are; empty means kof.
	Release string
	// Trusted are the namespaces of those who run the plane: their regions may name any credentials, also
	// in Release, and addresses of this computer.
	Trusted []string
}

// Observed is what the directory rests on.
type Observed struct {
	// Configs are the ConfigMaps of regions.
	Configs []corev1.ConfigMap `json:"configs"`
	// Secrets are those with credentials that were asked for and exist.
	Secrets []corev1.Secret `json:"secrets,omitempty"`
}

func (o Observed) secret(at types.NamespacedName) *corev1.Secret {
	for i := range o.Secrets {
		if o.Secrets[i].Namespace == at.Namespace && o.Secrets[i].Name == at.Name {
			return &o.Secrets[i]
		}
	}
	return nil
}

// Login is as whom a region is asked.
type Login struct {
	Secret types.NamespacedName `json:"secret,omitzero"`
	User   string               `json:"user,omitempty"`
	// Passwords are those that are tried, one after the other.
	Passwords []string `json:"passwords,omitempty"`
}

// Listing is a region as it is asked, or why it cannot be.
type Listing struct {
	// Name is what questions call it: that of the region, with its namespace where an older one has the name.
	Name   string               `json:"name"`
	Config types.NamespacedName `json:"config"`
	At     topology.Region      `json:"at"`
	Login  Login                `json:"login,omitzero"`
	// Err is why it cannot be asked, Next what to do or to look at.
	Err  error  `json:"-"`
	Next string `json:"next,omitempty"`
}

// Wants are the Secrets in which the credentials of a region may be, the first that exists counts.
func Wants(cm *corev1.ConfigMap, s Settings) []types.NamespacedName {
	c, err := topology.Region{HTTP: cm.Data[httpKey]}.HTTPConfig()
	if err != nil {
		return nil
	}
	release := cmp.Or(s.Release, kof.Namespace)
	name := c.BasicAuth.CredentialsSecretName
	if name == "" {
		return []types.NamespacedName{{Namespace: release, Name: topology.Credentials(admin(cm))}}
	}
	out := []types.NamespacedName{{Namespace: cm.Namespace, Name: name}}
	if slices.Contains(s.Trusted, cm.Namespace) && cm.Namespace != release {
		out = append(out, types.NamespacedName{Namespace: release, Name: name})
	}
	return out
}

// httpKey is the key of a region's ConfigMap that says how it is asked.
const httpKey = "kof_http_config"

func admin(cm *corev1.ConfigMap) string {
	return cmp.Or(cm.Annotations[topology.UserAnnotation], topology.AdminUser(types.NamespacedName{Namespace: cm.Namespace, Name: cm.Name}))
}

// List is all regions but the plane itself, the oldest first.
func List(saw Observed, s Settings) []Listing {
	type entry struct {
		topology.Candidate
		cm *corev1.ConfigMap
	}
	var all []entry
	var candidates []topology.Candidate
	for i := range saw.Configs {
		c := topology.CandidateOf(&saw.Configs[i], s.Self)
		all, candidates = append(all, entry{c, &saw.Configs[i]}), append(candidates, c)
	}
	slices.SortFunc(all, func(a, b entry) int { return topology.Older(a.Candidate, b.Candidate) })
	taken := map[string]bool{s.Self.Name: true}
	var out []Listing
	for _, e := range all {
		if e.Regionless && e.Region.NamespacedName == s.Self {
			continue
		}
		l := listed(e.cm, saw, s)
		if first, _ := topology.First(e.Region.NamespacedName, candidates); first.Config != e.Config && l.Name != "" {
			l.Err, l.Next = topology.Twice(e.Region, first), ""
		}
		switch {
		case l.Name == "":
			l.Name = e.Config.String()
		case taken[l.Name] && l.At.Namespace != "":
			l.Name = l.At.NamespacedName.String()
		}
		taken[l.Name] = true
		out = append(out, l)
	}
	return out
}

// listed reads a region and its credentials.
func listed(cm *corev1.ConfigMap, saw Observed, s Settings) Listing {
	l := Listing{Config: types.NamespacedName{Namespace: cm.Namespace, Name: cm.Name}}
	l.Next = fmt.Sprintf("see the endpoints in ConfigMap %s, and whether they can be reached from here", l.Config)
	l.At, l.Err = topology.ReadRegion(cm)
	l.Name = l.At.Name
	if l.Err == nil {
		_, l.Err = trustOf(l.At)
	}
	if l.Err != nil {
		l.Next = fmt.Sprintf("correct ConfigMap %s", l.Config)
		return l
	}
	if l.Login, l.Err = loginOf(cm, saw, s); l.Err != nil {
		l.Next = ""
	}
	return l
}

// loginOf finds the credentials of a region.
func loginOf(cm *corev1.ConfigMap, saw Observed, s Settings) (Login, error) {
	c, err := topology.Region{HTTP: cm.Data[httpKey]}.HTTPConfig()
	if err != nil {
		return Login{}, err
	}
	named := c.BasicAuth.CredentialsSecretName != ""
	wants := Wants(cm, s)
	for _, at := range wants {
		secret := saw.secret(at)
		if secret == nil {
			continue
		}
		if !named {
			return madeFor(cm, secret)
		}
		if err := borrower(cm, s).MayUse(secret); err != nil {
			return Login{}, err
		}
		return theirs(secret, c.BasicAuth)
	}
	if named {
		return Login{}, fmt.Errorf("%w: Secret %s does not exist, which %s names: create it with the keys %s and %s", fleet.ErrNotYet, wants[0], httpKey,
			cmp.Or(c.BasicAuth.UsernameKey, topology.UsernameKey), cmp.Or(c.BasicAuth.PasswordKey, topology.PasswordKey))
	}
	return Login{}, fmt.Errorf("%w: Secret %s does not exist, which Portico makes: the annotations of ConfigMap %s/%s say what it waits for, or name a Secret of your own in %s",
		fleet.ErrNotYet, wants[0], cm.Namespace, cm.Name, httpKey)
}

// madeFor reads the credentials of the region's admin. Whoever may write ConfigMaps somewhere could
// else have those of another region sent to an address of their choice.
func madeFor(cm *corev1.ConfigMap, secret *corev1.Secret) (Login, error) {
	of := topology.Owner{Kind: "ConfigMap", NamespacedName: types.NamespacedName{Namespace: cm.Namespace, Name: cm.Name}}
	at := types.NamespacedName{Namespace: secret.Namespace, Name: secret.Name}
	if who := secret.Annotations[topology.ForAnnotation]; who != of.String() {
		return Login{}, fmt.Errorf("%w: Secret %s was made for %q, and not for this region: remove the annotation %s of ConfigMap %s",
			fleet.ErrInvalid, at, who, topology.UserAnnotation, of.NamespacedName)
	}
	access, err := topology.AccessOf(secret)
	if err != nil {
		return Login{}, err
	}
	// While credentials are replaced, the region knows the ones before, and may not know the new ones.
	slices.Reverse(access.Passwords)
	return Login{Secret: at, User: access.User, Passwords: access.Passwords}, nil
}

func borrower(cm *corev1.ConfigMap, s Settings) topology.Borrower {
	at := types.NamespacedName{Namespace: cm.Namespace, Name: cm.Name}
	return topology.Borrower{Namespace: cm.Namespace, For: topology.Owner{Kind: "ConfigMap", NamespacedName: at}, Trusted: s.Trusted}
}

// theirs reads credentials that a region names.
func theirs(secret *corev1.Secret, keys kof.PromxyBasicAuth) (Login, error) {
	at := types.NamespacedName{Namespace: secret.Namespace, Name: secret.Name}
	userKey, passwordKey := cmp.Or(keys.UsernameKey, topology.UsernameKey), cmp.Or(keys.PasswordKey, topology.PasswordKey)
	l := Login{Secret: at, User: string(secret.Data[userKey])}
	if l.User == "" || len(secret.Data[passwordKey]) == 0 {
		return Login{}, fmt.Errorf("%w: Secret %s lacks one of the keys %s and %s: set both", fleet.ErrInvalid, at, userKey, passwordKey)
	}
	l.Passwords = []string{string(secret.Data[passwordKey])}
	return l, nil
}

// trust is whose certificates a region's stores may show.
type trust struct {
	// Authorities are in PEM form, and trusted beside those that are known everywhere.
	Authorities []string
	// ServerName stands in the certificate where it is not the host of the endpoint.
	ServerName string
	Anybody    bool
}

// trustOf reads kof_http_config, in which Prometheus' words for an authority are understood beside KOF's.
func trustOf(r topology.Region) (trust, error) {
	var more struct {
		TLS struct {
			Skip       bool   `json:"insecure_skip_verify"`
			CA         string `json:"ca"`
			ServerName string `json:"server_name"`
		} `json:"tls_config"`
	}
	if r.HTTP != "" {
		if err := json.Unmarshal([]byte(r.HTTP), &more); err != nil {
			return trust{}, fmt.Errorf("%w: %s of region %s is not as expected: %w", fleet.ErrInvalid, httpKey, r.Name, err)
		}
	}
	t := trust{ServerName: more.TLS.ServerName, Anybody: more.TLS.Skip}
	for name, text := range map[string]string{"ca_pem": r.Authority, httpKey + ".tls_config.ca": more.TLS.CA} {
		if text == "" {
			continue
		}
		if !isCertificate(text) {
			return trust{}, fmt.Errorf("%w: %s of region %s: expected a certificate in PEM form", fleet.ErrInvalid, name, r.Name)
		}
		t.Authorities = append(t.Authorities, text)
	}
	slices.Sort(t.Authorities)
	return t, nil
}
