package source

import (
	"crypto/x509"
	"fmt"
	"testing"
	"time"
)

// The words of a failure stay the same while the cause does: each change is a write.
func TestExpiredCertificate(t *testing.T) {
	err := fmt.Errorf("get: %w", x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time 2026-05-01T12:00:00Z is after", Cert: &x509.Certificate{
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC),
	}})
	const want = "the server's certificate is valid from 2026-01-01T00:00:00Z to 2026-02-01T00:00:00Z only"
	if got := explain(err); got != want {
		t.Errorf("explain = %q, want %q", got, want)
	}
}
