package storetest

import (
	"context"
	"errors"
	"iter"
	"testing"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// followLogs is the part of the suite of logs for stores that tell of records as they come: whoever
// follows is told of his own, of each once, and of nothing that was there before.
func (s Telling) followLogs(t *testing.T, now time.Time) {
	follower, can := s.Logs.(store.LogFollower)
	if !can {
		return
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	next := func(in store.Scope, what store.LogSearch) func() (store.Followed, error) {
		t.Helper()
		pull, stop := iter.Pull2(follower.FollowLogs(ctx, in, what))
		t.Cleanup(stop)
		told := func() (store.Followed, error) {
			f, err, _ := pull()
			return f, err
		}
		if f, err := told(); err != nil || f != (store.Followed{}) {
			t.Fatalf("following begins with %+v, %v; want the zero value", f, err)
		}
		return told
	}
	a, b, some := next(store.Of(A), store.LogSearch{}), next(store.Of(B), store.LogSearch{}), next(store.Everybody(), store.LogSearch{Text: []string{"LINE 2"}, Severity: 17})
	for _, of := range []store.Tenant{A, B} {
		if err := s.Logs.WriteLogs(t.Context(), of, said(now, of)); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []struct {
		why  string
		told func() (store.Followed, error)
		want map[store.Tenant]int
	}{
		{"all of a tenant", a, map[store.Tenant]int{A: 6}}, {"all of the other", b, map[store.Tenant]int{B: 6}},
		{"what matches of everybody's", some, map[store.Tenant]int{A: 2, B: 2}},
	} {
		got, most := map[store.Tenant]int{}, 0
		for _, n := range f.want {
			most += n
		}
		for range most {
			one, err := f.told()
			if err != nil || one.Record == nil || one.Record.Resource["of"] != string(one.Record.Tenant) || one.Record.TraceID == "" {
				t.Fatalf("%s: %+v, %v", f.why, one, err)
			}
			got[one.Record.Tenant]++
		}
		for of, n := range f.want {
			if got[of] != n {
				t.Errorf("%s: followers were told of %v, want %v", f.why, got, f.want)
			}
		}
	}
	for _, err := range follower.FollowLogs(t.Context(), store.Scope{}, store.LogSearch{}) {
		if !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("following without a scope: %v, want an error of kind invalid", err)
		}
	}
}
