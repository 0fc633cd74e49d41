package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
)

func main() { os.Exit(report(os.Stdin, os.Stdout)) }

// event is one of `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// test names a test of a package; without a name it is the package itself.
type test struct{ pkg, name string }

// results are what was heard so far.
type results struct {
	out     io.Writer
	said    map[test]string // of what has not ended
	skipped []string
}

// report returns the status that the tests ended with: 1 if it was not told.
func report(in io.Reader, out io.Writer) int {
	status := 1
	r := results{out: out, said: map[test]string{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 64<<20) // a test may say a lot on one line
	for lines.Scan() {
		var e event
		if text, ok := strings.CutPrefix(lines.Text(), "exit-status "); ok {
			if n, err := strconv.Atoi(text); err == nil {
				status = n
			}
		} else if json.Unmarshal(lines.Bytes(), &e) == nil {
			r.take(e)
		} else {
			fmt.Fprintln(out, lines.Text()) // go's own words
		}
	}
	if len(r.skipped) > 0 {
		fmt.Fprintf(out, "skipped: %d\n%s", len(r.skipped), strings.Join(r.skipped, ""))
	}
	if err := lines.Err(); err != nil {
		fmt.Fprintln(out, "reading the events:", err)
		return 1
	}
	return status
}

func (r *results) take(e event) {
	of := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
		return
	case "output":
		if !strings.HasPrefix(e.Output, "=== ") {
			r.said[of] += e.Output
		}
		return
	case "fail":
		fmt.Fprint(r.out, r.said[of])
	case "skip":
		if e.Test == "" { // it has no tests
			fmt.Fprint(r.out, r.said[of])
		} else {
			r.skipped = append(r.skipped, fmt.Sprintf("  %s %s: %s\n", e.Package, e.Test, reason(r.said[of])))
		}
	case "pass":
		if e.Test == "" {
			fmt.Fprint(r.out, verdict(r.said[of]))
		}
	default:
		return
	}
	delete(r.said, of)
}

// verdict is the one line that a package which passed is worth.
func verdict(said string) string {
	for line := range strings.Lines(said) {
		if strings.HasPrefix(line, "ok ") {
			return line
		}
	}
	return said
}

// place is how testing begins what a test says.
var place = regexp.MustCompile(`^\s*[^ :]+\.go:\d+: `)

// reason is what a skipped test said.
func reason(said string) string {
	for line := range strings.Lines(said) {
		if at := place.FindString(line); at != "" {
			return strings.TrimSpace(line[len(at):])
		}
	}
	return "it does not say why"
}
