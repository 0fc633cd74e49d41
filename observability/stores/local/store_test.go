package local_test

import (
	"path/filepath"
	"testing"
	"time"

	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/observability/stores/local"
)

// The real portico-store, one process for each suite.
func create(t *testing.T) storetest.Telling {
	binary := storetest.Find(t, "build it with `make`", "../../../bin/portico-store", "portico-store")
	data := filepath.Join(t.TempDir(), "data")
	program := &storetest.Program{Path: binary, Ready: "/health", Args: func(address string) []string {
		return []string{"-listen", address, "-dir", data, "-memory", "256MiB"}
	}}
	s, err := local.New(local.At(program.Start(t)))
	if err != nil {
		t.Fatal(err)
	}
	return storetest.Telling{Logs: s, Traces: s, Kill: func() { program.Kill(t) }}
}

func TestLogs(t *testing.T) { storetest.Logs(t, time.Now(), create) }

func TestTraces(t *testing.T) { storetest.Traces(t, time.Now(), create) }
