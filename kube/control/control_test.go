package control_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

func TestFold(t *testing.T) {
	early, late := time.Unix(100, 0), time.Unix(200, 500)
	old := control.Fold(nil, control.Stamp{Now: early, Generation: 1},
		control.True("Ready", "Fine", ""), control.False("Paused", "NotPaused", ""), control.True("Gone", "Once", ""))
	got := control.Fold(old, control.Stamp{Now: late, Generation: 2},
		control.True("Ready", "Finer", "x"), control.True("Paused", "Paused", ""))
	want := []metav1.Condition{
		{Type: "Paused", Status: metav1.ConditionTrue, Reason: "Paused", ObservedGeneration: 2, LastTransitionTime: metav1.Unix(200, 0)},
		{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Finer", Message: "x", ObservedGeneration: 2, LastTransitionTime: metav1.Unix(100, 0)},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Fold keeps times of unchanged statuses, sorts, and forgets what nobody reports (-want +got):\n%s", diff)
	}
}

func TestSummary(t *testing.T) {
	no := control.False("B", "Broken", "mend it")
	unsure := control.Unknown("A", "NotSeen", "not looked at yet")
	yes := control.True("C", "Fine", "")
	tests := []struct {
		name, why string
		parts     []metav1.Condition
		want      metav1.Condition
	}{
		{"AllTrue", "Nothing is missing.", []metav1.Condition{yes}, control.True("Ready", "Ready", "")},
		{"FalseSpeaksFirst", "What is known to be broken matters more than what was not seen.", []metav1.Condition{unsure, no, yes}, control.False("Ready", "Broken", "mend it")},
		{"Unknown", "Not seen is not ready.", []metav1.Condition{yes, unsure}, control.Unknown("Ready", "NotSeen", "not looked at yet")},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, control.Summary("Ready", tc.parts...)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}

func TestResult(t *testing.T) {
	retry := errors.New("connection refused")
	tests := []struct {
		name, why string
		next      fleet.Next
		err       error
		want      reconcile.Result
		wantErr   error
	}{
		{"Done", "Nothing to do until an event.", fleet.Done(), nil, reconcile.Result{}, nil},
		{"WaitAtMost", "The plan said how long at most.", fleet.Wait("renewal", time.Hour), nil, reconcile.Result{RequeueAfter: time.Hour}, nil},
		{"Invalid", "Retrying the same input cannot help.", fleet.Done(), fmt.Errorf("x: %w", fleet.ErrInvalid), reconcile.Result{}, nil},
		{"Retry", "The third kind goes to back-off.", fleet.Done(), retry, reconcile.Result{}, retry},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := control.Result(tc.next, tc.err)
			if got != tc.want || !errors.Is(err, tc.wantErr) {
				t.Errorf("%s\nResult = %+v, %v; want %+v, %v", tc.why, got, err, tc.want, tc.wantErr)
			}
		})
	}
}
