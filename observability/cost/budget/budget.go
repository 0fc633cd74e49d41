package budget

import (
	"fmt"
	"strings"
	"time"

	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

// Budget is a limit for each month.
type Budget struct {
	Name string
	For  Owner
	// Limit is for a month.
	Limit money.Amount
	// Currency of the limit and of what was spent; empty where it need not be said.
	Currency string
	// Thresholds are percent of the limit, in rising order.
	Thresholds []int
}

// said is an amount of the budget for a person.
func (b Budget) said(a money.Amount) string {
	if b.Currency == "" {
		return a.String()
	}
	return a.String() + " " + b.Currency
}

// Owner is whose costs are limited: all of its fields that are set have to match.
type Owner struct {
	// Home is the namespace of the ClusterDeployments, Cluster the name of one.
	Home, Tenant, Cluster, Namespace string
	// Label is a name, Value what it has to be.
	Label, Value string
}

// Matches says whether costs with those properties count.
func (o Owner) Matches(p *cost.Properties) bool {
	wants := func(want, got string) bool { return want == "" || want == got }
	label := p.Labels[o.Label]
	if label == "" {
		label = p.Labels[cost.LabelName(o.Label)]
	}
	// Of two clusters with one name, costs call each by its namespace or its region too.
	cluster := wants(o.Cluster, p.Cluster) || o.Home != "" && strings.HasSuffix(p.Cluster, "/"+o.Cluster)
	return wants(o.Home, p.Home) && wants(o.Tenant, string(p.Tenant)) && cluster && wants(o.Namespace, p.Namespace) &&
		(o.Label == "" || label == o.Value)
}

// String names the owner for a person.
func (o Owner) String() string {
	var parts []string
	for _, p := range [][2]string{{"tenant", o.Tenant}, {"cluster", o.Cluster}, {"namespace", o.Namespace}} {
		if p[1] != "" {
			parts = append(parts, p[0]+" "+p[1])
		}
	}
	if o.Label != "" {
		parts = append(parts, fmt.Sprintf("label %s=%s", o.Label, o.Value))
	}
	if o.Home != "" {
		parts = append(parts, "clusters in "+o.Home)
	}
	if len(parts) == 0 {
		return "all clusters"
	}
	return strings.Join(parts, ", ")
}

// Standing is how a budget stands, from good to bad.
type Standing string

// The standings.
const (
	// Unjudged says that nothing is known yet, or cannot be.
	Unjudged Standing = "Unjudged"
	// Within is below the least threshold, and expected to stay below the limit.
	Within Standing = "Within"
	// AtRisk is expected to exceed the limit before the month ends.
	AtRisk Standing = "AtRisk"
	// Crossed is above a threshold.
	Crossed Standing = "Crossed"
	// Exceeded is above the limit.
	Exceeded Standing = "Exceeded"
)

// Judgement is what is to be said of a budget.
type Judgement struct {
	Budget Budget
	// Tenant is whose alerts those about the budget are, where that is known.
	Tenant   store.Tenant
	Month    window.Window
	Standing Standing
	Spent    money.Amount
	// Expected is the forecast of the whole month.
	Expected Forecast
	// Crossed are the thresholds that were reached.
	Crossed []int
	// Message is for a person; it changes when the standing or a threshold does, or whole percents.
	Message string
}

// Judge compares a month's spending and its forecast with a budget.
func Judge(b Budget, spent money.Amount, expected Forecast) Judgement {
	j := Judgement{Budget: b, Month: expected.Month, Spent: spent, Expected: expected, Standing: Within}
	percent := int(spent.Float() / b.Limit.Float() * 100)
	for _, t := range b.Thresholds {
		// In whole numbers: 80 % of a limit is reached at exactly 80 %.
		if spent.Float()*100 >= b.Limit.Float()*float64(t) {
			j.Crossed = append(j.Crossed, t)
		}
	}
	month := expected.Month.Start.Format("January 2006")
	switch {
	case spent > b.Limit:
		j.Standing = Exceeded
		j.Message = fmt.Sprintf("budget %q of %s: %s of %s are spent in %s, %d %%", b.Name, b.For, b.said(spent), b.said(b.Limit), month, percent)
	case len(j.Crossed) > 0:
		j.Standing = Crossed
		j.Message = fmt.Sprintf("budget %q of %s: %d %% of %s are spent in %s, past the threshold of %d %%", b.Name, b.For, percent, b.said(b.Limit), month, j.Crossed[len(j.Crossed)-1])
	case expected.Total > b.Limit:
		j.Standing = AtRisk
		j.Message = fmt.Sprintf("budget %q of %s: %s will probably come to %s, the limit is %s (%s)", b.Name, b.For, month, b.said(expected.Total), b.said(b.Limit), expected.Sureness)
	default:
		j.Message = fmt.Sprintf("budget %q of %s: %d %% of %s are spent in %s", b.Name, b.For, percent, b.said(b.Limit), month)
	}
	return j
}

// Days are the windows of a month's days up to a time, the last one cut off there: what has to be
// asked for a forecast.
func Days(month window.Window, until time.Time) []window.Window {
	var days []window.Window
	for at := month.Start; at.Before(month.End) && at.Before(until); at = at.Add(window.Day) {
		day := window.Window{Start: at, End: at.Add(window.Day)}
		if day.End.After(until) {
			day.End = until
		}
		days = append(days, day)
	}
	return days
}
