package collect

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// The collector starts before the store's entrance knows its user, and later the entrance forgets it for a
// while, as one does that is started again: the first line and the first sample arrive, and all others.
func TestUnknownUserLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	t.Setenv(User, "teller")
	t.Setenv(Password, "word")
	work := t.TempDir()
	metrics, logs, target := newVictoria(t, filepath.Join(work, "metrics")), newLogStore(t), newTarget(t)
	metrics.start()
	logs.start()
	door := newEntrance(t, map[string]string{"/api/": metrics.address, "/v1/": logs.address})
	file := filepath.Join(work, "program.log")
	lines := writeLines(t, file)
	startCollector(t, Facts{
		Role: Management, Cluster: "mothership",
		Write:       Endpoints{Metrics: door.url + "/api/v1/write", Logs: door.url + "/v1/logs"},
		Credentials: &Credentials{},
		Queue:       Queue{Directory: filepath.Join(work, "queue")},
		Ports:       Ports{GRPC: freePort(t), HTTP: freePort(t), Write: freePort(t), Health: freePort(t), Telemetry: freePort(t)},
		Targets:     []Target{{Job: "counted", Address: target.address}},
		Files:       []LogFiles{{Program: "program", Pattern: file}},
	})

	eventually(t, "the first requests", func() bool { return door.refusals("/api/") >= 2 && door.refusals("/v1/") >= 2 })
	if n := logs.count(); n > 0 {
		t.Errorf("%d lines came of a user whom nobody knows", n)
	}
	door.known.Store(true)
	eventually(t, "first samples and lines", func() bool { return len(metrics.counted()) > 2 && logs.count() > 20 })
	door.known.Store(false)
	logsBefore, metricsBefore := door.refusals("/v1/"), door.refusals("/api/")
	eventually(t, "requests of one who was forgotten", func() bool {
		return door.refusals("/api/") > metricsBefore && door.refusals("/v1/") > logsBefore
	})
	door.known.Store(true)
	last, scraped := lines.stop(), target.scrapes.Load()

	eventually(t, "all lines", func() bool { return logs.missing(last) == 0 })
	eventually(t, "all samples", func() bool {
		got := metrics.counted()
		for n := int64(1); n <= scraped; n++ {
			if !got[n] {
				return false
			}
		}
		return true
	})
}

// entrance stands before stores, and lets in one user once it knows him.
type entrance struct {
	url     string
	known   atomic.Bool
	refused map[string]*atomic.Int64
}

// newEntrance has a store behind each beginning of a path.
func newEntrance(t *testing.T, behind map[string]string) *entrance {
	t.Helper()
	e := &entrance{refused: map[string]*atomic.Int64{}}
	mux := http.NewServeMux()
	for path, address := range behind {
		refused := &atomic.Int64{}
		e.refused[path] = refused
		store := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			if !e.known.Load() || user != "teller" || password != "word" {
				refused.Add(1)
				http.Error(w, "the provided credentials are unknown", http.StatusUnauthorized)
				return
			}
			store.ServeHTTP(w, r)
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	e.url = strings.TrimSuffix(server.URL, "/")
	return e
}

func (e *entrance) refusals(path string) int64 { return e.refused[path].Load() }
