package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"portico.dev/portico/server/httpapi"
)

// logQuestion is which log records are wanted.
type logQuestion struct {
	cluster, namespace, pod, container, severity, since, until string
	labels, texts                                              []string
	most                                                       int
	follow                                                     bool
}

func logsCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use: "logs [CLUSTER]", Short: "Search the logs of clusters, and follow them",
		Long: `Search the log records that clusters have sent, of all regions. Without CLUSTER, of all clusters whose telemetry you may see. The
last records are shown, the oldest of them first.`,
		Example: `  portico logs demo --pod podinfo-5b9b448477-fpjm5 --since 15m
  portico logs --text timeout --severity warn
  portico logs demo --in payments -f`,
		Args: cobra.MaximumNArgs(1),
	}
	at := s.apiFlags(c)
	at.tenantFlag(c)
	out := outputFlag(c)
	var q logQuestion
	f := c.Flags()
	f.StringVar(&q.namespace, "in", "", "namespace on the cluster")
	f.StringVar(&q.pod, "pod", "", "name of the pod")
	f.StringVar(&q.container, "container", "", "name of the container")
	f.StringVar(&q.severity, "severity", "", "the least severity: trace, debug, info, warn, error or fatal")
	f.StringVar(&q.since, "since", "1h", "the earliest time: how long ago, or as 2026-06-01T12:00:00Z")
	f.StringVar(&q.until, "until", "", "the time before which they have to be, written likewise (default: now)")
	f.StringArrayVar(&q.labels, "label", nil, "name=value, !=, =~ or !~ of an attribute; may be given several times")
	f.StringArrayVar(&q.texts, "text", nil, "text that has to be in the record, without regard to case; may be given several times")
	f.IntVar(&q.most, "limit", 200, "how many records at most, 1 to 10000")
	f.BoolVarP(&q.follow, "follow", "f", false, "show new records as they come, until the command is stopped")
	c.ValidArgsFunction = first(s.completeClusters(&scope{all: true}))
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) == 1 {
			q.cluster = args[0]
		}
		if q.follow && q.until != "" {
			return usageError{errors.New("-f has no end: leave --until out")}
		}
		if q.follow && *out == outYAML {
			return usageError{errors.New("-f has no end, which -o yaml needs: use -o json, an object a line")}
		}
		api, err := at.reach(c.Context())
		if err != nil {
			return err
		}
		if q.follow {
			return toldAPI("following logs", s.followLogs(c.Context(), api, q, *out))
		}
		records, warnings, err := q.ask(c.Context(), api, q.since)
		if err != nil {
			return toldAPI("searching logs", err)
		}
		s.warn(warnings)
		if len(records) == 0 {
			fmt.Fprintf(s.Streams.Err, "There is no such record since %s.\n", q.since)
		}
		return s.showLogs(records, *out)
	}
	return c
}

// label is a condition on a label; none for an empty value.
func label(name, value string) []string {
	if value == "" {
		return nil
	}
	return []string{name + "=" + value}
}

func (q logQuestion) query(since string) url.Values {
	return given(url.Values{
		"start": {since}, "end": {q.until}, "severity": {q.severity}, "text": q.texts, "limit": {strconv.Itoa(q.most)},
		"label": slices.Concat(q.labels, label("cluster", q.cluster), label("namespace", q.namespace), label("pod", q.pod), label("container", q.container)),
	})
}

// ask returns the records since a time, the oldest first, and what they lack.
func (q logQuestion) ask(ctx context.Context, api *remoteAPI, since string) (found []httpapi.LogRecord, warnings []string, err error) {
	res, err := api.ask(ctx, "/api/v1/logs", q.query(since), "Accept", "application/x-ndjson")
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	found = []httpapi.LogRecord{}
	in := json.NewDecoder(res.Body)
	for {
		var line httpapi.LogLine
		err := in.Decode(&line)
		switch {
		case errors.Is(err, io.EOF):
			slices.Reverse(found)
			return found, warnings, nil
		case err != nil:
			return nil, nil, err
		case line.LogRecord != nil:
			found = append(found, *line.LogRecord)
		}
		warnings = append(warnings, line.Warnings...)
	}
}

func (s *session) showLogs(records []httpapi.LogRecord, out output) error {
	switch out {
	case outJSON:
		encoder := json.NewEncoder(s.Streams.Out)
		for _, r := range records {
			if err := encoder.Encode(r); err != nil {
				return err
			}
		}
		return nil
	case outYAML:
		return out.print(s.Streams.Out, shown{value: records})
	}
	for _, r := range records {
		if _, err := fmt.Fprintln(s.Streams.Out, logText(r)); err != nil {
			return err
		}
	}
	return nil
}

// logText is a record on one line: a body of several lines is indented under it. What would move
// the cursor of a terminal is shown by its number.
func logText(r httpapi.LogRecord) string {
	words := []string{r.Time.UTC().Format("2006-01-02T15:04:05.000Z")}
	if r.Severity != "" {
		words = append(words, fmt.Sprintf("%-5s", r.Severity))
	}
	where := strings.Join(slices.DeleteFunc([]string{
		r.Resource["k8s.cluster.name"], r.Resource["k8s.namespace.name"], r.Resource["k8s.pod.name"],
	}, func(w string) bool { return w == "" }), "/")
	if where != "" {
		words = append(words, where)
	}
	words = append(words, strings.ReplaceAll(strings.TrimRight(r.Body, "\n"), "\n", "\n    "))
	return harmless(strings.Join(words, "  "))
}

// harmless shows control characters by their number: a log line must not draw on a terminal.
func harmless(text string) string {
	if strings.IndexFunc(text, steers) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if steers(r) {
			fmt.Fprintf(&b, `\x%02x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// steers says whether a terminal would do something else than show it.
func steers(r rune) bool {
	return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0
}
