package local_test

import (
	"path/filepath"
	"testing"
	"time"

	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/observability/stores/local"
)

// The real portico-store, one process for each suite.
func create(t *testing.T) telling {
	binary := storetest.Find(t, "build it with `make`", "../../../bin/portico-store", "portico-store")
	data := filepath.Join(t.TempDir(), "data")
	program := &storetest.Program{Path: binary, Ready: "/health", Args: func(address string) []string {
		return []string{"-listen", address, "-dir", data, "-memory", "256MiB"}
	}}
	address := program.Start(t)
	s, err := local.New(local.At(address))
	if err != nil {
		t.Fatal(err)
	}
	return telling{storetest.Telling{Logs: s, Traces: s, Kill: func() { program.Kill(t) }}, address}
}

// telling is a store with its address.
type telling struct {
	storetest.Telling
	address string
}

func bare(t *testing.T) storetest.Telling { return create(t).Telling }

func TestLogs(t *testing.T) { storetest.Logs(t, time.Now(), bare) }

func TestTraces(t *testing.T) { storetest.Traces(t, time.Now(), bare) }
