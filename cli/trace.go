package cli

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"portico.dev/portico/server/httpapi"
)

func traceCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use: "trace", Short: "Search traces, and look at one", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	at := s.apiFlags(c)
	at.tenantFlag(c)
	c.AddCommand(traceListCommand(at), traceGetCommand(at))
	return c
}

func traceListCommand(at *apiFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "Search traces, the newest first",
		Example: `  portico trace list --service shop --least 500ms
  portico trace list --label http.response.status_code=500 --since 15m`,
		Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
	}
	out := outputFlag(c)
	var (
		service, operation, least, most, since, until string
		labels                                        []string
		limit                                         int
	)
	f := c.Flags()
	f.StringVar(&service, "service", "", "service of a span")
	f.StringVar(&operation, "operation", "", "operation of a span")
	f.StringVar(&least, "least", "", "the least duration of a span, such as 100ms")
	f.StringVar(&most, "most", "", "the most")
	f.StringVar(&since, "since", "1h", "the earliest time: how long ago, or as 2026-06-01T12:00:00Z")
	f.StringVar(&until, "until", "", "the time before which they have to be (default: now)")
	f.StringArrayVar(&labels, "label", nil, "name=value, !=, =~ or !~ of an attribute; may be given several times")
	f.IntVar(&limit, "limit", 20, "how many at most, 1 to 500")
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := at.reach(c.Context())
		if err != nil {
			return err
		}
		query := given(url.Values{
			"service": {service}, "operation": {operation}, "least": {least}, "most": {most}, "start": {since}, "end": {until}, "label": labels, "limit": {strconv.Itoa(limit)},
		})
		var found httpapi.Traces
		if err := api.get(c.Context(), "/api/v1/traces", query, &found); err != nil {
			return toldAPI("searching traces", err)
		}
		at.warn(found.Warnings)
		if len(found.Traces) == 0 {
			fmt.Fprintf(at.Streams.Err, "There is no such trace since %s.\n", since)
		}
		return out.print(at.Streams.Out, showTraces(found.Traces))
	}
	return c
}

func showTraces(found []httpapi.Trace) shown {
	table := shown{value: found, columns: []string{"TRACE", "START", "DURATION", "SPANS", "ERRORS", "ROOT"}}
	for _, t := range found {
		table.rows = append(table.rows, []string{
			t.ID, t.Start.UTC().Format("2006-01-02T15:04:05.000Z"), span(t.Duration), strconv.Itoa(len(t.Spans)), strconv.Itoa(t.Errors), harmless(brief(t.Root)),
		})
	}
	return table
}

// span is a duration with three digits that count.
func span(s httpapi.Seconds) string {
	d := time.Duration(float64(s) * float64(time.Second))
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d >= unit {
			return d.Round(unit / 100).String()
		}
	}
	return d.String()
}

func traceGetCommand(at *apiFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "get ID", Short: "Show one trace as a tree of spans", Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
		Example: `  portico trace get 4bf92f3577b34da6a3ce929d0e0e4736`,
	}
	out := outputFlag(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := at.reach(c.Context())
		if err != nil {
			return err
		}
		var found httpapi.OneTrace
		if err := api.get(c.Context(), "/api/v1/traces/"+url.PathEscape(args[0]), nil, &found); err != nil {
			return toldAPI("reading the trace", err)
		}
		at.warn(found.Warnings)
		return out.print(at.Streams.Out, showTrace(found.Trace, onTerminal(at.Streams.Out)))
	}
	return c
}

// traceWidth is how wide the time of a trace is drawn.
const traceWidth = 40

func showTrace(t httpapi.Trace, drawn bool) shown {
	table := shown{value: t, columns: []string{"SPAN", "START", "DURATION", "STATUS"}, names: []string{}}
	if drawn {
		table.columns = append(table.columns, "")
	}
	children, known := map[string][]httpapi.Span{}, map[string]bool{}
	for _, s := range t.Spans {
		known[s.ID] = true
	}
	for _, s := range t.Spans {
		parent := s.Parent
		if !known[parent] || parent == s.ID {
			parent = "" // what it was a part of was not sent, or is somebody else's
		}
		children[parent] = append(children[parent], s)
	}
	var add func(s httpapi.Span, depth int)
	add = func(s httpapi.Span, depth int) {
		if !known[s.ID] {
			return // spans that are each other's parents are shown once
		}
		known[s.ID] = false
		after := s.Start.Sub(t.Start)
		row := []string{
			strings.Repeat("  ", depth) + harmless(s.Service+" "+s.Operation), "+" + span(httpapi.Seconds(after.Seconds())), span(s.Duration),
			harmless(strings.TrimSpace(strings.TrimPrefix(s.Status, "UNSET") + " " + s.StatusMessage)),
		}
		if drawn {
			row = append(row, strings.Repeat(" ", int(min(max(after.Seconds()/max(float64(t.Duration), 1e-9), 0), 1)*traceWidth))+bar(float64(s.Duration), float64(t.Duration), traceWidth))
		}
		table.names, table.rows = append(table.names, s.ID), append(table.rows, row)
		for _, c := range children[s.ID] {
			add(c, depth+1)
		}
	}
	for _, s := range children[""] {
		add(s, 0)
	}
	for _, s := range t.Spans {
		add(s, 0)
	}
	return table
}
