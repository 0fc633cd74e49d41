package program

import (
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// See README.md for how to reproduce the figures.
var (
	benchLines = flag.Int("lines", 500_000, "log lines of a benchmark")
	benchKeep  = flag.String("keep", "", "folder of a database that the benchmark of searches uses again")
)

const linesOfRequest = 5000

func processorSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// requests makes requests with so many lines in all, of one day before now.
func requests(t testing.TB, lines int) [][]byte {
	f := newFleet(yesterday(), 23*time.Hour/time.Duration(max(lines, 1)))
	var list [][]byte
	for made := 0; made < lines; made += linesOfRequest {
		list = append(list, packed(t, f.logs(linesOfRequest)))
	}
	return list
}

// yesterday is the beginning of the last whole day.
func yesterday() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(-24 * time.Hour) }

// sendAll sends requests from four clients at a time.
func sendAll(t testing.TB, to string, bodies [][]byte) {
	var wait sync.WaitGroup
	var next atomic.Int64
	for range 4 {
		wait.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(bodies) {
					return
				}
				status, text, err := send(to+"/vli/insert/opentelemetry/v1/logs?extra_fields=tenant=a", bodies[i], map[string]string{"Content-Encoding": "gzip"})
				if err != nil || status != http.StatusOK {
					t.Errorf("request %d: %d %s %v", i, status, text, err)
					return
				}
			}
		})
	}
	wait.Wait()
}

// BenchmarkSmallWrites sends requests of one line from many clients: they share their syncs.
func BenchmarkSmallWrites(b *testing.B) {
	s := start(b, "--dir="+b.TempDir())
	defer s.stop()
	line := oneLine(b, "a line of a function that logs little")
	b.SetParallelism(32)
	processor := processorSeconds()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if status, text, err := send(s.url+insertLogs, line, nil); status != http.StatusOK || err != nil {
				b.Errorf("%d %s %v", status, text, err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
	b.ReportMetric(float64(b.N)/(processorSeconds()-processor), "requests/cpu-s")
}

func folderBytes(dir string) (size int64) {
	_ = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			size += info.Size()
		}
		return nil
	})
	return size
}

// BenchmarkIngest sends lines through OTLP over HTTP until all of them are in the database.
func BenchmarkIngest(b *testing.B) {
	bodies := requests(b, *benchLines)
	for b.Loop() {
		dir := b.TempDir()
		s := start(b, "--dir="+dir)
		begin, processor := time.Now(), processorSeconds()
		sendAll(b, s.url, bodies)
		acknowledged := time.Since(begin).Seconds()
		ask(b, s.url, url.Values{"limit": {"1"}, "start": {yesterday().Format(time.RFC3339)}})
		all, processor := time.Since(begin).Seconds(), processorSeconds()-processor
		s.stop()
		lines := float64(len(bodies) * linesOfRequest)
		b.ReportMetric(lines/processor, "lines/cpu-s")
		b.ReportMetric(lines/all, "lines/s")
		b.ReportMetric(lines/acknowledged, "acked-lines/s")
		b.ReportMetric(float64(folderBytes(filepath.Join(dir, "tables")))/lines, "B/line")
	}
}

// ask searches, and returns how many bytes the answer has.
func ask(t testing.TB, to string, args url.Values) int64 {
	t.Helper()
	answer, err := http.Get(to + "/vls/select/portico/logs?" + args.Encode())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	n, err := io.Copy(io.Discard, answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %v", answer.Status, err)
	}
	return n
}

// BenchmarkSearch asks for lines of one day.
func BenchmarkSearch(b *testing.B) {
	dir := *benchKeep
	if dir == "" {
		dir = b.TempDir()
	}
	_, err := os.Stat(filepath.Join(dir, "tables"))
	s := start(b, "--dir="+dir)
	defer s.stop()
	if err != nil {
		f := newFleet(yesterday(), 23*time.Hour/time.Duration(*benchLines))
		for made := 0; made < *benchLines; made += 20 * linesOfRequest {
			var bodies [][]byte
			for range 20 {
				bodies = append(bodies, packed(b, f.logs(linesOfRequest)))
			}
			sendAll(b, s.url, bodies)
		}
	}
	day := func(more url.Values) url.Values {
		more.Set("start", yesterday().Format(time.RFC3339))
		more.Set("end", yesterday().Add(24*time.Hour).Format(time.RFC3339))
		more.Set("limit", "100")
		return more
	}
	ask(b, s.url, day(url.Values{}))
	for name, args := range map[string]url.Values{
		"newest":                 {},
		"label":                  {"label": {"namespace=ns-07"}},
		"label+text":             {"label": {"namespace=ns-07"}, "text": {"payment gateway"}},
		"label+text/many":        {"label": {"namespace=ns-07"}, "text": {"reconciled"}},
		"every-label+rare-text":  {"label": {"cluster=edge-1"}, "text": {"payment gateway timeout"}},
		"text":                   {"text": {"payment gateway timeout"}},
		"text/nowhere":           {"text": {"no such word"}},
		"regex+text/nowhere":     {"label": {"namespace=~ns-0.*"}, "text": {"no such word"}},
		"label+severity+nowhere": {"label": {"namespace=ns-07"}, "severity": {"17"}},
	} {
		b.Run(name, func(b *testing.B) {
			var bytes int64
			processor := processorSeconds()
			for b.Loop() {
				bytes = ask(b, s.url, day(args))
			}
			b.ReportMetric((processorSeconds()-processor)/float64(b.N), "cpu-s/op")
			b.ReportMetric(float64(bytes), "B/answer")
		})
	}
	fmt.Printf("%.1f bytes per line on disk\n", float64(folderBytes(filepath.Join(dir, "tables")))/float64(*benchLines))
}
