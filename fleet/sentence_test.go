package fleet_test

import (
	"errors"
	"fmt"
	"testing"

	"portico.dev/portico/fleet"
)

func TestSentence(t *testing.T) {
	tests := []struct {
		name, why, want string
		err             error
	}{
		{"Invalid", "The reader sees what to mend, not how we call it.", "chart x: no values schema", fmt.Errorf("chart x: %w: no values schema", fleet.ErrInvalid)},
		{"NotYet", "The same for what has to wait.", "chart x: not fetched", fmt.Errorf("chart x: %w: not fetched", fleet.ErrNotYet)},
		{"Other", "Words that only look like a kind stay.", "invalid: token", errors.New("invalid: token")},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := fleet.Sentence(tc.err); got != tc.want {
				t.Errorf("%s\nSentence(%v) = %q, want %q", tc.why, tc.err, got, tc.want)
			}
		})
	}
}
