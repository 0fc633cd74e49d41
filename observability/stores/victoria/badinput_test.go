package victoria_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/observability/stores/remote"
	"portico.dev/portico/observability/stores/victoria"
)

// opened starts the real VictoriaMetrics, with words before its command line, and returns a store on it and
// what makes it show what was written.
func opened(t *testing.T, before func(data string) []string, more ...string) (*victoria.Store, func()) {
	t.Helper()
	binary := storetest.Find(t, "build it with `make engines`", "../../../bin/libexec/victoria-metrics", "victoria-metrics")
	dir := t.TempDir()
	line := append(before(dir), binary)
	program := &storetest.Program{Path: line[0], Ready: "/health", Args: func(address string) []string {
		return append(append(line[1:], "-httpListenAddr="+address, "-storageDataPath="+filepath.Join(dir, "data"), "-retentionPeriod=1y", "-memory.allowedBytes=64MB"), more...)
	}}
	address := program.Start(t)
	s, err := victoria.New(remote.Config{Read: address, Write: address + "/api/v1/write"})
	if err != nil {
		t.Fatal(err)
	}
	return s, func() {
		resp, err := http.Get(address + "/internal/force_flush")
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close() // it says nothing
	}
}

// TestBadSamples has samples of a tenant whose clocks are wrong, whose labels are junk and whose numbers are
// none beside good ones, in one write each: the good ones are there, and the store goes on.
func TestBadSamples(t *testing.T) {
	s, settle := opened(t, func(string) []string { return nil }, "-inmemoryDataFlushInterval=1s")
	now := time.Now().Truncate(time.Second)
	at := func(name string, when time.Time, more ...string) store.Series {
		return storetest.Line(storetest.Labels(name, more...), when, time.Second, 1)
	}
	wide := []string{}
	for i := range 200 {
		wide = append(wide, fmt.Sprintf("l%03d", i), "x")
	}
	for _, tc := range []struct {
		name, why string
		bad       store.Series
		// kept is how many samples of the bad series are found at its own time.
		kept int
	}{
		{"an_hour_ahead", "A clock may be ahead: the samples are there when their time comes.", at("an_hour_ahead", now.Add(time.Hour)), 1},
		{"years_ahead", "One that is ahead by years makes no data that stay for years.", at("years_ahead", now.Add(10*365*24*time.Hour)), 0},
		{"before_retention", "What would be dropped at once is not kept.", at("before_retention", now.Add(-3*365*24*time.Hour)), 0},
		{"year_1970", "A clock that was never set.", at("year_1970", time.Unix(5, 0)), 0},
		{"infinite", "Infinity is a number.", store.Series{Labels: storetest.Labels("infinite"), Samples: []store.Sample{{At: now.UnixMilli(), Value: math.Inf(1)}}}, 1},
		{"binary", "Labels that are no text.", at("binary", now, "junk", "\xff\xfe\x00\x1f\"}\n"), 1},
		{"long_label", "A label with a megabyte is more than a store can index.", at("long_label", now, "body", strings.Repeat("x", 1<<20)), 0},
		{"wide", "So are 200 labels.", at("wide", now, wide...), 0},
	} {
		good := at("good_beside_"+tc.name, now)
		if err := s.Write(t.Context(), storetest.A, []store.Series{tc.bad, good}); err != nil {
			t.Errorf("%s: %s It is not taken: %v", tc.name, tc.why, err)
			continue
		}
		settle()
		if n := found(t, s, good.Labels.Get(model.MetricNameLabel), now); n != 1 {
			t.Errorf("%s: %s The good sample beside it is there %d times", tc.name, tc.why, n)
		}
		if n := found(t, s, tc.name, time.UnixMilli(tc.bad.Samples[0].At)); n != tc.kept {
			t.Errorf("%s: %s %d samples are found, want %d", tc.name, tc.why, n, tc.kept)
		}
	}
}

func found(t *testing.T, s *victoria.Store, name string, at time.Time) int {
	t.Helper()
	got, err := s.Select(t.Context(), store.Of(storetest.A), storetest.Match(t, name), store.Range{Start: at.Add(-time.Second), End: at.Add(time.Second)}, store.Limits{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	n := 0
	for _, series := range got.Series {
		n += len(series.Samples)
	}
	return n
}

// TestFullDisk fills a small disk: writes are refused, which is nothing that their sender has done wrong, and
// what was taken before is still found. VictoriaMetrics looks at the room once a second, and ends when a merge
// finds none: hence so much that it is to leave free.
func TestFullDisk(t *testing.T) {
	if err := exec.Command("unshare", "-m", "true").Run(); err != nil {
		t.Skip("it needs to mount a file system of its own: ", err)
	}
	s, settle := opened(t, func(dir string) []string {
		return []string{"unshare", "-m", "sh", "-c", `mount -t tmpfs -o size=128m none "$0" && exec "$@"`, dir}
	}, "-inmemoryDataFlushInterval=1s", "-storage.minFreeDiskSpaceBytes=104MB")
	now := time.Now().Truncate(time.Second)
	if err := s.Write(t.Context(), storetest.A, []store.Series{storetest.Line(storetest.Labels("first"), now, time.Second, 1)}); err != nil {
		t.Fatal(err)
	}
	var refused error
	r := rand.New(rand.NewPCG(1, 2)) // what has a pattern takes no room
	for n := 0; refused == nil && n < 200; n++ {
		var many []store.Series
		for range 2000 {
			many = append(many, storetest.Line(storetest.Labels("filler", "n", fmt.Sprintf("%016x%016x%016x", r.Uint64(), r.Uint64(), r.Uint64())), now, time.Second, r.Float64(), r.Float64()))
		}
		refused = s.Write(t.Context(), storetest.A, many)
	}
	if refused == nil {
		t.Fatal("a full disk takes everything")
	}
	if errors.Is(refused, fleet.ErrInvalid) {
		t.Errorf("it is said to be the sender's mistake, and would not be sent again: %v", refused)
	}
	settle()
	if n := found(t, s, "first", now); n != 1 {
		t.Errorf("what was taken before the disk was full is found %d times", n)
	}
}
