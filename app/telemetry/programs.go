package telemetry

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"

	"golang.org/x/crypto/bcrypt"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/config"
	"portico.dev/portico/observability/topology"
)

// Program is one of them: its binary, its flags, and the files that it reads once.
type Program struct {
	Name, Path, Dir string
	Args, Inputs    []string
	// Variables are its own in the environment.
	Variables []string
	// Health is asked whether it serves, in the plane's name.
	Health string
}

// most memory of each store, and what one question may take of it.
const (
	metricsMemory   = "256MiB"
	metricsQuestion = "64MiB"
	recordsMemory   = "512MiB"
)

// mostSilences is how many silences there may be, expired ones included, which Alertmanager keeps for five
// days; mostSilence is how many bytes one may have.
const (
	mostSilences = "10000"
	mostSilence  = "16384"
)

// Programs writes what they need and returns them, in the order in which they start.
func (s Site) Programs() ([]Program, error) {
	password, err := s.Password()
	if err != nil {
		return nil, err
	}
	if err := s.seed(password); err != nil {
		return nil, err
	}
	records, err := s.records(password)
	if err != nil {
		return nil, err
	}
	alerts, err := s.alerts(password)
	if err != nil {
		return nil, err
	}
	return []Program{s.metrics(), records, s.door(), alerts, s.rules()}, nil
}

// seed makes the files that others write from then on, where there are none.
func (s Site) seed(password string) error {
	always, err := s.Accesses()
	if err != nil {
		return err
	}
	own, err := topology.Vmauth(s.Backends(password), always)
	if err != nil {
		return err
	}
	quiet := []byte("route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n")
	for file, content := range map[string][]byte{
		s.DoorFile(): own, s.AlertsFile(): quiet, filepath.Join(s.RulesFolder(), "none.yaml"): []byte("groups: []\n"),
	} {
		if err := folder.WriteNew(file, content); err != nil {
			return fmt.Errorf("preparing the stores of telemetry: %w", err)
		}
	}
	return nil
}

func (s Site) program(name string, args ...string) Program {
	return Program{Name: name, Path: s.Files()[name], Dir: s.dir(name), Args: args, Inputs: []string{s.Certificate, s.Key}}
}

// served are the flags that VictoriaMetrics' programs have in common.
func (s Site) served(host string, port int) []string {
	return []string{
		"-httpListenAddr=" + net.JoinHostPort(host, strconv.Itoa(port)),
		"-tls", "-tlsCertFile=" + s.Certificate, "-tlsKeyFile=" + s.Key, "-loggerFormat=json", "-loggerLevel=WARN",
	}
}

func (s Site) guarded() []string {
	return []string{"-httpAuth.username=" + User, "-httpAuth.password=file://" + s.passwordFile()}
}

func (s Site) metrics() Program {
	p := s.program(Metrics, append(append(s.served(config.Loopback, s.Ports.Metrics), s.guarded()...),
		"-storageDataPath="+filepath.Join(s.dir(Metrics), "data"), fmt.Sprintf("-retentionPeriod=%dd", s.Days),
		"-memory.allowedBytes="+metricsMemory, "-search.maxMemoryPerQuery="+metricsQuestion, "-maxLabelsPerTimeseries=60",
		// What portico-store sends again after a crash counts once.
		"-dedup.minScrapeInterval=1ms",
		// By itself it hides half a minute, so that samples of one scrape come together. Ours are sent at once.
		"-search.latencyOffset=5s",
	)...)
	p.Health = s.MetricsURL() + "/health"
	return p
}

func (s Site) door() Program {
	p := s.program(Door, append(s.served(s.Ports.Host, s.Ports.Telemetry),
		"-auth.config="+s.DoorFile(), "-backend.TLSCAFile="+s.Authority,
		// It holds no lock on the file: a new one takes its place in one step.
		"-configCheckInterval=1s",
		// What is for people of this machine is not for everybody who sends telemetry.
		"-reloadAuthKey=file://"+s.passwordFile(), "-metricsAuthKey=file://"+s.passwordFile(),
		"-pprofAuthKey=file://"+s.passwordFile(), "-flagsAuthKey=file://"+s.passwordFile(),
	)...)
	p.Health = s.DoorURL() + "/health"
	return p
}

func (s Site) rules() Program {
	to := func(flag, url string) []string {
		return []string{
			"-" + flag + ".url=" + url, "-" + flag + ".tlsCAFile=" + s.Authority,
			"-" + flag + ".basicAuth.username=" + User, "-" + flag + ".basicAuth.passwordFile=" + s.passwordFile(),
		}
	}
	args := append(s.served(config.Loopback, s.Ports.Rules), s.guarded()...)
	for flag, url := range map[string]string{
		"datasource": s.MetricsURL(), "remoteRead": s.MetricsURL(), "remoteWrite": s.RecordsURL(), "notifier": s.AlertsURL(),
	} {
		args = append(args, to(flag, url)...)
	}
	p := s.program(Rules, sorted(append(args, "-rule="+filepath.Join(s.RulesFolder(), "*.yaml"), "-evaluationInterval=15s",
		// They were judged one by one: what one store does not take must not keep it from the others.
		"-rule.validateExpressions=false", "-rule.validateTemplates=false"))...)
	p.Health = s.RulesURL() + "/health"
	return p
}

// records is portico-store; who may ask it stands in a file beside its configuration. Writes of metrics
// come through it, too: what it has acknowledged survives a crash of VictoriaMetrics.
func (s Site) records(password string) (Program, error) {
	dir := s.dir(Records)
	users, file := filepath.Join(dir, "users.yaml"), filepath.Join(dir, "config.yaml")
	for path, content := range map[string]any{
		users: []map[string]string{{"name": User, "password": password}},
		file: map[string]any{
			"listen": net.JoinHostPort(config.Loopback, strconv.Itoa(s.Ports.Records)), "dir": filepath.Join(dir, "data"), "usersFile": users,
			"tls":       map[string]string{"certFile": s.Certificate, "keyFile": s.Key},
			"retention": map[string]string{"time": fmt.Sprintf("%dh", 24*s.Days)},
			// A collector keeps what was refused so, and sends it again.
			"limits":  map[string]any{"memory": recordsMemory, "fullStatus": 503},
			"metrics": map[string]string{"url": s.MetricsURL(), "user": User, "passwordFile": s.passwordFile(), "caFile": s.Authority},
		},
	} {
		text, err := yaml.Marshal(content)
		if err != nil {
			return Program{}, err
		}
		if err := folder.WriteFile(path, text); err != nil {
			return Program{}, fmt.Errorf("preparing the store of logs and traces: %w", err)
		}
	}
	p := s.program(Records, "--config="+file)
	p.Inputs = append(p.Inputs, users, file, s.Authority)
	p.Health = s.RecordsURL() + "/health"
	return p, nil
}

func (s Site) alerts(password string) (Program, error) {
	dir := s.dir(Alerts)
	web := filepath.Join(dir, "web.yml")
	if err := s.writeWeb(web, password); err != nil {
		return Program{}, fmt.Errorf("preparing Alertmanager: %w", err)
	}
	p := s.program(Alerts,
		"--config.file="+s.AlertsFile(), "--storage.path="+filepath.Join(dir, "data"), "--web.config.file="+web,
		"--web.listen-address="+net.JoinHostPort(config.Loopback, strconv.Itoa(s.Ports.Alerts)), "--cluster.listen-address=", "--log.level=warn",
		// Each tenant may make silences, and all are in the memory of one program.
		"--silences.max-silences="+mostSilences, "--silences.max-silence-size-bytes="+mostSilence,
	)
	p.Health = s.AlertsURL() + "/-/healthy"
	return p, nil
}

// writeWeb writes who may ask Alertmanager. The digest of a password is another one each time: one
// that is still right stays.
func (s Site) writeWeb(file, password string) error {
	hash, err := kept(file, password)
	if err != nil {
		return err
	}
	if hash == "" {
		made, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost) // the password is random
		if err != nil {
			return err
		}
		hash = string(made)
	}
	text, err := yaml.Marshal(webConfig{
		TLS:   webTLS{Certificate: s.Certificate, Key: s.Key},
		Users: map[string]string{User: hash},
	})
	if err != nil {
		return err
	}
	return folder.WriteFile(file, text)
}
