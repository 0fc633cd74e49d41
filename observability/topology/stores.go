package topology

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kof "portico.dev/portico/api/kof/v1beta1"
)

// Door is the Service that a region's own cluster has before its stores; the name is KOF's.
const Door = "vmauth-cluster"

// Stores is what the programs that keep a region's telemetry get from here: what they serve by, and by
// what they know each other. It is the region's alone: whoever may say under which name a region is
// reached could else have a certificate for any name that others trust.
type Stores struct {
	// Authority has signed Certificate, and is signed by itself. All are in PEM form.
	Authority, AuthorityKey []byte
	Certificate, Key        []byte
	Password                string
}

// Issue gives stores what they serve by under these names, and says when that has to be looked at
// again. What will do is kept.
type Issue func(had Stores, names []string, now time.Time) (Stores, time.Time, error)

// The keys of a Secret of stores.
const (
	authorityField    = "authority"
	authorityKeyField = "authority-key"
	certificateField  = "certificate"
	keyField          = "key"
)

// StoresOf reads a Secret of stores; the zero value for no Secret.
func StoresOf(s *corev1.Secret) Stores {
	if s == nil {
		return Stores{}
	}
	return Stores{
		Authority: s.Data[authorityField], AuthorityKey: s.Data[authorityKeyField],
		Certificate: s.Data[certificateField], Key: s.Data[keyField], Password: string(s.Data[PasswordKey]),
	}
}

// Secret is what the stores of a region's cluster get, beside its ClusterDeployment.
func (s Stores) Secret(of Owner, owner *metav1.OwnerReference) *corev1.Secret {
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: of.Namespace, Name: StoresSecret(of.Name), OwnerReferences: owners(owner),
			Labels: generated(map[string]string{kof.ClusterNameLabel: of.Name}), Annotations: map[string]string{ForAnnotation: of.String()},
		},
		Data: map[string][]byte{
			authorityField: s.Authority, authorityKeyField: s.AuthorityKey,
			certificateField: s.Certificate, keyField: s.Key, PasswordKey: []byte(s.Password),
		},
	}
}

// StoresSecret is the name of the Secret with what a region's stores get.
func StoresSecret(cluster string) string { return "kof-storage-credentials-" + cluster }

// Names are those under which a region's stores are reached: by others, and in their own cluster.
func (r Region) Names() []string {
	inside := Door + "." + kof.Namespace
	out := []string{Door, inside, inside + ".svc", inside + ".svc.cluster.local"}
	for _, e := range endpoints {
		// An endpoint that is no address is told of by others.
		if u, err := parseEndpoint(e.key, *e.at(&r.Endpoints)); err == nil {
			out = append(out, u.Hostname())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
