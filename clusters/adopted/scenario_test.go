package adopted

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/internal/scenario"
)

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var s sveltos.SveltosCluster
		var saw Observed
		if err := in.Decode("cluster.yaml", &s); err != nil {
			return nil, err
		}
		if err := in.Decode("observed.yaml", &saw); err != nil {
			return nil, err
		}
		plan := Decide(&s, saw)
		sections := []scenario.Section{scenario.Text("plan", plan.String())}
		if plan.Silent {
			return sections, nil
		}
		status := Status(&s, saw)
		again := s.DeepCopy()
		again.Status = status
		if diff := cmp.Diff(status, Status(again, saw)); diff != "" {
			return nil, fmt.Errorf("the same look gives another status (-first +second):\n%s", diff)
		}
		return append(sections, scenario.YAML("status", status)), nil
	})
}

func TestSentence(t *testing.T) {
	wrapped := func(err error) error { return &url.Error{Op: "Get", URL: "https://a:1/version", Err: err} }
	dial := func(err error) error { return wrapped(&net.OpError{Op: "dial", Net: "tcp", Err: err}) }
	expired := x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time 45678", Cert: &x509.Certificate{
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC),
	}}
	tests := []struct {
		name, why string
		err       error
		want      string
	}{
		{"Refused", "Nobody listens there.", dial(syscall.ECONNREFUSED), "cannot be reached: connection refused"},
		{"Name", "The address is wrong, not the cluster.", dial(&net.DNSError{Name: "a", Err: "no such host", IsNotFound: true}), "the name a cannot be resolved"},
		{"Silent", "A firewall that drops says nothing.", wrapped(context.DeadlineExceeded), "does not answer within 10s"},
		{"Broken", "Our own port is another one each time, and would make each failure look new.", wrapped(&net.OpError{Op: "read", Net: "tcp", Source: &net.TCPAddr{Port: 45678}, Err: syscall.ECONNRESET}), "broke the connection: connection reset by peer"},
		{"Authority", "The cluster was made anew under the same address.", wrapped(x509.UnknownAuthorityError{}), "certificate-authority-data"},
		{"OtherName", "The address is another name of the same cluster.", wrapped(x509.HostnameError{Certificate: &x509.Certificate{}, Host: "a"}), `is not for "a"`},
		{"Expired", "Go's own words name the present time, and would make each failure look new.", wrapped(expired), "is valid from 2026-01-01T00:00:00Z to 2026-02-01T00:00:00Z only"},
		{"Unauthorized", "A token that expired.", apierrors.NewUnauthorized("Unauthorized"), "does not accept the credentials"},
		{"Other", "What we do not know is repeated.", errors.New("strange"), "The API server https://a:1: strange"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := Sentence("https://a:1", tc.err, 10*time.Second)
			if !strings.Contains(got, tc.want) || strings.Contains(got, "45678") {
				t.Errorf("%s\nSentence = %q; want one with %q", tc.why, got, tc.want)
			}
		})
	}
}
