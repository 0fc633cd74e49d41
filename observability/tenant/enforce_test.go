package tenant_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/store/storetest"
	"portico.dev/portico/observability/tenant"
)

func TestEnforce(t *testing.T) {
	for _, c := range []struct{ why, expr, want string }{
		{"a selector", `up`, `up{tenant="t"}`},
		{"a number has none", `1 + 2`, `1 + 2`},
		{"one that asks for another tenant keeps that, and finds nothing", `up{tenant="x"}`, `up{tenant="t",tenant="x"}`},
		{"one that asks for none", `up{tenant=""}`, `up{tenant="",tenant="t"}`},
		{"one that asks for its own is as it was", `up{tenant="t"}`, `up{tenant="t"}`},
		{"a pattern of its own is not enough", `up{tenant=~"t"}`, `up{tenant="t",tenant=~"t"}`},
		{"both sides", `a or b`, `a{tenant="t"} or b{tenant="t"}`},
		{"a range with all that belongs to it", `rate(a{x="y"}[5m] @ 10 offset 1m)`, `rate(a{tenant="t",x="y"}[5m] @ 10.000 offset 1m)`},
		{"subqueries", `max_over_time((a > b)[1h:1m] @ end() offset 5m)`, `max_over_time((a{tenant="t"} > b{tenant="t"})[1h:1m] @ end() offset 5m)`},
		{"parameters", `topk(scalar(a), b)`, `topk(scalar(a{tenant="t"}), b{tenant="t"})`},
		{"arguments", `clamp_max(a, scalar(b))`, `clamp_max(a{tenant="t"}, scalar(b{tenant="t"}))`},
		{"absent", `absent(a)`, `absent(a{tenant="t"})`},
		{"a sign", `-a`, `-a{tenant="t"}`},
		{"names in quotes", `{"a.b", "c d"="e"}`, `{"a.b","c d"="e",tenant="t"}`},
	} {
		expr, err := engine.Parse(c.expr)
		if err != nil {
			t.Fatal(err)
		}
		before := expr.String()
		got, err := tenant.Enforce(store.Of("t"), expr)
		if err != nil {
			t.Fatal(err)
		}
		want, err := engine.Parse(c.want)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.String(), got.String()); diff != "" {
			t.Errorf("%s:\n%s", c.why, diff)
		}
		if expr.String() != before {
			t.Errorf("%s: the expression itself became %s", c.why, expr)
		}
		// What is sent to a store is text: it has to read as what it was.
		again, err := engine.Parse(got.String())
		if err != nil || again.String() != got.String() {
			t.Errorf("%s: %s reads as %v, %v", c.why, got, again, err)
		}
		if all, err := tenant.Enforce(store.Everybody(), expr); err != nil || all.String() != before {
			t.Errorf("%s: everybody's is %v, %v", c.why, all, err)
		}
	}
}

// unknown is a part of an expression that a later parser may have.
type unknown struct{ *parser.NumberLiteral }

func TestRefusals(t *testing.T) {
	info, err := engine.Parse(`sum(info(up, {tenant="x"}))`)
	if err != nil {
		t.Fatal(err)
	}
	number := &parser.NumberLiteral{Val: 1}
	for why, expr := range map[string]parser.Expr{
		"info reads what no selector names": info,
		"what is not known may read":        &parser.ParenExpr{Expr: unknown{number}},
	} {
		if got, err := tenant.Enforce(store.Of("t"), expr); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s: %v, %v", why, got, err)
		}
	}
	if _, err := tenant.Enforce(store.Scope{}, number); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("nobody's scope: %v", err)
	}
	if _, err := tenant.Selectors(store.Scope{}, nil); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("nobody's scope of selectors: %v", err)
	}
}

func TestSelectors(t *testing.T) {
	own := labels.MustNewMatcher(labels.MatchEqual, "tenant", "t")
	job := labels.MustNewMatcher(labels.MatchEqual, "job", "x")
	text := func(all [][]*labels.Matcher) (out []string) {
		for _, s := range all {
			out = append(out, (&parser.VectorSelector{LabelMatchers: s}).String())
		}
		return out
	}
	for _, c := range []struct {
		why  string
		in   store.Scope
		of   [][]*labels.Matcher
		want [][]*labels.Matcher
	}{
		{"each of them", store.Of("t"), [][]*labels.Matcher{{job}, {}}, [][]*labels.Matcher{{job, own}, {own}}},
		{"all series are those of the tenant", store.Of("t"), nil, [][]*labels.Matcher{{own}}},
		{"all series of everybody are all", store.Everybody(), nil, nil},
		{"everybody's are as they were", store.Everybody(), [][]*labels.Matcher{{job}}, [][]*labels.Matcher{{job}}},
	} {
		got, err := tenant.Selectors(c.in, c.of)
		if diff := cmp.Diff(text(c.want), text(got)); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", c.why, err, diff)
		}
	}
}

// Whatever parses, each selector of what is made of it has the tenant's matcher, also after it
// went as text to somewhere else.
func FuzzEnforce(f *testing.F) {
	for _, trick := range storetest.Tricks() {
		f.Add(trick.Expr)
	}
	f.Add("sum without(a) (rate({\"x\\ny\"}[5m:]))")
	f.Add("{__name__=~\"a|b\",tenant=\"\"} @ start() offset -1h")
	f.Fuzz(func(t *testing.T, text string) {
		expr, err := engine.Parse(text)
		if err != nil {
			return
		}
		got, err := tenant.Enforce(store.Of(storetest.A), expr)
		if err != nil {
			return
		}
		again, err := engine.Parse(got.String())
		if err != nil {
			t.Fatalf("%q became %q, which does not parse: %v", text, got, err)
		}
		if n, want := selectors(t, again), len(parser.ExtractSelectors(expr)); n != want {
			t.Errorf("%q became %q with %d selectors of the tenant, want %d", text, got, n, want)
		}
	})
}

// selectors counts selectors, and fails where one has no matcher of the tenant.
func selectors(t *testing.T, expr parser.Expr) int {
	all := parser.ExtractSelectors(expr)
	for _, s := range all {
		found := false
		for _, m := range s {
			found = found || m.Name == store.TenantLabel && m.Type == labels.MatchEqual && m.Value == string(storetest.A)
		}
		if !found {
			t.Errorf("%s has a selector without the tenant", expr)
		}
	}
	return len(all)
}
