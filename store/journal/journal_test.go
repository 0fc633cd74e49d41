package journal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T, dir string) (*Journal, []string) {
	t.Helper()
	var found []string
	j, err := Open(dir, func(sequence uint64, data []byte) error {
		found = append(found, fmt.Sprintf("%d %s", sequence, data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return j, found
}

func add(t *testing.T, j *Journal, data string) uint64 {
	t.Helper()
	var sequence uint64
	if err := j.Append(context.Background(), []byte(data), func(s uint64) { sequence = s }); err != nil {
		t.Fatal(err)
	}
	return sequence
}

func TestReplay(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	add(t, j, "a")
	add(t, j, "b")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, found := open(t, dir)
	if diff := cmp.Diff([]string{"1 a", "2 b"}, found); diff != "" {
		t.Fatal(diff)
	}
	if got := add(t, j, "c"); got != 3 {
		t.Fatalf("the next number is %d", got)
	}
	if err := j.Forget(2); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, found = open(t, dir)
	defer j.Close()
	if diff := cmp.Diff([]string{"3 c"}, found); diff != "" {
		t.Fatal(diff)
	}
}

// TestTorn cuts a segment, and changes it, at every byte: what was whole before that is found, and
// nothing else.
func TestTorn(t *testing.T) {
	from := t.TempDir()
	j, _ := open(t, from)
	add(t, j, "first")
	add(t, j, "second")
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(from, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	second := headerBytes + len("first")
	for at := range data {
		for how, torn := range map[string][]byte{"cut": data[:at], "changed": changed(data, at)} {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, segmentName(1)), torn, 0o600); err != nil {
				t.Fatal(err)
			}
			j, found := open(t, dir)
			want := 0
			if at >= second {
				want = 1
			}
			if len(found) != want {
				t.Fatalf("%s at %d: %v", how, at, found)
			}
			next := add(t, j, "next")
			if next != uint64(want+1) {
				t.Fatalf("%s at %d: the next number is %d", how, at, next)
			}
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			j, found = open(t, dir)
			_ = j.Close()
			if len(found) != want+1 || found[want] != fmt.Sprintf("%d next", want+1) {
				t.Fatalf("%s at %d, and then: %v", how, at, found)
			}
		}
	}
}

func changed(data []byte, at int) []byte {
	c := append([]byte(nil), data...)
	c[at] ^= 0x10
	return c
}

func TestOrder(t *testing.T) {
	j, _ := open(t, t.TempDir())
	defer j.Close()
	var seen []uint64
	var wait sync.WaitGroup
	for range 200 {
		wait.Go(func() {
			// kept is called by one goroutine, so seen needs no lock.
			err := j.Append(context.Background(), []byte("x"), func(s uint64) { seen = append(seen, s) })
			if err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for i, s := range seen {
		if s != uint64(i+1) {
			t.Fatalf("place %d has the number %d", i, s)
		}
	}
	if len(seen) != 200 {
		t.Fatalf("%d entries", len(seen))
	}
}

func TestSkip(t *testing.T) {
	// The folder of the journal was lost, the database was not.
	j, _ := open(t, t.TempDir())
	defer j.Close()
	j.Skip(41)
	if got := add(t, j, "x"); got != 42 {
		t.Fatalf("the next number is %d", got)
	}
}

func FuzzReadEntry(f *testing.F) {
	f.Add(appendEntry(nil, 7, []byte("data")))
	f.Add([]byte("\xff\xff\xff\xff0000000000000000"))
	f.Fuzz(func(t *testing.T, from []byte) {
		sequence, data, rest, ok := readEntry(from)
		if ok && string(appendEntry(nil, sequence, data))+string(rest) != string(from) {
			t.Fatalf("%q", from)
		}
	})
}

// A journal that goes on can be read: all that was kept before, and nothing that was forgotten.
func TestEach(t *testing.T) {
	j, err := OpenWith(t.TempDir(), 40, func(uint64, []byte) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	read := func() (found []string) {
		if err := j.Each(func(sequence uint64, data []byte) error {
			found = append(found, fmt.Sprintf("%d %s", sequence, data))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, text := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		add(t, j, text)
	}
	if diff := cmp.Diff([]string{"1 a", "2 b", "3 c", "4 d", "5 e", "6 f", "7 g"}, read()); diff != "" {
		t.Error(diff)
	}
	// A segment of forty bytes takes three of them.
	if err := j.Forget(5); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"4 d", "5 e", "6 f", "7 g"}, read()); diff != "" {
		t.Error(diff)
	}
}
