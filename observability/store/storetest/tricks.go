package storetest

import (
	"fmt"

	"portico.dev/portico/observability/store"
)

// The two tenants of the suite. What is B's is told by its values, which are all at least
// Foreign, by its labels, of which each value but the name of the metric begins with ForeignWord,
// and by its own metric.
const (
	A = store.Tenant("team-a")
	B = store.Tenant("team-b")

	Foreign     = 1e6
	ForeignWord = "b-"
	ForeignName = "only_of_b"
)

// Trick is a question by which somebody of A tries to see what is B's.
type Trick struct {
	Name, Expr string
}

// Tricks are the ways to try that PromQL offers. Each parses; whoever is asked by A may answer
// with what is A's, with nothing, or with an error, and with nothing of B's.
func Tricks() []Trick {
	b := fmt.Sprintf("%s=%q", store.TenantLabel, B)
	return []Trick{
		{"plain", `shared`},
		{"the other tenant", `shared{` + b + `}`},
		{"not the own tenant", `shared{tenant!="team-a"}`},
		{"any tenant", `shared{tenant=~".*"}`},
		{"no tenant", `shared{tenant=""}`},
		{"not one by pattern", `shared{tenant!~"team-a"}`},
		{"both tenants", `shared{tenant=~"team-a|team-b"}`},
		{"two matchers", `shared{tenant="team-a",tenant="team-b"}`},
		{"every series", `{__name__=~".+"}`},
		{"the other's metric", ForeignName},
		{"the name as a matcher", `{__name__="` + ForeignName + `"}`},
		{"or", `shared{tenant="team-a"} or shared{` + b + `}`},
		{"or of nothing", `nothing or ` + ForeignName},
		{"and", `shared{` + b + `} and shared{` + b + `}`},
		{"unless", `shared{` + b + `} unless nothing`},
		{"sum", `sum({__name__=~".+"})`},
		{"sum by tenant", `sum by (tenant) ({__name__=~".+"})`},
		{"count by tenant", `count by (tenant, __name__) ({__name__=~".+"})`},
		{"max", `max({__name__=~".+"})`},
		{"topk", `topk(100, {__name__=~".+"})`},
		{"quantile", `quantile(1, {__name__=~".+"})`},
		{"count_values", `count_values("v", {__name__=~".+"})`},
		{"a selector in a parameter", `topk(scalar(` + ForeignName + `) + 1, shared)`},
		{"scalar", `vector(scalar(` + ForeignName + `))`},
		{"scalar of the other tenant", `scalar(shared{` + b + `})`},
		{"a range", `max_over_time(shared{` + b + `}[10m])`},
		{"rate", `rate(shared{` + b + `}[10m])`},
		{"a subquery", `max_over_time(shared{` + b + `}[10m:1m])`},
		{"a subquery of subqueries", `max_over_time(max_over_time(` + ForeignName + `[5m:1m])[10m:1m])`},
		{"a subquery of or", `max_over_time((shared or ` + ForeignName + `)[10m:1m])`},
		{"offset", `shared{` + b + `} offset 1m`},
		{"at", `shared{` + b + `} @ end()`},
		{"label_replace away", `label_replace(shared{` + b + `}, "tenant", "team-a", "", "")`},
		{"label_replace of the result", `label_replace(` + ForeignName + `, "tenant", "team-a", "tenant", ".*")`},
		{"label_replace of a copy", `label_replace({__name__=~".+"}, "whose", "$1", "tenant", "(.*)")`},
		{"label_join", `label_join({__name__=~".+"}, "tenant", "-", "job", "who")`},
		{"group_left", `shared * on (job) group_left (who) ` + ForeignName},
		{"group_right", `shared * on () group_right ` + ForeignName},
		{"a comparison", `shared < on () group_left () ` + ForeignName},
		{"a filter by the other's value", `shared and on () (` + ForeignName + ` > 0)`},
		{"absent", `absent(` + ForeignName + `)`},
		{"absent of the other tenant", `absent(shared{` + b + `})`},
		{"absent_over_time", `absent_over_time(` + ForeignName + `[5m])`},
		{"count without", `count without (tenant) ({__name__=~".+"})`},
		{"timestamp", `timestamp(` + ForeignName + `)`},
		{"histogram_quantile", `histogram_quantile(1, ` + ForeignName + `)`},
		{"vector of time", `vector(time()) * 0 + on () group_right () ` + ForeignName},
		{"negative offset", `shared{` + b + `} offset -1m`},
		{"unary", `-shared{` + b + `}`},
		{"parentheses", `((((shared{` + b + `}))))`},
		{"bool", `shared{` + b + `} == bool shared{` + b + `}`},
		{"info", `info(shared)`},
		{"info of the other tenant", `info(shared, {` + b + `})`},
		{"a quoted name", `{"shared", "tenant"="team-b"}`},
		{"a value that closes the selector", `shared{job="a\"} or shared{tenant=\"team-b\"} or shared{job=\""}`},
	}
}
