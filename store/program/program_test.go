package program

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"portico.dev/portico/store/wire"
)

// With this variable the test is the program itself: what a test kills is a process.
const programVariable = "PORTICO_STORE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programVariable) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	os.Exit(Run(ctx, Env{Args: os.Args[1:], Out: os.Stdout, Err: os.Stderr, Clock: time.Now}))
}

// process is a program of its own.
type process struct {
	url     string
	command *exec.Cmd
	lines   *bufio.Scanner
	pid     int // of the program itself
}

// launch starts the program, with wrap before its command line.
func launch(t *testing.T, wrap []string, args ...string) *process {
	t.Helper()
	line := append(append(wrap, os.Args[0], "--listen=127.0.0.1:0"), args...)
	p := &process{command: exec.Command(line[0], line[1:]...)}
	p.command.Env = append(os.Environ(), programVariable+"=1")
	out, err := p.command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	p.pid = p.command.Process.Pid
	p.lines = bufio.NewScanner(out)
	for p.lines.Scan() {
		if _, after, ok := strings.Cut(p.lines.Text(), "address="); ok {
			p.url = "http://" + strings.Fields(after)[0]
			go func() {
				for p.lines.Scan() {
				}
			}()
			return p
		}
		t.Log(p.lines.Text())
	}
	t.Fatalf("the program ended: %v", p.command.Wait())
	return nil
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.command.Process.Kill()
	_ = p.command.Wait()
}

// records searches, and fails where the answer is not whole.
func records(t *testing.T, to string, args url.Values, header map[string]string) []wire.Record {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, to+"/vls/select/portico/logs?"+args.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var list []wire.Record
	for d := json.NewDecoder(answer.Body); ; {
		var line wire.Line
		if err := d.Decode(&line); err != nil {
			t.Fatalf("%s: the answer has no end: %v", answer.Status, err)
		}
		if line.End != nil {
			if line.End.Records != len(list) {
				t.Fatalf("%d records of %d", len(list), line.End.Records)
			}
			return list
		}
		if line.Record == nil {
			t.Fatal(line.Error)
		}
		list = append(list, *line.Record)
	}
}

func oneLine(t testing.TB, body string) []byte {
	logs := plog.NewLogs()
	record := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	record.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	record.Body().SetStr(body)
	data, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const insertLogs = "/vli/insert/opentelemetry/v1/logs"

// TestKill kills the program again and again while many send to it: every line that was acknowledged
// is there afterwards, and none twice that was sent once.
func TestKill(t *testing.T) {
	dir := t.TempDir()
	var mu sync.Mutex
	acknowledged := map[string]bool{}
	sent := 0
	for round := range 4 {
		p := launch(t, nil, "--dir="+dir, "--reserve=1MiB", "--memory=128MiB")
		var wait sync.WaitGroup
		for sender := range 8 {
			wait.Go(func() {
				for i := 0; ; i++ {
					line := fmt.Sprintf("line %d-%d-%d ", round, sender, i) + strings.Repeat("x", 2000)
					status, _, err := send(p.url+insertLogs, oneLine(t, line), nil)
					if err != nil {
						return
					}
					mu.Lock()
					sent++
					acknowledged[line] = acknowledged[line] || status == http.StatusOK
					mu.Unlock()
				}
			})
		}
		// Searches make transactions, so that it dies in the middle of them, too.
		for range round {
			time.Sleep(150 * time.Millisecond)
			records(t, p.url, url.Values{"limit": {"1"}}, nil)
		}
		time.Sleep(300 * time.Millisecond)
		p.kill()
		wait.Wait()
	}
	p := launch(t, nil, "--dir="+dir, "--reserve=1MiB")
	found := map[string]int{}
	for _, r := range records(t, p.url, url.Values{"limit": {"100000"}}, nil) {
		found[r.Body]++
	}
	for line := range acknowledged {
		if found[line] != 1 {
			t.Errorf("%.20s is there %d times", line, found[line])
		}
	}
	if sent < 100 {
		t.Fatalf("only %d lines were sent", sent)
	}
	t.Logf("%d lines acknowledged, %d found", len(acknowledged), len(found))
}

// TestFullDisk fills a small disk. Writes are refused with a text that says why, searches go on,
// what was acknowledged is there, and a start on the full disk works.
func TestFullDisk(t *testing.T) {
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil {
		t.Skip("it needs to mount a file system of its own: ", err)
	}
	dir := t.TempDir()
	p := launch(t, []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=48m none "$0" && exec "$@"`, dir}, "--dir="+filepath.Join(dir, "data"), "--reserve=8MiB", "--memory=128MiB")
	f := newFleet(time.Now().Add(-time.Hour), time.Millisecond)
	acknowledged := 0
	for i := range 1000 {
		status, text, err := send(p.url+insertLogs, packed(t, f.logs(2000)), map[string]string{"Content-Encoding": "gzip"})
		if err != nil {
			t.Fatal(err)
		}
		if status == http.StatusInsufficientStorage {
			if !strings.Contains(text, "reserve") && !strings.Contains(text, "no room") {
				t.Fatalf("it does not say why: %s", text)
			}
			break
		}
		if status != http.StatusOK || i == 999 {
			t.Fatalf("request %d: %d %s", i, status, text)
		}
		acknowledged += 2000
	}
	if acknowledged == 0 {
		t.Fatal("it was full from the beginning")
	}
	// Each line has a time of its own, and so the next page begins behind the last line.
	found := 0
	for start := time.Now().Add(-2 * time.Hour); ; {
		page := records(t, p.url, url.Values{
			"order": {"oldest"}, "limit": {"5000"}, "start": {start.Format(time.RFC3339Nano)}, "end": {time.Now().Add(24 * time.Hour).Format(time.RFC3339)},
		}, nil)
		if found += len(page); len(page) == 0 {
			break
		}
		start = page[len(page)-1].Time.Add(1)
	}
	if found != acknowledged {
		t.Fatalf("%d of %d acknowledged lines", found, acknowledged)
	}
	if health, err := http.Get(p.url + "/health"); err != nil || health.StatusCode != http.StatusOK {
		t.Fatal(health, err)
	}
}

// TestQuota is the same for the store's own quota.
func TestQuota(t *testing.T) {
	quota := start(t, "--dir="+t.TempDir(), "--quota=2MiB")
	defer quota.stop()
	f := newFleet(time.Now().Add(-time.Hour), time.Millisecond)
	refused := false
	for range 40 {
		status, text, err := send(quota.url+insertLogs, packed(t, f.logs(2000)), map[string]string{"Content-Encoding": "gzip"})
		if err != nil {
			t.Fatal(err)
		}
		if status == http.StatusInsufficientStorage && strings.Contains(text, "quota") {
			refused = true
			break
		}
	}
	if !refused {
		t.Fatal("the quota does not count")
	}
	records(t, quota.url, url.Values{"limit": {"10"}}, nil)
}

// TestRetentionBytes sends more than may be kept. Nothing is refused, the oldest lines are dropped, and
// the newest are there.
func TestRetentionBytes(t *testing.T) {
	const most = 16 << 20
	s := start(t, "--dir="+t.TempDir(), fmt.Sprint("--retention-bytes=", most))
	defer s.stop()
	f := newFleet(time.Now().Add(-time.Hour), time.Millisecond)
	first, last := f.at, f.at
	for range 50 {
		last = f.at
		if status, text, err := send(s.url+insertLogs, packed(t, f.logs(10_000)), map[string]string{"Content-Encoding": "gzip"}); status != http.StatusOK || err != nil {
			t.Fatal(status, text, err)
		}
	}
	at := func(from time.Time) url.Values {
		return url.Values{"order": {"oldest"}, "limit": {"1"}, "start": {from.Format(time.RFC3339Nano)}, "end": {f.at.Add(time.Second).Format(time.RFC3339Nano)}}
	}
	if got := records(t, s.url, at(last), nil); len(got) != 1 {
		t.Fatal("the newest lines are gone")
	}
	deadline := time.Now().Add(30 * time.Second)
	for metric(t, s.url, "database_bytes") > most {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are kept", metric(t, s.url, "database_bytes"))
		}
		time.Sleep(100 * time.Millisecond)
	}
	if got := records(t, s.url, at(first), nil); len(got) != 1 || got[0].Time.Sub(first) < time.Second {
		t.Fatalf("the oldest line is %+v", got)
	}
	if left := metric(t, s.url, "rows"); left < 100_000 {
		t.Fatalf("only %d lines are left", left)
	}
}

// TestMemory sends much to a store with little memory, and asks for much of it.
func TestMemory(t *testing.T) {
	p := launch(t, nil, "--dir="+t.TempDir(), "--reserve=1MiB", "--memory=256MiB")
	f := newFleet(time.Now().Add(-time.Hour), time.Millisecond)
	for range 40 {
		if status, text, err := send(p.url+insertLogs, packed(t, f.logs(5000)), map[string]string{"Content-Encoding": "gzip"}); status != http.StatusOK || err != nil {
			t.Fatal(status, text, err)
		}
	}
	records(t, p.url, url.Values{"limit": {"20000"}, "text": {"GET"}, "end": {f.at.Format(time.RFC3339Nano)}}, nil)
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		t.Skip(err)
	}
	_, after, _ := strings.Cut(string(data), "VmHWM:")
	peak, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d MiB at most", peak>>10)
	if peak>>10 > 400 {
		t.Fatalf("%d MiB", peak>>10)
	}
}

// metric is a figure of the store's own.
func metric(t *testing.T, to, name string) int {
	t.Helper()
	answer, err := http.Get(to + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if value, ok := strings.CutPrefix(lines.Text(), "portico_store_"+name+" "); ok {
			n, err := strconv.Atoi(value)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}

// TestTenants writes for two tenants and reads as each of them, as both, and as nobody.
func TestTenants(t *testing.T) {
	users := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(users, []byte("- {name: a, password: pa, tenant: a}\n- {token: tb, tenant: b}\n- {token: all}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, "--dir="+t.TempDir(), "--users-file="+users)
	defer s.stop()
	basic := map[string]string{"Authorization": "Basic YTpwYQ=="}
	for who, header := range map[string]map[string]string{"a": basic, "b": {"Authorization": "Bearer tb"}, "PLATFORM": {"Authorization": "Bearer all"}} {
		if status, text, err := send(s.url+insertLogs, oneLine(t, "of "+who), header); status != http.StatusOK || err != nil {
			t.Fatal(status, text, err)
		}
	}
	if status, _, _ := send(s.url+insertLogs, oneLine(t, "x"), nil); status != http.StatusUnauthorized {
		t.Errorf("a write of nobody: %d", status)
	}
	if got := records(t, s.url, url.Values{"label": {"tenant=~.*"}}, basic); len(got) != 1 || got[0].Body != "of a" || got[0].Tenant != "a" {
		t.Errorf("a sees %+v", got)
	}
	if got := records(t, s.url, url.Values{}, map[string]string{"Authorization": "Bearer all"}); len(got) != 3 {
		t.Errorf("all see %+v", got)
	}
}

// TestBadInput sends what no collector should, and then a line that has to be found.
func TestBadInput(t *testing.T) {
	s := start(t, "--dir="+t.TempDir())
	defer s.stop()
	for _, c := range []struct {
		name, why string
		body      []byte
		header    map[string]string
		want      int
	}{
		{"Junk", "No protobuf.", []byte("\xff\xfe junk"), nil, 400},
		{"NoGzip", "It says gzip, and is not.", []byte("junk"), map[string]string{"Content-Encoding": "gzip"}, 400},
		{"Encoding", "A compression that nobody knows.", nil, map[string]string{"Content-Encoding": "br"}, 400},
		{"Type", "No type of OTLP.", nil, map[string]string{"Content-Type": "text/plain"}, 400},
		{"Bomb", "Small when sent, and too big when decompressed.", gzipped(make([]byte, 40<<20)), map[string]string{"Content-Encoding": "gzip"}, 413},
		{"Big", "Too big as it is sent.", make([]byte, 33<<20), nil, 413},
		{"Empty", "Nothing is nothing.", nil, nil, 200},
		{"Long", "A line of 1 MB is cut.", oneLine(t, strings.Repeat("y", 1<<20)), nil, 200},
		{"Binary", "Bytes that are no text.", oneLine(t, "bin\x00\xff\xfe\x1e"), nil, 200},
	} {
		if status, text, err := send(s.url+insertLogs, c.body, c.header); status != c.want || err != nil {
			t.Errorf("%s: %s got %d %s %v", c.name, c.why, status, text, err)
		}
	}
	got := records(t, s.url, url.Values{"order": {"oldest"}}, nil)
	if len(got) != 2 || !strings.HasSuffix(got[0].Body, "…[cut, 1048576 bytes]") || !strings.HasPrefix(got[1].Body, "bin\uFFFD\uFFFD") {
		t.Fatalf("%d records", len(got))
	}
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	z := newGzip(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

// TestTraces sends a trace and reads it through Jaeger's API.
func TestTraces(t *testing.T) {
	s := start(t, "--dir="+t.TempDir())
	defer s.stop()
	at := time.Now().UnixNano()
	body := fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"web"}}]},"scopeSpans":[{"spans":[
		{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"GET /","kind":2,"startTimeUnixNano":"%d","endTimeUnixNano":"%d","status":{"code":2,"message":"no"},
		"attributes":[{"key":"http.status","value":{"intValue":"500"}}],"events":[{"name":"e","timeUnixNano":"%d"}]}]}]}]}`, at, at+5_000_000, at)
	json := map[string]string{"Content-Type": "application/json", wire.TenantHeader: "a"}
	if status, text, err := send(s.url+"/vti/insert/opentelemetry/v1/traces", []byte(body), json); status != 200 || err != nil {
		t.Fatal(status, text, err)
	}
	for _, c := range []struct{ name, path, tenant, want string }{
		{"Services", "/services", "a", `"data":["web"]`},
		{"Operations", "/services/web/operations", "a", `"data":["GET /"]`},
		{"Kinds", "/operations?service=web", "a", `{"name":"GET /","spanKind":"server"}`},
		{"Search", "/traces?service=web&tags=" + url.QueryEscape(`{"error":"true","http.status":"500"}`), "a", `"traceID":"5b8efff798038103d269b633813fc60c"`},
		{"SearchOther", "/traces?service=web", "b", `"data":[]`},
		{"Trace", "/traces/5b8efff798038103d269b633813fc60c", "a", `{"key":"otel.status_code","type":"string","value":"ERROR"}`},
		{"TraceOther", "/traces/5b8efff798038103d269b633813fc60c", "b", `trace not found`},
		{"NoID", "/traces/xyz", "a", `expected at most 32 hexadecimal digits`},
		{"ServicesOther", "/services", "b", `"data":[]`},
	} {
		r, _ := http.NewRequest(http.MethodGet, s.url+"/vts/select/jaeger/api"+c.path, nil)
		r.Header.Set(wire.TenantHeader, c.tenant)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if !strings.Contains(string(text), c.want) {
			t.Errorf("%s: %s", c.name, text)
		}
	}
}
