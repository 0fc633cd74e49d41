package source

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
)

// failure is an error with the condition and the reason by which Flux's users know it.
type failure struct {
	condition, reason string
	err               error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// failed says that fetching failed. Errors of the network are put into words that stay the same
// from one attempt to the next: a message that carries a random port would be written anew
// each time.
func failed(reason, doing string, err error) error {
	return &failure{sourcev1.FetchFailedCondition, reason, fmt.Errorf("%s: %w", doing, plain(err))}
}

// unbuildable says that what was fetched cannot be made into an artifact.
func unbuildable(reason, doing string, err error) error {
	return &failure{sourcev1.BuildFailedCondition, reason, fmt.Errorf("%s: %w", doing, err)}
}

// words finds condition, reason and message of an error.
func words(err error) (condition, reason, message string) {
	condition, reason = sourcev1.FetchFailedCondition, meta.FailedReason
	if f := (*failure)(nil); errors.As(err, &f) {
		condition, reason = f.condition, f.reason
	}
	return condition, reason, err.Error()
}

// plainError replaces an error's text and keeps its identity.
type plainError struct {
	text string
	err  error
}

func (p *plainError) Error() string { return p.text }
func (p *plainError) Unwrap() error { return p.err }

func plain(err error) error {
	if text := explain(err); text != "" {
		return &plainError{text, err}
	}
	return err
}

// explain puts the errors that users meet most into a sentence with the next step. It returns ""
// for an error that speaks for itself.
func explain(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within the timeout; raise spec.timeout if the server is slow"
	}
	if text := explainTLS(err); text != "" {
		return text
	}
	if dns := (*net.DNSError)(nil); errors.As(err, &dns) {
		if dns.IsNotFound {
			return fmt.Sprintf("unknown host %q", dns.Name)
		}
		return fmt.Sprintf("host %q cannot be looked up: the name service does not answer", dns.Name)
	}
	op := (*net.OpError)(nil)
	if !errors.As(err, &op) || op.Addr == nil {
		return ""
	}
	if errno := syscall.Errno(0); errors.As(op, &errno) {
		return fmt.Sprintf("%s %s: %s", op.Op, op.Addr, errno)
	}
	return fmt.Sprintf("%s %s: %s", op.Op, op.Addr, op.Err)
}

func explainTLS(err error) string {
	if host := (x509.HostnameError{}); errors.As(err, &host) {
		return fmt.Sprintf("the server's certificate is not for %q", host.Host)
	}
	if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) {
		if invalid.Reason == x509.Expired && invalid.Cert != nil { // Go's own words name the present time
			return fmt.Sprintf("the server's certificate is valid from %s to %s only", invalid.Cert.NotBefore.UTC().Format(time.RFC3339), invalid.Cert.NotAfter.UTC().Format(time.RFC3339))
		}
		return fmt.Sprintf("the server's certificate is not valid: %s", invalid.Error())
	}
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		return "the server's certificate is signed by an unknown authority; put the authority's certificate into key ca.crt of the Secret that spec.certSecretRef names (for Git: spec.secretRef)"
	}
	if record := (tls.RecordHeaderError{}); errors.As(err, &record) {
		return "the server does not speak TLS; use http:// or spec.insecure if that is meant"
	}
	return ""
}
