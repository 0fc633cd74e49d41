package adopted

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Sentence says in a status why a cluster did not answer. The same cause gives the same words
// each time, without the numbers of our own ports: a status is written when something changed.
func Sentence(server string, err error, patience time.Duration) string {
	var (
		lookup    *net.DNSError
		operation *net.OpError
		unknown   x509.UnknownAuthorityError
		foreign   x509.HostnameError
		invalid   x509.CertificateInvalidError
		timeout   net.Error
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("The API server %s does not answer within %s: is it running, and is the way to it open?", server, patience)
	case errors.As(err, &lookup):
		return fmt.Sprintf("The API server %s cannot be found: the name %s cannot be resolved", server, lookup.Name)
	case errors.As(err, &operation) && operation.Op == "dial":
		return fmt.Sprintf("The API server %s cannot be reached: %v", server, operation.Err)
	case errors.As(err, &operation):
		return fmt.Sprintf("The API server %s broke the connection: %v", server, operation.Err)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Sprintf("The API server %s does not answer: is it running, and is the way to it open?", server)
	case errors.As(err, &unknown):
		return fmt.Sprintf("The certificate of the API server %s was not issued by the authority in the kubeconfig: put the right certificate-authority-data there", server)
	case errors.As(err, &foreign):
		return fmt.Sprintf("The certificate of the API server %s is not for %q: put a name that it is for into the kubeconfig, as server or as tls-server-name", server, foreign.Host)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		// Go's own words name the present time.
		return fmt.Sprintf("The certificate of the API server %s is valid from %s to %s only: is the clock right, and was the certificate renewed?",
			server, invalid.Cert.NotBefore.UTC().Format(time.RFC3339), invalid.Cert.NotAfter.UTC().Format(time.RFC3339))
	case apierrors.IsUnauthorized(err):
		return fmt.Sprintf("The API server %s does not accept the credentials in the kubeconfig: they may have expired", server)
	case apierrors.IsForbidden(err):
		return fmt.Sprintf("The user of the kubeconfig may not do at %s what is needed there: %v", server, err)
	}
	return fmt.Sprintf("The API server %s: %v", server, err)
}
