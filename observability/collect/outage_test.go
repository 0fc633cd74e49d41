package collect

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

// The store is away for a while, and meanwhile the collector is killed and started again: every line
// and every sample arrives. VictoriaMetrics and the collector are the real ones.
func TestOutageLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	work := t.TempDir()
	metrics := newVictoria(t, filepath.Join(work, "metrics"))
	logs := newLogStore(t)
	target := newTarget(t)
	file := filepath.Join(work, "program.log")
	facts := Facts{
		Role: Management, Cluster: "mothership",
		Write:   Endpoints{Metrics: "http://" + metrics.address + "/api/v1/write", Logs: "http://" + logs.address + "/v1/logs"},
		Queue:   Queue{Directory: filepath.Join(work, "queue")},
		Ports:   Ports{GRPC: freePort(t), HTTP: freePort(t), Write: freePort(t), Health: freePort(t), Telemetry: freePort(t)},
		Targets: []Target{{Job: "counted", Address: target.address}},
		Files:   []LogFiles{{Program: "program", Pattern: file}},
	}

	metrics.start()
	logs.start()
	lines := writeLines(t, file)
	c := startCollector(t, facts)
	eventually(t, "first samples and lines", func() bool { return len(metrics.counted()) > 2 && logs.count() > 20 })

	metrics.stop()
	logs.stop()
	time.Sleep(4 * time.Second)
	kill(t, c)
	killed := target.scrapes.Load()
	time.Sleep(time.Second)
	startCollector(t, facts)
	time.Sleep(4 * time.Second)
	metrics.start()
	logs.start()
	time.Sleep(2 * time.Second)
	last := lines.stop()
	scraped := target.scrapes.Load()

	eventually(t, "all lines", func() bool { return logs.missing(last) == 0 })
	eventually(t, "all samples", func() bool {
		got := metrics.counted()
		for n := int64(1); n <= scraped; n++ {
			// The answer that was on its way when the collector was killed was nobody's yet.
			if !got[n] && n != killed {
				return false
			}
		}
		return true
	})
}

// eventually waits for what has to come. The deadline is for machines that have much else to do.
func eventually(t *testing.T, what string, come func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !come(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come", what)
		}
	}
}

// startCollector starts the program with the configuration for the facts, made impatient.
func startCollector(t *testing.T, facts Facts) *exec.Cmd {
	t.Helper()
	text, err := Config(facts)
	if err != nil {
		t.Fatal(err)
	}
	impatient := strings.NewReplacer("scrape_interval: 30s", "scrape_interval: 500ms", "timeout: 15s", "timeout: 2s", "max_interval: 10s", "max_interval: 1s", "level: info", "level: warn")
	file := filepath.Join(t.TempDir(), "collector.yaml")
	if err := os.WriteFile(file, []byte(impatient.Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, collector(t), Arguments(facts, file)...)
}

// start starts a program that ends with the test; what it says is shown when the test fails.
func start(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		kill(t, cmd)
		said.Close()
		if text, err := os.ReadFile(said.Name()); err == nil && t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(program), tail(string(text), 4000))
		}
	})
	return cmd
}

func tail(text string, most int) string { return text[max(0, len(text)-most):] }

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if cmd.ProcessState != nil {
		return
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Errorf("killing %s: %v", cmd.Path, err)
	}
	_ = cmd.Wait() // It was killed, and says so.
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// victoria is the real store of metrics, which can go away and come back.
type victoria struct {
	t             *testing.T
	program       string
	address, data string
	running       *exec.Cmd
}

func newVictoria(t *testing.T, data string) *victoria {
	t.Helper()
	program, err := filepath.Abs("../../bin/libexec/victoria-metrics")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("bin/libexec/victoria-metrics is not built: hack/build-engines.sh victoria-metrics")
	}
	return &victoria{t: t, program: program, data: data, address: fmt.Sprintf("127.0.0.1:%d", freePort(t))}
}

func (v *victoria) start() {
	v.running = start(v.t, v.program, "-storageDataPath="+v.data, "-httpListenAddr="+v.address, "-memory.allowedBytes=64MiB", "-search.latencyOffset=0s")
}

func (v *victoria) stop() {
	if err := v.running.Process.Signal(os.Interrupt); err != nil {
		v.t.Error(err)
	}
	_ = v.running.Wait() // How it ends is not what is tested.
}

// counted are the values of the counter that the store has.
func (v *victoria) counted() map[int64]bool {
	got := map[int64]bool{}
	resp, err := http.Get("http://" + v.address + "/api/v1/export?reduce_mem_usage=1&match[]=" + url.QueryEscape(`scrapes_total{job="counted",cluster="mothership",tenant=""}`))
	if err != nil {
		return got
	}
	defer resp.Body.Close()
	for scan := bufio.NewScanner(resp.Body); scan.Scan(); {
		var series struct{ Values []float64 }
		if err := json.Unmarshal(scan.Bytes(), &series); err != nil {
			v.t.Errorf("the store exports %q: %v", scan.Text(), err)
		}
		for _, n := range series.Values {
			got[int64(n)] = true
		}
	}
	return got
}

// target has a counter of how often it was asked.
type target struct {
	address string
	scrapes atomic.Int64
}

func newTarget(t *testing.T) *target {
	t.Helper()
	g := &target{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		fmt.Fprintf(w, "# TYPE scrapes_total counter\nscrapes_total %d\n", g.scrapes.Add(1))
	}))
	t.Cleanup(server.Close)
	g.address = strings.TrimPrefix(server.URL, "http://")
	return g
}

// logStore takes log records by OTLP and remembers the numbers of lines.
type logStore struct {
	t       *testing.T
	address string
	server  *http.Server
	mu      sync.Mutex
	got     map[int]bool
}

func newLogStore(t *testing.T) *logStore {
	t.Helper()
	s := &logStore{t: t, address: fmt.Sprintf("127.0.0.1:%d", freePort(t)), got: map[int]bool{}}
	t.Cleanup(s.stop)
	return s
}

func (s *logStore) start() {
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.server.Serve(l) }() // It ends when it is closed.
}

func (s *logStore) stop() {
	if s.server != nil {
		_ = s.server.Close()
	}
}

func (s *logStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := plogotlp.NewExportRequest()
	unzipped, err := gzip.NewReader(r.Body)
	if err == nil {
		var body []byte
		if body, err = io.ReadAll(unzipped); err == nil {
			err = request.UnmarshalProto(body)
		}
	}
	if err != nil {
		s.t.Errorf("the collector sends what is no OTLP: %v", err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range request.Logs().ResourceLogs().All() {
		if cluster, _ := resource.Resource().Attributes().Get("k8s.cluster.name"); cluster.Str() != "mothership" {
			s.t.Errorf("a record comes from cluster %q", cluster.Str())
		}
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				n, err := strconv.Atoi(strings.TrimPrefix(record.Body().Str(), "error in line "))
				if err != nil || record.SeverityNumber() != 17 {
					s.t.Errorf("record %q with severity %d", record.Body().Str(), record.SeverityNumber())
				}
				s.got[n] = true
			}
		}
	}
}

func (s *logStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got)
}

// missing counts the lines up to the last that did not come.
func (s *logStore) missing(last int) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 1; i <= last; i++ {
		if !s.got[i] {
			n++
		}
	}
	return n
}

// lines are being written to a file, a hundred a second.
type lines struct {
	end  chan struct{}
	last chan int
}

func writeLines(t *testing.T, file string) *lines {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	l := &lines{end: make(chan struct{}), last: make(chan int, 1)}
	go func() {
		defer f.Close()
		for n := 1; ; n++ {
			fmt.Fprintf(f, "error in line %d\n", n)
			select {
			case <-l.end:
				l.last <- n
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
	}()
	return l
}

// stop returns the number of the last line.
func (l *lines) stop() int {
	close(l.end)
	return <-l.last
}
