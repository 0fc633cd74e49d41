package values

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"portico.dev/portico/fleet"
)

// mistake is what is wrong with a template, for its author.
type mistake struct {
	// what names the template, text is the template, at the place in it; below zero for none.
	what, text string
	at         int
	reason     string
	todo       string
}

// err is the mistake as an error: where, which expression, why, and what to do.
func (m mistake) err() error {
	where := ""
	if m.text != "" && m.at >= 0 && m.at <= len(m.text) {
		where = fmt.Sprintf(", line %d, %s", 1+strings.Count(m.text[:m.at], "\n"), expression(m.text, m.at))
	}
	todo := ""
	if m.todo != "" {
		todo = ": " + m.todo
	}
	return fmt.Errorf("evaluating %s%s: %w: %s%s", m.what, where, fleet.ErrInvalid, m.reason, todo)
}

// expression is the one at or around a place, cut short; else the line.
func expression(text string, at int) string {
	from := max(0, at-512)
	if begin := strings.LastIndex(text[from:min(at+2, len(text))], "{{"); begin >= 0 {
		begin += from
		if end := strings.Index(text[begin:], "}}"); end >= 0 && begin+end+2 > at {
			return shorten(text[begin : begin+end+2])
		}
	}
	line := text[strings.LastIndex(text[:at], "\n")+1:]
	line, _, _ = strings.Cut(line, "\n")
	return shorten(strings.TrimSpace(line))
}

func shorten(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " ")
	if runes := []rune(text); len(runes) > 80 {
		return string(runes[:80]) + "…"
	}
	return text
}

// What text/template writes before the reason: its own name, the line, and the column in bytes;
// then which part, and at which node.
var (
	parseError = regexp.MustCompile(`^template: ` + name + `:(\d+)(?::(\d+))?: (?s:(.*))$`)
	execReason = regexp.MustCompile(`^executing "[^"]*" at <(?s:.*?)>: (?s:(.*))$`)
	noFunction = regexp.MustCompile(`^function "([^"]*)" not defined$`)
	noKey      = regexp.MustCompile(`(?:map has|no) entry for key "([^"]*)"`)
)

// explain writes an error of text/template for the author of the template.
func explain(what, text string, err error) error {
	m := mistake{what: what, text: text, at: -1, reason: err.Error()}
	if parts := parseError.FindStringSubmatch(m.reason); parts != nil {
		m.at, m.reason = place(text, parts[1], parts[2]), parts[3]
	}
	if parts := execReason.FindStringSubmatch(m.reason); parts != nil {
		m.reason = parts[1]
	}
	var cost *tooMuch
	var call template.ExecError
	switch {
	case errors.As(err, &cost):
		m.reason, m.todo = cost.reason, cost.todo
	case noFunction.MatchString(m.reason):
		m.reason = fmt.Sprintf("there is no function %s", noFunction.FindStringSubmatch(m.reason)[1])
		m.todo = "write one of k0rdent's functions for values"
	case noKey.MatchString(m.reason):
		m.reason = fmt.Sprintf("there is no field %s", noKey.FindStringSubmatch(m.reason)[1])
		m.todo = "correct its name, or ask with hasKey or dig whether it is there"
	case errors.As(err, &call):
		m.todo = "correct the expression"
	default:
		m.todo = "correct the line"
	}
	return m.err()
}

// place is the offset of a line, and of a column in bytes if it is known.
func place(text, line, column string) int {
	l, err := strconv.Atoi(line)
	if err != nil {
		return -1
	}
	at := 0
	for range l - 1 {
		next := strings.Index(text[at:], "\n")
		if next < 0 {
			return at
		}
		at += next + 1
	}
	if c, err := strconv.Atoi(column); err == nil {
		return min(at+c, len(text))
	}
	return at
}
