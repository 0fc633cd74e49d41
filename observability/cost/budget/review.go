package budget

import (
	"fmt"
	"slices"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/money"
	"portico.dev/portico/observability/cost/window"
)

// Books are what budgets are judged by.
type Books struct {
	// Facts are those of the month up to Now, and of any days before it from Since on, from which
	// weekdays are learnt.
	Facts cost.Facts
	Since time.Time
	Now   time.Time
	// Terms are the prices, and what is shared before it is counted.
	Terms cost.Terms
}

// Review judges budgets for the month of Now. Idle cost counts where a budget is for a tenant or
// a cluster, which it belongs to, and not where it is for a namespace or a label. Days before the
// first facts count for nothing, and not for cheap ones. The error is of kind fleet.ErrNotYet
// where no costs are known at all.
func Review(b Books, budgets []Budget) ([]Judgement, error) {
	month := window.Month(b.Now)
	since := month.Start
	if !b.Since.IsZero() && b.Since.Before(since) {
		// A day that is known in part would be taken for a cheap one.
		since = b.Since.Add(window.Day - 1).Truncate(window.Day)
	}
	days := make([][]Day, len(budgets))
	by := properties(budgets)
	begun := false
	for _, w := range Days(window.Window{Start: since, End: month.End}, b.Now) {
		a, err := cost.Compute(b.Facts, b.Terms.Book, cost.Question{Window: w, By: by, Shares: b.Terms.Shares, Idle: b.Terms.Idle})
		if err != nil {
			return nil, err
		}
		hours := w.Hours()
		if !begun {
			if hours = knownHours(a, w); hours == 0 {
				continue
			}
			begun = true
		}
		for i, budget := range budgets {
			days[i] = append(days[i], Day{Start: w.Start, Hours: hours, Cost: sum(a, budget.For)})
		}
	}
	if !begun {
		return nil, fmt.Errorf("%w: nothing is known that cost anything since %s", fleet.ErrNotYet, since.Format(time.DateOnly))
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

// properties are all by which an owner of the budgets is told apart: costs are grouped by them, since
// fewer are matched then.
func properties(of []Budget) []cost.Property {
	by := []cost.Property{cost.ByTenant, cost.ByCluster, cost.ByNamespace}
	for _, b := range of {
		if label := cost.ByLabel(b.For.Label); b.For.Label != "" && !slices.Contains(by, label) {
			by = append(by, label)
		}
	}
	return by
}

// knownHours is how much of a window comes after the first thing that costs; a shared amount is
// there at all times, and tells nothing.
func knownHours(a cost.Answer, w window.Window) float64 {
	first := w.End
	for _, asset := range a.Assets {
		if asset.Kind != cost.SharedAsset && asset.Start.Before(first) {
			first = asset.Start
		}
	}
	return w.End.Sub(first).Hours()
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
