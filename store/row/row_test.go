package row

import (
	"maps"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestAttributes(t *testing.T) {
	for _, c := range []struct {
		name, why string
		add       [][2]string
		want      map[string]string
	}{
		{"None", "No attributes are no text.", nil, nil},
		{"Sorted", "The order in which they come says nothing.", [][2]string{{"b", "2"}, {"a", "1"}}, map[string]string{"a": "1", "b": "2"}},
		{"Twice", "The later one of one name counts.", [][2]string{{"a", "1"}, {"a", "2"}}, map[string]string{"a": "2"}},
		{"EmptyName", "A name that is empty could not be asked for.", [][2]string{{"", "x"}, {"a", ""}}, map[string]string{"a": ""}},
		{"Marks", "A value cannot look like another attribute.", [][2]string{{"a", "1\x1etenant\x1fother\x1e"}}, map[string]string{"a": "1�tenant�other�"}},
		{"Junk", "Invalid UTF-8 and zero bytes become marks.", [][2]string{{"a\xff", "\x00\xc3"}}, map[string]string{"a�": "��"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b Builder
			for _, a := range c.add {
				b.Add(a[0], a[1])
			}
			text := b.Text()
			if diff := cmp.Diff(c.want, text.Map()); diff != "" {
				t.Fatalf("%s\n%s", c.why, diff)
			}
			for name, value := range c.want {
				got, ok := text.Get(name)
				if !ok || got != value || !strings.Contains(string(text), Pair(name, value)) {
					t.Errorf("%s: %q, %v", name, got, ok)
				}
			}
		})
	}
}

func TestBody(t *testing.T) {
	for _, c := range []struct{ name, why, in, want string }{
		{"Whole", "What is short enough stays.", "12345678", "12345678"},
		{"Cut", "The beginning stays, and the mark says how long it was.", "123456789", "12345678…[cut, 9 bytes]"},
		{"Character", "A cut is not made inside of a character.", "1234567ä", "1234567…[cut, 9 bytes]"},
		{"Junk", "What is no text becomes text.", "a\xff\x00b", "a��b"},
	} {
		if got := Body(c.in, 8); got != c.want {
			t.Errorf("%s: %s got %q", c.name, c.why, got)
		}
	}
}

func TestDayOf(t *testing.T) {
	for at, want := range map[int64]Day{0: 0, -1: -1, nanosecondsOfDay - 1: 0, nanosecondsOfDay: 1, -nanosecondsOfDay: -1} {
		if got := DayOf(at); got != want || at >= 0 && got.Start() > at {
			t.Errorf("%d: day %d, expected %d", at, got, want)
		}
	}
}

func FuzzAttributes(f *testing.F) {
	f.Add("a", "1", "b", "\x1e\x1f\x00")
	f.Add("tenant", "x", "tenant\xff", strings.Repeat("ä", 200))
	f.Fuzz(func(t *testing.T, n1, v1, n2, v2 string) {
		var b Builder
		b.Add(n1, v1)
		b.Add(n2, v2)
		text := b.Text()
		if !utf8.ValidString(string(text)) || strings.ContainsRune(string(text), 0) {
			t.Fatalf("%q", text)
		}
		var again Builder
		m := text.Map()
		for _, name := range []string{n1, n2} {
			name = Clean(name, maxName)
			if _, ok := m[name]; !ok && name != "" {
				t.Fatalf("%q is missing in %q", name, text)
			}
		}
		for name, value := range maps.All(m) {
			again.Add(name, value)
		}
		if got := again.Text(); got != text {
			t.Fatalf("%q, then %q", text, got)
		}
	})
}
