package local_test

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"

	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/observability/stores/local"
)

// Behind the real vmauth a follower is told at once, and of the tenant alone that vmauth says it is.
func TestFollowThroughVmauth(t *testing.T) {
	vmauth := storetest.Find(t, "build it with `make engines`", "../../../bin/libexec/vmauth", "vmauth")
	behind := create(t)
	config := filepath.Join(t.TempDir(), "auth.yaml")
	text := fmt.Sprintf("unauthorized_user:\n  url_map:\n  - src_paths: [\"/vls/.*\"]\n    url_prefix: %q\n    drop_src_path_prefix_parts: 1\n    merge_query_args: [extra_filters]\n",
		behind.address+`?extra_filters=%22tenant%22:=%22`+string(storetest.A)+`%22`)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	program := &storetest.Program{Path: vmauth, Ready: "/health", Args: func(address string) []string {
		return []string{"-httpListenAddr=" + address, "-auth.config=" + config}
	}}
	c := local.At(behind.address)
	c.LogsOut = program.Start(t) + "/vls"
	s, err := local.New(c)
	if err != nil {
		t.Fatal(err)
	}
	next, stop := iter.Pull2(s.FollowLogs(t.Context(), store.Of(storetest.A), store.LogSearch{}))
	defer stop()
	if f, err, _ := next(); err != nil || f != (store.Followed{}) {
		t.Fatalf("it begins with %+v, %v", f, err)
	}
	for _, of := range []store.Tenant{storetest.B, storetest.A} {
		logs := plog.NewLogs()
		logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords().AppendEmpty().Body().SetStr("hello from " + string(of))
		if err := behind.Logs.WriteLogs(t.Context(), of, logs); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	f, err, _ := next()
	if took := time.Since(began); err != nil || f.Record == nil || f.Record.Body != "hello from "+string(storetest.A) || took > 2*time.Second {
		t.Errorf("after %s it is told of %+v, %v", took, f.Record, err)
	}
	for _, err := range s.FollowLogs(t.Context(), store.Of(storetest.B), store.LogSearch{}) {
		if err == nil {
			t.Error("who comes through vmauth as one tenant follows another one")
		}
		break
	}
}
