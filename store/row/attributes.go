package row

import (
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// Attributes are names and values in one text, sorted by name:
//
//	<open> name <is> value <open> name <is> value <open>
//
// No attributes are no text. Neither mark can be in a name or a value, and so "does it have this
// name with this value" is a search for a text, which the database does quickly: see Pair and Name.
type Attributes string

const (
	open = "\x1e"
	is   = "\x1f"
)

// Pair is the text that attributes have where name is value.
func Pair(name, value string) string { return open + name + is + value + open }

// Name is the text that attributes have where there is such a name.
func Name(name string) string { return open + name + is }

// ValuePattern is a regular expression whose group 1 is the value of that name, given quoted.
func ValuePattern(quoted string) string { return open + quoted + is + "([^" + open + "]*)" + open }

// Get returns the value of a name.
func (a Attributes) Get(name string) (string, bool) {
	key := Name(name)
	at := strings.Index(string(a), key)
	if at < 0 {
		return "", false
	}
	rest := string(a[at+len(key):])
	end := strings.Index(rest, open)
	if end < 0 {
		return rest, true
	}
	return rest[:end], true
}

// All returns the names and values in the order of names.
func (a Attributes) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		rest := strings.TrimPrefix(string(a), open)
		for rest != "" {
			pair, after, _ := strings.Cut(rest, open)
			name, value, _ := strings.Cut(pair, is)
			if !yield(name, value) {
				return
			}
			rest = after
		}
	}
}

// Map returns the attributes as a map; nil for none.
func (a Attributes) Map() map[string]string {
	if a == "" {
		return nil
	}
	m := map[string]string{}
	for name, value := range a.All() {
		m[name] = value
	}
	return m
}

// The limits of one record's attributes. A name or a value that is longer is cut; where all of them
// are more than maxText bytes, later values are left empty, and at last names are left out.
const (
	maxName  = 256
	maxValue = 32 << 10
	maxText  = 128 << 10
)

type pair struct{ name, value string }

// Builder puts attributes together. It may be used again after Text.
type Builder struct {
	pairs []pair
	text  []byte
}

// Add adds an attribute. Of two with one name the later one counts.
func (b *Builder) Add(name, value string) {
	b.pairs = append(b.pairs, pair{Clean(name, maxName), Clean(value, maxValue)})
}

// Text returns what was added, and forgets it. An empty name is left out.
func (b *Builder) Text() Attributes {
	pairs := b.pairs
	b.pairs = b.pairs[:0]
	if len(pairs) > 1 {
		slices.SortStableFunc(pairs, func(x, y pair) int { return strings.Compare(x.name, y.name) })
	}
	b.text = b.text[:0]
	for i, p := range pairs {
		switch {
		case p.name == "", i+1 < len(pairs) && pairs[i+1].name == p.name:
			continue
		case len(b.text)+len(p.name)+len(p.value) > maxText:
			p.value = ""
		}
		if len(b.text)+len(p.name) > 2*maxText {
			break
		}
		b.text = append(b.text, open...)
		b.text = append(b.text, p.name...)
		b.text = append(b.text, is...)
		b.text = append(b.text, p.value...)
	}
	if len(b.text) == 0 {
		return ""
	}
	b.text = append(b.text, open...)
	return Attributes(b.text)
}

// Clean makes a name or a value of an attribute out of anything: valid UTF-8 without the marks and
// without zero bytes, of at most so many bytes.
func Clean(text string, most int) string {
	if len(text) > most {
		text = cut(text, most)
	}
	plain := true
	for i := 0; i < len(text); i++ {
		if c := text[i]; c == open[0] || c == is[0] || c == 0 || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return text
	}
	text = strings.ToValidUTF8(text, "�")
	return strings.Map(func(r rune) rune {
		if r == 0 || r == 0x1e || r == 0x1f {
			return utf8.RuneError
		}
		return r
	}, text)
}

// cut returns at most so many bytes of the text, and does not end inside a character.
func cut(text string, most int) string {
	for i := 0; i < utf8.UTFMax && most > 0 && !utf8.RuneStart(text[most]); i++ {
		most--
	}
	return text[:most]
}
