package victoria_test

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/observability/stores/remote"
	"portico.dev/portico/observability/stores/victoria"
)

// The real VictoriaMetrics, one process for each test.
func TestStore(t *testing.T) {
	binary := storetest.Find(t, "build it with `make engines`", "../../../bin/libexec/victoria-metrics", "victoria-metrics")
	storetest.Metrics(t, time.Now(), func(t *testing.T) storetest.Subject {
		data := filepath.Join(t.TempDir(), "data")
		program := &storetest.Program{Path: binary, Ready: "/health", Args: func(address string) []string {
			return []string{
				"-httpListenAddr=" + address, "-storageDataPath=" + data, "-retentionPeriod=1y",
				"-inmemoryDataFlushInterval=1s", "-memory.allowedBytes=256MB",
			}
		}}
		address := program.Start(t)
		s, err := victoria.New(remote.Config{Read: address, Write: address + "/api/v1/write"})
		if err != nil {
			t.Fatal(err)
		}
		// A question about a series that is not visible yet has VictoriaMetrics remember for ten
		// seconds that there is none.
		settle := func() {
			resp, err := http.Get(address + "/internal/force_flush")
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close() // it says nothing
		}
		return storetest.Subject{Store: s, Kill: func() { program.Kill(t) }, Settle: settle, Differences: storetest.Differences{
			Rates: true, Days: true, Ends: true, Decimal: true, Flush: 7 * time.Second,
		}}
	})
}
