package pki_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/pki"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const year = 365 * 24 * time.Hour

func authority(t *testing.T, name string) *pki.Authority {
	t.Helper()
	a, err := pki.NewAuthority(name, 10*year, start)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func issue(t *testing.T, a *pki.Authority, l pki.Leaf) pki.Pair {
	t.Helper()
	p, err := a.Issue(l, start)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func serverLeaf() pki.Leaf {
	return pki.Leaf{
		CommonName: "kube-apiserver", Names: []string{"kubernetes", "127.0.0.1", "::1", "kubernetes"},
		Usage: pki.Server, Validity: year,
	}
}

// TestIssue checks certificates by the verifier that Kubernetes uses: the standard library's.
func TestIssue(t *testing.T) {
	a := authority(t, "kubernetes-ca")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(a.CertificatePEM())
	other := x509.NewCertPool()
	other.AppendCertsFromPEM(authority(t, "kubernetes-ca").CertificatePEM())
	server := parse(t, issue(t, a, serverLeaf()))
	client := parse(t, issue(t, a, pki.Leaf{CommonName: "system:node:a", Organizations: []string{"system:nodes"}, Usage: pki.Client, Validity: year}))
	clientUse, serverUse := []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}

	for _, c := range []struct {
		name, why string
		cert      *x509.Certificate
		options   x509.VerifyOptions
		valid     bool
	}{
		{"Server", "A server is known by every name it was issued for.", server, x509.VerifyOptions{Roots: roots, KeyUsages: serverUse, DNSName: "kubernetes", CurrentTime: start}, true},
		{"ServerAddress", "An IP address is a name, too.", server, x509.VerifyOptions{Roots: roots, KeyUsages: serverUse, DNSName: "::1", CurrentTime: start}, true},
		{"OtherName", "Any other name is refused.", server, x509.VerifyOptions{Roots: roots, KeyUsages: serverUse, DNSName: "example.org", CurrentTime: start}, false},
		{"Client", "A client certificate serves as one.", client, x509.VerifyOptions{Roots: roots, KeyUsages: clientUse, CurrentTime: start}, true},
		{"ServerAsClient", "A server's certificate gives no access to the API.", server, x509.VerifyOptions{Roots: roots, KeyUsages: clientUse, CurrentTime: start}, false},
		{"ClockBehind", "A checker whose clock is behind by minutes accepts it.", client, x509.VerifyOptions{Roots: roots, KeyUsages: clientUse, CurrentTime: start.Add(-4 * time.Minute)}, true},
		{"Expired", "After its validity it is worth nothing.", client, x509.VerifyOptions{Roots: roots, KeyUsages: clientUse, CurrentTime: start.Add(year + time.Second)}, false},
		{"Impostor", "An authority of the same name with another key is another authority.", client, x509.VerifyOptions{Roots: other, KeyUsages: clientUse, CurrentTime: start}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := c.cert.Verify(c.options); (err == nil) != c.valid {
				t.Errorf("%s\nverify: %v, want valid: %t", c.why, err, c.valid)
			}
		})
	}
	if got := client.Subject.Organization; len(got) != 1 || got[0] != "system:nodes" {
		t.Errorf("groups of the client: %q", got)
	}
}

func TestCheck(t *testing.T) {
	a, want := authority(t, "kubernetes-ca"), serverLeaf()
	pair := issue(t, a, want)
	with := func(change func(*pki.Leaf)) pki.Leaf { l := want; change(&l); return l }
	mixed := pki.Pair{Certificate: pair.Certificate, Key: issue(t, a, want).Key}
	renewal := pki.RenewAt(pair)

	for _, c := range []struct {
		name, why string
		pair      pki.Pair
		leaf      pki.Leaf
		now       time.Time
		reason    string // a part of it; empty: the pair will do
	}{
		{"Fresh", "What was just issued is good.", pair, want, start, ""},
		{"NamesInOtherOrder", "The order of names means nothing.", pair, with(func(l *pki.Leaf) { l.Names = []string{"::1", "127.0.0.1", "kubernetes"} }), start, ""},
		{"Missing", "Nothing there yet.", pki.Pair{}, want, start, "missing"},
		{"BeforeRenewal", "Until the day it stays: nobody reloads without need.", pair, want, renewal.Add(-time.Second), ""},
		{"AtRenewal", "A quarter of its life is left for whatever goes wrong.", pair, want, renewal, "due for renewal"},
		{"NewName", "A changed address needs a new certificate.", pair, with(func(l *pki.Leaf) { l.Names = append([]string{"10.213.1.2"}, l.Names...) }), start, "other names"},
		{"NewGroup", "A changed group needs a new certificate.", pair, with(func(l *pki.Leaf) { l.Organizations = []string{"system:masters"} }), start, "another user"},
		{"NewUsage", "A changed usage needs a new certificate.", pair, with(func(l *pki.Leaf) { l.Usage = pki.Client | pki.Server }), start, "another usage"},
		{"HalfWritten", "Key and certificate of two issues do not work together.", mixed, want, start, "do not belong together"},
		{"OtherAuthority", "A replaced authority replaces everything below it.", issue(t, authority(t, "kubernetes-ca"), want), want, start, "another authority"},
		{"Garbage", "A torn file is replaced, not obeyed.", pki.Pair{Certificate: []byte("x"), Key: pair.Key}, want, start, "PEM certificate"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := a.Check(c.pair, c.leaf, c.now)
			if !strings.Contains(got, c.reason) || (got == "") != (c.reason == "") {
				t.Errorf("%s\nreason %q, want %q", c.why, got, c.reason)
			}
		})
	}
	if left := start.Add(year).Sub(renewal); left < year/4 || left > year/4+time.Hour {
		t.Errorf("renewal leaves %s of a year, want a quarter", left)
	}
}

// A leaf is not promised beyond its authority, and is not issued again and again at its end.
func TestAuthorityEnds(t *testing.T) {
	a, err := pki.NewAuthority("short", time.Hour, start)
	if err != nil {
		t.Fatal(err)
	}
	l := serverLeaf()
	pair := issue(t, a, l)
	if end := parse(t, pair).NotAfter; !end.Equal(a.NotAfter()) {
		t.Errorf("the leaf ends at %s, the authority at %s", end, a.NotAfter())
	}
	if reason := a.Check(pair, l, start.Add(59*time.Minute)); reason != "" {
		t.Errorf("renewing cannot help, but: %s", reason)
	}
	if _, err := a.Issue(l, start.Add(2*time.Hour)); err == nil || !strings.Contains(err.Error(), "ended at 2026-03-01T13:00:00Z") {
		t.Errorf("issue after the end: %v", err)
	}
}

func TestParseAuthority(t *testing.T) {
	a := authority(t, "kubernetes-ca")
	own, err := a.Pair()
	if err != nil {
		t.Fatal(err)
	}
	another, err := authority(t, "other").Pair()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, why string
		pair      pki.Pair
		err       string
	}{
		{"Own", "What we wrote we can read.", own, ""},
		{"RSA", "Clusters that others made have RSA authorities.", rsaAuthority(t), ""},
		{"WrongKey", "Signing with a foreign key would cut off every client.", pki.Pair{Certificate: own.Certificate, Key: another.Key}, "does not belong"},
		{"Leaf", "A leaf signs nothing.", issue(t, a, serverLeaf()), "not that of an authority"},
		{"NoKey", "A certificate alone signs nothing.", pki.Pair{Certificate: own.Certificate}, "expected a PEM private key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parsed, err := pki.ParseAuthority(c.pair)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("%s\nerror %v, want %q", c.why, err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s\n%v", c.why, err)
			}
			if reason := parsed.Check(issue(t, parsed, serverLeaf()), serverLeaf(), start); reason != "" {
				t.Errorf("%s\nissued, but %s", c.why, reason)
			}
		})
	}
}

// A crash after the key and before the certificate loses nothing.
func TestNewAuthorityWithKey(t *testing.T) {
	first := authority(t, "kubernetes-ca")
	pair, err := first.Pair()
	if err != nil {
		t.Fatal(err)
	}
	second, err := pki.NewAuthorityWithKey(pair.Key, "kubernetes-ca", 10*year, start)
	if err != nil {
		t.Fatal(err)
	}
	if reason := second.Check(issue(t, first, serverLeaf()), serverLeaf(), start); reason != "" {
		t.Errorf("the second authority does not know what the first signed: %s", reason)
	}
}

func parse(t *testing.T, p pki.Pair) *x509.Certificate {
	t.Helper()
	c, err := tls.X509KeyPair(p.Certificate, p.Key)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf
}

func rsaAuthority(t *testing.T) pki.Pair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, NotBefore: start, NotAfter: start.Add(year),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pki.Pair{
		Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		Key:         pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	}
}
