package query

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/observability/store"
)

// tells is a store that tells followers what a test says, and breaks off when it is told to.
type tells struct {
	store.Logs
	say chan store.Followed
	end chan error
}

func newTold() tells { return tells{say: make(chan store.Followed), end: make(chan error)} }

func (s tells) FollowLogs(ctx context.Context, _ store.Scope, _ store.LogSearch) iter.Seq2[store.Followed, error] {
	return func(yield func(store.Followed, error) bool) {
		select {
		case err := <-s.end:
			yield(store.Followed{}, err)
			return
		default:
		}
		for more := yield(store.Followed{}, nil); more; {
			select {
			case f := <-s.say:
				more = yield(f, nil)
			case err := <-s.end:
				yield(store.Followed{}, err)
				return
			case <-ctx.Done():
				yield(store.Followed{}, ctx.Err())
				return
			}
		}
	}
}

// silent has records and tells nobody.
type silent struct{ store.Logs }

func startFollowing(t *testing.T, in store.Scope, what store.LogSearch, regions ...Region) func() Told {
	t.Helper()
	e := New(func() []Region { return regions }, Config{RegionTimeout: 300 * time.Millisecond}, time.Now)
	next, stop := iter.Pull2(e.FollowLogs(t.Context(), in, what))
	t.Cleanup(stop)
	return func() Told {
		got := make(chan Told, 1)
		go func() {
			one, err, _ := next()
			if err != nil {
				one = Told{Back: err.Error()}
			}
			got <- one
		}()
		select {
		case one := <-got:
			return one
		case <-time.After(10 * time.Second):
			t.Fatal("waited in vain")
			return Told{}
		}
	}
}

func says(of store.Tenant, body string) store.Followed {
	return store.Followed{Record: &store.Record{Tenant: of, Body: body, Resource: map[string]string{"a": "b"}}}
}

func wording(t Told) string {
	switch {
	case t.Record != nil:
		return fmt.Sprint(t.Record.Body, " in ", t.Record.Resource["region"])
	case t.Missing != nil:
		return "missing " + t.Missing.Region + ": " + t.Missing.Why
	case t.Skipped > 0:
		return fmt.Sprint("skipped ", t.Skipped)
	case t.Begun:
		return "begun"
	}
	return "back " + t.Back
}

func wants(t *testing.T, next func() Told, want ...string) {
	t.Helper()
	var got []string
	for range want {
		got = append(got, wording(next()))
	}
	// Regions speak in any order.
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("it is told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func inRegion(name string, l store.Logs) Region {
	return Region{Name: name, Logs: l, Labels: labels.FromStrings("region", name)}
}

// Regions are followed as one; one that breaks off is told of once, and followed again.
func TestFollow(t *testing.T) {
	eu, us := newTold(), newTold()
	next := startFollowing(t, store.Of("a"), store.LogSearch{}, inRegion("eu", eu), inRegion("us", us), inRegion("old", silent{}),
		Region{Name: "gone", Err: errors.New("it has no address")}, Region{Name: "other", Logs: newTold(), Serves: func(store.Scope) bool { return false }})
	wants(t, next, "missing gone: it has no address", "missing old: its store does not tell of records as they come: search it instead", "begun")
	eu.say <- says("a", "one")
	us.say <- says("a", "two")
	wants(t, next, "one in eu", "two in us")
	us.say <- store.Followed{Skipped: 7}
	wants(t, next, "skipped 7")
	eu.end <- errors.New("it went away")
	wants(t, next, "missing eu: it went away")
	wants(t, next, "back eu")
	eu.say <- says("a", "three")
	wants(t, next, "three in eu")
	us.say <- says("b", "four")
	wants(t, next, "missing us: the store of region us tells of records of another tenant than it was asked for; nothing of it is used")
}

// A region that says nothing, not even that it follows, holds up nobody.
func TestFollowStuck(t *testing.T) {
	eu := newTold()
	next := startFollowing(t, store.Everybody(), store.LogSearch{}, inRegion("eu", eu), inRegion("stuck", stuck{}))
	wants(t, next, "missing stuck: it did not answer within 300ms", "begun")
	eu.say <- says("a", "one")
	wants(t, next, "one in eu")
}

type stuck struct{ store.Logs }

func (stuck) FollowLogs(ctx context.Context, _ store.Scope, _ store.LogSearch) iter.Seq2[store.Followed, error] {
	return func(yield func(store.Followed, error) bool) {
		<-ctx.Done()
		yield(store.Followed{}, ctx.Err())
	}
}

// A label of regions chooses among them, and a question without a scope has no answer.
func TestFollowChosen(t *testing.T) {
	eu, us := newTold(), newTold()
	next := startFollowing(t, store.Everybody(), store.LogSearch{Labels: []*labels.Matcher{labels.MustNewMatcher(labels.MatchEqual, "region", "eu")}}, inRegion("eu", eu), inRegion("us", us))
	wants(t, next, "begun")
	eu.say <- says("a", "one")
	wants(t, next, "one in eu")
	wants(t, startFollowing(t, store.Scope{}, store.LogSearch{}, inRegion("eu", eu)), "back invalid: a question to a store has no scope")
}

// Who reads slowly holds little here, and whoever hangs up leaves nothing behind.
func TestFollowSlowly(t *testing.T) {
	eu := newTold()
	before := runtime.NumGoroutine()
	e := New(func() []Region { return []Region{inRegion("eu", eu)} }, Defaults(), time.Now)
	next, stop := iter.Pull2(e.FollowLogs(t.Context(), store.Everybody(), store.LogSearch{}))
	if one, _, _ := next(); !one.Begun {
		t.Fatalf("it begins with %+v", one)
	}
	n := 0
	for full := false; !full && n < 1000; {
		select {
		case eu.say <- says("a", "x"):
			n++
		case <-time.After(200 * time.Millisecond):
			full = true
		}
	}
	if n > waiting+2 {
		t.Errorf("%d records wait for one that does not read", n)
	}
	stop()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines are left of %d", runtime.NumGoroutine(), before)
		}
	}
}
