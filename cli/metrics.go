package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/spf13/cobra"

	"portico.dev/portico/server/httpapi"
)

// promAnswer is an answer of Prometheus' HTTP API.
type promAnswer struct {
	Status   string   `json:"status"`
	Data     promData `json:"data"`
	Warnings []string `json:"warnings,omitempty"`
	Infos    []string `json:"infos,omitempty"`
}

type promData struct {
	ResultType string          `json:"resultType"`
	Result     json.RawMessage `json:"result"`
}

// promSeries is a series of an answer: of an instant it has a value, of a range values.
type promSeries struct {
	Metric map[string]string `json:"metric"`
	Value  *promSample       `json:"value,omitempty"`
	Values []promSample      `json:"values,omitempty"`
}

// promSample is a time in seconds, and a number that is written as text.
type promSample [2]any

func (s promSample) time() time.Time {
	at, _ := s[0].(float64)
	return time.UnixMilli(int64(math.Round(at * 1000))).UTC()
}

func (s promSample) value() float64 {
	text, _ := s[1].(string)
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

func metricsCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use: "metrics", Short: "Ask the metrics of all regions", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	at := s.apiFlags(c)
	at.tenantFlag(c)
	c.AddCommand(metricsQueryCommand(at))
	return c
}

func metricsQueryCommand(at *apiFlags) *cobra.Command {
	c := &cobra.Command{
		Use: "query EXPRESSION", Short: "Evaluate an expression of PromQL, now or over a time",
		Long: `Evaluate an expression of PromQL over the stores of all regions. With --range it is evaluated over that time until now: on a
terminal as a line, else a sample a row. A region that does not answer is named, and the answer is without it.`,
		Example: `  portico metrics query 'sum by (cluster) (up)'
  portico metrics query 'sum by (cluster) (rate(container_cpu_usage_seconds_total[5m]))' --range 6h`,
		Args: cobra.ExactArgs(1), ValidArgsFunction: cobra.NoFileCompletions,
	}
	out := outputFlag(c)
	var over, step string
	c.Flags().StringVar(&over, "range", "", "evaluate over this time until now, such as 6h")
	c.Flags().StringVar(&step, "step", "", "the time between two samples of a range (default: a sixtieth of it)")
	c.RunE = func(c *cobra.Command, args []string) error {
		path, query, err := at.promQuestion(args[0], over, step)
		if err != nil {
			return err
		}
		api, err := at.reach(c.Context())
		if err != nil {
			return err
		}
		var answer promAnswer
		if err := api.get(c.Context(), httpapi.MetricsPath+path, query, &answer); err != nil {
			return toldAPI("asking for metrics", err)
		}
		at.warn(slices.Concat(answer.Warnings, answer.Infos))
		if *out == outJSON || *out == outYAML {
			return out.print(at.Streams.Out, shown{value: answer.plain()})
		}
		return at.showMetrics(answer, *out)
	}
	return c
}

// plain is the answer with its result as JSON and YAML show it.
func (a promAnswer) plain() map[string]any {
	var result any
	_ = json.Unmarshal(a.Data.Result, &result) // it came as JSON
	out := map[string]any{"resultType": a.Data.ResultType, "result": result}
	if len(a.Warnings) > 0 {
		out["warnings"] = a.Warnings
	}
	return out
}

// samplesOfRange is how many samples a range has if nobody says.
const samplesOfRange = 60

func (f *apiFlags) promQuestion(expression, over, step string) (path string, query url.Values, err error) {
	now := f.Now()
	query = url.Values{"query": {expression}}
	if over == "" {
		if step != "" {
			return "", nil, usageError{errors.New("--step is the step of a range: give --range too")}
		}
		query.Set("time", seconds(now))
		return "/api/v1/query", query, nil
	}
	span, err := model.ParseDuration(over)
	if err != nil || span <= 0 {
		return "", nil, usageError{fmt.Errorf("--range %q: expected a duration such as 6h", over)}
	}
	grid := model.Duration((time.Duration(span) / samplesOfRange).Truncate(time.Second)).String()
	if time.Duration(span)/samplesOfRange < time.Second {
		grid = "1s"
	}
	if step != "" {
		grid = step
	}
	query.Set("start", seconds(now.Add(-time.Duration(span))))
	query.Set("end", seconds(now))
	query.Set("step", grid)
	return "/api/v1/query_range", query, nil
}

func seconds(t time.Time) string {
	return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', -1, 64)
}

// showMetrics shows an answer to a person.
func (f *apiFlags) showMetrics(answer promAnswer, out output) error {
	var all []promSeries
	switch answer.Data.ResultType {
	case "scalar", "string":
		var one promSample
		if err := json.Unmarshal(answer.Data.Result, &one); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		_, err := fmt.Fprintln(f.Streams.Out, one[1])
		return err
	default:
		if err := json.Unmarshal(answer.Data.Result, &all); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
	}
	if len(all) == 0 {
		fmt.Fprintln(f.Streams.Err, "No series matches.")
	}
	if answer.Data.ResultType == "matrix" {
		return out.print(f.Streams.Out, rangeTable(all, onTerminal(f.Streams.Out)))
	}
	table := shown{columns: []string{"SERIES", "VALUE"}}
	for _, s := range all {
		if s.Value != nil {
			table.rows = append(table.rows, []string{seriesName(s.Metric), fmt.Sprint(s.Value[1])})
		}
	}
	return out.print(f.Streams.Out, table)
}

// sparkWidth is how wide a sparkline is at most.
const sparkWidth = 60

func rangeTable(all []promSeries, drawn bool) shown {
	if !drawn {
		table := shown{columns: []string{"SERIES", "TIME", "VALUE"}}
		for _, s := range all {
			for _, sample := range s.Values {
				table.rows = append(table.rows, []string{seriesName(s.Metric), sample.time().Format(time.RFC3339), fmt.Sprint(sample[1])})
			}
		}
		return table
	}
	table := shown{columns: []string{"SERIES", "", "LEAST", "MOST", "LAST"}}
	for _, s := range all {
		low, high, values := math.Inf(1), math.Inf(-1), make([]float64, len(s.Values))
		for i, sample := range s.Values {
			values[i] = sample.value()
			if finite(values[i]) {
				low, high = min(low, values[i]), max(high, values[i])
			}
		}
		if len(values) == 0 {
			continue
		}
		table.rows = append(table.rows, []string{seriesName(s.Metric), sparkline(values, sparkWidth), short(low), short(high), short(values[len(values)-1])})
	}
	return table
}

// short is a number of four digits that count.
func short(v float64) string {
	if !finite(v) {
		return "-"
	}
	return strconv.FormatFloat(v, 'g', 4, 64)
}

// seriesName writes the labels of a series as PromQL does.
func seriesName(metric map[string]string) string {
	labels := make([]string, 0, len(metric))
	for name, value := range metric {
		if name != "__name__" {
			labels = append(labels, name+"="+strconv.Quote(value))
		}
	}
	slices.Sort(labels)
	return metric["__name__"] + "{" + strings.Join(labels, ", ") + "}"
}
