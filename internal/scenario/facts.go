package scenario

import (
	"errors"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/fleet"
)

// Failure is an error as a scenario writes it.
type Failure struct {
	// Error is its text; empty means that there is none.
	Error string `json:"error,omitempty"`
	// Kind is invalid or not-yet, as fleet knows them, or empty.
	Kind string `json:"kind,omitempty"`
}

// Err is the error.
func (f Failure) Err() error {
	switch {
	case f.Error == "":
		return nil
	case f.Kind == "invalid":
		return fmt.Errorf("%w: %s", fleet.ErrInvalid, f.Error)
	case f.Kind == "not-yet":
		return fmt.Errorf("%w: %s", fleet.ErrNotYet, f.Error)
	}
	return errors.New(f.Error)
}

// Lines is a section with a line for each item.
func Lines[T fmt.Stringer](name string, items []T) Section {
	var lines []string
	for _, item := range items {
		lines = append(lines, item.String())
	}
	return Text(name, lines...)
}

// Conditions is a section with a line for each condition.
func Conditions(name string, conditions []metav1.Condition) Section {
	return Text(name, ConditionLines(conditions)...)
}

// ConditionLines are the lines of Conditions.
func ConditionLines(conditions []metav1.Condition) []string {
	var lines []string
	for _, c := range conditions {
		lines = append(lines, fmt.Sprintf("%s=%s  %s  %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return lines
}

// DatedConditions is a section with the conditions and the times at which they turned, each message
// on lines of its own.
func DatedConditions(name string, conditions []metav1.Condition) Section {
	var lines []string
	for _, c := range conditions {
		lines = append(lines, fmt.Sprintf("%s=%s %s since %s", c.Type, c.Status, c.Reason, c.LastTransitionTime.UTC().Format(time.TimeOnly)))
		if c.Message != "" {
			lines = append(lines, "    "+strings.ReplaceAll(c.Message, "\n", "\n    "))
		}
	}
	return Text(name, lines...)
}
