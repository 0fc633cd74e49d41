package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"portico.dev/portico/app/folder"
	stores "portico.dev/portico/app/telemetry"
	"portico.dev/portico/config"
	"portico.dev/portico/observability/collect"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/pki"
)

// sender is who writes on a stage, as the tenant of that name.
const sender = "bench"

// stage is a collector and the stores of a plane, as a plane starts them, without one.
type stage struct {
	site     stores.Site
	facts    collect.Facts
	password string
	client   *http.Client
	programs map[string]stores.Program
	running  map[string]*exec.Cmd
	files    []*os.File
}

// newStage prepares the programs in a folder. The collector reads the lines of the file.
func newStage(bin, dir, lines string) (*stage, error) {
	s := &stage{programs: map[string]stores.Program{}, running: map[string]*exec.Cmd{}}
	if err := s.place(bin, dir); err != nil {
		return nil, err
	}
	all, err := s.site.Programs()
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		s.programs[p.Name] = p
	}
	if s.password, err = s.site.Password(); err != nil {
		return nil, err
	}
	door, err := topology.Vmauth(s.site.Backends(s.password), []topology.Access{
		{User: sender, Passwords: []string{sender}, Tenant: sender}, {User: stores.User, Passwords: []string{s.password}},
	})
	if err != nil {
		return nil, err
	}
	if err := folder.WriteFile(s.site.DoorFile(), door); err != nil {
		return nil, err
	}
	return s, s.collector(dir, lines)
}

// place makes certificates and finds ports.
func (s *stage) place(bin, dir string) error {
	now := time.Now()
	authority, err := pki.NewAuthority("bench", 24*time.Hour, now)
	if err != nil {
		return err
	}
	pair, err := authority.Issue(pki.Leaf{CommonName: "bench", Names: []string{config.Loopback}, Usage: pki.Server, Validity: 24 * time.Hour}, now)
	if err != nil {
		return err
	}
	ports, err := free(10)
	if err != nil {
		return err
	}
	s.site = stores.Site{
		Folder: folder.Folder(dir), Libexec: filepath.Join(bin, "libexec"), Bin: bin, Days: 30,
		Ports:       config.Ports{Host: config.Loopback, Telemetry: ports[0], Metrics: ports[1], Records: ports[2], Rules: ports[3], Alerts: ports[4]},
		Certificate: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), Authority: filepath.Join(dir, "ca.crt"),
	}
	s.facts.Ports = collect.Ports{GRPC: ports[5], HTTP: ports[6], Write: ports[7], Health: ports[8], Telemetry: ports[9]}
	for file, content := range map[string][]byte{s.site.Certificate: pair.Certificate, s.site.Key: pair.Key, s.site.Authority: authority.CertificatePEM()} {
		if err := folder.WriteFile(file, content); err != nil {
			return err
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.CertificatePEM())
	s.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: time.Minute}
	return nil
}

// collector adds the collector's program.
func (s *stage) collector(dir, lines string) error {
	s.facts.Role, s.facts.Cluster, s.facts.Tenant, s.facts.Listen = collect.Management, sender, sender, config.Loopback
	s.facts.Write = collect.Endpoints{
		Metrics: s.site.DoorURL() + "/vm/insert/0/prometheus/api/v1/write",
		Logs:    s.site.DoorURL() + "/vli/insert/opentelemetry/v1/logs",
	}
	s.facts.Credentials, s.facts.TLS = &collect.Credentials{}, collect.TLS{CAFile: s.site.Authority}
	s.facts.Queue = collect.Queue{Directory: filepath.Join(dir, "queue")}
	s.facts.Files = []collect.LogFiles{{Program: "generator", Pattern: lines}}
	text, err := collect.Config(s.facts)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "collector.yaml")
	s.programs[stores.Collector] = stores.Program{
		Name: stores.Collector, Path: filepath.Join(s.site.Bin, "portico-collector"), Dir: dir, Args: collect.Arguments(s.facts, file),
		Variables: append(collect.Environment(s.facts), collect.User+"="+sender, collect.Password+"="+sender),
		Health:    fmt.Sprintf("http://%s:%d", config.Loopback, s.facts.Ports.Health),
	}
	return folder.WriteFile(file, text)
}

// free are ports that nobody listens on.
func free(count int) ([]int, error) {
	var ports []int
	for range count {
		l, err := net.Listen("tcp", config.Loopback+":0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// start starts programs, one after the other, and waits for each.
func (s *stage) start(ctx context.Context, names ...string) error {
	for _, name := range names {
		p := s.programs[name]
		said, err := os.OpenFile(filepath.Join(string(s.site.Folder), name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		s.files = append(s.files, said)
		cmd := exec.CommandContext(ctx, p.Path, p.Args...)
		cmd.Env = append(os.Environ(), p.Variables...)
		cmd.Stdout, cmd.Stderr = said, said
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("starting %s: %w", name, err)
		}
		s.running[name] = cmd
		if err := s.await(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) await(ctx context.Context, p stores.Program) error {
	var last error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline) && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		if _, last = s.get(ctx, p.Health); last == nil {
			return nil
		}
	}
	return errors.Join(ctx.Err(), fmt.Errorf("%s does not answer: %w", p.Name, last))
}

// kill is kill -9.
func (s *stage) kill(names ...string) {
	for _, name := range names {
		if cmd := s.running[name]; cmd != nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed, and says so
		}
		delete(s.running, name)
	}
}

func (s *stage) close() {
	for name := range s.programs {
		s.kill(name)
	}
	for _, f := range s.files {
		_ = f.Close() // what stands in it is for people alone
	}
}

// get asks in the plane's name.
func (s *stage) get(ctx context.Context, address string) ([]byte, error) {
	return s.do(ctx, http.MethodGet, address, nil, nil)
}

func (s *stage) do(ctx context.Context, method, address string, header http.Header, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.SetBasicAuth(stores.User, s.password)
	for name, values := range header {
		r.Header[name] = values
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("%s answers %s: %.200s", address, answer.Status, text)
	}
	return text, err
}

// figureOf is the sum of what a program says under that name in Prometheus' text format.
func (s *stage) figureOf(ctx context.Context, address, name string) (float64, error) {
	text, err := s.get(ctx, address)
	if err != nil {
		return 0, err
	}
	sum, found := 0.0, false
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
		if err != nil {
			return 0, err
		}
		sum, found = sum+n, true
	}
	if !found {
		return 0, fmt.Errorf("%s says nothing of %s", address, name)
	}
	return sum, nil
}

// ask is the one number that VictoriaMetrics answers to a question with.
func (s *stage) ask(ctx context.Context, question string) (float64, error) {
	text, err := s.get(ctx, s.site.MetricsURL()+"/api/v1/query?nocache=1&query="+url.QueryEscape(question))
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct{ Result []struct{ Value [2]any } }
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return 0, err
	}
	if len(answer.Data.Result) == 0 {
		return 0, nil
	}
	number, _ := answer.Data.Result[0].Value[1].(string)
	return strconv.ParseFloat(number, 64)
}

// took is the processor time of a program so far, in user and system mode, in seconds.
func (s *stage) took(name string) (float64, error) { return processorTime(s.running[name].Process.Pid) }

// most is the most memory that a program has had resident, in MiB.
func (s *stage) most(name string) (float64, error) { return s.status(name, "VmHWM:") }

// own is what it has resident now without files that it has mapped, as a collector has its queues.
func (s *stage) own(name string) (float64, error) { return s.status(name, "RssAnon:") }

func (s *stage) status(name, field string) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.running[name].Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), field)
	kib, err := strconv.ParseFloat(strings.Fields(rest + " none")[0], 64)
	return kib / 1024, err
}
