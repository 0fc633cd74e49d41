package alert

import (
	"fmt"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Validate says what is wrong with a ConfigMap of rules by itself, with the key, the rule and the line;
// nothing about one that holds none. What depends on other objects, such as a second rule of a name,
// is found by Merge alone.
func Validate(c *corev1.ConfigMap) field.ErrorList {
	var problems []Problem
	if cluster, holds := c.Labels[AlertRulesLabel]; holds {
		problems = append(problems, patchProblems(c, cluster)...)
	}
	if _, holds := c.Labels[RecordRulesLabel]; holds {
		problems = append(problems, recordProblems(c)...)
	}
	var errs field.ErrorList
	for _, p := range problems {
		errs = append(errs, p.refusal(c.Data[p.Key]))
	}
	return errs
}

func patchProblems(c *corev1.ConfigMap, cluster string) []Problem {
	patches, problems := readPatches(c)
	for _, p := range patches {
		// An expression that is inherited is right already.
		r := p.on(Rule{Alert: p.name, Expr: "vector(1)"})
		why, bad := r.problem()
		if !bad && p.Expr != nil && cluster != "" {
			if _, err := Narrow(r.Expr, cluster); err != nil {
				why, bad = Problem{Message: sentence(err)}, true
			}
		}
		if bad {
			problems = append(problems, p.at.problem(p.name, why))
		}
	}
	return problems
}

func recordProblems(c *corev1.ConfigMap) []Problem {
	groups, problems := readRecords(c)
	for _, g := range groups {
		at := place{objectName(c), g.Name}
		for _, r := range g.Rules {
			if why, bad := r.recordProblem(); bad {
				why.Line = lineOf(c.Data[g.Name], r)
				problems = append(problems, at.problem(r.Name(), why))
			}
		}
	}
	return problems
}

// recordProblem is what is wrong with a rule where recording rules are.
func (r Rule) recordProblem() (Problem, bool) {
	if r.Record == "" {
		return Problem{Message: "expected a recording rule: record is empty"}, true
	}
	return r.problem()
}

// refusal is the problem as an error about a key of the data.
func (p Problem) refusal(text string) *field.Error {
	words := "group " + p.Key
	if p.Rule != "" {
		words += ", rule " + p.Rule
	}
	if p.Line == 0 {
		p.Line = lineOf(text, Rule{Alert: p.Rule})
	}
	if p.Line > 0 {
		words += fmt.Sprintf(", line %d", p.Line)
	}
	if p.Position != "" {
		words += ", position " + p.Position + " of its expression"
	}
	return field.Invalid(field.NewPath("data").Key(p.Key), p.Rule, words+": "+p.Message)
}

// lineOf is the line on which a rule of a group is written: in a map under its name, in a list by its name
// and, if that is known, its expression. It is 0 where it is not found.
func lineOf(text string, r Rule) int {
	var doc yaml.Node
	if r.Name() == "" || yaml.Unmarshal([]byte(text), &doc) != nil || len(doc.Content) == 0 {
		return 0
	}
	root := doc.Content[0]
	if root.Kind == yaml.MappingNode {
		key, _ := entry(root, r.Name())
		return key.Line
	}
	for i, item := range root.Content {
		if r.Name() == fmt.Sprint("#", i+1) {
			return item.Line
		}
		_, record := entry(item, "record")
		_, alert := entry(item, "alert")
		_, expr := entry(item, "expr")
		if (record.Value == r.Name() || alert.Value == r.Name()) && (r.Expr == "" || r.Expr == expr.Value) {
			return item.Line
		}
	}
	return 0
}

// entry is the key of a map with its value; both are zero without one.
func entry(of *yaml.Node, name string) (key, value yaml.Node) {
	for i := 0; of.Kind == yaml.MappingNode && i+1 < len(of.Content); i += 2 {
		if of.Content[i].Value == name {
			return *of.Content[i], *of.Content[i+1]
		}
	}
	return key, value
}
