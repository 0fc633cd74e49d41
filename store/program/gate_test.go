package program

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// VictoriaMetrics and this program are killed at any moment under load, one of them or both: no sample that was
// acknowledged is lost, and none is there twice.
func TestAcknowledgedMetricsSurviveKills(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	v := newVictoria(t)
	v.start()
	dir := t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	config := fmt.Sprintf("dir: %s\nlimits: {memory: 128MiB}\nmetrics: {url: %q, window: 15s}\n", filepath.Join(dir, "data"), "http://"+v.address)
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, nil, "--config="+file)
	var at atomic.Value
	at.Store(p.url)
	l := newLoad(func() string { return at.Load().(string) })
	// Longer than the window: part of what was acknowledged is forgotten before the last kill.
	random := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	kills := 0
	for began := time.Now(); time.Since(began) < 24*time.Second; kills++ {
		time.Sleep(time.Duration(random.IntN(2500)) * time.Millisecond)
		which := random.IntN(4)
		if which != 0 {
			v.kill()
		}
		if which < 2 {
			p.kill()
		}
		time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
		if which != 0 {
			v.start()
		}
		if which < 2 {
			p = launch(t, nil, "--config="+file)
			at.Store(p.url)
		}
	}
	acked := l.stop()
	v.kill()
	v.start()
	var lost int
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		if lost = missing(acked, v.samples()); lost == 0 {
			break
		}
	}
	t.Logf("%d kills, %d samples acknowledged", kills, len(acked))
	if lost > 0 {
		t.Errorf("%d of %d acknowledged samples are lost", lost, len(acked))
	}
	for sample, times := range v.samples() {
		if times > 1 {
			t.Fatalf("the sample %q is there %d times", sample, times)
		}
	}
}

// The test above can fail: without the gate the same load loses samples.
func TestVictoriaMetricsAloneLoses(t *testing.T) {
	v := newVictoria(t)
	v.start()
	l := newLoad(func() string { return "http://" + v.address })
	time.Sleep(time.Second)
	v.kill()
	acked := l.stop()
	v.start()
	if lost := missing(acked, v.samples()); lost == 0 {
		t.Errorf("VictoriaMetrics has all of %d samples: is the gate needed?", len(acked))
	}
}

// What nobody could tell apart when it is sent again, or may not be sent, is refused; what the store refuses is passed on.
func TestGateAnswers(t *testing.T) {
	v := newVictoria(t)
	v.start()
	dir := t.TempDir()
	users, file := filepath.Join(dir, "users.yaml"), filepath.Join(dir, "config.yaml")
	for path, text := range map[string]string{
		users: "- {token: all}\n- {token: blue, tenant: blue}\n",
		file:  fmt.Sprintf("dir: %s\nusersFile: %s\nlimits: {memory: 128MiB, request: 1MiB}\nmetrics: {url: %q}\n", filepath.Join(dir, "data"), users, "http://"+v.address),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := launch(t, nil, "--config="+file)
	for _, c := range []struct {
		why, token, path, body string
		want                   int
	}{
		{"Whoever is unknown does not write.", "nobody", "/api/v1/import/prometheus", "a 1\n", 401},
		{"A sample without a time gets one.", "all", "/api/v1/import/prometheus", "timeless 1\n", 204},
		{"A user's tenant counts, whatever the request says.", "blue", "/api/v1/import/prometheus?extra_label=tenant%3Dred", "owned{tenant=\"green\"} 1\n", 204},
		{"A line of CSV without a time would have another one the next time.", "all", "/api/v1/import/csv?format=1:metric:a", "1\n", 400},
		{"What VictoriaMetrics refuses is refused.", "all", "/api/v1/import/prometheus?timestamp=never", "a 1\n", 400},
		{"A body has its limit.", "all", "/api/v1/import/prometheus", strings.Repeat("a", 2<<20), 413},
		{"Questions go elsewhere.", "all", "/api/v1/query?query=1", "", 404},
	} {
		r, err := http.NewRequest(http.MethodPost, p.url+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+c.token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body) // it is for the message alone
		answer.Body.Close()
		if answer.StatusCode != c.want {
			t.Errorf("%s Status %d, want %d: %s", c.why, answer.StatusCode, c.want, text)
		}
	}
	// VictoriaMetrics remembers for a while that there is no such series.
	got := v.export("owned")
	for deadline := time.Now().Add(15 * time.Second); got == "" && time.Now().Before(deadline); got = v.export("owned") {
		time.Sleep(500 * time.Millisecond)
	}
	if !strings.Contains(got, `"tenant":"blue"`) {
		t.Errorf("the series of the user of blue: %q", got)
	}
	v.kill()
	r, err := http.NewRequest(http.MethodPost, p.url+"/api/v1/import/prometheus", strings.NewReader("a 1\n"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer all")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without VictoriaMetrics the answer is %d", answer.StatusCode)
	}
}

// victoria is the real VictoriaMetrics.
type victoria struct {
	t                      *testing.T
	program, address, data string
	running                *exec.Cmd
}

func newVictoria(t *testing.T) *victoria {
	t.Helper()
	program, err := filepath.Abs("../../bin/libexec/victoria-metrics")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("bin/libexec/victoria-metrics is not built: hack/build-engines.sh victoria-metrics")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	v := &victoria{t: t, program: program, address: l.Addr().String(), data: filepath.Join(t.TempDir(), "data")}
	t.Cleanup(v.kill)
	return v
}

func (v *victoria) start() {
	v.t.Helper()
	v.running = exec.Command(v.program, "-storageDataPath="+v.data, "-httpListenAddr="+v.address, "-memory.allowedBytes=64MiB",
		"-search.latencyOffset=0s", "-dedup.minScrapeInterval=1ms", "-inmemoryDataFlushInterval=1s", "-loggerLevel=ERROR")
	v.running.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := v.running.Start(); err != nil {
		v.t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		answer, err := http.Get("http://" + v.address + "/health")
		if err == nil {
			answer.Body.Close()
			return
		}
	}
	v.t.Fatal("VictoriaMetrics does not answer")
}

// kill is kill -9.
func (v *victoria) kill() {
	if v.running != nil {
		_ = v.running.Process.Kill()
		_ = v.running.Wait()
	}
	v.running = nil
}

func (v *victoria) export(metric string) string {
	v.t.Helper()
	// What has just been written is visible after that.
	flushed, err := http.Get("http://" + v.address + "/internal/force_flush")
	if err != nil {
		v.t.Fatal(err)
	}
	flushed.Body.Close()
	answer, err := http.Get("http://" + v.address + "/api/v1/export?start=0&match[]=" + metric)
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return string(text)
}

// samples are those that it has, by series and time, and how often.
func (v *victoria) samples() map[string]int {
	v.t.Helper()
	found := map[string]int{}
	lines := bufio.NewScanner(strings.NewReader(v.export("probe")))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var series struct {
			Metric     struct{ Writer, Part string }
			Timestamps []int64
		}
		if err := json.Unmarshal(lines.Bytes(), &series); err != nil {
			v.t.Fatalf("reading %q: %v", lines.Text(), err)
		}
		for _, at := range series.Timestamps {
			found[sampleName(series.Metric.Writer, series.Metric.Part, at)]++
		}
	}
	return found
}

func sampleName(writer, part string, at int64) string { return fmt.Sprint(writer, "/", part, "/", at) }

func missing(acked []string, found map[string]int) (n int) {
	for _, sample := range acked {
		if found[sample] == 0 {
			n++
		}
	}
	return n
}

// load writes samples, each until it is acknowledged, and remembers those.
type load struct {
	to    func() string
	end   chan struct{}
	done  sync.WaitGroup
	mu    sync.Mutex
	acked []string
}

func newLoad(to func() string) *load {
	l := &load{to: to, end: make(chan struct{})}
	for writer := range 4 {
		l.done.Go(func() { l.run(fmt.Sprint(writer)) })
	}
	return l
}

// run writes fifty samples at a time. A series has five hundred of them: new ones begin all the time.
func (l *load) run(writer string) {
	first := time.Now().Add(-time.Hour).UnixMilli()
	client := &http.Client{Timeout: 10 * time.Second}
	for n := int64(0); ; n += 50 {
		var body bytes.Buffer
		var names []string
		part := fmt.Sprint(n / 500)
		for i := n; i < n+50; i++ {
			fmt.Fprintf(&body, "probe{writer=%q,part=%q} %d %d\n", writer, part, i, first+i)
			names = append(names, sampleName(writer, part, first+i))
		}
		for {
			select {
			case <-l.end:
				return
			default:
			}
			answer, err := client.Post(l.to()+"/api/v1/import/prometheus", "text/plain", bytes.NewReader(body.Bytes()))
			if err == nil {
				answer.Body.Close()
				if answer.StatusCode/100 == 2 {
					break
				}
			}
			time.Sleep(20 * time.Millisecond)
		}
		l.mu.Lock()
		l.acked = append(l.acked, names...)
		l.mu.Unlock()
		time.Sleep(2 * time.Millisecond)
	}
}

// stop ends the load and returns what was acknowledged.
func (l *load) stop() []string {
	close(l.end)
	l.done.Wait()
	return l.acked
}
