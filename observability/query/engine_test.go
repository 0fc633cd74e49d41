package query

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
)

// answers is a store that answers some questions in its own way.
type answers struct {
	store.Metrics
	before func(context.Context) error
}

func (a answers) Query(ctx context.Context, in store.Scope, e parser.Expr, on store.Range, at store.Limits) (store.Answer, error) {
	if err := a.before(ctx); err != nil {
		return store.Answer{}, err
	}
	return a.Metrics.Query(ctx, in, e, on, at)
}

func (a answers) Select(ctx context.Context, in store.Scope, m []*labels.Matcher, on store.Range, at store.Limits) (store.Answer, error) {
	if err := a.before(ctx); err != nil {
		return store.Answer{}, err
	}
	return a.Metrics.Select(ctx, in, m, on, at)
}

// two are regions with one series of A each; what the second does first is the test's.
func two(t testing.TB, before func(context.Context) error) []Region {
	t.Helper()
	var out []Region
	for i, name := range []string{"eu", "us"} {
		m := storetest.NewMemory()
		if err := m.Write(t.Context(), storetest.A, []store.Series{storetest.Line(storetest.Labels("x"), noon, 15*time.Second, 1, 2, 3)}); err != nil {
			t.Fatal(err)
		}
		r := Region{Name: name, Metrics: m, Labels: labels.FromStrings("region", name)}
		if i == 1 {
			r.Metrics = answers{m, before}
		}
		out = append(out, r)
	}
	return out
}

var instant = store.Range{Start: noon, End: noon}

// A region that does not answer makes the answer partial, with since when it does not, until it
// answers again.
func TestMissingRegions(t *testing.T) {
	now := noon
	var failing error
	regions := two(t, func(context.Context) error { return failing })
	e := New(func() []Region { return regions }, Config{}, func() time.Time { return now })
	for _, c := range []struct {
		why     string
		after   time.Duration
		failing error
		missing []Missing
		sum     float64
	}{
		{"all answer", 0, nil, nil, 6},
		{"one does not", time.Minute, errors.New("connection refused"), []Missing{{Region: "us", Since: noon.Add(time.Minute), Why: "connection refused"}}, 3},
		{"and not yet", time.Hour, errors.New("no route to host"), []Missing{{Region: "us", Since: noon.Add(time.Minute), Why: "no route to host"}}, 3},
		{"it is back", 2 * time.Hour, nil, nil, 6},
		{"and gone again", 3 * time.Hour, errors.New("connection refused"), []Missing{{Region: "us", Since: noon.Add(3 * time.Hour), Why: "connection refused"}}, 3},
	} {
		now, failing = noon.Add(c.after), c.failing
		for _, text := range []string{`sum(x)`, `sum(max_over_time(sum by (region) (x)[1m:15s]))`, `sum(sum_over_time(x[20s])) - sum(sum_over_time(x[20s] offset 15s)) + sum(x) - 2 * count(x)`} {
			got, err := answer(t, e, store.Of(storetest.A), text, instant)
			if err != nil {
				t.Fatalf("%s: %v", c.why, err)
			}
			if diff := cmp.Diff(c.missing, got.Missing); diff != "" || got.Partial() != (c.missing != nil) || len(got.Warnings) != len(c.missing) {
				t.Errorf("%s: %s: %v\n%s", c.why, text, got.Warnings, diff)
			}
			if strings.HasPrefix(text, "sum(x)") && got.Series[0].Samples[0].Value != c.sum {
				t.Errorf("%s: the sum is %v, want %v", c.why, got.Series[0].Samples[0].Value, c.sum)
			}
		}
	}
}

func nobodys(store.Scope) bool { return false }

func TestRegionsThatCannotBeAsked(t *testing.T) {
	good := two(t, func(context.Context) error { return nil })
	for _, c := range []struct {
		why     string
		regions []Region
		missing []string
		err     error
	}{
		{"no regions at all know nothing", nil, nil, nil},
		{"two with one name", []Region{good[0], {Name: "eu", Metrics: good[1].Metrics}}, []string{"eu"}, nil},
		{"one without a store", []Region{good[0], {Name: "x"}}, []string{"x"}, nil},
		{"one that claims a tenant", []Region{good[0], {Name: "x", Metrics: good[1].Metrics, Labels: labels.FromStrings("tenant", "team-a")}}, []string{"x"}, nil},
		{"none answers", []Region{{Name: "x"}, {Name: "y"}}, nil, ErrNobody},
		{"one that says what is wrong with it", []Region{good[0], {Name: "x", Err: errors.New("no endpoint")}}, []string{"x"}, nil},
		{"one that the scope has nothing to do with", []Region{good[0], {Name: "x", Err: errors.New("no endpoint"), Serves: nobodys}}, nil, nil},
		{"regions that none of is the scope's", []Region{{Name: "x", Metrics: good[1].Metrics, Serves: nobodys}}, nil, nil},
		{"a twin of one that cannot be asked", []Region{{Name: "eu", Err: errors.New("no endpoint")}, good[0]}, []string{"eu"}, nil},
	} {
		e := New(func() []Region { return c.regions }, Config{}, func() time.Time { return noon })
		got, err := answer(t, e, store.Of(storetest.A), "x", instant)
		if !errors.Is(err, c.err) || (err != nil) != (c.err != nil) {
			t.Errorf("%s: %v", c.why, err)
		}
		var missing []string
		for _, m := range got.Missing {
			missing = append(missing, m.Region)
		}
		if diff := cmp.Diff(c.missing, missing); diff != "" {
			t.Errorf("%s:\n%s", c.why, diff)
		}
	}
}

// What is known of a region is not forgotten by questions about others, and is by its being repaired.
func TestSince(t *testing.T) {
	now := noon
	down := errors.New("connection refused")
	regions := two(t, func(context.Context) error { return down })
	broken := Region{Name: "asia", Err: errors.New("no endpoint"), Next: "set one"}
	e := New(func() []Region { return append([]Region{broken}, regions...) }, Config{}, func() time.Time { return now })
	ask := func(text string) []Missing {
		t.Helper()
		got, err := answer(t, e, store.Of(storetest.A), text, instant)
		if err != nil {
			t.Fatal(err)
		}
		return got.Missing
	}
	first := ask("x")
	now = noon.Add(time.Minute)
	if got := ask(`x{region="eu"}`); len(got) != 1 || got[0].Region != "asia" {
		t.Errorf("a question about eu lacks %v", got)
	}
	expr, err := engine.Parse(`x{region="us"}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Query(t.Context(), store.Of(storetest.A), expr, instant); !errors.Is(err, ErrNobody) {
		t.Errorf("a question about the region that does not answer: %v", err)
	}
	again := ask("x")
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("since when they do not answer has changed:\n%s", diff)
	}
	good := broken
	good.Err, good.Metrics, good.Labels = nil, regions[0].Metrics, labels.FromStrings("region", "asia")
	bad := broken
	broken = good
	ask("x")
	broken, now = bad, noon.Add(time.Hour)
	if got := ask("x"); !got[0].Since.Equal(now) || !strings.HasSuffix(got[0].sentence(), "no endpoint; set one") {
		t.Errorf("one that was repaired meanwhile: %s", got[0].sentence())
	}
}

func TestLimits(t *testing.T) {
	hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	deaf := func(context.Context) error { time.Sleep(time.Second); return nil }
	fine := func(context.Context) error { return nil }
	wrong := func(context.Context) error { return fmt.Errorf("%w: it knows no such function", fleet.ErrInvalid) }
	for _, c := range []struct {
		why, expr string
		config    Config
		before    func(context.Context) error
		err       error
		partial   bool
	}{
		{"within all limits", "x", Config{Samples: 100, Series: 2}, fine, nil, false},
		{"too many series in all regions, though not in one", "x", Config{Series: 1}, fine, store.ErrTooMuch, false},
		{"too many samples in all regions, though not in one", "x[1m]", Config{Samples: 4}, fine, store.ErrTooMuch, false},
		{"a region that hangs is left out", "x", Config{RegionTimeout: 30 * time.Millisecond}, hang, nil, true},
		{"so is one that does not look at its context", "x", Config{RegionTimeout: 30 * time.Millisecond}, deaf, nil, true},
		{"a question that takes too long", "x", Config{Timeout: 30 * time.Millisecond}, hang, store.ErrTooMuch, false},
		{"a region that finds a question wrong which another one answers", "x", Config{}, wrong, nil, true},
		{"a question that every region that is asked finds wrong", `x{region="us"}`, Config{}, wrong, fleet.ErrInvalid, false},
		{"a name that is ours", `{__portico_part__="0"}`, Config{}, fine, fleet.ErrInvalid, false},
	} {
		regions := two(t, c.before)
		e := New(func() []Region { return regions }, c.config, time.Now)
		for _, whole := range []bool{false, true} {
			e.whole = whole
			got, err := answer(t, e, store.Of(storetest.A), c.expr, instant)
			if !errors.Is(err, c.err) || (err != nil) != (c.err != nil) || got.Partial() != c.partial {
				t.Errorf("%s: partial %v, error %v", c.why, got.Partial(), err)
			}
		}
	}
}

// A tenant's questions wait for each other, and not for those of another tenant.
func TestConcurrency(t *testing.T) {
	open := make(chan struct{})
	var started sync.WaitGroup
	started.Add(2)
	regions := two(t, func(ctx context.Context) error {
		if v := ctx.Value(waits{}); v != nil {
			started.Done()
			<-open
		}
		return nil
	})
	e := New(func() []Region { return regions }, Config{Concurrent: 2, Timeout: 300 * time.Millisecond, RegionTimeout: time.Minute}, time.Now)
	expr, err := engine.Parse("x")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	for range 2 {
		running.Go(func() {
			// Whether they are answered in time is not the question here.
			_, _ = e.Query(context.WithValue(t.Context(), waits{}, true), store.Of(storetest.A), expr, instant)
		})
	}
	started.Wait()
	if _, err := e.Query(t.Context(), store.Of(storetest.B), expr, instant); err != nil {
		t.Errorf("another tenant's question: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := e.Query(ctx, store.Of(storetest.A), expr, instant); !errors.Is(err, ErrBusy) {
		t.Errorf("a third question of the tenant: %v, want ErrBusy", err)
	}
	close(open)
	running.Wait()
	if _, err := e.Query(t.Context(), store.Of(storetest.A), expr, instant); err != nil {
		t.Errorf("when the others are answered: %v", err)
	}
	if len(e.gate.of) != 0 {
		t.Errorf("%d doors are left of questions that are answered", len(e.gate.of))
	}
}

type waits struct{}

// Labels of the regions are found like those of the series.
func TestLabels(t *testing.T) {
	regions, whole := three(t, true)
	e := New(func() []Region { return regions }, Config{}, func() time.Time { return noon })
	on := store.Range{Start: noon.Add(-time.Hour), End: noon}
	in := store.Of(storetest.A)
	for _, text := range []string{"", "gauge", `gauge{region="r1"}`, `{region!="r0"}`, `{zone="z1",job="c"}`, `{region="nowhere"}`, `{region=""}`, `nothing`} {
		var selectors [][]*labels.Matcher
		if text != "" {
			selectors = [][]*labels.Matcher{storetest.Match(t, text)}
		}
		want, err := whole.Series(t.Context(), in, selectors, on, store.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := e.Series(t.Context(), in, selectors, on)
		if diff := cmp.Diff(want, got, storetest.Equal()); err != nil || diff != "" {
			t.Errorf("Series %s: %v\n%s", text, err, diff)
		}
		wantNames, err := whole.LabelNames(t.Context(), in, selectors, on)
		if err != nil {
			t.Fatal(err)
		}
		names, _, err := e.LabelNames(t.Context(), in, selectors, on)
		if diff := cmp.Diff(wantNames, names, storetest.Equal()); err != nil || diff != "" {
			t.Errorf("LabelNames %s: %v\n%s", text, err, diff)
		}
		for _, name := range []string{"job", "region", "zone", "tenant", "nothing"} {
			wantValues, err := whole.LabelValues(t.Context(), in, name, selectors, on)
			if err != nil {
				t.Fatal(err)
			}
			values, _, err := e.LabelValues(t.Context(), in, name, selectors, on)
			if diff := cmp.Diff(wantValues, values, storetest.Equal()); err != nil || diff != "" {
				t.Errorf("LabelValues %s %s: %v\n%s", name, text, err, diff)
			}
		}
	}
}
