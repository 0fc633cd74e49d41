package pki

import (
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"time"
)

// Usage says what a certificate may be used for.
type Usage int

// The usages.
const (
	Client Usage = 1 << iota
	Server
)

func (u Usage) extended() []x509.ExtKeyUsage {
	var e []x509.ExtKeyUsage
	if u&Client != 0 {
		e = append(e, x509.ExtKeyUsageClientAuth)
	}
	if u&Server != 0 {
		e = append(e, x509.ExtKeyUsageServerAuth)
	}
	return e
}

// Leaf describes a certificate to be.
type Leaf struct {
	// CommonName is the user's name, for Kubernetes.
	CommonName string
	// Organizations are the user's groups, for Kubernetes.
	Organizations []string
	// Names are the DNS names and IP addresses of a server.
	Names []string
	// Usage is Client, Server or both.
	Usage Usage
	// Validity counts from the time of issue.
	Validity time.Duration
}

// RenewAt is when p is due: a quarter of its life before its end. The zero time if p is
// unreadable.
func RenewAt(p Pair) time.Time {
	c, err := parseCertificate(p.Certificate)
	if err != nil {
		return time.Time{}
	}
	return renewAt(c)
}

func renewAt(c *x509.Certificate) time.Time {
	return c.NotAfter.Add(-c.NotAfter.Sub(c.NotBefore) / 4)
}

// Check says why p must be issued anew to serve as l, and is empty if it will do.
func (a *Authority) Check(p Pair, l Leaf, now time.Time) string {
	if len(p.Certificate) == 0 || len(p.Key) == 0 {
		return "missing"
	}
	c, err := parseCertificate(p.Certificate)
	if err != nil {
		return err.Error()
	}
	key, err := parseKey(p.Key)
	if err != nil {
		return err.Error()
	}
	dns, ips := split(l.Names)
	switch {
	case !sameKey(c.PublicKey, key.Public()):
		return "key and certificate do not belong together"
	case c.CheckSignatureFrom(a.certificate) != nil:
		return "signed by another authority"
	case c.Subject.CommonName != l.CommonName, !slices.Equal(c.Subject.Organization, l.Organizations):
		return "made for another user"
	case !slices.Equal(c.DNSNames, dns), !slices.EqualFunc(c.IPAddresses, ips, net.IP.Equal):
		return "made for other names"
	case !slices.Equal(c.ExtKeyUsage, l.Usage.extended()):
		return "made for another usage"
	// At the authority's end nothing longer can be had: renewing would spin.
	case !now.Before(renewAt(c)) && c.NotAfter.Before(a.certificate.NotAfter):
		return "due for renewal since " + renewAt(c).UTC().Format(time.RFC3339)
	}
	return ""
}

func sortedUnique(names []string) []string {
	s := slices.Clone(names)
	slices.SortFunc(s, strings.Compare)
	return slices.Compact(s)
}
