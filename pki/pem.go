package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// Pair is a certificate and its private key, both PEM.
type Pair struct {
	Certificate []byte
	Key         []byte
}

// Bundle is certificate and key in one file, which changes at once or not at all. Go's TLS
// and Kubernetes accept one path for both.
func (p Pair) Bundle() []byte { return append(bytes.Clone(p.Certificate), p.Key...) }

// ParseBundle takes a Bundle apart. What is missing stays empty.
func ParseBundle(data []byte) Pair {
	var p Pair
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			p.Certificate = append(p.Certificate, pem.EncodeToMemory(block)...)
		} else {
			p.Key = append(p.Key, pem.EncodeToMemory(block)...)
		}
	}
	return p
}

// NewServiceAccountKey makes the key that signs service account tokens. Certificate holds the
// PEM public key that checks them: tokens need no certificate.
func NewServiceAccountKey() (Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Pair{}, fmt.Errorf("making a service account key: %w", err)
	}
	private, err := keyPEM(key)
	if err != nil {
		return Pair{}, fmt.Errorf("writing a service account key: %w", err)
	}
	public, err := PublicKeyPEM(private)
	return Pair{Certificate: public, Key: private}, err
}

// PublicKeyPEM is the public half of a PEM private key.
func PublicKeyPEM(private []byte) ([]byte, error) {
	key, err := parseKey(private)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return nil, fmt.Errorf("writing a public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

func certificatePEM(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// keyPEM prefers the older forms by algorithm: Kubernetes' own readers know them all.
func keyPEM(key crypto.Signer) ([]byte, error) {
	if k, ok := key.(*ecdsa.PrivateKey); ok {
		der, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			return nil, fmt.Errorf("writing a private key: %w", err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("writing a private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func parseCertificate(data []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(data)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("expected a PEM certificate")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("reading a certificate: %w", err)
	}
	return c, nil
}

func parseKey(data []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(data)
	// OpenSSL puts a block with the curve's name first.
	if block != nil && block.Type == "EC PARAMETERS" {
		_, rest := pem.Decode(data)
		block, _ = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("expected a PEM private key")
	}
	key, err := parseKeyBlock(block)
	if err != nil {
		// The error of the standard library could quote the key.
		return nil, fmt.Errorf("expected a private key, PEM block %q is none", block.Type)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("private key of type %T cannot sign", key)
	}
	return signer, nil
}

func parseKeyBlock(block *pem.Block) (any, error) {
	switch block.Type {
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	return x509.ParsePKCS8PrivateKey(block.Bytes)
}

func sameKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}
