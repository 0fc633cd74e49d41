package compat

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// Difference is one thing that two definitions say differently.
type Difference struct {
	// Name of the definition, for instance regions.k0rdent.mirantis.com.
	Name string
	// Path of the field, for instance v1beta1.spec.core, or of the part of the definition.
	Path string
	// Keyword that differs, for instance default.
	Keyword string
	// Ours and Theirs are the two values as JSON; empty where there is none.
	Ours, Theirs string
}

// Key identifies the difference in a list of allowed ones.
func (d Difference) Key() string { return d.Name + " " + d.Path + " " + d.Keyword }

// String is the difference as a line for people.
func (d Difference) String() string {
	return fmt.Sprintf("%s: ours %s, theirs %s", d.Key(), orNothing(d.Ours), orNothing(d.Theirs))
}

func orNothing(s string) string {
	if s == "" {
		return "(nothing)"
	}
	return s
}

type object = map[string]any

// Compare returns what two definitions in YAML say differently, sorted.
func Compare(ours, theirs []byte) ([]Difference, error) {
	var a, b object
	if err := yaml.Unmarshal(ours, &a); err != nil {
		return nil, fmt.Errorf("reading our definition: %w", err)
	}
	if err := yaml.Unmarshal(theirs, &b); err != nil {
		return nil, fmt.Errorf("reading their definition: %w", err)
	}
	c := &comparison{name: text(field(b, "metadata")["name"])}
	c.definition(a, b)
	slices.SortFunc(c.found, func(x, y Difference) int { return strings.Compare(x.Key(), y.Key()) })
	return c.found, nil
}

type comparison struct {
	name  string
	found []Difference
}

// value reports a difference unless both values are equal.
func (c *comparison) value(path, keyword string, ours, theirs any) {
	if reflect.DeepEqual(ours, theirs) {
		return
	}
	c.found = append(c.found, Difference{c.name, path, keyword, asJSON(ours), asJSON(theirs)})
}

func (c *comparison) definition(ours, theirs object) {
	a, b := field(ours, "spec"), field(theirs, "spec")
	c.value("metadata", "name", field(ours, "metadata")["name"], field(theirs, "metadata")["name"])
	c.value("metadata", "policy", policy(ours), policy(theirs))
	c.value("spec", "group", a["group"], b["group"])
	c.value("spec", "scope", a["scope"], b["scope"])
	c.value("spec", "conversion", a["conversion"], b["conversion"])
	c.value("spec", "preserveUnknownFields", a["preserveUnknownFields"], b["preserveUnknownFields"])
	an, bn := field(a, "names"), field(b, "names")
	for _, k := range keys(an, bn) {
		if k == "shortNames" || k == "categories" {
			c.value("spec.names", k, set(an[k]), set(bn[k]))
			continue
		}
		c.value("spec.names", k, an[k], bn[k])
	}
	av, bv := byName(a["versions"]), byName(b["versions"])
	for _, v := range keys(av, bv) {
		c.version(v, asObject(av[v]), asObject(bv[v]))
	}
}

func (c *comparison) version(path string, ours, theirs object) {
	if ours == nil || theirs == nil {
		c.value(path, "version", ours != nil, theirs != nil)
		return
	}
	for _, k := range []string{"served", "storage", "deprecated", "deprecationWarning", "subresources", "selectableFields"} {
		c.value(path, k, ours[k], theirs[k])
	}
	c.value(path, "additionalPrinterColumns", columns(ours), columns(theirs))
	c.schema(path, openAPI(ours), openAPI(theirs))
}

// schema compares two schemas keyword by keyword and goes down into their parts.
func (c *comparison) schema(path string, ours, theirs object) {
	for _, k := range keys(ours, theirs) {
		a, b := ours[k], theirs[k]
		switch k {
		case "description": // words for people
		case "properties":
			c.properties(path, asObject(a), asObject(b))
		case "items":
			c.part(path+"[]", a, b)
		case "additionalProperties":
			c.part(path+"{}", a, b)
		case "required", "enum":
			c.value(path, k, set(a), set(b))
		default:
			c.value(path, k, a, b)
		}
	}
}

func (c *comparison) properties(path string, ours, theirs object) {
	for _, name := range keys(ours, theirs) {
		c.part(path+"."+name, ours[name], theirs[name])
	}
}

// part compares a schema that one of the two may lack, or that may be a plain true or false.
func (c *comparison) part(path string, ours, theirs any) {
	a, aok := ours.(object)
	b, bok := theirs.(object)
	if aok && bok {
		c.schema(path, a, b)
		return
	}
	if ours == nil || theirs == nil {
		c.value(path, "field", ours != nil, theirs != nil)
		return
	}
	c.value(path, "field", ours, theirs)
}

// policy is whether Helm keeps the definition when its release goes; losing it would delete
// all objects of the kind.
func policy(crd object) any {
	return field(field(crd, "metadata"), "annotations")["helm.sh/resource-policy"]
}

func openAPI(version object) object {
	return field(field(version, "schema"), "openAPIV3Schema")
}

// columns are the printer columns in order, without descriptions.
func columns(version object) []object {
	list, _ := version["additionalPrinterColumns"].([]any)
	var out []object
	for _, item := range list {
		column := maps.Clone(asObject(item))
		delete(column, "description")
		out = append(out, column)
	}
	return out
}

// set is a list as a sorted list of JSON texts: its order does not count.
func set(list any) []string {
	items, _ := list.([]any)
	var out []string
	for _, item := range items {
		out = append(out, asJSON(item))
	}
	slices.Sort(out)
	return out
}

func byName(list any) object {
	out := object{}
	items, _ := list.([]any)
	for _, item := range items {
		out[text(asObject(item)["name"])] = item
	}
	return out
}

func keys(a, b object) []string {
	all := maps.Clone(a)
	if all == nil {
		all = object{}
	}
	maps.Copy(all, b)
	return slices.Sorted(maps.Keys(all))
}

func field(o object, name string) object { return asObject(o[name]) }

func asObject(v any) object {
	o, _ := v.(object)
	return o
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func asJSON(v any) string {
	if v == nil || reflect.ValueOf(v).Kind() == reflect.Slice && reflect.ValueOf(v).IsNil() {
		return ""
	}
	out, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(out)
}
