package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/server/explain"
)

// output is the value of the flag -o.
type output string

// The forms of output.
const (
	outTable output = "table"
	outJSON  output = "json"
	outYAML  output = "yaml"
	outName  output = "name"
)

func (o *output) String() string { return string(*o) }

// Type is what the help text calls the value.
func (o *output) Type() string { return "table|json|yaml|name" }

// Set takes one of the four words.
func (o *output) Set(s string) error {
	switch output(s) {
	case outTable, outJSON, outYAML, outName:
		*o = output(s)
		return nil
	}
	return fmt.Errorf("must be table, json, yaml or name")
}

// outputFlag gives c the flag -o.
func outputFlag(c *cobra.Command) *output {
	o := outTable
	c.Flags().VarP(&o, "output", "o", "form of the output")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"table", "json", "yaml", "name"}, cobra.ShellCompDirectiveNoFileComp))
	return &o
}

// shown is something that a command shows.
type shown struct {
	// value is what json and yaml show.
	value any
	// columns and rows are the table; the first column names the row.
	columns []string
	rows    [][]string
	// names are what -o name shows, one a line; empty means the first column.
	names []string
}

// facts adds what is known of one thing, a FIELD and its VALUE a row: a blank row before all
// but the first thing, and no row where there is no value.
func (s *shown) facts(rows ...[]string) {
	if len(s.rows) > 0 {
		s.rows = append(s.rows, []string{"", ""})
	}
	for _, row := range rows {
		if row[1] != "" {
			s.rows = append(s.rows, row)
		}
	}
}

func (o output) print(w io.Writer, s shown) error {
	switch o {
	case outJSON:
		b, err := json.MarshalIndent(s.value, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", b)
		return err
	case outYAML:
		b, err := yaml.Marshal(s.value)
		if err != nil {
			return err
		}
		_, err = w.Write(b)
		return err
	case outName:
		return s.printNames(w)
	}
	return s.printTable(w)
}

func (s shown) printNames(w io.Writer) error {
	names := s.names
	if names == nil {
		for _, row := range s.rows {
			names = append(names, row[0])
		}
	}
	for _, n := range names {
		if _, err := fmt.Fprintln(w, n); err != nil {
			return err
		}
	}
	return nil
}

func (s shown) printTable(w io.Writer) error {
	var text strings.Builder
	t := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	for _, row := range append([][]string{s.columns}, s.rows...) {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := fmt.Fprintln(w, strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// age is the time since t in the largest two units that count.
func age(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return explain.Age(now.Sub(t))
}

// mebibytes is a number of bytes as MiB.
func mebibytes(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return fmt.Sprintf("%d MiB", (bytes+1<<19)>>20)
}
