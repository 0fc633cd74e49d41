package budget_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/window"
)

// november of 2026 begins on a Sunday and has 30 days.
var november = window.Month(time.Date(2026, 11, 5, 0, 0, 0, 0, time.UTC))

func whole(n int, cost func(day int) float64) []budget.Day {
	var days []budget.Day
	for i := range n {
		days = append(days, budget.Day{Start: november.Start.AddDate(0, 0, i), Hours: 24, Cost: money.Amount(cost(i) * float64(money.Unit))})
	}
	return days
}

func TestForecast(t *testing.T) {
	flat := func(int) float64 { return 10 }
	for _, c := range []struct {
		name, why string
		days      []budget.Day
		passed    time.Duration
		want      float64
		low, high float64
		sureness  budget.Sureness
	}{
		{"OneDay", "One day at 10, 29 to come: 300, between 10 + 145 and 10 + 580.", whole(1, flat), window.Day, 300, 155, 590, budget.Guess},
		{"SixHours", "2.5 in six hours are 10 a day.", []budget.Day{{Start: november.Start, Hours: 6, Cost: 25 * money.Unit / 10}}, 6 * time.Hour, 300, 151.25, 597.5, budget.Guess},
		{"Flat", "Five days without any error: nothing is unsure but the method.", whole(5, flat), 5 * window.Day, 300, 300, 300, budget.Rough},
		{
			// Levels: 10; 10 + 0.3 x 10 = 13; 13 + 0.3 x 7 = 15.1. Spent 50; 27 x 15.1 = 407.7. Errors 10 and 7:
			// spread sqrt(149 / 2) = 8.631338251. Sum of (1 + 0.3 k)^2 for k = 0..26: 27 + 0.6 x 351 + 0.09 x 6201 = 795.69,
			// root 28.207977. Margin 1.2816 x 8.631338251 x 28.207977 = 312.032.
			"Step", "After a step the level follows.", whole(3, func(d int) float64 { return min(10+10*float64(d), 20) }),
			3 * window.Day, 457.7, 145.67, 769.73, budget.Rough,
		},
		{
			// Two weeks of 10 on weekdays and 1 at weekends, without an error once the factors are known: the last 16
			// days are Sunday the 15th to Monday the 30th: 5 of the weekend, 11 others. 104 + 5 + 110 = 219.
			"Weekends", "Weekends cost what weekends did.", whole(14, func(d int) float64 {
				if d%7 == 0 || d%7 == 6 {
					return 1
				}
				return 10
			}), 14 * window.Day, 219, 219, 219, budget.Fair,
		},
		{"Over", "A month that is over is what it was.", whole(30, flat), 30 * window.Day, 300, 300, 300, budget.Done},
		{"Free", "Nothing stays nothing.", whole(20, func(int) float64 { return 0 }), 20 * window.Day, 0, 0, 0, budget.Rough},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := budget.Expect(november, november.Start.Add(c.passed), c.days)
			if err != nil {
				t.Fatal(err)
			}
			for what, pair := range map[string][2]float64{"total": {f.Total.Float(), c.want}, "low": {f.Low.Float(), c.low}, "high": {f.High.Float(), c.high}} {
				if math.Abs(pair[0]-pair[1]) > 0.01 {
					t.Errorf("%s: %s is %v, want %v", c.why, what, pair[0], pair[1])
				}
			}
			if f.Sureness != c.sureness {
				t.Errorf("%s: sureness %q, want %q", c.why, f.Sureness, c.sureness)
			}
		})
	}
}

func TestForecastRefuses(t *testing.T) {
	double := append(whole(1, func(int) float64 { return 1 }), whole(1, func(int) float64 { return 1 })...)
	for want, days := range map[error][]budget.Day{
		fleet.ErrInvalid: double,
		fleet.ErrNotYet:  nil,
	} {
		if _, err := budget.Expect(november, november.Start.Add(time.Hour), days); !errors.Is(err, want) {
			t.Errorf("got %v, want %v", err, want)
		}
	}
	for _, d := range []budget.Day{{Hours: 25}, {Hours: math.NaN()}, {Hours: 1, Cost: -1}} {
		if _, err := budget.Expect(november, november.Start, []budget.Day{d}); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%+v: got %v, want an error of kind invalid", d, err)
		}
	}
}

func TestJudge(t *testing.T) {
	b := budget.Budget{Name: "red", For: budget.Owner{Tenant: "red"}, Limit: 100 * money.Unit, Thresholds: []int{50, 80}}
	for _, c := range []struct {
		why             string
		spent, expected float64
		want            budget.Standing
		crossed         int
		message         string
	}{
		{"A quarter spent, the month at 90.", 25, 90, budget.Within, 0, `budget "red" of tenant red: 25 % of 100.00 are spent in November 2026`},
		{"The forecast is above the limit.", 25, 110, budget.AtRisk, 0, `budget "red" of tenant red: November 2026 will probably come to 110.00, the limit is 100.00 (rough, without weekdays)`},
		{"Exactly at a threshold is past it.", 80, 110, budget.Crossed, 2, `budget "red" of tenant red: 80 % of 100.00 are spent in November 2026, past the threshold of 80 %`},
		{"The limit itself may be spent.", 100, 100, budget.Crossed, 2, `budget "red" of tenant red: 100 % of 100.00 are spent in November 2026, past the threshold of 80 %`},
		{"Above it is above it.", 100.01, 130, budget.Exceeded, 2, `budget "red" of tenant red: 100.01 of 100.00 are spent in November 2026, 100 %`},
	} {
		j := budget.Judge(b, money.Amount(c.spent*1e9), budget.Forecast{Month: november, Total: money.Amount(c.expected * 1e9), Sureness: budget.Rough})
		if j.Standing != c.want || len(j.Crossed) != c.crossed || j.Message != c.message {
			t.Errorf("%s got %s, %v\n%s", c.why, j.Standing, j.Crossed, j.Message)
		}
	}
}

// A budget of a namespace's clusters counts no others, whatever costs call them.
func TestOwnerOfClusters(t *testing.T) {
	for _, c := range []struct {
		why  string
		of   budget.Owner
		what cost.Properties
		want bool
	}{
		{"Nothing written is everything.", budget.Owner{}, cost.Properties{Cluster: "c", Home: "a"}, true},
		{"The namespace's clusters.", budget.Owner{Home: "a"}, cost.Properties{Cluster: "c", Home: "a"}, true},
		{"Another namespace's are not.", budget.Owner{Home: "a"}, cost.Properties{Cluster: "c", Home: "b"}, false},
		{"What has no cluster is nobody's.", budget.Owner{Home: "a"}, cost.Properties{}, false},
		{"A twin is called by its namespace too.", budget.Owner{Home: "a", Cluster: "c"}, cost.Properties{Cluster: "a/c", Home: "a"}, true},
		{"The other twin.", budget.Owner{Home: "a", Cluster: "c"}, cost.Properties{Cluster: "b/c", Home: "b"}, false},
		{"A tenant's name does not open other namespaces.", budget.Owner{Home: "a", Tenant: "red"}, cost.Properties{Cluster: "c", Home: "b", Tenant: "red"}, false},
		{"A label, as Prometheus spells it.", budget.Owner{Label: "app.kubernetes.io/part-of", Value: "x"}, cost.Properties{Labels: map[string]string{"app_kubernetes_io_part_of": "x"}}, true},
		{"No label.", budget.Owner{Label: "team", Value: "x"}, cost.Properties{}, false},
	} {
		if got := c.of.Matches(&c.what); got != c.want {
			t.Errorf("%s got %t", c.why, got)
		}
	}
}

func TestDays(t *testing.T) {
	days := budget.Days(november, november.Start.Add(36*time.Hour))
	if len(days) != 2 || days[1].Hours() != 12 {
		t.Errorf("got %v", days)
	}
}
