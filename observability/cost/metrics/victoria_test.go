package metrics_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/observability/stores/remote"
	"portico.dev/portico/observability/stores/victoria"
)

// The same day, kept by the real VictoriaMetrics, comes to the same.
func TestVictoriaMetrics(t *testing.T) {
	binary := storetest.Find(t, "build it with `make engines`", "../../../bin/libexec/victoria-metrics", "victoria-metrics")
	data := filepath.Join(t.TempDir(), "data")
	program := &storetest.Program{Path: binary, Ready: "/health", Args: func(address string) []string {
		return []string{"-httpListenAddr=" + address, "-storageDataPath=" + data, "-retentionPeriod=1y", "-memory.allowedBytes=256MB"}
	}}
	address := program.Start(t)
	s, err := victoria.New(remote.Config{Read: address, Write: address + "/api/v1/write"})
	if err != nil {
		t.Fatal(err)
	}
	// A store keeps nothing of a fixed date for ever: the day is moved to the one before yesterday.
	recent := window.Window{Start: time.Now().UTC().Truncate(window.Day).Add(-2 * window.Day)}
	recent.End = recent.Start.Add(window.Day)
	moved := plant().series
	for _, one := range moved {
		for i := range one.Samples {
			one.Samples[i].At += recent.Start.Sub(start).Milliseconds()
		}
	}
	if err := s.Write(t.Context(), store.Tenant("red"), moved); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(address + "/internal/force_flush")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // it says nothing
	judge(t, "VictoriaMetrics, in cells of five minutes.", s, recent, 0)
	judge(t, "VictoriaMetrics, in cells of an hour.", s, recent, 1000)
}
