package values

import "reflect"

func reflectOf(v any) reflect.Value { return reflect.ValueOf(v) }

// isEmpty says whether a value is nothing to mergo, by whose rules sprig merges: zero, an empty
// text, list or map.
func isEmpty(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Map, reflect.Slice, reflect.Array, reflect.String:
		return r.Len() == 0
	default:
		return r.IsZero()
	}
}

// copyMap copies a map with all that is in it; nil stays nil.
func copyMap(m map[string]any) map[string]any {
	if m == nil {
		return nil
	}
	out := make(map[string]any, len(m))
	for key, value := range m {
		out[key] = copyOf(value)
	}
	return out
}

// copyOf copies a value with all maps and lists in it. What else there is cannot be changed by a
// template.
func copyOf(v any) any {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Map:
		if r.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(r.Type(), r.Len())
		for each := r.MapRange(); each.Next(); {
			out.SetMapIndex(each.Key(), copyInto(each.Value()))
		}
		return out.Interface()
	case reflect.Slice:
		if r.IsNil() {
			return v
		}
		out := reflect.MakeSlice(r.Type(), r.Len(), r.Len())
		for i := range r.Len() {
			out.Index(i).Set(copyInto(r.Index(i)))
		}
		return out.Interface()
	}
	return v
}

// copyInto copies a part of a map or list, and keeps its type: nothing stays nothing.
func copyInto(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Interface && v.IsNil() {
		return v
	}
	return reflect.ValueOf(copyOf(v.Interface()))
}
