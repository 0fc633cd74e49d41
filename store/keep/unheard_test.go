package keep

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A keeper that was killed may have kept what its sender has not heard of, and sends again: it is there once.
func TestSentAgain(t *testing.T) {
	dir := t.TempDir()
	k := openKeeper(t, dir)
	write(t, k, "one")
	write(t, k, "two")
	if diff := cmp.Diff([]string{"one", "two"}, read(t, k)); diff != "" {
		t.Fatal(diff)
	}
	// As if it had been killed: who is killed leaves no such file.
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(k.closed()); err != nil {
		t.Fatal(err)
	}
	k = openKeeper(t, dir)
	for _, body := range []string{"two", "three", "two"} {
		// The last one is another one: of the first its sender has heard by then.
		write(t, k, body)
	}
	if diff := cmp.Diff([]string{"one", "two", "three", "two"}, read(t, k)); diff != "" {
		t.Fatal(diff)
	}
	// Whoever hangs up before the answer sends again, too.
	gone, hangUp := context.WithCancel(context.Background())
	r := request("four")
	hangUp()
	if _, err := k.Write(gone, r); err == nil {
		write(t, k, "four")
	}
	if got := read(t, k); len(got) > 5 {
		t.Fatalf("it is there twice: %v", got)
	}
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	k = openKeeper(t, dir)
	write(t, k, "three")
	if got := read(t, k); got[len(got)-1] != "three" {
		t.Fatalf("after it was closed, everything is new: %v", got)
	}
}

// What arrived long before the end was heard of, and after a while nobody comes again.
func TestUnheardEnds(t *testing.T) {
	u := newUnheard()
	old, young := request("old"), request("young")
	young.Arrival = now.Add(time.Minute)
	u.load(old)
	u.load(young)
	opened := now.Add(time.Hour)
	u.loaded(opened, t.TempDir()+"/none")
	old.Arrival, young.Arrival = opened.Add(time.Second), opened.Add(time.Second)
	if u.repeats(old) {
		t.Error("it would swallow what arrived a minute before the end")
	}
	late := young
	late.Arrival = opened.Add(2 * unheardTime)
	if u.repeats(late) {
		t.Error("it would swallow what comes half an hour later")
	}
}
