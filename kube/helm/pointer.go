package helm

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"portico.dev/portico/fleet"
)

// pointer is a JSON pointer (RFC 6901), in its parts.
type pointer []string

func parsePointer(text string) (pointer, error) {
	if text != "" && text[0] != '/' {
		return nil, fmt.Errorf("%w: the path %q is no JSON pointer: expected the form /spec/replicas", fleet.ErrInvalid, text)
	}
	var p pointer
	for part := range strings.SplitSeq(strings.TrimPrefix(text, "/"), "/") {
		p = append(p, strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
	}
	if text == "" {
		return pointer{}, nil
	}
	return p, nil
}

// String is the pointer's text.
func (p pointer) String() string {
	var text strings.Builder
	for _, part := range p {
		text.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(part))
	}
	return text.String()
}

// child is the pointer to a part of what p points to.
func (p pointer) child(part string) pointer { return append(slices.Clip(p), part) }

// under says whether p is one of those, or below one.
func (p pointer) under(those []pointer) bool {
	return slices.ContainsFunc(those, func(q pointer) bool {
		return len(q) <= len(p) && slices.Equal(q, p[:len(q)])
	})
}

// get returns what p points to.
func (p pointer) get(in any) (any, bool) {
	for _, part := range p {
		switch v := in.(type) {
		case map[string]any:
			value, ok := v[part]
			if !ok {
				return nil, false
			}
			in = value
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return nil, false
			}
			in = v[i]
		default:
			return nil, false
		}
	}
	return in, true
}

// carry makes what p points to the same in one object as in another, if the one says anything
// about it at all.
func (p pointer) carry(from, to any) {
	if len(p) == 0 {
		return
	}
	if _, said := p.get(to); !said {
		return
	}
	parent, _ := p[:len(p)-1].get(to)
	value, there := p.get(from)
	last := p[len(p)-1]
	switch v := parent.(type) {
	case map[string]any:
		if !there {
			delete(v, last)
			return
		}
		v[last] = copyJSON(value)
	case []any:
		// A list's item that is not there is left as it is said: without it, the others would move.
		if i, err := strconv.Atoi(last); err == nil && there {
			v[i] = copyJSON(value)
		}
	}
}

// drop takes what p points to out of a mapping. The items of a list stay where they are.
func (p pointer) drop(from any) {
	if len(p) == 0 {
		return
	}
	parent, _ := p[:len(p)-1].get(from)
	if m, ok := parent.(map[string]any); ok {
		delete(m, p[len(p)-1])
	}
}
