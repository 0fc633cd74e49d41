package openapi

import (
	"encoding"
	"encoding/json"
	"path"
	"reflect"
	"strings"
	"time"
)

func ref(t reflect.Type) Object { return Object{"$ref": "#/components/schemas/" + nameOf(t)} }

// nameOf is the name of a type with that of its package.
func nameOf(t reflect.Type) string {
	name := path.Base(t.PkgPath()) + "." + t.Name()
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("[]/*, ", r) {
			return '_'
		}
		return r
	}, name)
}

var (
	timeType = reflect.TypeFor[time.Time]()
	rawType  = reflect.TypeFor[json.RawMessage]()
	jsonType = reflect.TypeFor[json.Marshaler]()
	textType = reflect.TypeFor[encoding.TextMarshaler]()
)

// schema is how a type looks in JSON. Structs with a name are said once, and referred to.
func (d *describer) schema(t reflect.Type) Object {
	switch {
	case t == timeType:
		return Object{"type": "string", "format": "date-time"}
	case t == rawType:
		return Object{}
	case t.Kind() == reflect.Pointer:
		return d.schema(t.Elem())
	case t.Implements(jsonType):
		return Object{} // it writes itself
	case t.Implements(textType):
		return Object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return Object{"type": "boolean"}
	case reflect.String:
		return Object{"type": "string"}
	case reflect.Float32, reflect.Float64:
		return Object{"type": "number"}
	case reflect.Slice, reflect.Array:
		return Object{"type": "array", "items": d.schema(t.Elem())}
	case reflect.Map:
		return Object{"type": "object", "additionalProperties": d.schema(t.Elem())}
	case reflect.Struct:
		return d.structure(t)
	case reflect.Interface:
		return Object{}
	}
	return Object{"type": "integer"}
}

func (d *describer) structure(t reflect.Type) Object {
	if t.Name() == "" {
		return d.object(t)
	}
	if _, said := d.schemas[nameOf(t)]; !said {
		d.schemas[nameOf(t)] = Object{} // a type that holds itself refers to this
		d.schemas[nameOf(t)] = d.object(t)
	}
	return ref(t)
}

func (d *describer) object(t reflect.Type) Object {
	properties, required := Object{}, []string{}
	d.fields(t, properties, &required)
	out := Object{"type": "object", "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// fields adds those of a struct, and of what is embedded in it.
func (d *describer) fields(t reflect.Type, properties Object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		embedded := f.Type
		if embedded.Kind() == reflect.Pointer {
			embedded = embedded.Elem()
		}
		switch {
		case tag == "-":
			continue
		case f.Anonymous && tag == "" && embedded.Kind() == reflect.Struct:
			d.fields(embedded, properties, required)
			continue
		case !f.IsExported():
			continue
		case tag == "":
			tag = f.Name
		}
		properties[tag] = d.schema(f.Type)
		if !strings.Contains(options, "omit") {
			*required = append(*required, tag)
		}
	}
}
