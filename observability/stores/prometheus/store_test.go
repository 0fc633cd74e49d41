package prometheus_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/observability/stores/prometheus"
	"portico.dev/portico/observability/stores/remote"
)

// config lets samples be older than the newest one, as the contract wants it.
const config = `
global: {scrape_interval: 1h}
storage: {tsdb: {out_of_order_time_window: 6h}}
`

// A real Prometheus, one process for each test.
func TestStore(t *testing.T) {
	binary := storetest.Find(t, "install it with `apt-get install prometheus`", "prometheus")
	storetest.Metrics(t, time.Now(), func(t *testing.T) storetest.Subject {
		dir := t.TempDir()
		file := filepath.Join(dir, "prometheus.yml")
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		program := &storetest.Program{Path: binary, Ready: "/-/ready", Args: func(address string) []string {
			return []string{
				"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"),
				"--web.listen-address=" + address, "--web.enable-remote-write-receiver",
				"--enable-feature=promql-at-modifier,promql-negative-offset",
			}
		}}
		address := program.Start(t)
		s, err := prometheus.New(remote.Config{Read: address, Write: address + "/api/v1/write"})
		if err != nil {
			t.Fatal(err)
		}
		return storetest.Subject{Store: s, Kill: func() { program.Kill(t) }, Differences: storetest.Differences{Closed: true, Counted: true}}
	})
}
