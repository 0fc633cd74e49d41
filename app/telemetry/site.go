package telemetry

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/config"
	"portico.dev/portico/observability/topology"
)

// The names of the programs in the plane's process table.
const (
	Metrics = "victoria-metrics"
	Records = "portico-store"
	Door    = "vmauth"
	Rules   = "vmalert"
	Alerts  = "alertmanager"
)

// User is the plane's own name before the stores.
const User = "portico"

// Site is where the programs run.
type Site struct {
	Folder folder.Folder
	// Libexec and Bin are where the programs are.
	Libexec, Bin string
	Ports        config.Ports
	// Days is how long telemetry is kept.
	Days int
	// Certificate, Key and Authority are files: what the programs serve by, and who has signed it.
	Certificate, Key, Authority string
}

// Files are the programs, by name.
func (s Site) Files() map[string]string {
	return map[string]string{
		Metrics: filepath.Join(s.Libexec, "victoria-metrics"), Door: filepath.Join(s.Libexec, "vmauth"),
		Rules: filepath.Join(s.Libexec, "vmalert"), Alerts: filepath.Join(s.Libexec, "alertmanager"),
		Records: filepath.Join(s.Bin, "portico-store"),
	}
}

// Missing are the programs that were not built.
func (s Site) Missing() []string {
	var out []string
	for _, name := range []string{Metrics, Records, Door, Rules, Alerts} {
		if _, err := os.Stat(s.Files()[name]); err != nil {
			out = append(out, name)
		}
	}
	return out
}

func (s Site) dir(program string) string { return s.Folder.Engine(program) }

// RulesFolder is where vmalert finds its rules, and AlertsFile where Alertmanager finds its
// configuration.
func (s Site) RulesFolder() string { return filepath.Join(s.dir(Rules), "rules") }

// AlertsFile is Alertmanager's configuration.
func (s Site) AlertsFile() string { return filepath.Join(s.dir(Alerts), "alertmanager.yml") }

// DoorFile is vmauth's configuration. It is read again when it changes.
func (s Site) DoorFile() string { return filepath.Join(s.dir(Door), "auth.yml") }

func (s Site) passwordFile() string { return filepath.Join(s.dir(Door), "password") }

func url(port int) string {
	return "https://" + net.JoinHostPort(config.Loopback, strconv.Itoa(port))
}

// MetricsURL, RecordsURL, RulesURL and AlertsURL are where the plane itself finds the programs.
func (s Site) MetricsURL() string { return url(s.Ports.Metrics) }

// RecordsURL is that of the store of logs and traces.
func (s Site) RecordsURL() string { return url(s.Ports.Records) }

// RulesURL is vmalert's.
func (s Site) RulesURL() string { return url(s.Ports.Rules) }

// AlertsURL is Alertmanager's.
func (s Site) AlertsURL() string { return url(s.Ports.Alerts) }

// DoorURL is vmauth's, as this machine sees it.
func (s Site) DoorURL() string {
	return "https://" + net.JoinHostPort(s.Ports.Host, strconv.Itoa(s.Ports.Telemetry))
}

// Backends are the stores behind vmauth. Metrics are read where they are kept, and written through
// portico-store, which answers when they are safe.
func (s Site) Backends(password string) topology.Backends {
	b := topology.SingleBackends(s.MetricsURL(), s.RecordsURL())
	b.MetricsInsert.URL = s.RecordsURL()
	return b.Signed("Basic " + base64.StdEncoding.EncodeToString([]byte(User+":"+password)))
}

// Password is the plane's own, which is made if there is none.
func (s Site) Password() (string, error) { return secret(s.passwordFile()) }

// secret is what the file holds, which is made if there is none.
func secret(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err == nil && len(strings.TrimSpace(string(text))) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading a password for the stores of telemetry: %w", err)
	}
	made := rand.Text()
	return made, folder.WriteFile(file, []byte(made))
}
