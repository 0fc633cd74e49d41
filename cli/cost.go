package cli

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/server/httpapi"
)

// allocation is what somebody costs, as OpenCost's API says it.
type allocation struct {
	Name            string   `json:"name"`
	CPU             float64  `json:"cpuCost"`
	RAM             float64  `json:"ramCost"`
	GPU             float64  `json:"gpuCost"`
	Storage         float64  `json:"pvCost"`
	Network         float64  `json:"networkCost"`
	Balancers       float64  `json:"loadBalancerCost"`
	Shared          float64  `json:"sharedCost"`
	Total           float64  `json:"totalCost"`
	TotalEfficiency *float64 `json:"totalEfficiency"`
	// Currency is the answer's.
	Currency string `json:"currency,omitempty"`
}

// costAnswer is OpenCost's envelope.
type costAnswer struct {
	Data    []map[string]allocation `json:"data"`
	Warning string                  `json:"warning,omitempty"`
	// Currency is what all amounts are in.
	Currency string `json:"currency,omitempty"`
}

func costCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use: "cost", Short: "Show what the fleet costs, and whose cost it is",
		Long: `Show the cost of clusters over a window, by what it is for, with the prices of the plane's PriceLists. The parts add up to the whole:
__idle__ is what nobody used, __unallocated__ what has no value of what it is grouped by.`,
		Example: `  portico cost --by namespace --window 7d
  portico cost --by cluster,namespace --window month -o json
  portico cost --by label:team --window 2026-05-01T00:00:00Z,2026-06-01T00:00:00Z`,
		Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
	}
	at := s.apiFlags(c)
	at.tenantFlag(c)
	out := outputFlag(c)
	var by, window, filter string
	var shareIdle bool
	c.Flags().StringVar(&by, "by", "namespace", "cluster, node, namespace, workload, pod, tenant or label:NAME; several with commas")
	c.Flags().StringVar(&window, "window", "7d", "today, yesterday, week, month, lastmonth, a duration such as 24h, or two times with a comma")
	c.Flags().StringVar(&filter, "filter", "", `what counts, in OpenCost's words: namespace:"shop"+cluster:"demo"`)
	c.Flags().BoolVar(&shareIdle, "share-idle", false, "divide idle cost among the others")
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := at.reach(c.Context())
		if err != nil {
			return err
		}
		query := given(url.Values{
			"window": {window}, "aggregate": {strings.ReplaceAll(by, "workload", "controller")}, "accumulate": {"true"}, "includeIdle": {"true"}, "filter": {filter},
		})
		if shareIdle {
			query.Set("shareIdle", "true")
		}
		var answer costAnswer
		if err := api.get(c.Context(), httpapi.CostPath+"/allocation", query, &answer); err != nil {
			return toldAPI("asking for costs", err)
		}
		if answer.Warning != "" {
			fmt.Fprintf(s.Streams.Err, "Note: %s.\n", strings.TrimSuffix(answer.Warning, "."))
		}
		all := answer.sorted()
		if len(all) == 0 {
			fmt.Fprintf(s.Streams.Err, "Nothing is known of costs in the window %s.\n", window)
		}
		return out.print(s.Streams.Out, showCosts(all, onTerminal(s.Streams.Out)))
	}
	return c
}

// sorted are the allocations of all steps, what costs most first.
func (a costAnswer) sorted() []allocation {
	all := []allocation{}
	for _, set := range a.Data {
		for _, one := range set {
			one.Currency = a.Currency
			all = append(all, one)
		}
	}
	slices.SortFunc(all, func(a, b allocation) int { return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name)) })
	return all
}

// barWidth is how wide a bar is at most.
const barWidth = 24

func showCosts(all []allocation, drawn bool) shown {
	table := shown{value: all, names: []string{}, columns: []string{"NAME", "CPU", "MEMORY", "GPU", "STORAGE", "NETWORK", "SHARED", "TOTAL", "EFFICIENCY"}}
	if len(all) > 0 && all[0].Currency != "" {
		table.columns[7] = "TOTAL " + harmless(all[0].Currency)
	}
	if drawn {
		table.columns = append(table.columns, "")
	}
	var sum allocation
	most := 0.0
	for _, a := range all {
		sum.CPU, sum.RAM, sum.GPU, sum.Storage = sum.CPU+a.CPU, sum.RAM+a.RAM, sum.GPU+a.GPU, sum.Storage+a.Storage
		sum.Network, sum.Balancers, sum.Shared, sum.Total = sum.Network+a.Network, sum.Balancers+a.Balancers, sum.Shared+a.Shared, sum.Total+a.Total
		most = max(most, a.Total)
	}
	for _, a := range all {
		table.names = append(table.names, a.Name)
		row := a.row(placesOf(sum.Total))
		if drawn {
			row = append(row, bar(a.Total, most, barWidth))
		}
		table.rows = append(table.rows, row)
	}
	if len(all) > 1 {
		sum.Name = "(all)"
		table.rows = append(table.rows, sum.row(placesOf(sum.Total)))
	}
	return table
}

// row writes amounts with so many decimal places.
func (a allocation) row(places int) []string {
	amount := func(v float64) string { return strconv.FormatFloat(v, 'f', places, 64) }
	efficiency := "-"
	if a.TotalEfficiency != nil {
		efficiency = strconv.Itoa(int(math.Round(*a.TotalEfficiency*100))) + " %"
	}
	return []string{harmless(a.Name), amount(a.CPU), amount(a.RAM), amount(a.GPU), amount(a.Storage), amount(a.Network + a.Balancers), amount(a.Shared), amount(a.Total), efficiency}
}

// cents is an amount with two decimal places.
func cents(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

// placesOf is how many decimal places amounts of a table are shown with: two, and more where the sum is
// less than one, which a small cluster costs in an hour.
func placesOf(sum float64) int {
	const most = 6
	places := 2
	for unit := 1.0; sum != 0 && places < most && math.Abs(sum) < unit; unit /= 10 {
		places++
	}
	return places
}

func budgetCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use: "budget", Short: "Look at budgets", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	at := s.apiFlags(c)
	at.tenantFlag(c)
	c.AddCommand(budgetListCommand(at))
	return c
}

func budgetListCommand(at *apiFlags) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List budgets, what was spent of them this month, and what it will come to", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions}
	out := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := at.reach(c.Context())
		if err != nil {
			return err
		}
		var found httpapi.Budgets
		if err := api.get(c.Context(), "/api/v1/budgets", nil, &found); err != nil {
			return toldAPI("listing budgets", err)
		}
		if len(found.Budgets) == 0 {
			fmt.Fprintln(at.Streams.Err, "There is no budget: make an object of kind Budget.")
		}
		for _, b := range found.Budgets {
			if b.Standing == budget.Unjudged {
				fmt.Fprintf(at.Streams.Err, "Note: budget %s is not judged: %s.\n", harmless(b.Name), harmless(strings.TrimSuffix(b.Message, ".")))
			}
		}
		return out.print(at.Streams.Out, showBudgets(found.Budgets, onTerminal(at.Streams.Out)))
	}
	return c
}

func showBudgets(all []httpapi.Budget, drawn bool) shown {
	table := shown{value: all, columns: []string{"NAME", "FOR", "LIMIT", "SPENT", "EXPECTED", "CURRENCY", "STANDING"}}
	if drawn {
		table.columns = append(table.columns, "")
	}
	for _, b := range all {
		row := []string{harmless(b.Name), harmless(b.For), cents(b.Limit), cents(b.Spent), cents(b.Expected), harmless(b.Currency), string(b.Standing)}
		if b.Standing == budget.Unjudged {
			row[3], row[4] = "-", "-"
		}
		if drawn {
			row = append(row, bar(b.Spent, b.Limit, barWidth))
		}
		table.rows = append(table.rows, row)
	}
	return table
}
