package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"time"

	"portico.dev/portico/api/config/v1alpha1"
	"portico.dev/portico/pki"
)

// Names of authorities, users and groups.
const (
	clusterAuthority    = "kubernetes-ca"
	frontProxyAuthority = "kubernetes-front-proxy-ca"
	frontProxyUser      = "front-proxy-client"
	adminUser           = "kubernetes-admin"
	adminGroup          = "system:masters"
)

// leaf is a certificate of the control plane, kept in pki/<file>.pem.
type leaf struct {
	file      string
	authority string // file name of the authority in pki/
	pki.Leaf
}

// leaves lists every certificate that the control plane issues to itself.
func leaves(c v1alpha1.ControlPlaneConfiguration) []leaf {
	client := func(file, user string, groups ...string) leaf {
		return leaf{file: file, authority: "ca", Leaf: pki.Leaf{
			CommonName: user, Organizations: groups, Usage: pki.Client, Validity: c.Certificates.Validity.Duration,
		}}
	}
	server := leaf{file: "apiserver", authority: "ca", Leaf: pki.Leaf{
		CommonName: "kube-apiserver", Names: serverNames(c), Usage: pki.Server, Validity: c.Certificates.Validity.Duration,
	}}
	proxy := client("front-proxy-client", frontProxyUser)
	proxy.authority = "front-proxy-ca"
	return []leaf{
		server,
		proxy,
		client("apiserver-kubelet-client", "kube-apiserver-kubelet-client", adminGroup),
		client("controller-manager", "system:kube-controller-manager"),
		client("scheduler", "system:kube-scheduler"),
		client("admin", adminUser, adminGroup),
	}
}

func serverNames(c v1alpha1.ControlPlaneConfiguration) []string {
	names := []string{
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + c.ClusterDomain,
		"localhost", "127.0.0.1", "::1", c.AdvertiseAddress, firstService(c.ServiceCIDR),
	}
	if a, err := netip.ParseAddr(c.BindAddress); err == nil && !a.IsUnspecified() {
		names = append(names, c.BindAddress)
	}
	return append(names, c.ExtraSANs...)
}

// firstService is the address of the service kubernetes.default.
func firstService(cidr string) string {
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return ""
	}
	return p.Addr().Next().String()
}

// certificates keeps pki/ and the kubeconfigs of one control plane fresh.
type certificates struct {
	config      v1alpha1.ControlPlaneConfiguration
	authorities map[string]*pki.Authority // by file name
	now         func() time.Time
}

// openCertificates finds the authorities and the service account key, or makes them.
func openCertificates(c v1alpha1.ControlPlaneConfiguration, now func() time.Time) (*certificates, error) {
	l := layout(c.Dir)
	if err := os.MkdirAll(l.pki(""), 0o700); err != nil {
		return nil, fmt.Errorf("making the folder of certificates: %w", err)
	}
	s := &certificates{config: c, authorities: map[string]*pki.Authority{}, now: now}
	for file, name := range map[string]string{"ca": clusterAuthority, "front-proxy-ca": frontProxyAuthority} {
		a, err := s.authority(file, name)
		if err != nil {
			return nil, err
		}
		s.authorities[file] = a
	}
	return s, serviceAccountKey(l)
}

func (s *certificates) authority(file, name string) (*pki.Authority, error) {
	l := layout(s.config.Dir)
	pair, err := readPair(l.pki(file+".crt"), l.pki(file+".key"))
	if err != nil {
		return nil, err
	}
	validity := s.config.Certificates.AuthorityValidity.Duration
	var a *pki.Authority
	switch {
	case pair.Certificate == nil && pair.Key == nil:
		a, err = pki.NewAuthority(name, validity, s.now())
	case pair.Certificate == nil:
		// The key is written first: a crash came between, and nothing was signed yet.
		a, err = pki.NewAuthorityWithKey(pair.Key, name, validity, s.now())
	case pair.Key == nil:
		return nil, fmt.Errorf("%s is there without %s: put its key beside it", l.pki(file+".crt"), file+".key")
	default:
		a, err = pki.ParseAuthority(pair)
	}
	if err != nil {
		return nil, fmt.Errorf("opening authority %s: %w", l.pki(file+".crt"), err)
	}
	if pair.Certificate != nil {
		return a, nil
	}
	if pair, err = a.Pair(); err != nil {
		return nil, err
	}
	return a, errors.Join(pki.WriteFile(l.pki(file+".key"), pair.Key), pki.WriteFile(l.pki(file+".crt"), pair.Certificate))
}

// serviceAccountKey makes sa.key unless it is there; sa.pub follows from it, but where the
// user put one (older keys are then accepted too) it stays.
func serviceAccountKey(l layout) error {
	pair, err := readPair(l.pki("sa.pub"), l.pki("sa.key"))
	if err != nil {
		return err
	}
	if pair.Key == nil {
		if pair, err = pki.NewServiceAccountKey(); err != nil {
			return err
		}
		return errors.Join(pki.WriteFile(l.pki("sa.key"), pair.Key), pki.WriteFile(l.pki("sa.pub"), pair.Certificate))
	}
	if pair.Certificate != nil {
		return nil
	}
	public, err := pki.PublicKeyPEM(pair.Key)
	if err != nil {
		return fmt.Errorf("reading %s: %w", l.pki("sa.key"), err)
	}
	return pki.WriteFile(l.pki("sa.pub"), public)
}

func readPair(certificate, key string) (pki.Pair, error) {
	var p pki.Pair
	var err error
	if p.Certificate, err = os.ReadFile(certificate); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("reading a certificate: %w", err)
	}
	if p.Key, err = os.ReadFile(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("reading a key: %w", err)
	}
	return p, nil
}

// refresh issues what is missing, wrong or due, writes the kubeconfigs, and says when the next
// certificate is due.
func (s *certificates) refresh() (time.Time, error) {
	var next time.Time
	for _, want := range leaves(s.config) {
		due, err := s.refreshLeaf(want)
		if err != nil {
			return time.Time{}, err
		}
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	return next, s.writeKubeconfigs()
}

func (s *certificates) refreshLeaf(want leaf) (time.Time, error) {
	path := layout(s.config.Dir).pki(want.file + ".pem")
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, fmt.Errorf("reading a certificate: %w", err)
	}
	authority, pair := s.authorities[want.authority], pki.ParseBundle(data)
	if authority.Check(pair, want.Leaf, s.now()) == "" {
		return s.dueAt(authority, pair), nil
	}
	if pair, err = authority.Issue(want.Leaf, s.now()); err != nil {
		return time.Time{}, fmt.Errorf("issuing %s: %w", path, err)
	}
	return s.dueAt(authority, pair), pki.WriteFile(path, pair.Bundle())
}

// dueAt is when to look at the pair again: not before the authority's end if nothing longer
// can be had.
func (s *certificates) dueAt(authority *pki.Authority, pair pki.Pair) time.Time {
	if at := pki.RenewAt(pair); at.After(s.now()) {
		return at
	}
	return authority.NotAfter()
}

func (s *certificates) writeKubeconfigs() error {
	l := layout(s.config.Dir)
	k := pki.Kubeconfig{
		Cluster: s.config.Name, Server: localServer(s.config), Authority: s.authorities["ca"].CertificatePEM(),
	}
	for _, component := range []string{"controller-manager", "scheduler"} {
		k.User, k.ClientFile = component, l.pki(component+".pem")
		if err := pki.WriteFile(l.kubeconfig(component), k.Bytes()); err != nil {
			return err
		}
	}
	admin, err := os.ReadFile(l.pki("admin.pem"))
	if err != nil {
		return fmt.Errorf("reading the administrator's certificate: %w", err)
	}
	k.Server, k.User, k.ClientFile, k.Client = serverFor(s.config), adminUser, "", pki.ParseBundle(admin)
	return pki.WriteFile(l.admin(), k.Bytes())
}

// keepFresh renews certificates as they come due, until ctx ends.
func (s *certificates) keepFresh(ctx context.Context, due time.Time) error {
	for {
		// Go's timers stand still while the machine sleeps: never trust one for months.
		wait := min(max(due.Sub(s.now()), time.Second), time.Hour)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		var err error
		if due, err = s.refresh(); err != nil {
			return fmt.Errorf("renewing certificates: %w", err)
		}
	}
}
