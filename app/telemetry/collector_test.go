package telemetry_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/telemetry"
	"portico.dev/portico/config"
	"portico.dev/portico/fleet"
	"portico.dev/portico/pki"
)

// mostMemory is what the collector may have resident, in KiB.
const mostMemory = 120 << 10

// The plane's own collector asks the plane, reads the programs' logs, and writes to the stores by a user who
// reads nothing there. What it has read while the stores are away, and before it is killed, is not lost.
func TestRealCollector(t *testing.T) {
	s, roots := site(t)
	if missing := s.Missing(); len(missing) > 0 {
		t.Skipf("not built: %s: run make build", strings.Join(missing, ", "))
	}
	client := filepath.Join(string(s.Folder), "client.pem")
	told(t, s, client)
	p, err := s.Collect(telemetry.Watched{Cluster: "mothership", Namespace: "kcm-system", Client: client, Kubeconfig: kubeconfig(t, s, client)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.Path); err != nil {
		t.Skip("bin/portico-collector is not built: run make build")
	}
	log := s.Folder.Log("plane")
	write(t, log, "level=INFO msg=\"before the stores\"\n")
	c := caller{t, &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: 10 * time.Second}}
	first := running(t, p)
	c.await(p.Health, "", "", "")
	// It has read this when it is killed, and the stores are not there yet.
	waiting(t, s)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed
	write(t, log, "level=WARN msg=\"while nobody read\"\n")

	all, err := s.Programs()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all[:3] {
		run(t, p)
		c.await(p.Health, "", "", "")
	}
	second := running(t, p)
	password, err := s.Password()
	if err != nil {
		t.Fatal(err)
	}
	metrics := func(query string) string { return s.MetricsURL() + "/api/v1/query?query=" + query }
	c.await(metrics("up"), telemetry.User, password, `"job":"portico-fleet"`)
	c.await(metrics("portico_cluster_ready"), telemetry.User, password, `"tenant":"team-a"`)
	if got := c.get(metrics("portico_cluster_ready"), telemetry.User, password); !strings.Contains(got, `"cluster":"one"`) {
		t.Errorf("a series about a cluster has another one's name: %s", got)
	}
	if got := c.get(metrics("up{job=\"portico-fleet\"}"), telemetry.User, password); !strings.Contains(got, `"cluster":"mothership"`) || !strings.Contains(got, `"tenant":"PORTICO"`) {
		t.Errorf("a series of the plane's own: %s; want it to be mothership's, and of the plane's tenant", got)
	}
	logs := s.RecordsURL() + "/select/portico/logs?label=service.name%3Dplane"
	for _, text := range []string{"before the stores", "while nobody read"} {
		c.await(logs, telemetry.User, password, text)
	}
	if got := c.get(logs, telemetry.User, password); strings.Count(got, "before the stores") != 1 || strings.Contains(got, "team-") {
		t.Errorf("the logs are %s; want each line once, and to be nobody's but the plane's", got)
	}
	// Clusters without a tenant share PLATFORM, and see nothing of the plane there.
	of := func(tenant string) string { return logs + "&extra_filters=%22tenant%22%3A%3D%22" + tenant + "%22" }
	if got := c.get(of("PLATFORM"), telemetry.User, password); strings.Contains(got, "before the stores") {
		t.Errorf("clusters without a tenant read the plane's logs: %s", got)
	}
	if got := c.get(of("PORTICO"), telemetry.User, password); !strings.Contains(got, "before the stores") {
		t.Errorf("under the plane's own tenant there is %s", got)
	}
	if kib := resident(t, second.Process.Pid); kib > mostMemory {
		t.Errorf("the collector has %d KiB, at most %d", kib, mostMemory)
	}
	if got := c.status(s.DoorURL()+"/vm/select/0/prometheus/api/v1/query?query=up", telemetry.Collector, variable(p, "KOF_VM_PASSWORD")); got == http.StatusOK {
		t.Error("the collector's user reads what it has written")
	}
}

// Facts that make no configuration are said before anything is written.
func TestCollectRefuses(t *testing.T) {
	s, _ := site(t)
	if _, err := s.Collect(telemetry.Watched{}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("Collect for a cluster without a name: %v; want ErrInvalid", err)
	}
	if _, err := s.Collect(telemetry.Watched{Cluster: "c", Programs: []string{telemetry.Door}}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("Collect with one program twice: %v; want ErrInvalid", err)
	}
	if _, err := os.Stat(s.Folder.Engine(telemetry.Collector)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was written: %v", err)
	}
}

// told serves metrics as the plane does: to whom shows a certificate of the site's authority.
func told(t *testing.T, s telemetry.Site, client string) {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(string(s.Folder), "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	authority, err := pki.ParseAuthority(pki.ParseBundle(ca))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := authority.Issue(pki.Leaf{CommonName: "collector", Usage: pki.Client, Validity: time.Hour}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := folder.WriteFile(client, pair.Bundle()); err != nil {
		t.Fatal(err)
	}
	own, err := tls.LoadX509KeyPair(s.Certificate, s.Key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.CertificatePEM())
	l, err := tls.Listen("tcp", net.JoinHostPort(config.Loopback, strconv.Itoa(s.Ports.Own)), &tls.Config{
		Certificates: []tls.Certificate{own}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: roots,
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc(telemetry.FleetPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprintln(w, `portico_cluster_ready{cluster="one",clusterNamespace="n",tenant="team-a"} 1`)
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }() // it ends with Close
	t.Cleanup(func() { server.Close() })
}

func kubeconfig(t *testing.T, s telemetry.Site, client string) string {
	t.Helper()
	authority, err := os.ReadFile(s.Authority)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(string(s.Folder), "kubeconfig")
	k := pki.Kubeconfig{Cluster: "c", Server: fmt.Sprintf("https://127.0.0.1:%d", s.Ports.API), Authority: authority, User: "u", ClientFile: client}
	if err := folder.WriteFile(file, k.Bytes()); err != nil {
		t.Fatal(err)
	}
	return file
}

// running is run for a program that is killed on the way.
func running(t *testing.T, p telemetry.Program) *exec.Cmd {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Env = append(os.Environ(), p.Variables...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", p.Name, log.String())
		}
	})
	return cmd
}

// waiting returns when something waits in the queue of logs: a file of the queue has grown.
func waiting(t *testing.T, s telemetry.Site) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		offsets, _ := filepath.Glob(filepath.Join(s.Folder.Engine(telemetry.Collector), "queue", "filelog-management", "*"))
		for _, file := range offsets {
			if text, err := os.ReadFile(file); err == nil && bytes.Contains(text, []byte("knownFiles")) && bytes.Contains(text, []byte("plane.log")) {
				return
			}
		}
	}
	t.Fatal("the collector has not noted that it has read the log")
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func variable(p telemetry.Program, name string) string {
	for _, v := range p.Variables {
		if value, is := strings.CutPrefix(v, name+"="); is {
			return value
		}
	}
	return ""
}

// resident is the memory of a process in KiB.
func resident(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, is := strings.CutPrefix(line, "VmRSS:"); is {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return kib
		}
	}
	t.Fatal("the kernel does not say what memory the collector has")
	return 0
}
