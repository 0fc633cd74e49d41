package alert

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// Sources are the objects that hold rules, as they were found. Their order has no meaning.
type Sources struct {
	// Defaults are Portico's own rules; none where they are not wanted.
	Defaults []Group
	// PrometheusRules are objects of that kind of monitoring.coreos.com/v1.
	PrometheusRules []unstructured.Unstructured
	// ConfigMaps are those with AlertRulesLabel or RecordRulesLabel.
	ConfigMaps []corev1.ConfigMap
}

// Patch is what a ConfigMap says of an alerting rule. What it does not say is inherited.
type Patch struct {
	Expr          *string           `json:"expr,omitempty"`
	For           *string           `json:"for,omitempty"`
	KeepFiringFor *string           `json:"keep_firing_for,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// on returns a rule with the patch.
func (p Patch) on(r Rule) Rule {
	for _, f := range []struct{ from, to *string }{{p.Expr, &r.Expr}, {p.For, &r.For}, {p.KeepFiringFor, &r.KeepFiringFor}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	r.Labels, r.Annotations = over(r.Labels, p.Labels), over(r.Annotations, p.Annotations)
	return r
}

func over(under, top map[string]string) map[string]string {
	if len(under)+len(top) == 0 {
		return nil
	}
	out := map[string]string{}
	maps.Copy(out, under)
	maps.Copy(out, top)
	return out
}

// place is where a rule stands, for the problems of it.
type place struct{ object, key string }

func (p place) problem(rule string, why Problem) Problem {
	why.Object, why.Key, why.Rule = p.object, p.key, rule
	return why
}

// written is a rule with where it stands.
type written struct {
	Rule
	at place
	// fleet says that it is about all clusters together.
	fleet bool
}

// namedPatch is a patch with the rule's name and where it stands.
type namedPatch struct {
	group, name string
	Patch
	at    place
	fleet bool
}

// prometheusRule is what we read of one.
type prometheusRule struct {
	Spec struct {
		Groups []json.RawMessage `json:"groups"`
	} `json:"spec"`
}

// readPrometheusRule returns the groups of an object. A group or rule of another form is a problem,
// and the others go on.
func readPrometheusRule(o unstructured.Unstructured) (groups []Group, problems []Problem) {
	at := place{object: "PrometheusRule " + o.GetNamespace() + "/" + o.GetName()}
	var parsed prometheusRule
	raw, err := o.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(raw, &parsed)
	}
	if err != nil {
		return nil, []Problem{at.problem("", Problem{Message: "spec.groups cannot be read: " + err.Error()})}
	}
	for i, text := range parsed.Spec.Groups {
		var g struct {
			Name, Interval string
			Rules          []json.RawMessage
		}
		if err := json.Unmarshal(text, &g); err != nil || g.Name == "" {
			problems = append(problems, at.problem("", Problem{Message: fmt.Sprintf("spec.groups[%d] is no group with a name and rules", i)}))
			continue
		}
		in := place{at.object, g.Name}
		rules, wrong := readRules(g.Rules, in)
		groups, problems = append(groups, Group{Name: g.Name, Interval: g.Interval, Rules: rules}), append(problems, wrong...)
	}
	return groups, problems
}

// readRules decodes each rule by itself. Prometheus-operator lets expr be a number.
func readRules(texts []json.RawMessage, at place) (rules []Rule, problems []Problem) {
	for i, text := range texts {
		var r struct {
			Rule
			Expr any `json:"expr"`
		}
		if err := json.Unmarshal(text, &r); err != nil {
			problems = append(problems, at.problem(fmt.Sprint("#", i+1), Problem{Message: "it is no rule: " + err.Error()}))
			continue
		}
		if r.Rule.Expr = ""; r.Expr != nil {
			r.Rule.Expr = fmt.Sprint(r.Expr)
		}
		rules = append(rules, r.Rule)
	}
	return rules, problems
}

// readPatches returns what a ConfigMap of alerting rules says, sorted by group and name.
func readPatches(c *corev1.ConfigMap) (patches []namedPatch, problems []Problem) {
	for _, group := range slices.Sorted(maps.Keys(c.Data)) {
		at := place{objectName(c), group}
		var byName map[string]json.RawMessage
		if err := strictYAML(c.Data[group], &byName); err != nil {
			problems = append(problems, at.problem("", Problem{Message: "expected a map of alert names to rules: " + err.Error()}))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(byName)) {
			p := namedPatch{group: group, name: name, at: at, fleet: ofFleet(c.Annotations)}
			if err := strict(byName[name], &p.Patch); err != nil {
				problems = append(problems, at.problem(name, Problem{Message: "expected expr, for, keep_firing_for, labels and annotations: " + err.Error()}))
				continue
			}
			patches = append(patches, p)
		}
	}
	return patches, problems
}

// readRecords returns the groups of a ConfigMap of recording rules, sorted by name.
func readRecords(c *corev1.ConfigMap) (groups []Group, problems []Problem) {
	for _, group := range slices.Sorted(maps.Keys(c.Data)) {
		at := place{objectName(c), group}
		var texts []json.RawMessage
		if err := strictYAML(c.Data[group], &texts); err != nil {
			problems = append(problems, at.problem("", Problem{Message: "expected a list of recording rules: " + err.Error()}))
			continue
		}
		rules, wrong := readRules(texts, at)
		groups, problems = append(groups, Group{Name: group, Rules: rules}), append(problems, wrong...)
	}
	return groups, problems
}

// strictYAML decodes YAML in which no key is there twice.
func strictYAML(text string, into any) error {
	raw, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return errors.New(strings.Join(strings.Fields(err.Error()), " ")) // a problem is one line
	}
	return json.Unmarshal(raw, into)
}

func strict(raw json.RawMessage, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(into)
}

func ofFleet(annotations map[string]string) bool { return annotations[ScopeAnnotation] == ScopeFleet }

func objectName(c *corev1.ConfigMap) string { return "ConfigMap " + c.Namespace + "/" + c.Name }

// labelled returns the ConfigMaps with a label, sorted by name, those for every cluster first.
func labelled(all []corev1.ConfigMap, label string) []corev1.ConfigMap {
	var out []corev1.ConfigMap
	for _, c := range all {
		if _, ok := c.Labels[label]; ok {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b corev1.ConfigMap) int {
		return cmp.Or(cmp.Compare(a.Labels[label], b.Labels[label]), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return out
}
