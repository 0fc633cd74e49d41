package program

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"portico.dev/portico/store/gate"
)

// openGate opens the gate before the store of metrics.
func (c Config) openGate(requests int, world gate.World) (*gate.Gate, error) {
	m := c.Metrics
	config := gate.Config{
		URL: m.URL, User: m.User, Dir: filepath.Join(c.Dir, "metrics"), Window: time.Duration(m.Window),
		Bytes: int64(m.Journal), Body: int64(c.Limits.Request), Requests: requests,
	}
	if m.PasswordFile != "" {
		text, err := os.ReadFile(m.PasswordFile)
		if err != nil {
			return nil, fmt.Errorf("reading metrics.passwordFile: %w", err)
		}
		config.Password = strings.TrimSpace(string(text))
	}
	if m.CAFile != "" {
		text, err := os.ReadFile(m.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading metrics.caFile: %w", err)
		}
		config.TLS = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
		if !config.TLS.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("reading metrics.caFile %s: expected certificates in PEM", m.CAFile)
		}
	}
	return gate.Open(config, world)
}
