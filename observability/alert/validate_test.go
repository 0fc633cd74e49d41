package alert

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

func TestValidate(t *testing.T) {
	forAll, forOne, records := map[string]string{AlertRulesLabel: ""}, map[string]string{AlertRulesLabel: "c1"}, map[string]string{RecordRulesLabel: ""}
	for _, tc := range []struct {
		name, why string
		labels    map[string]string
		data      map[string]string
		want      []string
	}{
		{"Other", "What holds no rules is not ours.", nil, map[string]string{"a": "{"}, nil},
		{"Good", "A patch says what it changes.", forAll, map[string]string{"nodes": "Down: {for: 30m}\nUp: {expr: up > 0, labels: {severity: info}}"}, nil},
		{"Expression", "Where the rule is, and where in it the mistake.", forAll, map[string]string{"ours": "Good: {expr: up}\nQueueLong:\n  expr: sum(queue\n  for: 5m\n"},
			[]string{`data[ours]: Invalid value: "QueueLong": group ours, rule QueueLong, line 2, position 1:10 of its expression: the expression does not parse: unclosed left parenthesis`}},
		{"Duration", "A duration is one of Prometheus'.", forAll, map[string]string{"ours": "A: {expr: up, for: soon}"},
			[]string{`data[ours]: Invalid value: "A": group ours, rule A, line 1: for is "soon", expected a duration such as 5m`}},
		{"Field", "A field that nobody reads is a mistake.", forAll, map[string]string{"ours": "A: {expression: up}"},
			[]string{`data[ours]: Invalid value: "A": group ours, rule A, line 1: expected expr, for, keep_firing_for, labels and annotations: json: unknown field "expression"`}},
		{"Template", "So is a template that cannot be filled in.", forAll, map[string]string{"ours": "A:\n  expr: up\n  annotations: {summary: '{{ $labels.x '}"},
			[]string{`data[ours]: Invalid value: "A": group ours, rule A, line 1: annotation "summary": template: __alert_A:1: unclosed action`}},
		{"YAML", "The parser says the line.", forAll, map[string]string{"ours": "A: {expr: up}\nB: {expr: up"},
			[]string{`data[ours]: Invalid value: "": group ours: expected a map of alert names to rules: yaml: line 2: did not find expected ',' or '}'`}},
		{"List", "Alerts are a map.", forAll, map[string]string{"ours": "- {alert: A, expr: up}"},
			[]string{`data[ours]: Invalid value: "": group ours: expected a map of alert names to rules: json: cannot unmarshal array into Go value of type map[string]json.RawMessage`}},
		{"OtherCluster", "A rule of one cluster is about that one.", forOne, map[string]string{"ours": `A: {expr: 'up{cluster="c2"} == 0'}`},
			[]string{`data[ours]: Invalid value: "A": group ours, rule A, line 1: the expression selects cluster "c2", and is for cluster "c1"`}},
		{"NoCluster", "It has to select something there.", forOne, map[string]string{"ours": `A: {expr: vector(1)}`},
			[]string{`data[ours]: Invalid value: "A": group ours, rule A, line 1: the expression selects no series, so it cannot tell clusters apart`}},
		{"Several", "Everything is told at once, by key.", forAll, map[string]string{"b": "B: {expr: '('}", "a": "A: {expr: ')'}"},
			[]string{
				`data[a]: Invalid value: "A": group a, rule A, line 1, position 1:2 of its expression: the expression does not parse: unexpected right parenthesis ')'`,
				`data[b]: Invalid value: "B": group b, rule B, line 1, position 1:2 of its expression: the expression does not parse: unclosed left parenthesis`,
			}},
		{"Records", "Two records of one name are told apart by what they are.", records, map[string]string{"r": "- {record: 'a:b', expr: up}\n- record: 'a:b'\n  expr: up(\n- {alert: A, expr: up}\n- {record: [a]}\n"},
			[]string{
				`data[r]: Invalid value: "#4": group r, rule #4, line 5: it is no rule: json: cannot unmarshal array into Go struct field .Rule.record of type string`,
				`data[r]: Invalid value: "a:b": group r, rule a:b, line 2, position 1:4 of its expression: the expression does not parse: unclosed left parenthesis`,
				`data[r]: Invalid value: "A": group r, rule A, line 4: expected a recording rule: record is empty`,
			}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &corev1.ConfigMap{Data: tc.data}
			c.Labels = tc.labels
			var got []string
			for _, e := range Validate(c) {
				got = append(got, e.Error())
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.why, diff)
			}
		})
	}
}

// FuzzValidate hands in text: nothing of it may take the admission down, and what is accepted is used.
func FuzzValidate(f *testing.F) {
	for _, text := range []string{"A: {expr: up}", "- {record: a, expr: up}", "A: {for: 1m}", "{", "a: &a [*a]", "A: {expr: 'up{cluster=\"x\"}'}"} {
		f.Add(text, "c1")
	}
	f.Fuzz(func(t *testing.T, text, cluster string) {
		c := corev1.ConfigMap{Data: map[string]string{"g": text}}
		c.Namespace, c.Name = "kof", "x"
		c.Labels = map[string]string{AlertRulesLabel: ""}
		if len(Validate(&c)) == 0 {
			// A name without an expression is a patch of a rule that is not here.
			for _, p := range Merge(Sources{ConfigMaps: []corev1.ConfigMap{c}}).Problems {
				if p.Message != "field 'expr' must be set in rule" {
					t.Errorf("accepted, and then: %s", p)
				}
			}
		}
		c.Labels = map[string]string{AlertRulesLabel: cluster, RecordRulesLabel: cluster}
		Validate(&c)
	})
}
