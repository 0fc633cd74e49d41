package pace_test

import (
	"testing"
	"time"

	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/pace"
)

func TestSee(t *testing.T) {
	now := time.Unix(1000, 0)
	tests := []struct {
		name, why string
		health    *pace.Health
		seen      bool
		want      pace.Sight
	}{
		{"Unseen", "Nobody has looked, and nobody knew it before.", nil, false, pace.Sight{Look: true, State: engine.Unseen}},
		{"Installed", "It was just installed.", nil, true, pace.Sight{Look: true, State: engine.Provisioning, Message: "checking what was installed"}},
		{"Ready", "It runs.", &pace.Health{Ready: true}, true, pace.Sight{State: engine.Deployed}},
		{"Rests", "It was looked at a moment ago.", &pace.Health{Message: "no pods", At: now, Looks: 3}, true, pace.Sight{State: engine.Provisioning, Message: "no pods", At: now.Add(4 * time.Second)}},
		{"Again", "The time has come.", &pace.Health{Message: "no pods", At: now.Add(-30 * time.Second), Looks: 100}, true, pace.Sight{Look: true, State: engine.Provisioning, Message: "no pods"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := pace.See(tc.health, tc.seen, now); got != tc.want {
				t.Errorf("%s\ngot  %+v\nwant %+v", tc.why, got, tc.want)
			}
		})
	}
}
