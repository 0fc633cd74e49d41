package deployment

import (
	"errors"
	"fmt"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"portico.dev/portico/fleet"
)

func TestAfter(t *testing.T) {
	invalid := fmt.Errorf("x: %w", fleet.ErrInvalid)
	broken := errors.New("connection refused")
	plan := Plan{Next: fleet.Wait("the Cluster to be gone", 0)}
	tests := []struct {
		name, why string
		done      Outcome
		want      fleet.Next
		err       error
	}{
		{"Fine", "Nothing failed: the plan goes on.", Outcome{}, plan.Next, nil},
		{"Release", "A release that is refused rests: no event tells that it would be taken now.",
			Outcome{Failed: ApplyRelease{}, Err: invalid}, fleet.Wait(invalid.Error(), retryAfter), nil},
		{"Removal", "The same for its removal: a deletion must not hang.",
			Outcome{Failed: RemoveRelease{}, Err: invalid}, fleet.Wait(invalid.Error(), retryAfter), nil},
		{"Other", "What nobody knows is tried again with back-off.", Outcome{Failed: RemoveRelease{}, Err: broken}, plan.Next, broken},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			next, err := after(plan, tc.done)
			if next != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("%s\nafter = %+v, %v; want %+v, %v", tc.why, next, err, tc.want, tc.err)
			}
		})
	}
}

func TestOutrun(t *testing.T) {
	conflict := fmt.Errorf("writing: %w", apierrors.NewConflict(schema.GroupResource{}, "dev", errors.New("changed")))
	tests := []struct {
		name, why string
		done      Outcome
		want      bool
	}{
		{"Claim", "Somebody was faster: nothing of that is worth a status.", Outcome{Failed: Claim{}, Err: conflict}, true},
		{"Release", "A conflict over a field of the chart's objects is the user's to know.", Outcome{Failed: ApplyRelease{}, Err: conflict}, false},
		{"Other", "Another error is told.", Outcome{Failed: Claim{}, Err: errors.New("forbidden")}, false},
		{"Fine", "Nothing failed.", Outcome{}, false},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if got := outrun(tc.done); got != tc.want {
				t.Errorf("%s\noutrun = %v, want %v", tc.why, got, tc.want)
			}
		})
	}
}
