package query

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
)

// How many random expressions are compared: go test ./observability/query -expressions 100000.
var expressions = flag.Int("expressions", 400, "how many random expressions TestRandomExpressions compares")

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		why, expr, rest string
		parts           []string
	}{
		{"a selector is everywhere", `up`, `P0`, []string{`up`}},
		{"a function of each series is computed where the series is", `rate(x[5m])`, `P0`, []string{`rate(x[5m])`}},
		{"a sum is a sum of sums", `sum by (job) (rate(x[5m]))`, `sum by (job) (P0)`, []string{`sum by (job) (rate(x[5m]))`}},
		{"a count is a sum of counts", `count(x)`, `sum(P0)`, []string{`count(x)`}},
		{"the greatest are among the greatest of each region", `topk(3, x)`, `topk(3, P0)`, []string{`topk(3, x)`}},
		{"an average is a quotient", `avg by (job) (x)`, `(sum by (job) (P0) / sum by (job) (P1))`, []string{`sum by (job) (x)`, `count by (job) (x)`}},
		{"a group of one region alone is its own", `quantile by (region) (0.5, x)`, `P0`, []string{`quantile by (region) (0.5, x)`}},
		{"so is one without labels that do not separate", `stddev without (pod) (x)`, `P0`, []string{`stddev without (pod) (x)`}},
		{"a deviation is not one of deviations", `stddev by (job) (x)`, `stddev by (job) (P0)`, []string{`x`}},
		{"what aggregates an aggregate", `max(sum by (job) (x))`, `max(sum by (job) (P0))`, []string{`sum by (job) (x)`}},
		{"series match within a region unless told otherwise", `a / b`, `P0`, []string{`a / b`}},
		{"on labels that do not separate, they match across", `a / on (job) b`, `P0 / on (job) P1`, []string{`a`, `b`}},
		{"ignoring one that separates too", `a / ignoring (region) b`, `P0 / ignoring (region) P1`, []string{`a`, `b`}},
		{"with a number", `sum(x) * 100 > 3`, `sum(P0) * 100 > 3`, []string{`sum(x)`}},
		{"one part for what is twice there", `sum(x) / (sum(x) + 1)`, `sum(P0) / (sum(P0) + 1)`, []string{`sum(x)`}},
		{"absent takes labels from its selector", `absent(x{job="a"})`, `absent(x{job="a"})`, nil},
		{"and not from more", `absent(sum(x))`, `absent(sum(P0))`, []string{`sum(x)`}},
		{"a label that separates is not known to a region", `label_replace(x, "a", "$1", "region", "(.*)")`, `label_replace(P0, "a", "$1", "region", "(.*)")`, []string{`x`}},
		{"others are", `label_replace(x, "a", "$1", "job", "(.*)")`, `P0`, []string{`label_replace(x, "a", "$1", "job", "(.*)")`}},
		{"the grid of a subquery is not that of the question", `max_over_time(sum(x)[5m:1m])`, `max_over_time(sum(x)[5m:1m])`, nil},
		{"within a region it is", `max_over_time(rate(x[1m])[5m:1m])`, `P0`, []string{`max_over_time(rate(x[1m])[5m:1m])`}},
		{"a parameter that reads series", `topk(scalar(n), x)`, `topk(scalar(P1), P0)`, []string{`x`, `n`}},
		{"a quantile of a sum", `histogram_quantile(0.9, sum by (le) (rate(b[5m])))`, `histogram_quantile(0.9, sum by (le) (P0))`, []string{`sum by (le) (rate(b[5m]))`}},
		{"a number alone", `1 + 1`, `1 + 1`, nil},
		{"a vector of a number is one series, not one of each region", `vector(1) or x`, `vector(1) or P0`, []string{`x`}},
	} {
		expr, err := engine.Parse(c.expr)
		if err != nil {
			t.Fatal(err)
		}
		got := split(expr, []string{"region"})
		rest := got.rest.String()
		var parts []string
		for i, p := range got.parts {
			parts = append(parts, p.String())
			rest = strings.ReplaceAll(rest, fmt.Sprintf(`{%s="%d"}`, partLabel, i), fmt.Sprintf("P%d", i))
		}
		// What the parser is to read again has to mean the same.
		if again, err := engine.Parse(got.rest.String()); err != nil || again.String() != got.rest.String() {
			t.Errorf("%s: %s reads as %v, %v", c.expr, got.rest, again, err)
		}
		normal := func(list []string) (out []string) {
			for _, l := range list {
				e, err := engine.Parse(l)
				if err != nil {
					t.Fatal(err)
				}
				out = append(out, e.String())
			}
			return out
		}
		want, err := engine.Parse(c.rest)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), rest); diff != "" {
			t.Errorf("%s (%s): the rest:\n%s", c.expr, c.why, diff)
		}
		if diff := cmp.Diff(normal(c.parts), parts); diff != "" {
			t.Errorf("%s (%s): the parts:\n%s", c.expr, c.why, diff)
		}
	}
	expr, err := engine.Parse("sum(x)")
	if err != nil {
		t.Fatal(err)
	}
	if got := split(expr, nil); len(got.parts) != 0 {
		t.Errorf("without labels that keep regions apart, %d parts are computed there", len(got.parts))
	}
}

// three are regions with data of two tenants, and one store with all of it, which has the regions'
// labels in its series.
func three(t testing.TB, separate bool) ([]Region, *storetest.Memory) {
	t.Helper()
	whole := storetest.NewMemory()
	var regions []Region
	for i := range 3 {
		r := Region{Name: fmt.Sprint("r", i), Metrics: storetest.NewMemory()}
		if separate {
			r.Labels = labels.FromStrings("region", r.Name, "zone", fmt.Sprint("z", i%2))
		}
		jobs := [][]string{{"a", "b"}, {"b", "c"}, {"a"}}[i]
		for n, of := range []store.Tenant{storetest.A, storetest.B} {
			data := storetest.Fleet(noon, jobs...)
			for j := range data {
				for k, s := range data[j].Samples {
					// No two series are equal, so that the greatest of them are known.
					data[j].Samples[k].Value = s.Value*(1+float64(i)/7) + float64(j)/1000 + float64(n)*1000
				}
			}
			inWhole := slices.Clone(data)
			for j := range inWhole {
				inWhole[j].Labels = r.labelled(inWhole[j].Labels)
			}
			if err := errors.Join(r.Metrics.Write(t.Context(), of, data), whole.Write(t.Context(), of, inWhole)); err != nil {
				t.Fatal(err)
			}
		}
		regions = append(regions, r)
	}
	return regions, whole
}

func answer(t testing.TB, e *Engine, in store.Scope, text string, on store.Range) (Result, error) {
	t.Helper()
	expr, err := engine.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return e.Query(t.Context(), in, expr, on)
}

func byLabels(series []store.Series) []store.Series {
	slices.SortStableFunc(series, func(a, b store.Series) int { return labels.Compare(a.Labels, b.Labels) })
	return series
}

// nearly compares series whose values were added up in another order.
func nearly() cmp.Option {
	return cmp.Options{
		cmp.Comparer(func(a, b labels.Labels) bool { return labels.Equal(a, b) }),
		cmp.Comparer(func(a, b float64) bool {
			return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-7*max(1, math.Abs(a), math.Abs(b))
		}),
		cmpopts.EquateEmpty(),
	}
}

// Whatever is asked, the regions together answer what one store with all the data answers, with
// what they compute themselves and without, and nothing of another tenant.
func TestRandomExpressions(t *testing.T) {
	regions, whole := three(t, true)
	apartOnes := New(func() []Region { return regions }, Config{}, func() time.Time { return noon })
	raw := New(func() []Region { return regions }, Config{}, func() time.Time { return noon })
	raw.whole = true
	w := writer{Rand: rand.New(rand.NewPCG(4, 2))}
	asked, failed, empty, parts := 0, 0, 0, 0
	for n := range *expressions {
		text := w.vector(1 + n%3)
		expr, err := engine.Parse(text)
		if err != nil {
			continue // a random expression may be none, such as one of a name that is twice there
		}
		on := store.Range{Start: noon, End: noon}
		if n%2 == 0 {
			on = store.Range{Start: noon.Add(-10 * time.Minute), End: noon, Step: []time.Duration{time.Minute, 37 * time.Second, 7 * time.Minute}[n%3]}
		}
		in := []store.Scope{store.Of(storetest.A), store.Of(storetest.B), store.Everybody()}[w.IntN(3)]
		asked++
		want, wantErr := whole.Query(t.Context(), in, expr, on, store.Limits{})
		for name, e := range map[string]*Engine{"split": apartOnes, "raw": raw} {
			got, err := e.Query(t.Context(), in, expr, on)
			if (err != nil) != (wantErr != nil) {
				t.Fatalf("%s (%s): %v, and one store: %v", text, name, err, wantErr)
			}
			if diff := cmp.Diff(byLabels(want.Series), byLabels(got.Series), nearly()); diff != "" {
				t.Fatalf("%s (%s, %+v): one store (-) and regions (+):\n%s", text, name, on, diff)
			}
			if got.Partial() {
				t.Fatalf("%s (%s): %v", text, name, got.Missing)
			}
		}
		switch {
		case wantErr != nil:
			failed++
		case len(want.Series) == 0:
			empty++
		}
		parts += len(split(expr, []string{"region", "zone"}).parts)
	}
	t.Logf("%d expressions: %d are errors, %d find nothing, %d parts", asked, failed, empty, parts)
	if asked < *expressions*2/3 || failed > asked/2 || empty > asked/2 || parts < asked/2 {
		t.Error("too few of the expressions say anything")
	}
}

// What is asked for a tenant has the same answer whether there are others or not: nothing of what
// is theirs is in it, and nothing of it tells that they are there.
func TestOthersMakeNoDifference(t *testing.T) {
	both, _ := three(t, true)
	var own []Region
	for _, r := range both {
		m := storetest.NewMemory()
		all, err := r.Metrics.Select(t.Context(), store.Of(storetest.A), storetest.Match(t, `{__name__!=""}`), store.Range{Start: noon.Add(-time.Hour), End: noon}, store.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Write(t.Context(), storetest.A, all.Series); err != nil {
			t.Fatal(err)
		}
		own = append(own, Region{Name: r.Name, Metrics: m, Labels: r.Labels})
	}
	clock := func() time.Time { return noon }
	with := New(func() []Region { return both }, Config{}, clock)
	without := New(func() []Region { return own }, Config{}, clock)
	w := writer{Rand: rand.New(rand.NewPCG(8, 15)), more: []string{
		`tenant="team-b"`, `tenant!="team-a"`, `tenant=~".*"`, `tenant=""`, `tenant!~"team-a"`, `tenant=~"team-a|team-b"`, `__name__=~".+"`,
	}}
	asked, found := 0, 0
	for n := range *expressions {
		expr, err := engine.Parse(w.vector(1 + n%3))
		if err != nil {
			continue
		}
		on := store.Range{Start: noon, End: noon}
		if n%2 == 0 {
			on = store.Range{Start: noon.Add(-5 * time.Minute), End: noon, Step: time.Minute}
		}
		want, wantErr := without.Query(t.Context(), store.Of(storetest.A), expr, on)
		got, err := with.Query(t.Context(), store.Of(storetest.A), expr, on)
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("%s: %v beside another tenant, %v without", expr, err, wantErr)
		}
		if diff := cmp.Diff(byLabels(want.Series), byLabels(got.Series), nearly()); diff != "" {
			t.Fatalf("%s: without another tenant (-) and beside one (+):\n%s", expr, diff)
		}
		asked++
		found += min(1, len(got.Series))
	}
	if asked < *expressions/2 || found < asked/3 {
		t.Errorf("of %d expressions %d find something: too few", asked, found)
	}
}

// Regions that nothing keeps apart may have the same series: each counts once.
func TestSameSeriesInTwoRegions(t *testing.T) {
	regions, whole := three(t, false)
	e := New(func() []Region { return regions }, Config{}, func() time.Time { return noon })
	// Where two regions have different values at one time, either may count; here the same.
	data := []store.Series{storetest.Line(storetest.Labels("both", "job", "x"), noon, 15*time.Second, 1, 2, 3, 4)}
	late := []store.Series{{Labels: data[0].Labels, Samples: data[0].Samples[2:]}}
	early := []store.Series{{Labels: data[0].Labels, Samples: data[0].Samples[:3]}}
	if err := errors.Join(
		regions[0].Metrics.Write(t.Context(), storetest.A, early), regions[2].Metrics.Write(t.Context(), storetest.A, late),
		whole.Write(t.Context(), storetest.A, data)); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`both`, `sum(both)`, `count(both)`, `rate(both[1m])`, `sum(sum_over_time(both[2m]))`} {
		expr, err := engine.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		on := store.Range{Start: noon, End: noon}
		want, err := whole.Query(t.Context(), store.Of(storetest.A), expr, on, store.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.Query(t.Context(), store.Of(storetest.A), expr, on)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Series, got.Series, storetest.Equal()); diff != "" {
			t.Errorf("%s: one store (-) and regions (+):\n%s", text, diff)
		}
	}
}
