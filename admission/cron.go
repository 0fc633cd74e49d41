package admission

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // so that a zone is known on machines without a time zone database
)

type cronField struct {
	name     string
	min, max int
	words    []string // stand for min, min+1, …
}

var cronFields = []cronField{
	{name: "minute", min: 0, max: 59},
	{name: "hour", min: 0, max: 23},
	{name: "day of month", min: 1, max: 31},
	{name: "month", min: 1, max: 12, words: strings.Fields("jan feb mar apr may jun jul aug sep oct nov dec")},
	{name: "day of week", min: 0, max: 6, words: strings.Fields("sun mon tue wed thu fri sat")},
}

var cronWords = []string{"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}

// cronProblem says what is wrong with a schedule; empty if nothing is.
func cronProblem(schedule string) string {
	if first, rest, ok := strings.Cut(schedule, " "); ok && (strings.HasPrefix(first, "TZ=") || strings.HasPrefix(first, "CRON_TZ=")) {
		_, zone, _ := strings.Cut(first, "=")
		if _, err := time.LoadLocation(zone); err != nil {
			return fmt.Sprintf("%q is no time zone", zone)
		}
		schedule = strings.TrimSpace(rest)
	}
	if every, ok := strings.CutPrefix(schedule, "@every "); ok {
		if d, err := time.ParseDuration(every); err != nil || d <= 0 {
			return fmt.Sprintf("%q is no duration", every)
		}
		return ""
	}
	if strings.HasPrefix(schedule, "@") {
		if !slices.Contains(cronWords, schedule) {
			return fmt.Sprintf("%q is none of %s", schedule, strings.Join(cronWords, ", "))
		}
		return ""
	}
	parts := strings.Fields(schedule)
	if len(parts) != len(cronFields) {
		return fmt.Sprintf("%d fields", len(parts))
	}
	for i, f := range cronFields {
		for item := range strings.SplitSeq(parts[i], ",") {
			if !f.accepts(item) {
				return fmt.Sprintf("%q is no %s", item, f.name)
			}
		}
	}
	return ""
}

// accepts one item of a list: a number, a range or a star, with a step or without.
func (f cronField) accepts(item string) bool {
	span, step, stepped := strings.Cut(item, "/")
	if stepped {
		if n, err := strconv.Atoi(step); err != nil || n < 1 {
			return false
		}
	}
	if span == "*" || span == "?" {
		return true
	}
	first, last, ranged := strings.Cut(span, "-")
	from, ok := f.number(first)
	if !ok || !ranged {
		return ok
	}
	to, ok := f.number(last)
	return ok && from <= to
}

func (f cronField) number(text string) (int, bool) {
	if i := slices.Index(f.words, strings.ToLower(text)); i >= 0 {
		return f.min + i, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= f.min && n <= f.max
}
