package budget

import (
	"time"

	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
)

// Books are what budgets are judged by.
type Books struct {
	// Facts are those of the month up to Now, and of any days before it from Since on, from which
	// weekdays are learnt.
	Facts cost.Facts
	Since time.Time
	Now   time.Time
	Book  price.Book
	// Shares are what is shared before it is counted.
	Shares cost.Shares
}

// Review judges budgets for the month of Now. Idle cost counts where a budget is for a tenant or
// a cluster, which it belongs to, and not where it is for a namespace or a label.
func Review(b Books, budgets []Budget) ([]Judgement, error) {
	month := window.Month(b.Now)
	since := month.Start
	if !b.Since.IsZero() && b.Since.Before(since) {
		// A day that is known in part would be taken for a cheap one.
		since = b.Since.Add(window.Day - 1).Truncate(window.Day)
	}
	days := make([][]Day, len(budgets))
	for _, w := range Days(window.Window{Start: since, End: month.End}, b.Now) {
		a, err := cost.Compute(b.Facts, b.Book, cost.Question{Window: w, Shares: b.Shares})
		if err != nil {
			return nil, err
		}
		if len(a.Assets) == 0 && w.Start.Before(month.Start) {
			// Before the first facts there was nothing to measure, and no cheap day.
			continue
		}
		for i, budget := range budgets {
			days[i] = append(days[i], Day{Start: w.Start, Hours: w.Hours(), Cost: sum(a, budget.For)})
		}
	}
	var all []Judgement
	for i, budget := range budgets {
		expected, err := Expect(month, b.Now, days[i])
		if err != nil {
			return nil, err
		}
		all = append(all, Judge(budget, expected.Spent, expected))
	}
	return all, nil
}

func sum(a cost.Answer, of Owner) money.Amount {
	var total money.Amount
	for i := range a.Allocations {
		if of.Matches(&a.Allocations[i].Properties) {
			total += a.Allocations[i].Total()
		}
	}
	return total
}
