package helm

import (
	"encoding/base64"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// comparer collects the fields in which an object differs from what applying it would make of
// it.
type comparer struct {
	excluded []pointer
	// exact says that what the object would be is the cluster's own word. Else it is only what
	// was sent: the cluster writes values in its own way, and others add to them.
	exact bool
	found []string
}

func (c *comparer) tell(p pointer) {
	if !p.under(c.excluded) {
		c.found = append(c.found, p.String())
	}
}

// object compares. Only what is said counts: what else differs is not the release's.
func (c *comparer) object(said, would, live *unstructured.Unstructured) {
	for _, field := range slices.Sorted(maps.Keys(said.Object)) {
		switch field {
		case "apiVersion", "kind", "status":
		case "metadata":
			for _, field := range []string{"annotations", "finalizers", "labels", "ownerReferences"} {
				at := pointer{"metadata", field}
				value, ok := at.get(said.Object)
				if ok {
					c.at(at, value, at.sides(would.Object, live.Object))
				}
			}
		default:
			at := pointer{field}
			c.at(at, said.Object[field], at.sides(would.Object, live.Object))
		}
	}
	slices.Sort(c.found)
	c.found = slices.Compact(c.found)
}

// sides are the two values that are compared.
type sides struct{ would, live any }

func (p pointer) sides(would, live any) sides {
	a, _ := p.get(would)
	b, _ := p.get(live)
	return sides{a, b}
}

func (c *comparer) at(p pointer, said any, s sides) {
	if p.under(c.excluded) || c.bothNothing(s.would, s.live) {
		return
	}
	wouldMap, isMap := s.would.(map[string]any)
	liveMap, wasMap := s.live.(map[string]any)
	saidMap, saysMap := said.(map[string]any)
	if saysMap && (isMap || s.would == nil) && (wasMap || s.live == nil) && len(saidMap) > 0 {
		for _, key := range slices.Sorted(maps.Keys(saidMap)) {
			c.at(p.child(key), saidMap[key], sides{wouldMap[key], liveMap[key]})
		}
		for key := range liveMap {
			// What others may have beside ours would stay. This would not.
			if _, stays := wouldMap[key]; c.exact && !stays {
				c.tell(p.child(key))
			}
		}
		return
	}
	wouldList, isList := s.would.([]any)
	liveList, wasList := s.live.([]any)
	saidList, saysList := said.([]any)
	if saysList && isList && wasList {
		c.list(p, saidList, wouldList, liveList)
		return
	}
	if !c.deep(s.would, s.live) {
		c.tell(p)
	}
}

// bothNothing says whether two values are absent, or as good as that. What the cluster itself
// says is taken by its word: a field that is there and empty can mean something.
func (c *comparer) bothNothing(a, b any) bool {
	if c.exact {
		return a == nil && b == nil
	}
	return nothing(a) && nothing(b)
}

// list compares lists item by item: by their names where they have such, or else in order.
func (c *comparer) list(p pointer, said, would, live []any) {
	index, named := names(said, would, live)
	if !named {
		c.ordered(p, said, would, live)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(index[0])) {
		w, isThere := index[1][name]
		l, wasThere := index[2][name]
		switch {
		case isThere && wasThere:
			c.at(p.child(strconv.Itoa(l)), said[index[0][name]], sides{would[w], live[l]})
		case isThere:
			c.tell(p.child(strconv.Itoa(w)))
		}
	}
	for name, l := range index[2] {
		if _, stays := index[1][name]; c.exact && !stays {
			c.tell(p.child(strconv.Itoa(l)))
		}
	}
}

func (c *comparer) ordered(p pointer, said, would, live []any) {
	if len(would) != len(live) {
		// A set may hold more than what the release says; then that is in both.
		c.tell(p)
		return
	}
	for i := range would {
		var item any
		if len(said) == len(would) {
			item = said[i]
		}
		c.at(p.child(strconv.Itoa(i)), item, sides{would[i], live[i]})
	}
}

// deep compares whole values.
func (c *comparer) deep(a, b any) bool {
	switch v := a.(type) {
	case map[string]any:
		w, ok := b.(map[string]any)
		if !ok {
			return c.bothNothing(a, b)
		}
		for key := range v {
			if !c.deep(v[key], w[key]) {
				return false
			}
		}
		for key := range w {
			if _, compared := v[key]; c.exact && !compared {
				return false
			}
		}
		return true
	case []any:
		w, ok := b.([]any)
		if !ok {
			return c.bothNothing(a, b)
		}
		return slices.EqualFunc(v, w, c.deep)
	}
	if c.bothNothing(a, b) {
		return true
	}
	if c.exact {
		return equal(a, b)
	}
	return alike(a, b)
}

// nothing says whether a value is absent, or as good as that.
func nothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// names gives each item of several lists its name, as far as all items of all of them have one
// that is theirs alone.
func names(lists ...[]any) (index []map[string]int, ok bool) {
	for _, list := range lists {
		at := map[string]int{}
		for i, item := range list {
			name, named := nameOf(item)
			if _, twice := at[name]; twice || !named {
				return nil, false
			}
			at[name] = i
		}
		index = append(index, at)
	}
	return index, true
}

// nameOf is what tells an item of a list from the others, by the keys that Kubernetes uses for
// its own kinds.
func nameOf(item any) (string, bool) {
	m, ok := item.(map[string]any)
	if !ok {
		return "", false
	}
	if name, ok := m["name"].(string); ok && m["containerPort"] == nil && m["port"] == nil {
		return name, true
	}
	for _, port := range []string{"containerPort", "port"} {
		if number := m[port]; number != nil {
			protocol := m["protocol"]
			if protocol == nil {
				protocol = "TCP"
			}
			return fmt.Sprintf("%v/%v", number, protocol), true
		}
	}
	if path, ok := m["mountPath"].(string); ok {
		return path, true
	}
	return "", false
}

// equal compares exactly, but for the types of numbers.
func equal(a, b any) bool {
	x, isNumber := number64(a)
	y, wasNumber := number64(b)
	if isNumber && wasNumber {
		return x == y
	}
	return reflect.DeepEqual(a, b)
}

// alike is equal, and takes quantities for the same that are.
func alike(a, b any) bool {
	if equal(a, b) {
		return true
	}
	x, err := resource.ParseQuantity(fmt.Sprint(a))
	if err != nil {
		return false
	}
	y, err := resource.ParseQuantity(fmt.Sprint(b))
	return err == nil && x.Cmp(y) == 0
}

func number64(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}

// settled is the object in the form in which the cluster keeps it.
func settled(o *unstructured.Unstructured) *unstructured.Unstructured {
	texts, _, _ := unstructured.NestedStringMap(o.Object, "stringData")
	if o.GetKind() != "Secret" || o.GetAPIVersion() != "v1" || len(texts) == 0 {
		return o
	}
	o = o.DeepCopy()
	data, _, _ := unstructured.NestedMap(o.Object, "data")
	if data == nil {
		data = map[string]any{}
	}
	for key, text := range texts {
		data[key] = base64.StdEncoding.EncodeToString([]byte(text))
	}
	o.Object["data"] = data
	delete(o.Object, "stringData")
	return o
}
