package promapi_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/query/promapi"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/observability/stores/prometheus"
	"portico.dev/portico/observability/stores/remote"
)

// far answers as a store elsewhere does: after a while, and without work of this machine. What it
// answers is computed once, before the measurement.
type far struct {
	store http.Handler
	wait  time.Duration
	mu    sync.Mutex
	known map[string][]byte
}

func (f *far) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := r.URL.Path + r.Form.Encode()
	f.mu.Lock()
	body, known := f.known[key]
	f.mu.Unlock()
	if !known {
		recorder := httptest.NewRecorder()
		f.store.ServeHTTP(recorder, r)
		body = recorder.Body.Bytes()
		f.mu.Lock()
		f.known[key] = body
		f.mu.Unlock()
	}
	time.Sleep(f.wait)
	_, _ = bytes.NewReader(body).WriteTo(w) // the asker sees what is missing
}

// The limit: one PromQL over 20 regions takes at most 1.5 times what the slowest region takes by
// itself. The regions are servers of Prometheus' API that answer after 100 ms, the slowest after
// 200 ms, with recorded answers about 200 series each: what is measured beside the waiting is all
// that is ours, which is asking, reading 20 answers, putting them together and evaluating.
func BenchmarkTwentyRegions(b *testing.B) {
	regions := twenty(b)
	on := store.Range{Start: noon.Add(-time.Hour), End: noon, Step: time.Minute}
	for _, text := range []string{
		`sum by (job) (rate(requests_total[5m]))`, `topk(5, rate(requests_total[5m]))`, `avg(requests_total)`,
		`sum(requests_total) / count(requests_total)`, `rate(requests_total[5m])`,
	} {
		expr, err := engine.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(strings.ReplaceAll(text, " ", ""), func(b *testing.B) {
			engines := []*query.Engine{
				query.New(func() []query.Region { return regions[7:8] }, query.Config{}, time.Now),
				query.New(func() []query.Region { return regions }, query.Config{}, time.Now),
			}
			took := make([]time.Duration, 2)
			points := 0
			for n := -1; n < 0 || b.Loop(); n++ {
				for i, e := range engines {
					began := time.Now()
					got, err := e.Query(b.Context(), store.Of(storetest.A), expr, on)
					if err != nil || got.Partial() || len(got.Series) == 0 {
						b.Fatal(err, got.Missing, len(got.Series))
					}
					if n >= 0 { // the first round records
						took[i] += time.Since(began)
					}
					points = len(got.Series) * len(got.Series[0].Samples)
				}
			}
			b.ReportMetric(float64(took[1])/float64(took[0]), "x-slowest(limit=1.5)")
			b.ReportMetric(float64(points), "points")
		})
	}
}

func twenty(b *testing.B) []query.Region {
	b.Helper()
	var out []query.Region
	for i := range 20 {
		m := storetest.NewMemory()
		var data []store.Series
		for s := range 200 {
			values := make([]float64, 260)
			for n := range values {
				values[n] = float64(n*(s+1)) + float64(i)/7
			}
			data = append(data, storetest.Line(storetest.Labels("requests_total", "job", fmt.Sprint("j", s%10), "pod", fmt.Sprint("p", s)), noon, 15*time.Second, values...))
		}
		if err := m.Write(b.Context(), storetest.A, data); err != nil {
			b.Fatal(err)
		}
		own := query.New(func() []query.Region { return []query.Region{{Name: "own", Metrics: m}} }, query.Config{}, time.Now)
		all := func(*http.Request) (store.Scope, error) { return store.Everybody(), nil }
		f := &far{store: promapi.New(own, all, time.Now), wait: 100 * time.Millisecond, known: map[string][]byte{}}
		if i == 7 {
			f.wait *= 2
		}
		server := httptest.NewServer(f)
		b.Cleanup(server.Close)
		s, err := prometheus.New(remote.Config{Read: server.URL, Write: server.URL})
		if err != nil {
			b.Fatal(err)
		}
		name := fmt.Sprint("r", i)
		out = append(out, query.Region{Name: name, Metrics: s, Labels: labels.FromStrings("region", name)})
	}
	return out
}
