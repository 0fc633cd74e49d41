package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"portico.dev/portico/observability/alert"
	"portico.dev/portico/server/httpapi"
)

func alertRulesCommand(at *apiFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "rules", Short: "List the rules that are refused and why, and those that single clusters have",
		Long: `List what is wrong with rules and receivers, and the rules that single clusters have instead of those of every cluster. It is for those
who may read ConfigMap kof/` + alert.ReportName + `.`,
		Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
	}
	out := outputFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := at.reach(c.Context())
		if err != nil {
			return err
		}
		var found httpapi.AlertRules
		if err := api.get(c.Context(), "/api/v1/alert-rules", nil, &found); err != nil {
			return toldAPI("listing rules", err)
		}
		fmt.Fprintf(at.Streams.Err, "%s in use.\n", counted(found.Used, "rule is", "rules are"))
		if found.More > 0 {
			fmt.Fprintf(at.Streams.Err, "%s not shown.\n", counted(found.More, "more entry is", "more entries are"))
		}
		return out.print(at.Streams.Out, showRules(found))
	}
	return c
}

func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

func showRules(r httpapi.AlertRules) shown {
	table := shown{value: r.Report, columns: []string{"STATE", "CLUSTER", "GROUP", "RULE", "OBJECT", "WHY"}}
	add := func(state string, all []alert.Problem) {
		for _, p := range all {
			why := p.Message
			if p.Position != "" {
				why = "position " + p.Position + ": " + why
			}
			table.rows = append(table.rows, []string{state, "-", orDash(p.Key), orDash(p.Rule), p.Object, harmless(why)})
		}
	}
	add("refused", r.Problems)
	add("refused", r.Receivers)
	add("in use", r.Notes)
	for _, o := range r.Own {
		table.rows = append(table.rows, []string{"in use", o.Cluster, o.Group, o.Rule, o.Object, "instead of the rule of every cluster"})
	}
	return table
}

// tellRefused says beside alerts that some do not come. Who may see one tenant alone is told nothing.
func (f *apiFlags) tellRefused(ctx context.Context, api *remoteAPI) error {
	var found httpapi.AlertRules
	err := api.get(ctx, "/api/v1/alert-rules", nil, &found)
	var said apiError
	if errors.As(err, &said) && (said.code == http.StatusForbidden || said.code == http.StatusNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	refused := len(found.Problems) + len(found.Receivers)
	if refused > 0 {
		fmt.Fprintf(f.Streams.Err, "%s refused, so alerts may be missing: see portico alert rules\n", counted(refused, "rule or receiver is", "rules or receivers are"))
	}
	return nil
}
