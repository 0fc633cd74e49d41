package service

import (
	"cmp"
	"maps"
	"reflect"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// MergeOptions lays the options of a service over those of its template, field by field; labels
// are merged key by key. Either may be nil. A release is atomic unless somebody says otherwise.
func MergeOptions(template, service *kcm.ServiceHelmOptions) *kcm.ServiceHelmOptions {
	merged := &kcm.ServiceHelmOptions{}
	overlay(reflect.ValueOf(merged).Elem(), template)
	overlay(reflect.ValueOf(merged).Elem(), service)
	if merged.Atomic == nil {
		yes := true
		merged.Atomic = &yes
	}
	return merged
}

// overlay copies the fields that over sets. All fields of the options are pointers: one that is
// nil was not said. The options of one action are a unit: whoever says any of them says all.
func overlay(onto reflect.Value, over *kcm.ServiceHelmOptions) {
	if over == nil {
		return
	}
	from := reflect.ValueOf(over).Elem()
	for i := range from.NumField() {
		src, dst := from.Field(i), onto.Field(i)
		switch {
		case src.IsNil():
		case src.Elem().Kind() == reflect.Map:
			dst.Set(reflect.ValueOf(mergeLabels(dst.Interface(), src.Interface())))
		default:
			dst.Set(src)
		}
	}
}

func mergeLabels(onto, over any) *map[string]string {
	out := map[string]string{}
	for _, m := range []any{onto, over} {
		if labels := m.(*map[string]string); labels != nil {
			maps.Copy(out, *labels)
		}
	}
	return &out
}

// Version is the version that a service wants: its own word, else its template's, else that of
// the template's chart, else the template's name.
func Version(service kcm.Service, template Template) string {
	return cmp.Or(service.Version, template.Version, template.ChartVersion, service.Template)
}
