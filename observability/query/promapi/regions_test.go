package promapi_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/observability/stores/prometheus"
	"portico.dev/portico/observability/stores/remote"
	"portico.dev/portico/observability/stores/victoria"
)

// A region with the real VictoriaMetrics and one with a real Prometheus answer together what one
// store with all the data answers.
func TestRealRegions(t *testing.T) {
	now := time.Now().Truncate(time.Minute)
	regions := []query.Region{
		{Name: "eu", Metrics: realVictoria(t), Labels: labels.FromStrings("region", "eu")},
		{Name: "us", Metrics: realPrometheus(t), Labels: labels.FromStrings("region", "us")},
	}
	whole := storetest.NewMemory()
	for i, r := range regions {
		data := storetest.Fleet(now, []string{"a", "b"}[i])
		for _, s := range data {
			for n := range s.Samples {
				s.Samples[n].Value *= 1 + float64(i)/4 // no two are equal
			}
		}
		if err := r.Metrics.Write(t.Context(), storetest.A, data); err != nil {
			t.Fatal(err)
		}
		for j, s := range data {
			data[j].Labels = labels.NewBuilder(s.Labels).Set("region", r.Name).Labels()
		}
		if err := whole.Write(t.Context(), storetest.A, data); err != nil {
			t.Fatal(err)
		}
	}
	flush(t, regions[0])
	e := query.New(func() []query.Region { return regions }, query.Config{}, time.Now)
	for _, text := range []string{
		`gauge`, `gauge{region="us"}`, `sum(gauge)`, `avg by (inst) (gauge)`, `max by (region) (gauge)`, `topk(2, gauge)`, `count(gauge{region!="us"})`,
		`quantile(0.5, gauge)`, `max_over_time(gauge[3m])`, `sum by (inst) (min_over_time(gauge[3m]))`, `gauge * on (inst) group_left () gauge{job="a",region="eu"}`,
		`gauge{region="eu"} or gauge{region="us"}`, `histogram_quantile(0.9, sum by (le) (hist_bucket))`, `absent(nothing)`, `max_over_time(sum(gauge)[5m:1m])`,
		`label_replace(gauge, "r", "$1", "region", "(.*)")`, `sum(rate(counter[5m])) * 0`,
	} {
		expr, err := engine.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		// Between samples: Prometheus 2 counts one at the very beginning of a range, and others do not.
		for _, on := range []store.Range{
			{Start: now.Add(-time.Second), End: now.Add(-time.Second)},
			{Start: now.Add(-15*time.Minute - time.Second), End: now.Add(-time.Second), Step: time.Minute},
		} {
			want, err := whole.Query(t.Context(), store.Of(storetest.A), expr, on, store.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := e.Query(t.Context(), store.Of(storetest.A), expr, on)
			if err != nil || got.Partial() {
				t.Errorf("%s: %v, missing %v", text, err, got.Missing)
				continue
			}
			byLabels := func(a, b store.Series) int { return labels.Compare(a.Labels, b.Labels) }
			slices.SortFunc(want.Series, byLabels)
			slices.SortFunc(got.Series, byLabels)
			if diff := cmp.Diff(want.Series, got.Series, storetest.Equal()); diff != "" {
				t.Errorf("%s (step %s): one store (-) and regions (+):\n%s", text, on.Step, diff)
			}
		}
	}
}

// flushed is the VictoriaMetrics of a test with its address.
type flushed struct {
	store.Metrics
	address string
}

func flush(t *testing.T, r query.Region) {
	t.Helper()
	resp, err := http.Get(r.Metrics.(flushed).address + "/internal/force_flush")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close() // it says nothing
}

func realVictoria(t *testing.T) store.Metrics {
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
	return flushed{s, address}
}

func realPrometheus(t *testing.T) store.Metrics {
	binary := storetest.Find(t, "install it with `apt-get install prometheus`", "prometheus")
	dir := t.TempDir()
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, []byte("storage: {tsdb: {out_of_order_time_window: 6h}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	program := &storetest.Program{Path: binary, Ready: "/-/ready", Args: func(address string) []string {
		return []string{"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(dir, "data"), "--web.listen-address=" + address, "--web.enable-remote-write-receiver"}
	}}
	address := program.Start(t)
	s, err := prometheus.New(remote.Config{Read: address, Write: address + "/api/v1/write"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
