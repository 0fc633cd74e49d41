package storetest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/value"

	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
)

// expressions are what a store computes as Prometheus does. Those that rate things are of Rates.
var expressions = []struct {
	expr  string
	rates bool
}{
	{expr: `1 + 2 * 3`},
	{expr: `vector(7)`},
	{expr: `gauge`},
	{expr: `gauge{job="a"}`},
	{expr: `gauge{job=~"a|b", inst!="1"}`},
	{expr: `gauge offset 2m`},
	{expr: `gauge + 1`},
	{expr: `gauge * on (job, inst) counter`},
	{expr: `gauge * on (job, inst) group_left (kind) about`},
	{expr: `gauge > 20`},
	{expr: `gauge > bool 20`},
	{expr: `gauge and on (job) gauge{inst="1"}`},
	{expr: `gauge{job="a"} or gauge{job="b"}`},
	{expr: `gauge unless gauge{job="a"}`},
	{expr: `sum(gauge)`},
	{expr: `sum by (job) (gauge)`},
	{expr: `sum without (inst) (gauge)`},
	{expr: `avg by (job) (gauge)`},
	{expr: `min by (job) (gauge)`},
	{expr: `max by (job) (gauge)`},
	{expr: `count by (job) (gauge)`},
	{expr: `group by (job) (gauge)`},
	{expr: `stddev by (job) (gauge)`},
	{expr: `quantile(0.5, gauge)`},
	{expr: `max_over_time(gauge[5m])`},
	{expr: `min_over_time(gauge[5m])`},
	{expr: `sum_over_time(gauge[5m])`},
	{expr: `count_over_time(gauge[5m])`},
	{expr: `avg_over_time(gauge[5m])`},
	{expr: `last_over_time(gauge[5m])`},
	{expr: `abs(-gauge)`},
	{expr: `round(gauge / 3, 0.1)`},
	{expr: `clamp_max(gauge, 15)`},
	{expr: `ceil(gauge / 7)`},
	{expr: `sum by (job) (max_over_time(gauge[5m]))`},
	{expr: `label_replace(gauge, "copy", "$1-x", "job", "(.*)")`},
	{expr: `absent(nothing)`},
	{expr: `histogram_quantile(0.9, sum by (le) (hist_bucket))`},
	{expr: `rate(counter[5m])`, rates: true},
	{expr: `increase(counter[5m])`, rates: true},
	{expr: `irate(counter[5m])`, rates: true},
	{expr: `delta(gauge[5m])`, rates: true},
	{expr: `changes(gauge[5m])`, rates: true},
	{expr: `resets(counter[5m])`, rates: true},
	{expr: `sum by (job) (rate(counter[5m]))`, rates: true},
	{expr: `max_over_time(sum(rate(counter[2m10s]))[4m50s:30s] offset 5s)`, rates: true},
	{expr: `timestamp(gauge)`, rates: true},
	{expr: `deriv(gauge[5m])`, rates: true},
	{expr: `predict_linear(gauge[5m], 60)`, rates: true},
	{expr: `topk(2, gauge)`},
	{expr: `bottomk by (job) (1, gauge)`},
	{expr: `topk without (inst) (1, gauge)`},
	{expr: `topk(2, gauge * 2)`},
}

// Fleet is series of gauges, counters and histograms with gaps, resets and ends, the same for
// the same arguments.
func Fleet(now time.Time, jobs ...string) []store.Series {
	var out []store.Series
	const step, points = 15 * time.Second, 80
	for j, job := range jobs {
		for i := range 3 {
			inst := fmt.Sprint(i)
			gauge := Line(Labels("gauge", "job", job, "inst", inst), now, step, make([]float64, points)...)
			counter := Line(Labels("counter", "job", job, "inst", inst), now, step, make([]float64, points)...)
			total := 0.0
			for n := range gauge.Samples {
				x := float64(n)
				gauge.Samples[n].Value = 10*float64(j+1) + float64(i) + 3*math.Sin(x/5+float64(j*3+i))
				if total += float64(j+i+1) + float64(n%3); n == 40+i {
					total = 0
				}
				counter.Samples[n].Value = total
			}
			if i == 2 {
				// A gap of six minutes, longer than a sample counts for.
				gauge.Samples = append(gauge.Samples[:20:20], gauge.Samples[44:]...)
			}
			out = append(out, gauge, counter,
				Line(Labels("about", "job", job, "inst", inst, "kind", fmt.Sprint("k", i%2)), now, step, ones(points)...))
		}
		for b, le := range []string{"0.1", "1", "10", "+Inf"} {
			out = append(out, Line(Labels("hist_bucket", "job", job, "le", le), now, step, counted(points, float64(b+1))...))
		}
	}
	return out
}

func ones(n int) []float64 { return counted(n, 0) }

func counted(n int, by float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1 + by*float64(i)
	}
	return out
}

func testExpressions(t *testing.T, s subject) {
	memory := NewMemory()
	data := Fleet(s.now, "a", "b")
	if err := memory.Write(t.Context(), A, data); err != nil {
		t.Fatal(err)
	}
	s.write(t, A, data...)
	for _, c := range expressions {
		if c.rates && s.Rates {
			continue
		}
		expr, err := engine.Parse(c.expr)
		if err != nil {
			t.Fatal(err)
		}
		for name, on := range map[string]store.Range{
			"instant": {Start: s.now, End: s.now},
			"between": {Start: s.now.Add(-7 * time.Second), End: s.now.Add(-7 * time.Second)},
			"range":   {Start: s.now.Add(-15 * time.Minute), End: s.now, Step: time.Minute},
			"fine":    {Start: s.now.Add(-12 * time.Minute), End: s.now.Add(-8 * time.Minute), Step: 7 * time.Second},
		} {
			if s.Closed {
				// Between samples, it does not show.
				on.Start, on.End = on.Start.Add(-time.Second), on.End.Add(-time.Second)
				if name == "fine" {
					on.Step = 15 * time.Second
				}
			}
			want, err := memory.Query(t.Context(), store.Of(A), expr, on, store.Limits{})
			if err != nil {
				t.Fatalf("%s: %v", expr, err)
			}
			got, err := s.Store.Query(t.Context(), store.Of(A), expr, on, store.Limits{})
			if err != nil {
				t.Errorf("%s (%s): %v", expr, name, err)
				continue
			}
			if diff := cmp.Diff(sorted(want.Series), sorted(got.Series), Equal()); diff != "" {
				t.Errorf("%s (%s): Prometheus (-) and the store (+):\n%s", expr, name, diff)
			}
		}
	}
}

// A series that was marked as ended is not there from the mark on, and the mark can be read.
func testEnds(t *testing.T, s subject) {
	end := Line(Labels("ends"), s.now.Add(-time.Minute), 15*time.Second, 1, 2, math.Float64frombits(value.StaleNaN))
	s.write(t, A, end)
	got := s.read(t, store.Of(A), "ends")
	if len(got) != 1 || len(got[0].Samples) != 3 || !value.IsStaleNaN(got[0].Samples[2].Value) {
		t.Errorf("the mark of the end is not read: %v", got)
	}
	expr, err := engine.Parse("ends")
	if err != nil {
		t.Fatal(err)
	}
	for why, c := range map[string]struct {
		at   time.Time
		want int
	}{
		"before the mark":           {s.now.Add(-76 * time.Second), 1},
		"at the mark":               {s.now.Add(-time.Minute), 0},
		"less than 5m after a mark": {s.now, 0},
	} {
		got, err := s.Store.Query(t.Context(), store.Of(A), expr, store.Range{Start: c.at, End: c.at}, store.Limits{})
		if err != nil || len(got.Series) != c.want {
			t.Errorf("%s: %v, %v, want %d series", why, got.Series, err, c.want)
		}
	}
}
