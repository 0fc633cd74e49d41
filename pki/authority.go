package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Authority signs certificates.
type Authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
}

// NewAuthority makes a self-signed authority of the given name, valid from now.
func NewAuthority(commonName string, validity time.Duration, now time.Time) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making the key of authority %s: %w", commonName, err)
	}
	return selfSigned(key, commonName, validity, now)
}

// NewAuthorityWithKey makes an authority of a PEM key that is there already.
func NewAuthorityWithKey(key []byte, commonName string, validity time.Duration, now time.Time) (*Authority, error) {
	signer, err := parseKey(key)
	if err != nil {
		return nil, fmt.Errorf("reading the key of authority %s: %w", commonName, err)
	}
	return selfSigned(signer, commonName, validity, now)
}

func selfSigned(key crypto.Signer, commonName string, validity time.Duration, now time.Time) (*Authority, error) {
	t, err := template(commonName, validity, now)
	if err != nil {
		return nil, fmt.Errorf("making authority %s: %w", commonName, err)
	}
	t.IsCA = true
	t.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("signing authority %s: %w", commonName, err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("reading back authority %s: %w", commonName, err)
	}
	return &Authority{certificate: certificate, key: key}, nil
}

// ParseAuthority reads an authority made by us or by anybody else: RSA keys will do.
func ParseAuthority(p Pair) (*Authority, error) {
	certificate, err := parseCertificate(p.Certificate)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(p.Key)
	if err != nil {
		return nil, err
	}
	if !certificate.IsCA {
		return nil, fmt.Errorf("certificate %s is not that of an authority", certificate.Subject)
	}
	if !sameKey(certificate.PublicKey, key.Public()) {
		return nil, fmt.Errorf("the key does not belong to certificate %s", certificate.Subject)
	}
	return &Authority{certificate: certificate, key: key}, nil
}

// Pair is the authority as PEM. Its key is what makes it an authority: keep it.
func (a *Authority) Pair() (Pair, error) {
	key, err := keyPEM(a.key)
	if err != nil {
		return Pair{}, err
	}
	return Pair{Certificate: a.CertificatePEM(), Key: key}, nil
}

// CertificatePEM is the certificate that others trust.
func (a *Authority) CertificatePEM() []byte { return certificatePEM(a.certificate.Raw) }

// NotAfter is when the authority, and with it all that it signed, ends.
func (a *Authority) NotAfter() time.Time { return a.certificate.NotAfter }

// Issue makes a key and a certificate for l. It never outlives the authority.
func (a *Authority) Issue(l Leaf, now time.Time) (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("making the key of %s: %w", l.CommonName, err)
	}
	certificate, err := a.sign(l, key.Public(), now)
	if err != nil {
		return Pair{}, fmt.Errorf("signing the certificate of %s: %w", l.CommonName, err)
	}
	keyBytes, err := keyPEM(key)
	if err != nil {
		return Pair{}, fmt.Errorf("writing the key of %s: %w", l.CommonName, err)
	}
	return Pair{Certificate: certificate, Key: keyBytes}, nil
}

func (a *Authority) sign(l Leaf, public crypto.PublicKey, now time.Time) ([]byte, error) {
	if !now.Before(a.certificate.NotAfter) {
		return nil, fmt.Errorf("authority %s ended at %s", a.certificate.Subject.CommonName, a.certificate.NotAfter.UTC().Format(time.RFC3339))
	}
	t, err := template(l.CommonName, l.Validity, now)
	if err != nil {
		return nil, err
	}
	if t.NotAfter.After(a.certificate.NotAfter) {
		t.NotAfter = a.certificate.NotAfter
	}
	t.Subject.Organization = l.Organizations
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = l.Usage.extended()
	t.DNSNames, t.IPAddresses = split(l.Names)
	der, err := x509.CreateCertificate(rand.Reader, t, a.certificate, public, a.key)
	if err != nil {
		return nil, err
	}
	return certificatePEM(der), nil
}

// template starts a little in the past, because the clocks of those who check are not ours;
// the validity after now is whole.
func template(commonName string, validity time.Duration, now time.Time) (*x509.Certificate, error) {
	if validity <= 0 {
		return nil, fmt.Errorf("validity %s is not positive", validity)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("drawing a serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: commonName},
		NotBefore:             now.Add(-min(5*time.Minute, validity/4)),
		NotAfter:              now.Add(validity),
		BasicConstraintsValid: true,
	}, nil
}

func split(names []string) (dns []string, ips []net.IP) {
	for _, n := range sortedUnique(names) {
		if ip := net.ParseIP(n); ip != nil {
			ips = append(ips, ip)
		} else {
			dns = append(dns, n)
		}
	}
	return dns, ips
}
