package deployment

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
)

func TestPause(t *testing.T) {
	var got []time.Duration
	for failed := range 8 {
		got = append(got, Tries{Failed: failed}.pause()/time.Minute)
	}
	if diff := cmp.Diff([]time.Duration{1, 1, 2, 4, 8, 15, 15, 15}, got); diff != "" {
		t.Errorf("minutes after so many failures (-want +got):\n%s", diff)
	}
}

func TestAttempts(t *testing.T) {
	now := time.Unix(100, 0)
	key := types.NamespacedName{Namespace: "team", Name: "dev"}
	invalid := fmt.Errorf("%w: x", fleet.ErrInvalid)
	failing := Outcome{Failed: ApplyRelease{}, Err: invalid}
	tests := []struct {
		name, why string
		outcomes  []Outcome
		digest    string
		want      Tries
	}{
		{"Counted", "Each attempt that fails counts.", []Outcome{failing, failing}, "d1", Tries{2, now, "x"}},
		{"AnyError", "A revision that failed counts, whatever the error.",
			[]Outcome{{Failed: ApplyRelease{}, Err: errors.New("timeout"), Release: helm.State{Status: helm.Failed, Since: now, Message: "too slow"}}}, "d1", Tries{1, now, "too slow"}},
		{"NotBegun", "Where the world has to move first, nothing was tried.",
			[]Outcome{{Failed: ApplyRelease{}, Err: fleet.ErrNotYet}, {Failed: ApplyRelease{}, Err: errors.New("no answer"), Release: helm.State{Status: helm.Failed}}}, "d1", Tries{}},
		{"Other", "Other operations do not count.", []Outcome{{Failed: Claim{}, Err: invalid}}, "d1", Tries{}},
		{"Success", "A success ends the row.", []Outcome{failing, {Done: []Operation{ApplyRelease{}}}}, "d1", Tries{}},
		{"Changed", "Another release has not failed yet.", []Outcome{failing}, "d2", Tries{}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			a := newAttempts()
			for _, done := range tc.outcomes {
				a.note(key, Observed{Now: now, Rendering: &Rendering{Digest: "d1"}}, done)
			}
			if diff := cmp.Diff(tc.want, a.of(key, tc.digest)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}
