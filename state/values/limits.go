package values

import (
	"fmt"
	"reflect"
	"strings"
)

// What one template may cost. The values of a service fit into an object of the API server, so
// that these are far above what anybody needs.
const (
	// maxText is how long a template may be, and maxActions how many expressions it may have.
	maxText, maxActions = 1 << 20, 20000
	// maxOutput is how long its result may be.
	maxOutput = 2 << 20
	// maxValue is how large a value may be that is handed to a function or comes from one.
	maxValue = 2 << 20
	// maxDepth is how deep a value may be nested.
	maxDepth = 200
	// budget is what all loops and functions may cost together: about a byte that is looked at
	// each.
	budget = 64 << 20
	// elementWeight is what a part of a list or map costs beside what it holds.
	elementWeight = 32
)

// tooMuch says that a template costs more than it may.
type tooMuch struct{ reason, todo string }

func (t *tooMuch) Error() string { return t.reason }

func tooLarge() error {
	return &tooMuch{fmt.Sprintf("a value grows beyond %d MiB, or %d levels", maxValue>>20, maxDepth), "build less of it"}
}

func tooLong() error {
	return &tooMuch{"the template does more work than values may take", "loop less often, or over less"}
}

// bounded is what a template writes into.
type bounded struct{ strings.Builder }

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxOutput {
		return 0, &tooMuch{fmt.Sprintf("the result is longer than %d MiB", maxOutput>>20), "write less"}
	}
	return b.Builder.Write(p)
}

// run is one evaluation.
type run struct {
	// left is what it may still cost.
	left      int
	resources map[string]map[string]any
}

// pay takes a price off what is left.
func (r *run) pay(price int) error {
	if r.left -= price; price < 0 || r.left < 0 {
		r.left = 0
		return tooLong()
	}
	return nil
}

// weigh says how large a value is when it is written out, and pays for having looked.
func (r *run) weigh(values ...reflect.Value) (int, error) {
	left := maxValue
	for _, v := range values {
		if left = weigh(v, left, maxDepth); left < 0 {
			_ = r.pay(maxValue)
			return 0, tooLarge()
		}
	}
	return maxValue - left, r.pay(maxValue - left + 1)
}

// weigh takes the size of a value off left; below zero it stops. A value that holds itself is
// too deep.
func weigh(v reflect.Value, left, depth int) int {
	if depth < 0 {
		return -1
	}
	switch v.Kind() {
	case reflect.Invalid:
		return left
	case reflect.Interface, reflect.Pointer:
		return weigh(v.Elem(), left, depth)
	case reflect.String:
		return left - v.Len()
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return left - v.Len()
		}
		for i := 0; i < v.Len() && left >= 0; i++ {
			left = weigh(v.Index(i), left-elementWeight, depth-1)
		}
	case reflect.Map:
		for each := v.MapRange(); left >= 0 && each.Next(); {
			left = weigh(each.Key(), left-elementWeight, depth-1)
			if left >= 0 {
				left = weigh(each.Value(), left, depth-1)
			}
		}
	case reflect.Struct:
		for i := 0; i < v.NumField() && left >= 0; i++ {
			left = weigh(v.Field(i), left-elementWeight, depth-1)
		}
	default:
		return left - 8
	}
	return left
}

// metered is the function with its arguments and its result weighed, and checked by a guard
// first, if it has one.
func (r *run) metered(name string, function any) any {
	f := reflect.ValueOf(function)
	kind := f.Type()
	fails := kind.NumOut() == 2
	in := make([]reflect.Type, kind.NumIn())
	for i := range in {
		in[i] = kind.In(i)
	}
	fault := reflect.TypeFor[error]()
	out := []reflect.Type{kind.Out(0), fault}
	refuse := func(err error) []reflect.Value {
		return []reflect.Value{reflect.Zero(out[0]), reflect.ValueOf(&err).Elem()}
	}
	return reflect.MakeFunc(reflect.FuncOf(in, out, kind.IsVariadic()), func(args []reflect.Value) []reflect.Value {
		if _, err := r.weigh(args...); err != nil {
			return refuse(err)
		}
		if guard, ok := guards[name]; ok {
			if err := r.check(guard, plain(args, kind.IsVariadic())); err != nil {
				return refuse(err)
			}
		}
		var result []reflect.Value
		if kind.IsVariadic() {
			result = f.CallSlice(args)
		} else {
			result = f.Call(args)
		}
		if _, err := r.weigh(result[0]); err != nil {
			return refuse(err)
		}
		if fails {
			return result
		}
		return []reflect.Value{result[0], reflect.Zero(fault)}
	}).Interface()
}

// plain are the arguments as they are, the variadic ones one by one.
func plain(args []reflect.Value, variadic bool) []any {
	var out []any
	for i, arg := range args {
		if variadic && i == len(args)-1 {
			for j := range arg.Len() {
				out = append(out, arg.Index(j).Interface())
			}
			break
		}
		out = append(out, arg.Interface())
	}
	return out
}

// check asks a guard how large the result would be, and how much work it is.
func (r *run) check(guard guard, args []any) error {
	size, work, err := guard(args)
	switch {
	case err != nil:
		return err
	case size < 0 || size > maxValue:
		return tooLarge()
	}
	return r.pay(work)
}
