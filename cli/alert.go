package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"portico.dev/portico/observability/alert/alertmanager"
	"portico.dev/portico/server/httpapi"
)

func alertCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use: "alert", Short: "Look at alerts, and silence them", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	at := s.apiFlags(c)
	at.tenantFlag(c)
	c.AddCommand(alertListCommand(at), alertRulesCommand(at), alertSilenceCommand(at))
	return c
}

func alertListCommand(at *apiFlags) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List alerts, the gravest first", Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions}
	out := outputFlag(c)
	var silenced bool
	c.Flags().BoolVar(&silenced, "silenced", false, "show those that are silenced too")
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := at.reach(c.Context())
		if err != nil {
			return err
		}
		var found httpapi.Alerts
		if err := api.get(c.Context(), "/api/v1/alerts", nil, &found); err != nil {
			return toldAPI("listing alerts", err)
		}
		all := slices.DeleteFunc(found.Alerts, func(a alertmanager.Alert) bool { return a.Silenced() && !silenced })
		slices.SortStableFunc(all, func(a, b alertmanager.Alert) int { return gravity(a) - gravity(b) })
		if len(all) == 0 {
			fmt.Fprintln(at.Streams.Err, "No alert fires.")
		}
		if err := at.tellRefused(c.Context(), api); err != nil {
			return toldAPI("reading the report of rules", err)
		}
		return out.print(at.Streams.Out, showAlerts(all, at.Now()))
	}
	return c
}

// gravity sorts alerts by the words that rules use for it.
func gravity(a alertmanager.Alert) int {
	if i := slices.Index([]string{"critical", "error", "warning", "info", "none"}, a.Labels["severity"]); i >= 0 {
		return i
	}
	return 2
}

func showAlerts(all []alertmanager.Alert, now time.Time) shown {
	table := shown{value: all, columns: []string{"ALERT", "SEVERITY", "CLUSTER", "TENANT", "STATE", "AGE", "SUMMARY"}}
	for _, a := range all {
		state := a.Status.State
		if a.Silenced() {
			state = "silenced"
		}
		table.rows = append(table.rows, []string{
			a.Labels["alertname"], orDash(a.Labels["severity"]), orDash(a.Labels["cluster"]), orDash(a.Labels["tenant"]), state, age(now, a.StartsAt),
			harmless(brief(firstWord(a.Annotations["summary"], a.Annotations["description"], a.Annotations["message"]))),
		})
	}
	return table
}

func orDash(text string) string { return firstWord(text, "-") }

func alertSilenceCommand(at *apiFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "silence [ALERT]", Short: "Silence alerts for a time",
		Long:    `Silence the alerts of that name that match, for a time. Who sees one tenant silences the alerts of that tenant alone.`,
		Example: `  portico alert silence NodeNotReady --label cluster=demo --for 2h --comment "new kernel"`,
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
	}
	var (
		labels       []string
		long, reason string
	)
	c.Flags().StringArrayVar(&labels, "label", nil, "name=value, !=, =~ or !~ of a label; may be given several times")
	c.Flags().StringVar(&long, "for", "1h", "how long")
	c.Flags().StringVar(&reason, "comment", "", "why")
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			labels = append(labels, "alertname="+args[0])
		}
		wanted, err := silenceOf(labels, long, at.Now())
		if err != nil {
			return usageError{err}
		}
		if reason == "" {
			return usageError{errors.New("--comment is missing: say why, for whoever wonders")}
		}
		wanted.Comment = reason
		api, err := at.reach(c.Context())
		if err != nil {
			return err
		}
		var made httpapi.Created
		if err := api.post(c.Context(), "/api/v1/silences", wanted, &made); err != nil {
			return toldAPI("silencing", err)
		}
		fmt.Fprintf(at.Streams.Err, "Silenced until %s.\n", wanted.EndsAt.Format(time.RFC3339))
		_, err = fmt.Fprintln(at.Streams.Out, made.ID)
		return err
	}
	return c
}

// condition is a label, one of four signs, and a value.
var condition = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)(=~|!~|!=|=)(.*)$`)

func silenceOf(labels []string, long string, now time.Time) (alertmanager.Silence, error) {
	span, err := model.ParseDuration(long)
	if err != nil || span <= 0 {
		return alertmanager.Silence{}, fmt.Errorf("--for %q: expected a duration such as 2h", long)
	}
	if len(labels) == 0 {
		return alertmanager.Silence{}, errors.New("name an alert, or a label: a silence of everything is no use")
	}
	s := alertmanager.Silence{StartsAt: now.UTC(), EndsAt: now.UTC().Add(time.Duration(span))}
	for _, text := range labels {
		parts := condition.FindStringSubmatch(text)
		if parts == nil {
			return s, fmt.Errorf("--label %q: expected name=value, name!=value, name=~regexp or name!~regexp", text)
		}
		s.Matchers = append(s.Matchers, alertmanager.Matcher{Name: parts[1], Value: parts[3], IsRegex: strings.HasSuffix(parts[2], "~"), IsEqual: parts[2][0] == '='})
	}
	return s, nil
}
