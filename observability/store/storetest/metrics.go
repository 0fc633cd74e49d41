package storetest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
)

// Subject is a store of metrics to be tested.
type Subject struct {
	Store store.Metrics
	// Kill ends the store as kill -9 does, and starts it again on what it kept. Nil for one that
	// keeps nothing.
	Kill func()
	// Settle makes what was written visible at once; nil where it is.
	Settle func()
	Differences
}

// Differences are what a store may do in its own way, as its documentation says.
type Differences struct {
	// Rates says that rate and its like are computed in the store's own way.
	Rates bool
	// Days says that series and labels are found by the day in which they had samples.
	Days bool
	// Ends says that a value that is no number reads as the end of a series.
	Ends bool
	// Decimal says that small values lose digits beside ones that are very much larger.
	Decimal bool
	// Flush is how long what was acknowledged may be lost when the store dies.
	Flush time.Duration
	// Closed says that a range holds the sample at its very beginning, as in Prometheus 2.
	Closed bool
	// Counted says that of two samples of one time one counts, and not which.
	Counted bool
}

// Metrics runs the suite. New makes an empty store for each test, and ends it with the test.
// Now is a time at which the store takes samples, and a while before it.
func Metrics(t *testing.T, now time.Time, create func(t *testing.T) Subject) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, s subject)
	}{
		{"Samples", testSamples},
		{"Isolation", testIsolation},
		{"Expressions", testExpressions},
		{"Ends", testEnds},
		{"Labels", testLabels},
		{"Limits", testLimits},
		{"Refusals", testRefusals},
		{"Concurrency", testConcurrency},
		{"Death", testDeath},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.run(t, subject{Subject: create(t), now: now.Truncate(time.Minute)})
		})
	}
}

type subject struct {
	Subject
	now time.Time
}

// Labels makes a label set of names and values; the first is the name of the metric.
func Labels(name string, more ...string) labels.Labels {
	return labels.FromStrings(append([]string{model.MetricNameLabel, name}, more...)...)
}

// Line is a series with a sample each step until the end.
func Line(set labels.Labels, end time.Time, step time.Duration, values ...float64) store.Series {
	s := store.Series{Labels: set}
	for i, v := range values {
		at := end.Add(-step * time.Duration(len(values)-1-i))
		s.Samples = append(s.Samples, store.Sample{At: at.UnixMilli(), Value: v})
	}
	return s
}

// Match makes matchers out of the text of a selector.
func Match(t testing.TB, selector string) []*labels.Matcher {
	t.Helper()
	out, err := engine.ParseSelectors([]string{selector})
	if err != nil {
		t.Fatal(err)
	}
	return out[0]
}

func (s subject) hour() store.Range { return store.Range{Start: s.now.Add(-time.Hour), End: s.now} }

// write keeps series, and waits until the last of them can be read.
func (s subject) write(t *testing.T, of store.Tenant, series ...store.Series) {
	t.Helper()
	if err := s.Store.Write(t.Context(), of, series); err != nil {
		t.Fatalf("Write: %v", err)
	}
	last := series[len(series)-1]
	s.await(t, of, last)
}

func (s subject) await(t *testing.T, of store.Tenant, want store.Series) {
	t.Helper()
	if s.Settle != nil {
		s.Settle()
	}
	set := labels.NewBuilder(want.Labels).Set(store.TenantLabel, string(of)).Labels()
	var matchers []*labels.Matcher
	set.Range(func(l labels.Label) {
		matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, l.Name, l.Value))
	})
	at := time.UnixMilli(want.Samples[len(want.Samples)-1].At)
	for range 200 {
		got, err := s.Store.Select(t.Context(), store.Everybody(), matchers, store.Range{Start: at, End: at}, store.Limits{})
		if err != nil {
			t.Fatalf("Select: %v", err)
		}
		if len(got.Series) > 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("what was written is not seen after ten seconds: %s", set)
}

func (s subject) read(t *testing.T, in store.Scope, selector string) []store.Series {
	t.Helper()
	got, err := s.Store.Select(t.Context(), in, Match(t, selector), s.hour(), store.Limits{})
	if err != nil {
		t.Fatalf("Select %s: %v", selector, err)
	}
	return got.Series
}

// Equal compares series: exact but for the last digits of a value.
func Equal() cmp.Option {
	return cmp.Options{
		cmp.Comparer(func(a, b labels.Labels) bool { return labels.Equal(a, b) }),
		cmp.Comparer(func(a, b float64) bool {
			switch {
			case math.IsNaN(a) || math.IsNaN(b):
				return math.IsNaN(a) && math.IsNaN(b) && value.IsStaleNaN(a) == value.IsStaleNaN(b)
			case a == b:
				return true
			}
			return math.Abs(a-b) <= 1e-9*max(math.Abs(a), math.Abs(b), 1e-3)
		}),
		cmpopts.EquateEmpty(),
	}
}

func sorted(series []store.Series) []store.Series {
	slices.SortStableFunc(series, func(a, b store.Series) int { return labels.Compare(a.Labels, b.Labels) })
	return series
}

func testSamples(t *testing.T, s subject) {
	values := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 123456789.123456, math.Inf(1), math.Inf(-1)}
	if !s.Decimal {
		values = append(values, 1e-300, 1e300)
	}
	if !s.Ends {
		values = append(values, math.NaN())
	}
	ends := Line(Labels("samples", "is", "late"), s.now, 15*time.Second, 1, 2, 3, 4, 5, 6)
	early := store.Series{Labels: ends.Labels, Samples: ends.Samples[:2]}
	late := store.Series{Labels: ends.Labels, Samples: ends.Samples[2:]}
	all := Line(Labels("samples", "is", "all"), s.now, 15*time.Second, values...)
	again := Line(Labels("samples", "is", "twice"), s.now, 15*time.Second, 7, 8)
	odd := Line(Labels("samples", "is", "odd \"label\"\\ with\nlines", "tenant", string(B), "über", "日本"), s.now, time.Second, 1)
	if s.Rates { // names of labels beyond ASCII are written, and not all selectors can name them
		odd = Line(Labels("samples", "is", "odd \"label\"\\ with\nlines", "tenant", string(B)), s.now, time.Second, 1)
	}
	s.write(t, A, all)
	s.write(t, A, late)
	s.write(t, A, early)
	s.write(t, A, again)
	s.write(t, A, again)
	s.write(t, A, odd)

	of := func(x store.Series) store.Series {
		x.Labels = labels.NewBuilder(x.Labels).Set(store.TenantLabel, string(A)).Labels()
		return x
	}
	want := sorted([]store.Series{of(all), of(ends), of(again), of(odd)})
	if diff := cmp.Diff(want, s.read(t, store.Of(A), "samples"), Equal()); diff != "" {
		t.Errorf("what was written (-) and what is read (+):\n%s", diff)
	}
	on := store.Range{Start: time.UnixMilli(ends.Samples[1].At), End: time.UnixMilli(ends.Samples[3].At)}
	got, err := s.Store.Select(t.Context(), store.Of(A), Match(t, `samples{is="late"}`), on, store.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]store.Series{{Labels: of(ends).Labels, Samples: ends.Samples[1:4]}}, got.Series, Equal()); diff != "" {
		t.Errorf("both ends of a range count:\n%s", diff)
	}
	if !s.Counted {
		return
	}
	twice := Line(Labels("twice"), s.now, time.Second, 1)
	s.write(t, A, twice)
	twice.Samples = []store.Sample{{At: twice.Samples[0].At, Value: 2}}
	// A store may refuse the second one, or keep either.
	_ = s.Store.Write(t.Context(), A, []store.Series{twice})
	if got := s.read(t, store.Of(A), "twice"); len(got) != 1 || len(got[0].Samples) != 1 {
		t.Errorf("of two samples of one time one counts: %v", got)
	}
}

// TwoTenants is the data of the tests of isolation: the same metric of both tenants, and one
// that is B's alone.
func TwoTenants(now time.Time) map[store.Tenant][]store.Series {
	out := map[store.Tenant][]store.Series{}
	for i := range 3 {
		n := float64(i)
		job := fmt.Sprintf("job-%d", i)
		out[A] = append(out[A], Line(Labels("shared", "job", "a-"+job, "who", "a-who"), now, 15*time.Second, n, n+1, n+2, n+3))
		out[B] = append(out[B],
			Line(Labels("shared", "job", ForeignWord+job, "who", ForeignWord+"who"), now, 15*time.Second, Foreign+n, Foreign+n+1, Foreign+n+2, Foreign+n+3),
			Line(Labels(ForeignName, "job", ForeignWord+job, "who", ForeignWord+"who", ForeignWord+"label", ForeignWord+"value"), now, 15*time.Second, Foreign+n, Foreign+n, Foreign+n, Foreign+n))
	}
	return out
}

// Leaks says what of B's is in an answer; empty where there is nothing.
func Leaks(series []store.Series) string {
	for _, s := range series {
		var found string
		s.Labels.Range(func(l labels.Label) {
			if l.Value == string(B) || l.Value == ForeignName || strings.HasPrefix(l.Value, ForeignWord) || strings.HasPrefix(l.Value, "1.00000") || strings.HasPrefix(l.Value, "100000") {
				found = l.Name + "=" + l.Value
			}
		})
		if found != "" {
			return fmt.Sprintf("%s has %s", s.Labels, found)
		}
		for _, p := range s.Samples {
			// Times, which timestamp() and time() answer, are far above the values of B.
			if v := math.Abs(p.Value); v >= Foreign && v < 1e8 {
				return fmt.Sprintf("%s has the value %g", s.Labels, p.Value)
			}
		}
	}
	return ""
}

func testIsolation(t *testing.T, s subject) {
	for of, series := range TwoTenants(s.now) {
		s.write(t, of, series...)
	}
	minutes := store.Range{Start: s.now.Add(-2 * time.Minute), End: s.now, Step: 15 * time.Second}
	instant := store.Range{Start: s.now, End: s.now}
	seen := 0
	for _, trick := range Tricks() {
		expr, err := engine.Parse(trick.Expr)
		if err != nil {
			t.Fatalf("%s: %v", trick.Name, err)
		}
		for _, on := range []store.Range{minutes, instant} {
			got, err := s.Store.Query(t.Context(), store.Of(A), expr, on, store.Limits{})
			if err != nil {
				if !errors.Is(err, fleet.ErrInvalid) {
					t.Errorf("%s: %s: %v", trick.Name, expr, err)
				}
				continue
			}
			if leak := Leaks(got.Series); leak != "" {
				t.Errorf("%s: %s answers A with what is B's: %s", trick.Name, expr, leak)
			}
		}
		// The other way round, so that it is not by luck: B's own are there for B.
		if got, err := s.Store.Query(t.Context(), store.Of(B), expr, instant, store.Limits{}); err == nil && Leaks(got.Series) != "" {
			seen++
		}
	}
	if seen < 20 {
		t.Errorf("only %d tricks show B what is its own: the test sees nothing", seen)
	}
	s.isolatedLabels(t)
}

func (s subject) isolatedLabels(t *testing.T) {
	on := s.hour()
	for _, text := range []string{`shared`, `{tenant="team-b"}`, `{__name__=~".+"}`, ForeignName, `{tenant!="team-a"}`} {
		for name, selectors := range map[string][][]*labels.Matcher{
			"one": {Match(t, text)}, "two": {Match(t, "shared"), Match(t, text)}, "none": nil,
		} {
			sets, err := s.Store.Series(t.Context(), store.Of(A), selectors, on, store.Limits{})
			if err != nil {
				t.Fatalf("Series %s (%s): %v", text, name, err)
			}
			var series []store.Series
			for _, set := range sets {
				series = append(series, store.Series{Labels: set})
			}
			names, err := s.Store.LabelNames(t.Context(), store.Of(A), selectors, on)
			if err != nil {
				t.Fatalf("LabelNames %s (%s): %v", text, name, err)
			}
			words := names
			for _, label := range []string{model.MetricNameLabel, "job", "who", "tenant"} {
				values, err := s.Store.LabelValues(t.Context(), store.Of(A), label, selectors, on)
				if err != nil {
					t.Fatalf("LabelValues %s %s (%s): %v", label, text, name, err)
				}
				words = append(words, values...)
			}
			for _, w := range words {
				series = append(series, store.Series{Labels: labels.FromStrings("word", w)})
			}
			if leak := Leaks(series); leak != "" {
				t.Errorf("%s (%s) answers A with what is B's: %s", text, name, leak)
			}
			if name != "one" && len(sets) != 3 {
				t.Errorf("%s (%s) finds %d series of A, want 3", text, name, len(sets))
			}
		}
	}
	sets, err := s.Store.Series(t.Context(), store.Everybody(), nil, on, store.Limits{})
	if err != nil || len(sets) < 9 {
		t.Errorf("everybody sees %d series (%v), want 9", len(sets), err)
	}
}

func testLabels(t *testing.T, s subject) {
	s.write(t, A,
		Line(Labels("up", "job", "x", "zone", "1"), s.now, time.Minute, 1),
		Line(Labels("up", "job", "y"), s.now, time.Minute, 1),
		Line(Labels("down", "job", "z"), s.now, time.Minute, 1))
	on := s.hour()
	two := [][]*labels.Matcher{Match(t, `up{job="x"}`), Match(t, `down`)}
	sets, err := s.Store.Series(t.Context(), store.Of(A), two, on, store.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	want := []labels.Labels{Labels("down", "job", "z", "tenant", string(A)), Labels("up", "job", "x", "tenant", string(A), "zone", "1")}
	if diff := cmp.Diff(want, sets, Equal()); diff != "" {
		t.Errorf("Series of two selectors:\n%s", diff)
	}
	names, err := s.Store.LabelNames(t.Context(), store.Of(A), [][]*labels.Matcher{Match(t, "down")}, on)
	if diff := cmp.Diff([]string{"__name__", "job", "tenant"}, names); diff != "" || err != nil {
		t.Errorf("LabelNames: %v\n%s", err, diff)
	}
	values, err := s.Store.LabelValues(t.Context(), store.Of(A), "job", nil, on)
	if diff := cmp.Diff([]string{"x", "y", "z"}, values); diff != "" || err != nil {
		t.Errorf("LabelValues: %v\n%s", err, diff)
	}
	values, err = s.Store.LabelValues(t.Context(), store.Of(A), "nothing", nil, on)
	if len(values) != 0 || err != nil {
		t.Errorf("LabelValues of a label that nobody has: %v, %v", values, err)
	}
	if s.Days {
		return
	}
	before := store.Range{Start: s.now.Add(-time.Hour), End: s.now.Add(-30 * time.Minute)}
	sets, err = s.Store.Series(t.Context(), store.Of(A), nil, before, store.Limits{})
	if len(sets) != 0 || err != nil {
		t.Errorf("series without samples in the range: %v, %v", sets, err)
	}
}

func testLimits(t *testing.T, s subject) {
	var all []store.Series
	for i := range 20 {
		all = append(all, Line(Labels("many", "n", fmt.Sprintf("%02d", i)), s.now, 15*time.Second, 1, 2, 3, 4, 5))
	}
	s.write(t, A, all...)
	expr, err := engine.Parse("many")
	if err != nil {
		t.Fatal(err)
	}
	instant := store.Range{Start: s.now, End: s.now}
	for _, c := range []struct {
		why string
		at  store.Limits
		ok  bool
	}{
		{"as many as there are", store.Limits{Series: 20, Samples: 100}, true},
		{"no limit is the store's own", store.Limits{}, true},
		{"one series too many", store.Limits{Series: 19}, false},
	} {
		_, selectErr := s.Store.Select(t.Context(), store.Of(A), Match(t, "many"), s.hour(), c.at)
		_, queryErr := s.Store.Query(t.Context(), store.Of(A), expr, instant, c.at)
		_, seriesErr := s.Store.Series(t.Context(), store.Of(A), nil, s.hour(), c.at)
		for what, err := range map[string]error{"Select": selectErr, "Query": queryErr, "Series": seriesErr} {
			if c.ok && err != nil || !c.ok && !errors.Is(err, store.ErrTooMuch) {
				t.Errorf("%s: %s: %v", c.why, what, err)
			}
		}
	}
	if _, err := s.Store.Select(t.Context(), store.Of(A), Match(t, "many"), s.hour(), store.Limits{Samples: 99}); !errors.Is(err, store.ErrTooMuch) {
		t.Errorf("one sample too many: %v", err)
	}
}

func testRefusals(t *testing.T, s subject) {
	expr, err := engine.Parse("up")
	if err != nil {
		t.Fatal(err)
	}
	var nobody store.Scope
	instant := store.Range{Start: s.now, End: s.now}
	_, queryErr := s.Store.Query(t.Context(), nobody, expr, instant, store.Limits{})
	_, selectErr := s.Store.Select(t.Context(), nobody, Match(t, "up"), s.hour(), store.Limits{})
	_, seriesErr := s.Store.Series(t.Context(), nobody, nil, s.hour(), store.Limits{})
	_, namesErr := s.Store.LabelNames(t.Context(), nobody, nil, s.hour())
	_, valuesErr := s.Store.LabelValues(t.Context(), nobody, "job", nil, s.hour())
	for what, err := range map[string]error{
		"Query without a scope": queryErr, "Select without a scope": selectErr, "Series without a scope": seriesErr,
		"LabelNames without a scope": namesErr, "LabelValues without a scope": valuesErr,
		"Write of nobody":            s.Store.Write(t.Context(), "", []store.Series{Line(Labels("up"), s.now, 1, 1)}),
		"Write of what is no tenant": s.Store.Write(t.Context(), `x"} or {a="`, []store.Series{Line(Labels("up"), s.now, 1, 1)}),
	} {
		if !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s: %v, want an error of kind invalid", what, err)
		}
	}
	if err := s.Store.Write(t.Context(), A, nil); err != nil {
		t.Errorf("writing nothing: %v", err)
	}
	got, err := s.Store.Query(t.Context(), store.Of(A), expr, instant, store.Limits{})
	if err != nil || len(got.Series) != 0 {
		t.Errorf("a question about what is not there: %v, %v", got, err)
	}
}

func testConcurrency(t *testing.T, s subject) {
	const writers, rounds = 4, 5
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for r := range rounds {
				at := s.now.Add(time.Duration(r-rounds) * time.Minute)
				of := []store.Tenant{A, B}[w%2]
				if err := s.Store.Write(t.Context(), of, []store.Series{Line(Labels("busy", "w", fmt.Sprint(w)), at, time.Second, float64(r))}); err != nil {
					t.Errorf("Write: %v", err)
				}
				if _, err := s.Store.Select(t.Context(), store.Of(of), Match(t, "busy"), s.hour(), store.Limits{}); err != nil {
					t.Errorf("Select: %v", err)
				}
			}
		})
	}
	group.Wait()
	for w := range writers {
		s.await(t, []store.Tenant{A, B}[w%2], Line(Labels("busy", "w", fmt.Sprint(w)), s.now.Add(-time.Minute), time.Second, 1))
	}
	for _, of := range []store.Tenant{A, B} {
		got := s.read(t, store.Of(of), "busy")
		if len(got) != writers/2 {
			t.Errorf("%s has %d series, want %d", of, len(got), writers/2)
		}
		for _, series := range got {
			if len(series.Samples) != rounds {
				t.Errorf("%s has %d samples, want %d", series.Labels, len(series.Samples), rounds)
			}
		}
	}
}

func testDeath(t *testing.T, s subject) {
	if s.Kill == nil {
		t.Skip("the store keeps nothing beyond its life, and says so")
	}
	kept := Line(Labels("kept"), s.now, 15*time.Second, 1, 2, 3)
	s.write(t, A, kept)
	time.Sleep(s.Flush)
	s.Kill()
	s.await(t, A, kept)
	if got := s.read(t, store.Of(A), "kept"); len(got) != 1 || len(got[0].Samples) != 3 {
		t.Errorf("after the store was killed: %v", got)
	}
}
