package budget

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/window"
)

// Budget is a limit for each month.
type Budget struct {
	Name string
	For  Owner
	// Limit is for a month.
	Limit money.Amount
	// Thresholds are percent of the limit, in rising order.
	Thresholds []int
}

// Owner is whose costs are limited: all of its fields that are set have to match, and one is.
type Owner struct {
	Tenant, Cluster, Namespace string
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
	return wants(o.Tenant, string(p.Tenant)) && wants(o.Cluster, p.Cluster) && wants(o.Namespace, p.Namespace) &&
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
	return strings.Join(parts, ", ")
}

// Standing is how a budget stands, from good to bad.
type Standing string

// The standings.
const (
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
	Budget   Budget
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
		j.Message = fmt.Sprintf("budget %q of %s: %s of %s are spent in %s, %d %%", b.Name, b.For, spent, b.Limit, month, percent)
	case len(j.Crossed) > 0:
		j.Standing = Crossed
		j.Message = fmt.Sprintf("budget %q of %s: %d %% of %s are spent in %s, past the threshold of %d %%", b.Name, b.For, percent, b.Limit, month, j.Crossed[len(j.Crossed)-1])
	case expected.Total > b.Limit:
		j.Standing = AtRisk
		j.Message = fmt.Sprintf("budget %q of %s: %s will probably come to %s, the limit is %s (%s)", b.Name, b.For, month, expected.Total, b.Limit, expected.Sureness)
	default:
		j.Message = fmt.Sprintf("budget %q of %s: %d %% of %s are spent in %s", b.Name, b.For, percent, b.Limit, month)
	}
	return j
}

// file is how budgets are written.
type file struct {
	Budgets []struct {
		Name string `yaml:"name"`
		For  struct {
			Tenant    string `yaml:"tenant"`
			Cluster   string `yaml:"cluster"`
			Namespace string `yaml:"namespace"`
			Label     string `yaml:"label"`
		} `yaml:"for"`
		Monthly    string `yaml:"monthly"`
		Thresholds []int  `yaml:"thresholds"`
	} `yaml:"budgets"`
}

// Parse reads budgets:
//
//	budgets:
//	- name: red team
//	  for: {tenant: red}          # or cluster, namespace, label: <name>=<value>; several narrow it
//	  monthly: 1200
//	  thresholds: [50, 80, 100]   # percent; these where none are given
//
// The error is of kind fleet.ErrInvalid.
func Parse(data []byte) ([]Budget, error) {
	var f file
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: budgets: %s", fleet.ErrInvalid, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	var all []Budget
	for i, w := range f.Budgets {
		wrong := func(field, format string, args ...any) ([]Budget, error) {
			return nil, fmt.Errorf("%w: budgets[%d].%s: %s", fleet.ErrInvalid, i, field, fmt.Sprintf(format, args...))
		}
		b := Budget{Name: w.Name, For: Owner{Tenant: w.For.Tenant, Cluster: w.For.Cluster, Namespace: w.For.Namespace}}
		if w.Name == "" || slices.ContainsFunc(all, func(o Budget) bool { return o.Name == w.Name }) {
			return wrong("name", "%q: expected a name that no other budget has", w.Name)
		}
		if w.For.Label != "" {
			name, value, ok := strings.Cut(w.For.Label, "=")
			if !ok || name == "" {
				return wrong("for.label", "%q: expected <name>=<value>", w.For.Label)
			}
			b.For.Label, b.For.Value = name, value
		}
		if b.For == (Owner{}) {
			return wrong("for", "expected a tenant, cluster, namespace or label")
		}
		limit, err := money.ParseAmount(w.Monthly)
		if err != nil {
			return wrong("monthly", "%s", strings.TrimPrefix(err.Error(), fleet.ErrInvalid.Error()+": "))
		}
		if limit == 0 {
			return wrong("monthly", "expected more than 0")
		}
		b.Limit = limit
		if b.Thresholds, err = thresholds(w.Thresholds); err != nil {
			return wrong("thresholds", "%v", err)
		}
		all = append(all, b)
	}
	return all, nil
}

func thresholds(given []int) ([]int, error) {
	if len(given) == 0 {
		return []int{50, 80, 100}, nil
	}
	for _, t := range given {
		if t < 1 || t > 1000 {
			return nil, fmt.Errorf("%d: expected percent from 1 to 1000", t)
		}
	}
	sorted := slices.Clone(given)
	slices.SortFunc(sorted, cmp.Compare[int])
	return slices.Compact(sorted), nil
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
