package values

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"regexp/syntax"
	"strings"
)

// guard says before a function is called how large its result will be at most, and what it costs
// beside looking at its arguments.
type guard func(args []any) (size, work int, err error)

// guards are those of the functions whose result or work may be larger than what they are given.
var guards = map[string]guard{
	"repeat":  func(a []any) (int, int, error) { return times(number(a[0]), len(text(a[1]))), 0, nil },
	"indent":  indented,
	"nindent": indented,
	"replace": func(a []any) (int, int, error) {
		return len(text(a[2])) + times(strings.Count(text(a[2]), text(a[0])), len(text(a[1]))), 0, nil
	},
	"join":     func(a []any) (int, int, error) { return times(length(a[1]), len(text(a[0]))), 0, nil },
	"wrapWith": func(a []any) (int, int, error) { return times(len(text(a[2]))+1, len(text(a[1]))+2), 0, nil },
	"printf":   printed,

	"until":     func(a []any) (int, int, error) { return counted(0, number(a[0]), 1) },
	"untilStep": func(a []any) (int, int, error) { return counted(number(a[0]), number(a[1]), number(a[2])) },
	"seq":       sequence,
	"chunk":     chunked, "mustChunk": chunked,

	"uniq": quadratic, "mustUniq": quadratic, "without": crossed, "mustWithout": crossed,

	"regexMatch": searched, "mustRegexMatch": searched, "regexFind": searched, "mustRegexFind": searched,
	"regexFindAll": searched, "mustRegexFindAll": searched, "regexSplit": searched, "mustRegexSplit": searched,
	"regexReplaceAll": replaced, "mustRegexReplaceAll": replaced,
	"regexReplaceAllLiteral": replaced, "mustRegexReplaceAllLiteral": replaced,

	// scrypt takes a while on purpose.
	"derivePassword": func([]any) (int, int, error) { return 0, 4 << 20, nil },
}

func number(v any) int {
	n, _ := v.(int)
	return n
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

func length(v any) int {
	if r := reflect.ValueOf(v); r.Kind() == reflect.Slice || r.Kind() == reflect.Array {
		return r.Len()
	}
	return 1
}

// times multiplies, and stays at the largest number.
func times(a, b int) int {
	switch {
	case a <= 0 || b <= 0:
		return 0
	case a > math.MaxInt/b:
		return math.MaxInt
	}
	return a * b
}

func indented(a []any) (int, int, error) {
	return times(number(a[0]), strings.Count(text(a[1]), "\n")+2), 0, nil
}

// counted are the numbers from one to another.
func counted(from, to, by int) (int, int, error) {
	const large = 1 << 31
	for _, n := range []int{from, to, by} {
		if n > large || n < -large {
			return 0, 0, tooLarge()
		}
	}
	if by == 0 {
		return 0, 0, nil
	}
	return times((to-from)/by+1, elementWeight), 0, nil
}

// sequence has the last but one of three as its step.
func sequence(a []any) (int, int, error) {
	switch len(a) {
	case 1:
		return counted(min(1, number(a[0])), max(1, number(a[0])), 1)
	case 2:
		return counted(min(number(a[0]), number(a[1])), max(number(a[0]), number(a[1])), 1)
	case 3:
		return counted(number(a[0]), number(a[2]), number(a[1]))
	}
	return 0, 0, nil
}

func chunked(a []any) (int, int, error) {
	if number(a[0]) < 1 {
		return 0, 0, errors.New("a chunk has one element at least")
	}
	return 0, 0, nil
}

// quadratic functions compare each element with each.
func quadratic(a []any) (int, int, error) { return 0, times(times(length(a[0]), length(a[0])), 8), nil }

func crossed(a []any) (int, int, error) { return 0, times(times(length(a[0]), len(a)), 8), nil }

var (
	verbs = regexp.MustCompile(`%[^%a-zA-Z]*`)
	wide  = regexp.MustCompile(`[0-9]{4}|\*`)
)

// printed is the size of a formatted text: each verb may write the largest of the arguments.
func printed(a []any) (int, int, error) {
	largest := 0
	for _, arg := range a[1:] {
		largest = max(largest, maxValue-weigh(reflect.ValueOf(arg), maxValue, maxDepth))
	}
	all := verbs.FindAllString(text(a[0]), -1)
	for _, verb := range all {
		if wide.MatchString(verb) {
			return 0, 0, fmt.Errorf("%q is too wide: write at most 999", shorten(verb))
		}
	}
	if len(all) <= len(a)-1 && !strings.Contains(text(a[0]), "[") {
		return times(len(all), 1000), 0, nil // no argument is written twice
	}
	return times(len(all), largest+1000), 0, nil
}

// searched is the work of looking for a pattern: each byte is held against each of its steps.
func searched(a []any) (int, int, error) {
	parsed, err := syntax.Parse(text(a[0]), syntax.Perl)
	if err != nil {
		return 0, 0, fmt.Errorf("%q is not a regular expression: %w", shorten(text(a[0])), err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, 0, err
	}
	return 0, times(len(program.Inst), 1+len(text(a[1]))), nil
}

// replaced is the size of a text after each match was replaced by a text that may quote it.
func replaced(a []any) (int, int, error) {
	_, work, err := searched(a)
	if err != nil {
		return 0, 0, err
	}
	pattern, err := regexp.Compile(text(a[0]))
	if err != nil {
		return 0, 0, err
	}
	if work > budget {
		return 0, work, nil // too much even to count the matches
	}
	matches, with := len(pattern.FindAllStringIndex(text(a[1]), -1)), text(a[2])
	size := times(len(text(a[1])), strings.Count(with, "$")+1) + times(matches, len(with))
	return size, times(2, work), nil
}
