package helm

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	chartv2 "helm.sh/helm/v4/pkg/chart/v2"
	dependencies "helm.sh/helm/v4/pkg/chart/v2/util"

	"portico.dev/portico/fleet"
)

// ValueProblem is one thing that is wrong with values.
type ValueProblem struct {
	// Path leads to the value, for example "workers.number".
	Path string
	// Message says what is wrong there, as a sentence without its end.
	Message string
	// Unknown says that the chart has no such key, rather than another value for it.
	Unknown bool
}

// ValuesError says that values do not suit a chart. It is a fleet.ErrInvalid.
type ValuesError struct {
	// Chart is the chart's name and version.
	Chart string
	// Problems are sorted by path.
	Problems []ValueProblem
}

// Error lists all problems.
func (e *ValuesError) Error() string {
	lines := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		lines = append(lines, strings.TrimPrefix(p.Path+": "+p.Message, ": "))
	}
	return fmt.Sprintf("values for chart %s: %s", e.Chart, strings.Join(lines, "; "))
}

// Unwrap makes it a fleet.ErrInvalid.
func (e *ValuesError) Unwrap() error { return fleet.ErrInvalid }

// Check says whether values suit a chart: whether they keep the chart's schema (those of
// its dependencies too), and whether the chart knows every key. A chart knows the keys of its
// default values, those that its schema declares, and those that its templates read.
// A mapping that is empty by default, or that a template takes as a whole, or for which the
// schema asks nothing, takes any key. The error is a *ValuesError.
func Check(c *Chart, v Values) error {
	problems := c.rules.unknownKeys(v)
	broken, err := c.brokenRules(v, len(problems) > 0)
	if err != nil {
		return err
	}
	problems = append(problems, broken...)
	if len(problems) == 0 {
		return nil
	}
	slices.SortFunc(problems, func(a, b ValueProblem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Message, b.Message))
	})
	return &ValuesError{Chart: c.Name() + " " + c.Version(), Problems: slices.Compact(problems)}
}

// rules are what a chart demands of its values.
type rules struct {
	schema   *jsonschema.Schema
	defaults map[string]any
	reads    *reads
	below    map[string]*rules
}

func newRules(c *chartv2.Chart) (*rules, error) {
	schema, err := compile(c.Schema)
	if err != nil {
		return nil, fmt.Errorf("reading values.schema.json of chart %s: %w: %w", c.Name(), fleet.ErrInvalid, err)
	}
	r := &rules{schema: schema, defaults: c.Values, reads: readsOf(c), below: map[string]*rules{}}
	for _, child := range c.Dependencies() {
		sub, err := newRules(child)
		if err != nil {
			return nil, err
		}
		r.below[child.Name()] = sub
		for _, d := range c.Metadata.Dependencies {
			if d.Name == child.Name() && d.Alias != "" {
				r.below[d.Alias] = sub
			}
		}
	}
	for _, d := range c.Metadata.Dependencies {
		for condition := range strings.SplitSeq(d.Condition, ",") {
			if path := strings.TrimSpace(condition); path != "" {
				r.reads.add(strings.Split(path, "."))
			}
		}
	}
	return r, nil
}

// compile never fetches anything: what a schema refers to outside of itself allows all.
func compile(text []byte) (*jsonschema.Schema, error) {
	if len(text) == 0 {
		return nil, nil
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		return nil, err
	}
	const here = "chart:///values.schema.json"
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(outside{})
	if err := compiler.AddResource(here, seal(doc)); err != nil {
		return nil, err
	}
	return compiler.Compile(here)
}

// outside stands for all that a schema may name beyond itself, a meta-schema for example.
type outside struct{}

// Load implements jsonschema.URLLoader.
func (outside) Load(string) (any, error) { return true, nil }

// place is a mapping in the values, with all that is known about it.
type place struct {
	path     string
	defaults map[string]any
	schemas  []*jsonschema.Schema
	reads    *reads
}

func (r *rules) unknownKeys(v map[string]any) []ValueProblem {
	return r.unknownIn(v, place{defaults: r.defaults, schemas: expand(r.schema), reads: r.reads})
}

// unknownIn looks at the values of one chart. Values for the charts below are looked at with
// their rules, over which this chart's own words about them are laid.
func (r *rules) unknownIn(v map[string]any, at place) []ValueProblem {
	var problems []ValueProblem
	own := map[string]any{}
	for key, value := range v {
		sub, below := r.below[key]
		inner, isMap := value.(map[string]any)
		switch {
		case key == "global" || key == "tags":
		case below && isMap:
			problems = append(problems, sub.unknownIn(inner, sub.under(at.child(key)))...)
		case !below:
			own[key] = value
		}
	}
	return append(problems, at.unknown(own)...)
}

func (r *rules) under(parent place) place {
	defaults := copyValues(r.defaults)
	lay(defaults, parent.defaults)
	both := &reads{whole: r.reads.whole, keys: maps.Clone(r.reads.keys)}
	for key, child := range parent.reads.keys {
		if both.keys == nil {
			both.keys = map[string]*reads{}
		}
		if both.keys[key] == nil {
			both.keys[key] = child
		}
	}
	return place{path: parent.path, defaults: defaults, schemas: append(parent.schemas, expand(r.schema)...), reads: both}
}

func (p place) unknown(v map[string]any) []ValueProblem {
	var problems []ValueProblem
	for _, key := range slices.Sorted(maps.Keys(v)) {
		if !p.knows(key) {
			if p.closed() {
				problems = append(problems, ValueProblem{Path: join(p.path, key), Message: p.misspelt(key), Unknown: true})
			}
			continue
		}
		if inner, ok := v[key].(map[string]any); ok {
			problems = append(problems, p.child(key).unknown(inner)...)
		}
	}
	return problems
}

func (p place) knows(key string) bool {
	if _, ok := p.defaults[key]; ok {
		return true
	}
	if p.reads.keys[key] != nil {
		return true
	}
	return slices.ContainsFunc(p.schemas, func(s *jsonschema.Schema) bool { return len(declared(s, key)) > 0 || allowed(s) })
}

// closed says whether a key that nobody knows is a mistake here.
func (p place) closed() bool {
	if len(p.schemas) > 0 {
		return slices.ContainsFunc(p.schemas, func(s *jsonschema.Schema) bool { return len(s.Properties) > 0 })
	}
	return len(p.defaults) > 0 && !p.reads.whole
}

func (p place) child(key string) place {
	defaults, _ := p.defaults[key].(map[string]any)
	next := place{path: join(p.path, key), defaults: defaults, reads: p.reads.below(key)}
	for _, s := range p.schemas {
		for _, sub := range declared(s, key) {
			next.schemas = append(next.schemas, expand(sub)...)
		}
	}
	return next
}

func (p place) misspelt(key string) string {
	known := map[string]bool{}
	for k := range p.defaults {
		known[k] = true
	}
	for k := range p.reads.keys {
		known[k] = true
	}
	for _, s := range p.schemas {
		for k := range s.Properties {
			known[k] = true
		}
	}
	names := slices.Sorted(maps.Keys(known))
	if near, ok := nearest(key, names); ok {
		return fmt.Sprintf("the chart has no such value; did you mean %q?", near)
	}
	const few = 12
	if len(names) > few {
		return "the chart has no such value; its values.yaml lists those it has"
	}
	return "the chart has no such value; here it has " + strings.Join(names, ", ")
}

// expand lists a schema and all that it refers to or may apply at the same place.
func expand(s *jsonschema.Schema) []*jsonschema.Schema {
	var all []*jsonschema.Schema
	var visit func(*jsonschema.Schema)
	visit = func(s *jsonschema.Schema) {
		if s == nil || slices.Contains(all, s) {
			return
		}
		all = append(all, s)
		visit(s.Ref)
		visit(s.RecursiveRef)
		visit(s.If)
		visit(s.Then)
		visit(s.Else)
		for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf} {
			for _, sub := range list {
				visit(sub)
			}
		}
		for _, sub := range s.DependentSchemas {
			visit(sub)
		}
	}
	visit(s)
	return all
}

// declared returns what a schema says about the value of a key.
func declared(s *jsonschema.Schema, key string) []*jsonschema.Schema {
	var found []*jsonschema.Schema
	if sub, ok := s.Properties[key]; ok {
		found = append(found, sub)
	}
	for pattern, sub := range s.PatternProperties {
		if pattern.MatchString(key) {
			found = append(found, sub)
		}
	}
	if sub, ok := s.AdditionalProperties.(*jsonschema.Schema); ok && len(found) == 0 && (sub.Bool == nil || *sub.Bool) {
		found = append(found, sub)
	}
	return found
}

func allowed(s *jsonschema.Schema) bool {
	all, ok := s.AdditionalProperties.(bool)
	return ok && all
}

// brokenRules validates the values as the templates would see them, defaults included.
// Where misspelt keys were found, the schema's own complaint about them is left out.
func (c *Chart) brokenRules(v Values, misspelt bool) ([]ValueProblem, error) {
	raw := c.clone()
	values := copyValues(v)
	if err := dependencies.ProcessDependencies(raw, values); err != nil {
		if problems := c.rules.misplaced("", v); len(problems) > 0 {
			return problems, nil
		}
		return nil, fmt.Errorf("reading the dependencies of chart %s: %w: %w", c.Name(), fleet.ErrInvalid, err)
	}
	all, err := chartutil.CoalesceValues(raw, values)
	if err != nil {
		if problems := c.rules.misplaced("", v); len(problems) > 0 {
			return problems, nil
		}
		return []ValueProblem{{Message: err.Error()}}, nil
	}
	return c.rules.broken("", raw, all, misspelt), nil
}

// misplaced finds what stands where a chart below has its values and is no mapping. Helm's own
// complaint repeats it, and it may come from a Secret.
func (r *rules) misplaced(path string, v map[string]any) []ValueProblem {
	var problems []ValueProblem
	for _, name := range slices.Sorted(maps.Keys(r.below)) {
		value, there := v[name]
		inner, isMap := value.(map[string]any)
		switch {
		case isMap:
			problems = append(problems, r.below[name].misplaced(join(path, name), inner)...)
		case there:
			problems = append(problems, ValueProblem{Path: join(path, name), Message: "must be a mapping, since it is for the chart of that name"})
		}
	}
	return problems
}

func (r *rules) broken(path string, raw *chartv2.Chart, v map[string]any, misspelt bool) []ValueProblem {
	var problems []ValueProblem
	if r.schema != nil {
		var invalid *jsonschema.ValidationError
		if err := r.schema.Validate(v); errors.As(err, &invalid) {
			problems = leaves(path, invalid, misspelt)
		}
	}
	for _, child := range raw.Dependencies() {
		sub, known := r.below[child.Name()]
		if inner, ok := v[child.Name()].(map[string]any); ok && known {
			problems = append(problems, sub.broken(join(path, child.Name()), child, inner, misspelt)...)
		}
	}
	return problems
}

func leaves(path string, e *jsonschema.ValidationError, misspelt bool) []ValueProblem {
	if len(e.Causes) == 0 {
		if _, extra := e.ErrorKind.(*kind.AdditionalProperties); extra && misspelt {
			return nil
		}
		return []ValueProblem{{
			Path:    join(path, strings.Join(e.InstanceLocation, ".")),
			Message: complaint(e.ErrorKind),
		}}
	}
	var all []ValueProblem
	for _, cause := range e.Causes {
		all = append(all, leaves(path, cause, misspelt)...)
	}
	return all
}

func join(path, key string) string { return strings.Trim(path+"."+key, ".") }
