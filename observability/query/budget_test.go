package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
)

// filled is a region with so many series of A, each of three samples.
func filled(t *testing.T, name string, series int) Region {
	t.Helper()
	m := storetest.NewMemory()
	var data []store.Series
	for i := range series {
		data = append(data, storetest.Line(storetest.Labels("x", "i", fmt.Sprint(i)), noon, 15*time.Second, 1, 2, 3))
	}
	if err := m.Write(t.Context(), storetest.A, data); err != nil {
		t.Fatal(err)
	}
	return Region{Name: name, Metrics: m, Labels: labels.FromStrings("region", name)}
}

// What a tenant's region answers ends nobody's question but its own tenants'.
func TestGuestsHaveABudget(t *testing.T) {
	for _, tc := range []struct {
		why     string
		in      store.Scope
		guests  []int // series of each guest
		ours    int
		missing string
		count   int // series in the answer; -1 for an error
	}{
		{"what fits is in the answer", store.Everybody(), []int{9}, 20, "", 29},
		{"one that has too much is left out", store.Everybody(), []int{13, 2}, 20, "guest-0", 22},
		{"and takes nothing from the others", store.Everybody(), []int{99}, 100, "guest-0", 100},
		{"ours end a question still", store.Everybody(), []int{1}, 101, "", -1},
		{"those who ask for one tenant ask all its regions alike", store.Of(storetest.A), []int{90}, 10, "", 100},
		{"also when that is too much", store.Of(storetest.A), []int{101}, 1, "", -1},
	} {
		regions := []Region{filled(t, "ours", tc.ours)}
		for i, n := range tc.guests {
			r := filled(t, fmt.Sprint("guest-", i), n)
			r.Guest = true
			regions = append(regions, r)
		}
		e := New(func() []Region { return regions }, Config{Series: 100}, func() time.Time { return noon })
		for _, text := range []string{`x`, `label_replace(limitk(1000, x), "a", "", "", "")`} { // computed there, and read raw
			got, err := answer(t, e, tc.in, text, instant)
			switch {
			case tc.count < 0:
				if !errors.Is(err, store.ErrTooMuch) {
					t.Errorf("%s: %s: %v", tc.why, text, err)
				}
			case err != nil:
				t.Errorf("%s: %s: %v", tc.why, text, err)
			case len(got.Series) != tc.count || missingOf(got.Coverage) != tc.missing:
				t.Errorf("%s: %s: %d series, missing %+v; want %d without %q", tc.why, text, len(got.Series), got.Missing, tc.count, tc.missing)
			case tc.missing != "" && !strings.Contains(got.Missing[0].Why, "too big for a region that a tenant runs"):
				t.Errorf("%s: %+v", tc.why, got.Missing)
			}
		}
	}
}

func missingOf(c Coverage) string {
	var names []string
	for _, m := range c.Missing {
		names = append(names, m.Region)
	}
	return strings.Join(names, " ")
}

// All guests together have a half of what there is.
func TestGuestsTogether(t *testing.T) {
	regions := []Region{filled(t, "ours", 100)}
	for i := range 8 {
		r := filled(t, fmt.Sprint("guest-", i), 12)
		r.Guest = true
		regions = append(regions, r)
	}
	e := New(func() []Region { return regions }, Config{Series: 100}, func() time.Time { return noon })
	got, err := answer(t, e, store.Everybody(), `x`, instant)
	if err != nil || len(got.Series) != 148 || len(got.Missing) != 4 {
		t.Errorf("%v: %d series, missing %+v; want our 100 and 48 of four guests", err, len(got.Series), got.Missing)
	}
}

// A guest that takes long is waited for less long than others.
func TestGuestsAreSlow(t *testing.T) {
	slow := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	regions := two(t, slow)
	regions[1].Guest = true
	e := New(func() []Region { return regions }, Config{RegionTimeout: 2 * time.Second}, time.Now)
	began := time.Now()
	got, err := answer(t, e, store.Everybody(), `x`, instant)
	if took := time.Since(began); err != nil || missingOf(got.Coverage) != "us" || took > time.Second {
		t.Errorf("%v: missing %+v after %s", err, got.Missing, took)
	}
}

// So it is with logs, by their bytes.
func TestGuestsWithLogs(t *testing.T) {
	long := record(2, "t")
	long.Body = strings.Repeat("x", 200)
	ours := Region{Name: "ours", Logs: told{records: []store.Record{record(1, "t"), record(3, "t")}}}
	guest := Region{Name: "guest", Logs: told{records: []store.Record{long}}, Guest: true}
	e := New(func() []Region { return []Region{ours, guest} }, Config{Bytes: 800}, func() time.Time { return noon })
	for why, in := range map[string]store.Scope{"guest": store.Everybody(), "": store.Of("t")} {
		got, cover, err := e.SearchLogs(t.Context(), in, store.LogSearch{Start: at(0), End: at(9)})
		want := 3
		if why != "" {
			want = 2
		}
		if err != nil || len(got) != want || missingOf(cover) != why {
			t.Errorf("%v: %d records, missing %+v; want %d without %q", err, len(got), cover.Missing, want, why)
		}
	}
	guest.Logs = told{err: fmt.Errorf("%w: so many", store.ErrTooMuch)}
	if got, cover, err := e.SearchLogs(t.Context(), store.Everybody(), store.LogSearch{Start: at(0), End: at(9)}); err != nil || len(got) != 2 || missingOf(cover) != "guest" {
		t.Errorf("a guest's question is too big: %v, %d records, missing %+v", err, len(got), cover.Missing)
	}
}

func TestWithoutAddresses(t *testing.T) {
	for text, want := range map[string]string{
		`asking https://10.213.1.1:19001/vm/select: dial tcp 10.213.1.1:19001: connect: connection refused`: `asking (address): dial tcp (address): connect: connection refused`,
		`Post "https://u:p@vmauth.eu.example/api?query=up": EOF`:                                            `Post "(address)": EOF`,
		`{"error":"Post \"https://u:p@x.example/api\": EOF"}`:                                               `{"error":"Post \"(address)\": EOF"}`,
		`dial tcp: lookup vmauth.internal on 10.0.0.10:53: no such host`:                                    `dial tcp: (address): no such host`,
		`dial tcp [fe80::1%eth0]:443: i/o timeout`:                                                          `dial tcp (address): i/o timeout`,
		`dial tcp [::1]:443: refused`:                                                                       `dial tcp (address): refused`,
		`asking localhost:8428 failed`:                                                                      `asking (address) failed`,
		`region eu, which does not answer since 2026-06-01T12:00:00Z: it did not answer within 20s`:         `region eu, which does not answer since 2026-06-01T12:00:00Z: it did not answer within 20s`,
		`Secret kof/x does not exist; make it, version 1.2.3`:                                               `Secret kof/x does not exist; make it, version 1.2.3`,
		`expected [1:2] or a[b]`:                                                                            `expected [1:2] or a[b]`,
	} {
		if got := WithoutAddresses(text); got != want {
			t.Errorf("%s\nbecame %s\nwant   %s", text, got, want)
		}
	}
}

// Where a store is reached is told to those who run the plane, and to the log, and not to tenants.
func TestAddressesOfRegions(t *testing.T) {
	const why = "dial tcp 10.0.0.7:8427: connect: connection refused"
	regions := two(t, func(context.Context) error { return errors.New(why) })
	e := New(func() []Region { return regions }, Config{}, func() time.Time { return noon })
	for _, tc := range []struct {
		in   store.Scope
		want string
	}{{store.Everybody(), why}, {store.Of(storetest.A), "dial tcp (address): connect: connection refused"}} {
		regions = two(t, func(context.Context) error { return errors.New(why) })
		got, err := answer(t, e, tc.in, `x`, instant)
		if err != nil || len(got.Missing) != 1 || got.Missing[0].Why != tc.want || !strings.Contains(got.Warnings[0], tc.want) {
			t.Errorf("%v: %+v, %q; want %q", err, got.Missing, got.Warnings, tc.want)
		}
		regions = regions[1:]
		_, err = answer(t, e, tc.in, `x`, instant)
		var said strings.Builder
		slog.New(slog.NewTextHandler(&said, nil)).Error("failed", "error", err)
		if !errors.Is(err, ErrNobody) || !strings.Contains(err.Error(), tc.want) || !strings.Contains(said.String(), why) {
			t.Errorf("nobody answers: %v, and in the log %s", err, said.String())
		}
	}
}
