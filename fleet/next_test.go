package fleet_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"portico.dev/portico/fleet"
)

func TestNextOf(t *testing.T) {
	tests := []struct {
		name, why string
		err       error
		want      fleet.Next
		ok        bool
	}{
		{"None", "Without an error there is nothing to do.", nil, fleet.Done(), true},
		{"Invalid", "Only the user can mend it, so we stop and say why.", fmt.Errorf("template x: %w", fleet.ErrInvalid), fleet.Stop("template x: invalid"), true},
		{"NotYet", "An event will come, so nobody polls.", fmt.Errorf("chart: %w", fleet.ErrNotYet), fleet.Wait("chart: not yet", 0), true},
		{"Other", "Everything else is retried with back-off.", errors.New("connection refused"), fleet.Next{}, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := fleet.NextOf(tc.err)
			if got != tc.want || ok != tc.ok {
				t.Errorf("%s\nNextOf(%v) = %+v, %v; want %+v, %v", tc.why, tc.err, got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestNextWords(t *testing.T) {
	if d, ok := fleet.Wait("the chart", time.Minute).Waiting(); !ok || d != time.Minute {
		t.Errorf("Waiting() = %v, %v; want 1m, true", d, ok)
	}
	if fleet.Done().Stopped() || !fleet.Stop("x").Stopped() {
		t.Error("Stopped() is true for Stop alone")
	}
}
