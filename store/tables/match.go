package tables

import (
	"fmt"
	"regexp"
	"strings"

	"portico.dev/portico/store/row"
)

// Op says how a matcher compares.
type Op string

// The operators of matchers, as PromQL writes them.
const (
	Equal    Op = "="
	NotEqual Op = "!="
	Like     Op = "=~"
	NotLike  Op = "!~"
)

// Matcher is a condition on an attribute. A name that is not there has the empty value.
type Matcher struct {
	Name  string
	Op    Op
	Value string
	like  *regexp.Regexp
}

// NewMatcher returns a matcher. The error says what is wrong with a regular expression.
func NewMatcher(name string, op Op, value string) (Matcher, error) {
	m := Matcher{Name: name, Op: op, Value: value}
	if op != Like && op != NotLike {
		return m, nil
	}
	like, err := regexp.Compile("^(?s:" + value + ")$")
	if err != nil {
		return Matcher{}, fmt.Errorf("label %s: %w", name, err)
	}
	m.like = like
	return m, nil
}

func (m Matcher) matches(value string) bool {
	switch m.Op {
	case Equal:
		return value == m.Value
	case NotEqual:
		return value != m.Value
	case Like:
		return m.like.MatchString(value)
	case NotLike:
		return !m.like.MatchString(value)
	}
	return false
}

// longName is the name in OpenTelemetry of what people write short.
var longName = map[string]string{
	"cluster":   "k8s.cluster.name",
	"namespace": "k8s.namespace.name",
	"pod":       "k8s.pod.name",
	"container": "k8s.container.name",
	"node":      "k8s.node.name",
	"service":   "service.name",
}

// spellings are the names under which an attribute may stand, the first one found counts.
func spellings(name string) []string {
	if long, ok := longName[name]; ok {
		return []string{name, long}
	}
	return []string{name}
}

// verdict is what matchers say of a stream.
type verdict int

const (
	no verdict = iota
	yes
	// perRow means that the stream has no such attribute, and rows may have it.
	perRow
)

// judge says whether the rows of a stream match, on a day whose rows carry these names themselves.
func (m Matcher) judge(stream row.Attributes, carried func(string) bool) verdict {
	for _, name := range spellings(m.Name) {
		found, ok := stream.Get(name)
		if ok {
			return m.verdict(found)
		}
	}
	for _, name := range spellings(m.Name) {
		if carried(name) {
			return perRow
		}
	}
	return m.verdict("")
}

func (m Matcher) verdict(value string) verdict {
	if m.matches(value) {
		return yes
	}
	return no
}

// clause is a part of a WHERE with its parameters.
type clause struct {
	text string
	args []any
}

func and(clauses ...clause) clause { return join(" AND ", clauses) }
func or(clauses ...clause) clause  { return join(" OR ", clauses) }

func join(word string, clauses []clause) clause {
	var texts []string
	var args []any
	for _, c := range clauses {
		texts, args = append(texts, c.text), append(args, c.args...)
	}
	if len(texts) == 1 {
		return clause{texts[0], args}
	}
	return clause{"(" + strings.Join(texts, word) + ")", args}
}

func not(c clause) clause { return clause{"NOT (" + c.text + ")", c.args} }

// onRow is the matcher as a condition on the attributes that a row carries itself.
func (m Matcher) onRow() clause {
	switch m.Op {
	case Equal:
		return m.equalOnRow()
	case NotEqual:
		return not(m.equalOnRow())
	case Like:
		return m.likeOnRow()
	}
	return not(m.likeOnRow())
}

func (m Matcher) equalOnRow() clause {
	var has []clause
	for _, name := range spellings(m.Name) {
		has = append(has, clause{"contains(attributes, ?)", []any{row.Pair(name, m.Value)}})
	}
	if m.Value != "" {
		return or(has...)
	}
	var absent []clause
	for _, name := range spellings(m.Name) {
		absent = append(absent, clause{"NOT contains(attributes, ?)", []any{row.Name(name)}})
	}
	return or(append(has, and(absent...))...)
}

func (m Matcher) likeOnRow() clause {
	var alternatives []string
	for _, name := range spellings(m.Name) {
		alternatives = append(alternatives, regexp.QuoteMeta(name))
	}
	value := "(?:" + strings.Join(alternatives, "|") + ")"
	return clause{
		"regexp_full_match(regexp_extract(attributes, ?, 1), ?, 's')",
		[]any{row.ValuePattern(value), m.Value},
	}
}
