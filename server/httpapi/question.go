package httpapi

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/fleet"
)

// short are words that people write for OpenTelemetry's names.
var short = map[string]string{
	"cluster": "k8s.cluster.name", "namespace": "k8s.namespace.name", "pod": "k8s.pod.name",
	"container": "k8s.container.name", "node": "k8s.node.name",
}

// spanOf reads the bounds of time of a question. The error is of kind fleet.ErrInvalid.
func spanOf(query url.Values, now time.Time) (start, end time.Time, err error) {
	if start, err = timeOf("start", firstOf(query.Get("start"), "1h"), now); err != nil {
		return start, end, err
	}
	if end, err = timeOf("end", firstOf(query.Get("end"), "0s"), now); err != nil {
		return start, end, err
	}
	if !start.Before(end) {
		return start, end, fmt.Errorf("%w: start %s is not before end %s", fleet.ErrInvalid, start.UTC().Format(time.RFC3339Nano), end.UTC().Format(time.RFC3339Nano))
	}
	return start, end, nil
}

// timeOf reads a time: RFC 3339, seconds since 1970, or how long ago.
func timeOf(name, text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	if seconds, err := strconv.ParseFloat(text, 64); err == nil && seconds >= 0 && seconds < 1e11 {
		whole := int64(seconds)
		return time.Unix(whole, int64((seconds-float64(whole))*1e9)), nil
	}
	if text == "0s" {
		return now, nil
	}
	if ago, err := model.ParseDuration(strings.TrimPrefix(text, "-")); err == nil {
		return now.Add(-time.Duration(ago)), nil
	}
	return time.Time{}, fmt.Errorf("%w: %s %q: expected a time such as 2026-06-01T12:00:00Z, seconds since 1970, or how long ago, such as 1h", fleet.ErrInvalid, name, text)
}

// matchersOf reads conditions on labels. The error is of kind fleet.ErrInvalid.
func matchersOf(texts []string) ([]*labels.Matcher, error) {
	var out []*labels.Matcher
	for _, text := range texts {
		m, err := matcherOf(text)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func matcherOf(text string) (*labels.Matcher, error) {
	i := strings.IndexAny(text, "=!")
	if i <= 0 {
		return nil, fmt.Errorf("%w: label %q: expected name=value, name!=value, name=~regexp or name!~regexp", fleet.ErrInvalid, text)
	}
	name, rest := strings.TrimSpace(text[:i]), text[i:]
	for _, op := range []struct {
		sign string
		kind labels.MatchType
	}{{"=~", labels.MatchRegexp}, {"!~", labels.MatchNotRegexp}, {"!=", labels.MatchNotEqual}, {"=", labels.MatchEqual}} {
		value, ok := strings.CutPrefix(rest, op.sign)
		if !ok {
			continue
		}
		m, err := labels.NewMatcher(op.kind, firstOf(short[name], name), strings.TrimSpace(value))
		if err != nil {
			return nil, fmt.Errorf("%w: label %q: %w", fleet.ErrInvalid, text, err)
		}
		return m, nil
	}
	return nil, fmt.Errorf("%w: label %q: expected =, !=, =~ or !~ after its name", fleet.ErrInvalid, text)
}

// limitOf reads how many are wanted.
func limitOf(query url.Values, usual, most int) (int, error) {
	text := query.Get("limit")
	if text == "" {
		return usual, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, fmt.Errorf("%w: limit %q: expected 1 to %d", fleet.ErrInvalid, text, most)
	}
	return n, nil
}

// severities are OpenTelemetry's words for ranges of numbers, by the least of each.
var severities = map[string]int{"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARN": 13, "WARNING": 13, "ERROR": 17, "FATAL": 21}

func severityOf(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	if n, known := severities[strings.ToUpper(text)]; known {
		return n, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 24 {
		return 0, fmt.Errorf("%w: severity %q: expected TRACE, DEBUG, INFO, WARN, ERROR or FATAL, or a number up to 24", fleet.ErrInvalid, text)
	}
	return n, nil
}

// SeverityWord is OpenTelemetry's word for a severity number; empty for none.
func SeverityWord(n int) string {
	switch {
	case n <= 0:
		return ""
	case n < 5:
		return "TRACE"
	case n < 9:
		return "DEBUG"
	case n < 13:
		return "INFO"
	case n < 17:
		return "WARN"
	case n < 21:
		return "ERROR"
	}
	return "FATAL"
}
