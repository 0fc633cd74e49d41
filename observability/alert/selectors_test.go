package alert

import (
	"log/slog"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	corev1 "k8s.io/api/core/v1"
)

func TestKeep(t *testing.T) {
	tests := []struct {
		name, expr, want string
		lost             bool
		why              string
	}{
		{"Plain", `up == 0`, `up == 0`, false, "Nothing is lost, so the text stays as it was written."},
		{"Bare", `sum(x)`, `sum by (cluster, tenant) (x)`, false, "An aggregation over everything is one over each cluster."},
		{"By", `max by (ns) (rate(x[5m]))`, `max by (ns, cluster, tenant) (rate(x[5m]))`, false, "The labels come last."},
		{"Tenant", `sum by (tenant) (x)`, `sum by (tenant) (x)`, false, "By tenant and not by cluster is meant so."},
		{"Outer", `max by (ns) (sum by (tenant, ns) (x))`, `max by (ns, tenant) (sum by (tenant, ns) (x))`, false, "What is not inside cannot be kept."},
		{"Without", `sum without (pod, tenant) (x)`, `sum without (pod) (x)`, false, "The tenant stays in any case."},
		{"WithoutCluster", `sum without (cluster) (x)`, `sum without (cluster) (x)`, false, "Without cluster is meant so."},
		{"Quantile", `histogram_quantile(0.9, sum by (le) (rate(x[5m])))`, `histogram_quantile(0.9, sum by (le, cluster, tenant) (rate(x[5m])))`, false, "Functions pass labels on."},
		{"TopK", `topk(3, x)`, `topk(3, x)`, false, "Its series have all labels."},
		{"Scalar", `x / scalar(sum(x))`, `x / scalar(sum(x))`, false, "scalar needs one series."},
		{"Number", `sum(x) > 3`, `sum by (cluster, tenant) (x) > 3`, false, "A number has no labels to match."},
		{"On", `a * on (pod) group_left (node) b`, `a * on (pod, cluster, tenant) group_left (node) b`, false, "Pods of one name in two clusters are two pods."},
		{"OnSums", `sum by (ns) (a) > on (ns) sum by (ns) (b)`, `sum by (ns, cluster, tenant) (a) > on (ns, cluster, tenant) sum by (ns, cluster, tenant) (b)`, false, "Both sides have grown."},
		{"Default", `sum by (ns) (a) / sum by (ns) (b)`, `sum by (ns, cluster, tenant) (a) / sum by (ns, cluster, tenant) (b)`, false, "They are matched by all labels."},
		{"Unless", `a unless on (ns) b`, `a unless on (ns, cluster, tenant) b`, false, "Set operations match as well."},
		{"Many", `sum(x) > on () group_left () vector(3)`, `sum by (cluster, tenant) (x) > on () group_left () vector(3)`, false, "Many series may meet one."},
		{"Absent", `absent(up{job="x"})`, `absent(up{job="x"})`, false, "What is not there has no labels."},
		{"Vector", `sum(x) > vector(3)`, `sum(x) > vector(3)`, true, "It would match nothing any more."},
		{"OneToOne", `sum(x) > on () vector(3)`, `sum(x) > on () vector(3)`, true, "Many would meet one."},
		{"Or", `sum(x) or vector(0)`, `sum(x) or vector(0)`, true, "The zero would always be there."},
		{"Ignoring", `sum(x) > ignoring (cluster) sum(y)`, `sum(x) > ignoring (cluster) sum(y)`, true, "Many would meet many."},
		{"Replace", `label_replace(vector(1), "cluster", "c", "", "")`, `label_replace(vector(1), "cluster", "c", "", "")`, false, "A label may be made."},
		{"Subquery", `max_over_time(sum(x)[1h:1m])`, `max_over_time(sum by (cluster, tenant) (x)[1h:1m])`, false, "Subqueries pass labels on."},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, ok, err := Keep(tc.expr)
			if err != nil || got != tc.want || ok == tc.lost {
				t.Errorf("%s: got %s, kept %v, %v, want %s", tc.why, got, ok, err, tc.want)
			}
		})
	}
}

func TestExcludeAndNarrow(t *testing.T) {
	tests := []struct {
		name, expr, exclude, narrow, why string
	}{
		{"Every", `a / on (x) rate(b[5m]) > c offset 1h`, `a{cluster!="c1"} / on (x) rate(b{cluster!="c1"}[5m]) > c{cluster!="c1"} offset 1h`, `a{cluster="c1"} / on (x) rate(b{cluster="c1"}[5m]) > c{cluster="c1"} offset 1h`, "Every selector gets the matcher."},
		{"Strings", `label_replace(a, "x", "a{}", "y", "up")`, `label_replace(a{cluster!="c1"}, "x", "a{}", "y", "up")`, `label_replace(a{cluster="c1"}, "x", "a{}", "y", "up")`, "Text that looks like a selector is none."},
		{"Subquery", `max_over_time((a)[1h:])`, `max_over_time((a{cluster!="c1"})[1h:])`, `max_over_time((a{cluster="c1"})[1h:])`, "Selectors inside subqueries as well."},
		{"NameOnly", `{__name__=~"a|b"}`, `{__name__=~"a|b",cluster!="c1"}`, `{__name__=~"a|b",cluster="c1"}`, "A selector needs no name."},
		{"Has", `a{cluster="c1"}`, `a{cluster!="c1",cluster="c1"}`, `a{cluster="c1"}`, "It is there already."},
		{"Other", `a{cluster="c2"}`, `a{cluster!="c1",cluster="c2"}`, "", "It is for another cluster."},
		{"None", `vector(1)`, "", "", "There is nothing to tell clusters apart by."},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			excluded, eErr := Exclude(tc.expr, []string{"c1"})
			narrowed, nErr := Narrow(tc.expr, "c1")
			if excluded != tc.exclude || (eErr != nil) != (tc.exclude == "") {
				t.Errorf("%s: excluded: got %s, %v, want %s", tc.why, excluded, eErr, tc.exclude)
			}
			if narrowed != tc.narrow || (nErr != nil) != (tc.narrow == "") {
				t.Errorf("%s: narrowed: got %s, %v, want %s", tc.why, narrowed, nErr, tc.narrow)
			}
		})
	}
}

// Whatever parses still parses when it was changed, changes once, and has the matcher everywhere.
func FuzzExpressions(f *testing.F) {
	for _, seed := range []string{`up == 0`, `sum by (a) (rate(x{b="c"}[5m])) / on (a) group_left y`, `absent(x) or vector(1)`, `a unless ignoring (cluster) b`, `max_over_time(sum(x)[1h:1m] offset 5m)`, `count_values("cluster", x)`, `quantile without (tenant) (0.5, -x)`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		if _, err := grammar().ParseExpr(expr); err != nil {
			return
		}
		kept, ok, err := Keep(expr)
		if err != nil {
			t.Fatalf("%q: %v", expr, err)
		}
		again, okAgain, err := Keep(kept)
		if err != nil || ok && (!okAgain || again != kept) {
			t.Fatalf("%q became %q, then %q (%v)", expr, kept, again, err)
		}
		excluded, err := Exclude(kept, []string{"c1", "c.2"})
		if err != nil {
			return
		}
		tree, err := grammar().ParseExpr(excluded)
		if err != nil {
			t.Fatalf("%q became %q: %v", kept, excluded, err)
		}
		parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
			if s, is := node.(*parser.VectorSelector); is {
				for _, m := range s.LabelMatchers {
					if m.Name == ClusterLabel && m.Value == `c\.2|c1` {
						return nil
					}
				}
				t.Fatalf("%q: selector %s sees the clusters that are left out", excluded, s)
			}
			return nil
		})
	})
}

// Whatever a ConfigMap says, what is evaluated passes Prometheus' own check, and the rule of every
// cluster is still there.
func FuzzConfigMap(f *testing.F) {
	for _, seed := range []string{"Down: {for: 5m}", "Down: {expr: up > 1}\nOther: {expr: '('}", "{", "[a]", "Down: {labels: {a: 1}}", "'': {expr: up}", "Down: {labels: {__name__: x}, annotations: {a: '{{'}}", "Down: {expr: 'sum(up{cluster=\"c1\"}) or vector(1)', keep_firing_for: 1h}"} {
		f.Add(seed, "c1")
	}
	f.Fuzz(func(t *testing.T, text, cluster string) {
		c := corev1.ConfigMap{Data: map[string]string{"g": text}}
		c.Labels = map[string]string{AlertRulesLabel: cluster}
		rules := Merge(Sources{Defaults: []Group{{Name: "g", Rules: []Rule{{Alert: "Down", Expr: "up == 0"}}}}, ConfigMaps: []corev1.ConfigMap{c}})
		there := false
		for _, file := range rules.AlertFiles() {
			groups, errs := rulefmt.Parse(file.Data, false, model.LegacyValidation, grammar(), slog.New(slog.DiscardHandler))
			if len(errs) > 0 {
				t.Fatalf("%s: %v\n%s", file.Name, errs, file.Data)
			}
			for _, r := range groups.Groups[0].Rules {
				there = there || r.Alert == "Down"
			}
		}
		if !there {
			t.Fatalf("the rule of every cluster is gone: %v", rules.Problems)
		}
	})
}
