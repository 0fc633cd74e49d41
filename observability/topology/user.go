package topology

import (
	"cmp"
	"fmt"
	"regexp"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/observability/store"
)

// VMUserKind is VictoriaMetrics' operator's kind. It need not be served.
var VMUserKind = schema.GroupVersionKind{Group: "operator.victoriametrics.com", Version: "v1beta1", Kind: "VMUser"}

// The keys of a Secret with credentials.
const (
	UsernameKey = defaultUser
	PasswordKey = defaultSecret
	// PreviousKey holds the password that was replaced, for as long as it is still good.
	PreviousKey = "password-previous"
)

// User is who reads and writes a region's stores: a child as its tenant, or the plane as everybody.
type User struct {
	Name string
	// For is whom the user is, and Owner what its objects go with.
	For   Owner
	Owner *metav1.OwnerReference
	// Namespace is where its objects are.
	Namespace string
	// Cluster is the name of its cluster.
	Cluster string
	// Tenant is whose data it is; empty for everybody's.
	Tenant store.Tenant
}

func (u User) labels() map[string]string {
	return generated(map[string]string{kof.ClusterNameLabel: u.Cluster, kof.TenantLabel: string(u.Tenant)})
}

// Credential is what a user has to know.
type Credential struct {
	Password string
	// Previous is the password that it replaced, At when, and For which wish.
	Previous string
	At       time.Time
	For      string
}

// sound is a password as they are made here and by KOF. A Secret is also its namespace's to write, and
// vmauth puts variables of its environment, and files, in the place of what stands between %{ and }.
var sound = regexp.MustCompile(`^[A-Za-z0-9]{16,128}$`)

// CredentialOf reads a credential; the zero value for no Secret. A password that is none of ours or KOF's
// is as one that is not there: it is made anew.
func CredentialOf(s *corev1.Secret) Credential {
	if s == nil {
		return Credential{}
	}
	c := Credential{For: s.Annotations[RotatedAnnotation]}
	for key, into := range map[string]*string{PasswordKey: &c.Password, PreviousKey: &c.Previous} {
		if text := s.Data[key]; sound.Match(text) {
			*into = string(text)
		}
	}
	// What cannot be read is long ago, and the previous password ends now.
	c.At, _ = time.Parse(time.RFC3339, s.Annotations[RotatedAtAnnotation])
	return c
}

// Rotation is what a decision about a credential rests on.
type Rotation struct {
	// Wish is the value of RotateAnnotation.
	Wish string
	Now  time.Time
	// Grace is how long a replaced password is still good.
	Grace time.Duration
	// Generate makes a password.
	Generate func() string
}

// Next is the credential that a user has from now on, and when it has to be looked at again: zero
// if nothing changes by itself. A password is made where there is none, and where the wish changed;
// the one that it replaces is good for a while, since those who use it learn of the new one later.
func (c Credential) Next(r Rotation) (Credential, time.Time) {
	switch {
	case c.Password == "":
		c = Credential{Password: r.Generate(), For: r.Wish}
	case c.For != r.Wish && r.Wish != "":
		c = Credential{Password: r.Generate(), Previous: c.Password, At: r.Now.UTC().Truncate(time.Second), For: r.Wish}
	}
	if c.Previous == "" {
		return c, time.Time{}
	}
	if end := c.At.Add(r.Grace); end.After(r.Now) {
		return c, end
	}
	c.Previous = ""
	return c, time.Time{}
}

// Secret is a user's credential in a namespace. It goes with its owner only where that is beside it.
func (u User) Secret(namespace string, c Credential) *corev1.Secret {
	s := &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: Credentials(u.Name), Labels: u.labels(),
			Annotations: map[string]string{ForAnnotation: u.For.String(), UserAnnotation: u.Name},
		},
		Data: map[string][]byte{UsernameKey: []byte(u.Name), PasswordKey: []byte(c.Password)},
	}
	if namespace == u.Namespace {
		s.OwnerReferences = owners(u.Owner)
	}
	if c.For != "" {
		s.Annotations[RotatedAnnotation] = c.For
	}
	if !c.At.IsZero() {
		s.Annotations[RotatedAtAnnotation] = c.At.UTC().Format(time.RFC3339)
	}
	if c.Previous != "" {
		s.Data[PreviousKey] = []byte(c.Previous)
	}
	return s
}

// AccessOf is who may pass a vmauth by a Secret with credentials.
func AccessOf(s *corev1.Secret) (Access, error) {
	name, tenant := string(s.Data[UsernameKey]), store.Tenant(s.Labels[kof.TenantLabel])
	a := Access{User: name, Tenant: tenant}
	for _, key := range []string{PasswordKey, PreviousKey} {
		if text := string(s.Data[key]); text != "" {
			a.Passwords = append(a.Passwords, text)
		}
	}
	if name == "" || name != s.Annotations[UserAnnotation] {
		return a, invalid(ReasonInvalid, "Secret %s/%s: data.%s is %q, and the annotation %s is %q: both have to name the user",
			s.Namespace, s.Name, UsernameKey, name, UserAnnotation, s.Annotations[UserAnnotation])
	}
	return a, a.check()
}

// Objects are the VMUsers of a user: one for each password that is good. The second one is there
// while credentials are replaced.
func (u User) Objects(to Backends, c Credential) []*unstructured.Unstructured {
	out := []*unstructured.Unstructured{u.object(to, UserObject(u.Name), PasswordKey)}
	if c.Previous != "" {
		out = append(out, u.object(to, PreviousObject(u.Name), PreviousKey))
	}
	return out
}

func (u User) object(to Backends, name, key string) *unstructured.Unstructured {
	var refs []any
	for _, r := range routes(to, u.Tenant) {
		var paths []any
		for _, p := range r.paths {
			paths = append(paths, p)
		}
		ref := map[string]any{
			"paths": paths, "static": map[string]any{"url": r.to.URL},
			"drop_src_path_prefix_parts": int64(r.to.Drop),
		}
		var args []any
		for _, a := range r.args {
			args = append(args, map[string]any{"name": a.name, "values": []any{a.value}})
		}
		if len(args) > 0 {
			ref["query_args"] = args
		}
		refs = append(refs, ref)
	}
	o := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"username":    u.Name,
		"passwordRef": map[string]any{"name": Credentials(u.Name), "key": key},
		"targetRefs":  refs,
	}}}
	o.SetGroupVersionKind(VMUserKind)
	o.SetNamespace(u.Namespace)
	o.SetName(name)
	o.SetLabels(u.labels())
	o.SetAnnotations(map[string]string{ForAnnotation: u.For.String(), UserAnnotation: u.Name})
	o.SetOwnerReferences(owners(u.Owner))
	return o
}

func owners(ref *metav1.OwnerReference) []metav1.OwnerReference {
	if ref == nil {
		return nil
	}
	return []metav1.OwnerReference{*ref}
}

// Tenant is whose the telemetry of a cluster is, by its labels, and by the same label of its
// namespace, if that has it: whoever may make clusters there may then name no other tenant.
func Tenant(labels map[string]string, namespace string) (store.Tenant, error) {
	said := labels[kof.TenantLabel]
	if namespace != "" && said != "" && said != namespace {
		return "", invalid(ReasonInvalid, "label %s is %q, and the namespace belongs to tenant %q: use that one, or leave the label out", kof.TenantLabel, said, namespace)
	}
	t, err := store.ParseTenant(cmp.Or(namespace, said))
	switch {
	case err != nil:
		return "", &Refusal{ReasonInvalid, fmt.Errorf("label %s: %w", kof.TenantLabel, err)}
	case t == store.Plane:
		return "", invalid(ReasonInvalid, "label %s is %q, the tenant of the management plane itself: name another one, on the cluster or on its namespace", kof.TenantLabel, t)
	}
	return t, nil
}

// Belongs says whether what is stored under a name may be written for somebody: it was made for
// the same one, or KOF made it, which does not say for whom.
func Belongs(stored metav1.Object, of Owner) bool {
	if who, said := stored.GetAnnotations()[ForAnnotation]; said {
		return who == of.String()
	}
	return stored.GetLabels()[kof.ManagedByLabel] == kof.ManagedBy
}

// NameUser chooses the name of a user. had is the name that it has already, and holder who has the
// short name; nil if nobody does.
func NameUser(short, had string, of Owner, holder metav1.Object) string {
	switch {
	case had == short || had == Longer(short, of):
		return had
	case holder != nil && !Belongs(holder, of):
		return Longer(short, of)
	}
	return short
}
