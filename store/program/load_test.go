package program

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// fleet makes log lines as pods of many namespaces write them: the same for the same seed.
type fleet struct {
	random     *rand.Rand
	namespaces int
	pods       int // of each namespace
	at         time.Time
	step       time.Duration
	line       int
}

func newFleet(start time.Time, step time.Duration) *fleet {
	return &fleet{random: rand.New(rand.NewPCG(1, 2)), namespaces: 50, pods: 20, at: start, step: step}
}

var paths = []string{"/api/v1/orders", "/api/v1/orders/%d/items", "/healthz", "/login", "/static/app-%d.js", "/api/v1/users/%d"}

// body is one line; one in a hundred thousand has a word that no other has.
func (f *fleet) body() string {
	f.line++
	r := f.random
	switch n := r.IntN(100_000); {
	case n == 0:
		return fmt.Sprintf("level=error msg=\"payment gateway timeout\" order=%d attempt=%d", r.IntN(1e6), r.IntN(5))
	case n < 20_000:
		return fmt.Sprintf("level=info ts=%s msg=\"reconciled object\" controller=deployment name=web-%d duration=%dms", f.at.Format(time.RFC3339Nano), r.IntN(500), r.IntN(900))
	case n < 25_000:
		return fmt.Sprintf("level=warn ts=%s msg=\"retrying request\" upstream=10.%d.%d.%d:8080 status=503 attempt=%d", f.at.Format(time.RFC3339Nano), r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(9))
	default:
		path := paths[r.IntN(len(paths))]
		if bytes.Contains([]byte(path), []byte("%d")) {
			path = fmt.Sprintf(path, r.IntN(100_000))
		}
		return fmt.Sprintf("10.%d.%d.%d - - [%s] \"GET %s HTTP/1.1\" %d %d %.3f", r.IntN(256), r.IntN(256), r.IntN(256), f.at.Format("02/Jan/2006:15:04:05 -0700"), path, 200+100*r.IntN(4), r.IntN(60_000), r.Float64())
	}
}

// logs makes a request with so many lines, of the pods of a few namespaces.
func (f *fleet) logs(lines int) plog.Logs {
	const group = 100
	logs := plog.NewLogs()
	for made := 0; made < lines; made += group {
		namespace, pod := f.random.IntN(f.namespaces), f.random.IntN(f.pods)
		resource := logs.ResourceLogs().AppendEmpty()
		podAttributes(resource.Resource().Attributes(), namespace, pod)
		scope := resource.ScopeLogs().AppendEmpty()
		for range min(group, lines-made) {
			f.at = f.at.Add(f.step)
			record := scope.LogRecords().AppendEmpty()
			record.SetTimestamp(pcommon.NewTimestampFromTime(f.at))
			record.SetObservedTimestamp(pcommon.NewTimestampFromTime(f.at))
			record.SetSeverityNumber(plog.SeverityNumberInfo)
			record.Body().SetStr(f.body())
			record.Attributes().PutStr("log.iostream", "stdout")
			record.Attributes().PutStr("log.file.path", fmt.Sprintf("/var/log/pods/ns-%02d_web-%d/main/0.log", namespace, pod))
		}
	}
	return logs
}

func podAttributes(to pcommon.Map, namespace, pod int) {
	to.PutStr("k8s.cluster.name", "edge-1")
	to.PutStr("k8s.namespace.name", fmt.Sprintf("ns-%02d", namespace))
	to.PutStr("k8s.pod.name", fmt.Sprintf("web-7d9c5b%02d-%05d", pod, namespace*1000+pod))
	to.PutStr("k8s.pod.uid", fmt.Sprintf("0c6b4d1e-%04d-4b6a-8f0e-%012d", namespace, pod))
	to.PutStr("k8s.container.name", "main")
	to.PutStr("k8s.node.name", fmt.Sprintf("node-%d", pod%5))
	to.PutStr("k8s.deployment.name", "web")
	to.PutStr("service.name", "web")
}

// packed is a request as the collector sends it.
func packed(t testing.TB, logs plog.Logs) []byte {
	t.Helper()
	data, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := newGzip(&b)
	_, _ = z.Write(data)
	_ = z.Close()
	return b.Bytes()
}

func newGzip(to io.Writer) *gzip.Writer {
	// The level is one that exists.
	z, _ := gzip.NewWriterLevel(to, gzip.BestSpeed)
	return z
}

// store is a program that runs inside of the test.
type store struct {
	url  string
	stop func()
}

func start(t testing.TB, args ...string) store {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, done := make(chan string, 1), make(chan int, 1)
	var out bytes.Buffer
	go func() {
		done <- Run(ctx, Env{
			Args: append([]string{"--listen=127.0.0.1:0", "--reserve=1MiB"}, args...), Out: io.Discard, Err: &out, Clock: time.Now,
			Ready: func(a net.Addr) { ready <- "http://" + a.String() },
		})
	}()
	select {
	case url := <-ready:
		stop := func() {
			cancel()
			<-done
			if t.Failed() {
				t.Log(out.String())
			}
		}
		return store{url, stop}
	case code := <-done:
		cancel()
		t.Fatalf("the program ended with %d: %s", code, out.String())
	}
	return store{}
}

// client keeps the connections of many senders.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256}}

// send posts a request and returns the status and the answer.
func send(url string, body []byte, header map[string]string) (int, string, error) {
	r, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(text), err
}
