package alert

import (
	"regexp"
	"testing"
)

const always = "alertgroup, alertname, exported_alertgroup, exported_alertname"

func TestDistinct(t *testing.T) {
	for _, c := range []struct {
		why, expr, want string
		labels          map[string]string
	}{
		{"A selector keeps what its series say, and vmalert renames what it writes over.", "up == 0", "max without (" + always + ") (up == 0)", nil},
		{"Each label of the rule is written over, too.", "up == 0", "max without (" + always + ", exported_severity, severity) (up == 0)", map[string]string{"severity": "critical"}},
		{"A label that is made of the series' own has to find it.", "up == 0", "max without (" + always + ") (up == 0)", map[string]string{"severity": "{{ $labels.severity }}"}},
		{"Another label's template does not speak of it.", "up == 0", "max without (" + always + ", exported_severity, exported_team, severity, team) (up == 0)",
			map[string]string{"severity": "critical", "team": "{{ $labels.severity_of_team }}"}},
		{"An aggregation says which labels there are.", "sum by (cluster, tenant) (x) > 1", "", map[string]string{"severity": "critical"}},
		{"So do two of them.", "sum by (a) (x) / sum by (a) (y) > 1 or sum by (b) (z)", "", map[string]string{"severity": "critical"}},
		{"One that keeps a label of the rule does not help.", "sum by (severity) (x)", "max without (" + always + ", exported_severity, severity) (sum by (severity) (x))", map[string]string{"severity": "critical"}},
		{"One that names what goes leaves the others to the sender.", "sum without (pod) (x)", "max without (" + always + ") (sum without (pod) (x))", nil},
		{"The highest series keep all labels.", "topk by (a) (3, x)", "max without (" + always + ") (topk by (a) (3, x))", nil},
		{"What has no labels is one.", "vector(1)", "", nil},
		{"A number is no series, and becomes none.", "1 > bool 2", "", nil},
		{"absent has the labels of its selector.", `absent(up{job="a"})`, "max without (" + always + `) (absent(up{job="a"}))`, nil},

		{"One series of each side, since its labels are those.", "a / on (n) b > 3", "max by (n) (a) / on (n) max by (n) (b) > 3", nil},
		{"A side that is so stays.", "max by (n) (a) / on (n) (count by (n) (b))", "", nil},
		{"A side with more labels is not so.", "sum by (n, m) (a) / on (n) sum by (n) (b)", "max by (n) (sum by (n, m) (a)) / on (n) sum by (n) (b)", nil},
		{"ignoring says what goes.", "sum by (n) (a / ignoring (x) b)", "sum by (n) (max without (x) (a) / ignoring (x) max without (x) (b))", nil},
		{"Many may be many.", "sum by (n) (a * on (n) group_left () b)", "sum by (n) (a * on (n) group_left () max by (n) (b))", nil},
		{"One of them is chosen with what it gives; the others lose what they are given.", "sum by (n) (a * on (n) group_left (m) b)",
			"sum by (n) (max without (m) (a) * on (n) group_left (m) topk by (n) (1, b))", nil},
		{"The other way round.", "sum by (n) (b * on (n) group_right (m) a)", "sum by (n) (topk by (n) (1, b) * on (n) group_right (m) max without (m) (a))", nil},
		{"What is matched by stays, though it is given.", "sum by (n) (a * ignoring (x) group_left (m) b)", "sum by (n) (a * ignoring (x) group_left (m) topk without (x) (1, b))", nil},
		{"A set takes as many as there are.", "sum by (n) (a unless on (n) b)", "", nil},
		{"All labels tell series apart.", "sum by (n) (a / b)", "", nil},
		{"A side within a side.", "sum by (n) (a / on (n) (b / on (n) c))", "sum by (n) (max by (n) (a) / on (n) (max by (n) (b) / on (n) max by (n) (c)))", nil},
	} {
		if c.want == "" {
			c.want = c.expr
		}
		got, err := Distinct(Rule{Alert: "A", Expr: c.expr, Labels: c.labels})
		if err != nil || got != c.want {
			t.Errorf("%s\n%s became\n%s, want\n%s (%v)", c.why, c.expr, got, c.want, err)
		}
	}
}

// A record has the labels of its series, alertname too; those of the rule are written over.
func TestDistinctRecords(t *testing.T) {
	for _, c := range []struct {
		why, want string
		rule      Rule
	}{
		{"Nothing is written over.", "up == 0", Rule{Record: "r", Expr: "up == 0"}},
		{"What the rule says is.", "max without (exported_team, team) (ALERTS)", Rule{Record: "r", Expr: "ALERTS", Labels: map[string]string{"team": "a"}}},
		{"A matching ends a record, too.", "max by (n) (a) / on (n) max by (n) (b)", Rule{Record: "r", Expr: "a / on (n) b"}},
	} {
		if got, err := Distinct(c.rule); err != nil || got != c.want {
			t.Errorf("%s %s became %s, want %s (%v)", c.why, c.rule.Expr, got, c.want, err)
		}
	}
}

var plain = regexp.MustCompile(`^[a-z_]+$`)

// What is written is read again, and a rule never gets another type of answer.
func FuzzDistinct(f *testing.F) {
	for _, seed := range []string{"up == 0", "a / on (n) group_left (m) b", "sum(x) or vector(0)", "1", "-(a + ignoring (b) c)[5m:1m]"} {
		f.Add(seed, "severity")
	}
	f.Fuzz(func(t *testing.T, expr, label string) {
		before, err := grammar().ParseExpr(expr)
		if err != nil || !plain.MatchString(label) {
			return
		}
		out, err := Distinct(Rule{Alert: "A", Expr: expr, Labels: map[string]string{label: "x"}})
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		after, err := grammar().ParseExpr(out)
		if err != nil {
			t.Fatalf("%s became %s, which does not parse: %v", expr, out, err)
		}
		if after.Type() != before.Type() {
			t.Errorf("%s became %s: a %s was a %s", expr, out, after.Type(), before.Type())
		}
	})
}
