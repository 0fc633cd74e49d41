package price

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost/money"
)

// largest bounds a list: the catalogue of a whole provider has a few thousand machines.
const largest = 16 << 20

// place is a position in a text, both counted from 1.
type place struct{ line, column int }

// value is a part of a document that remembers where it stands. YAML and JSON become the same.
type value struct {
	at    place
	kind  kind
	text  string
	keys  []value
	items []value
}

type kind int

const (
	scalar kind = iota
	mapping
	sequence
)

// wrong is the error of a place in a list.
func (p place) wrong(field, format string, args ...any) error {
	return fmt.Errorf("%w: line %d, column %d: %s: %s", fleet.ErrInvalid, p.line, p.column, field, fmt.Sprintf(format, args...))
}

func readYAML(data []byte) (value, error) {
	if len(data) > largest {
		return value{}, place{1, 1}.wrong("list", "%d bytes, expected at most %d", len(data), largest)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return value{}, fmt.Errorf("%w: %s", fleet.ErrInvalid, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if len(doc.Content) == 0 {
		return value{}, place{1, 1}.wrong("list", "expected a mapping, found nothing")
	}
	return fromYAML(doc.Content[0])
}

func fromYAML(n *yaml.Node) (value, error) {
	v := value{at: place{n.Line, n.Column}}
	switch n.Kind {
	case yaml.ScalarNode:
		v.text = n.Value
		if n.Tag == "!!null" {
			v.text = ""
		}
		return v, nil
	case yaml.MappingNode:
		v.kind = mapping
	case yaml.SequenceNode:
		v.kind = sequence
	default:
		return v, v.at.wrong("list", "aliases are not read: write the value out")
	}
	for i, c := range n.Content {
		part, err := fromYAML(c)
		if err != nil {
			return v, err
		}
		if v.kind == mapping && i%2 == 0 {
			v.keys = append(v.keys, part)
		} else {
			v.items = append(v.items, part)
		}
	}
	return v, v.unique()
}

func (v value) unique() error {
	seen := make(map[string]bool, len(v.keys))
	for _, k := range v.keys {
		if seen[k.text] {
			return k.at.wrong(k.text, "written twice")
		}
		seen[k.text] = true
	}
	return nil
}

func readJSON(data []byte) (value, error) {
	if len(data) > largest {
		return value{}, place{1, 1}.wrong("list", "%d bytes, expected at most %d", len(data), largest)
	}
	r := &jsonReader{data: data, dec: json.NewDecoder(bytes.NewReader(data))}
	r.dec.UseNumber()
	v, err := r.value(0)
	if err != nil {
		return v, err
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return v, r.at().wrong("list", "expected one value, found more")
	}
	return v, nil
}

// jsonReader makes values of tokens, and knows where they stand.
type jsonReader struct {
	data []byte
	dec  *json.Decoder
	// line, start and seen say where the line begins that holds what was last read.
	line, start, seen int
}

// at is where the next token begins.
func (r *jsonReader) at() place {
	offset := int(r.dec.InputOffset())
	for offset < len(r.data) && strings.ContainsRune(" \t\r\n,:", rune(r.data[offset])) {
		offset++
	}
	for ; r.seen < offset; r.seen++ {
		if r.data[r.seen] == '\n' {
			r.line, r.start = r.line+1, r.seen+1
		}
	}
	return place{r.line + 1, offset - r.start + 1}
}

// deepest bounds how far values may lie in each other; a catalogue needs four.
const deepest = 16

func (r *jsonReader) value(depth int) (value, error) {
	v := value{at: r.at()}
	token, err := r.dec.Token()
	if err != nil {
		return v, v.at.wrong("list", "%v", err)
	}
	if depth > deepest {
		return v, v.at.wrong("list", "values lie more than %d deep in each other", deepest)
	}
	switch t := token.(type) {
	case json.Delim:
		v.kind = mapping
		if t == '[' {
			v.kind = sequence
		}
	case nil:
		return v, nil
	default:
		v.text = fmt.Sprint(t)
		return v, nil
	}
	for r.dec.More() {
		part, err := r.value(depth + 1)
		if err != nil {
			return v, err
		}
		if v.kind == mapping && len(v.keys) == len(v.items) {
			v.keys = append(v.keys, part)
		} else {
			v.items = append(v.items, part)
		}
	}
	if _, err := r.dec.Token(); err != nil {
		return v, r.at().wrong("list", "%v", err)
	}
	return v, v.unique()
}

// object is a mapping that is being read: each field is taken once, and what is left is refused.
type object struct {
	value
	name  string
	taken []bool
	errs  []error
}

func open(v value, name string) *object {
	o := &object{value: v, name: name, taken: make([]bool, len(v.keys))}
	if v.kind != mapping {
		o.fail(v.at, name, "expected a mapping")
		o.keys = nil
	}
	return o
}

func (o *object) fail(at place, field, format string, args ...any) {
	o.errs = append(o.errs, at.wrong(field, format, args...))
}

func (o *object) path(key string) string {
	if o.name == "" {
		return key
	}
	return o.name + "." + key
}

func (o *object) take(key string) (value, bool) {
	for i, k := range o.keys {
		if k.text == key {
			o.taken[i] = true
			return o.items[i], true
		}
	}
	return value{}, false
}

func (o *object) word(key string) string {
	v, ok := o.take(key)
	if ok && v.kind != scalar {
		o.fail(v.at, o.path(key), "expected a word")
	}
	return v.text
}

// rate reads a price; which is a hole if it has to be there and is not.
func (o *object) rate(key string) money.Rate {
	v, ok := o.take(key)
	if !ok {
		o.fail(o.at, o.path(key), "expected a price, 0 for what is free")
		return 0
	}
	return o.rateOf(v, key)
}

func (o *object) rateOr(key string, otherwise money.Rate) money.Rate {
	if v, ok := o.take(key); ok {
		return o.rateOf(v, key)
	}
	return otherwise
}

func (o *object) rateOf(v value, key string) money.Rate {
	if v.kind != scalar {
		o.fail(v.at, o.path(key), "expected a price")
		return 0
	}
	r, err := money.ParseRate(v.text)
	if err != nil {
		o.fail(v.at, o.path(key), "%s", strings.TrimPrefix(err.Error(), fleet.ErrInvalid.Error()+": "))
	}
	return r
}

// each calls with the parts of a list.
func (o *object) each(key string, call func(*object)) {
	v, ok := o.take(key)
	if ok && v.kind != sequence {
		o.fail(v.at, o.path(key), "expected a list")
		return
	}
	for i, item := range v.items {
		part := open(item, fmt.Sprintf("%s[%d]", o.path(key), i))
		call(part)
		o.errs = append(o.errs, part.close()...)
	}
}

// close returns what was wrong, with the fields that nobody took.
func (o *object) close() []error {
	for i, k := range o.keys {
		if !o.taken[i] {
			o.fail(k.at, o.path(k.text), "no such field")
		}
	}
	return o.errs
}

// most bounds how many mistakes of one list are told.
const most = 10

func told(errs []error) error {
	if len(errs) > most {
		errs = append(errs[:most:most], fmt.Errorf("and %d more", len(errs)-most))
	}
	return errors.Join(errs...)
}
