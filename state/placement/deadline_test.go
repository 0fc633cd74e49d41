package placement_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/placement"
)

func TestDeadlineOf(t *testing.T) {
	said := func(text string) map[string]string {
		return map[string]string{statev1.RemovalDeadlineAnnotation: text}
	}
	tests := []struct {
		name, why   string
		annotations map[string]string
		within      time.Duration
		problem     string
	}{
		{"Default", "Nobody says anything.", nil, 10 * time.Minute, ""},
		{"Said", "As Go writes durations.", said("90s"), 90 * time.Second, ""},
		{"None", "For as long as it takes.", said("none"), 0, ""},
		{"NoUnit", "A number alone may mean anything.", said("90"), 10 * time.Minute, `is "90", which is no duration: 10m0s counts`},
		{"Zero", "Not to wait at all is no order, and not to be had by mistake.", said("0s"), 10 * time.Minute, `is "0s"`},
		{"Negative", "Nor that.", said("-1m"), 10 * time.Minute, `is "-1m"`},
		{"Empty", "Nor an empty text.", said(""), 10 * time.Minute, `is ""`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := placement.DeadlineOf(tc.annotations)
			if got.Within != tc.within || !strings.Contains(got.Problem, tc.problem) || (got.Problem == "") != (tc.problem == "") {
				t.Errorf("%s\nDeadlineOf = %s, %q; want %s, %q", tc.why, got.Within, got.Problem, tc.within, tc.problem)
			}
		})
	}
}

func FuzzDeadlineOf(f *testing.F) {
	for _, text := range []string{"", "10m", "none", "-1s", "1e9h", "9999999h"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := placement.DeadlineOf(map[string]string{statev1.RemovalDeadlineAnnotation: text})
		if got.Within < 0 || got.Within == 0 && text != statev1.NoDeadline || got.Problem != "" && got.Within != placement.DefaultDeadline {
			t.Errorf("%q is read as %s, %q", text, got.Within, got.Problem)
		}
	})
}

func TestJudge(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	ten := placement.Deadline{Within: 10 * time.Minute}
	tests := []struct {
		name, why string
		deadline  placement.Deadline
		leavers   []placement.Leaver
		waits     string
		overdue   string
		again     time.Duration // from now; 0 for never
	}{
		{"Nobody", "Nothing depends on it.", ten, nil, "", "", 0},
		{"Underway", "It has time left.", ten, []placement.Leaver{{Name: "a", Since: ago(4 * time.Minute)}}, "a", "", 6 * time.Minute},
		{"Over", "Its time is over.", ten, []placement.Leaver{{Name: "a", Since: ago(10 * time.Minute)}}, "", "a", 0},
		{"Waits", "It waits itself, or its cluster does not answer: no time counts.", ten, []placement.Leaver{{Name: "a"}}, "a", "", 0},
		{"Each", "Each has its own time, and the next one counts.", ten,
			[]placement.Leaver{{Name: "a", Since: ago(time.Minute)}, {Name: "b", Since: ago(11 * time.Minute)}, {Name: "c", Since: ago(3 * time.Minute)}}, "a c", "b", 7 * time.Minute},
		{"Lasts", "Who was overdue is so, though its time begins anew.", ten, []placement.Leaver{{Name: "a", Overdue: true, Since: now}}, "", "a", 0},
		{"None", "For as long as it takes.", placement.Deadline{}, []placement.Leaver{{Name: "a", Since: ago(time.Hour)}}, "a", "", 0},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := tc.deadline.Judge(tc.leavers, now)
			if waits := strings.Join(placement.NamesOf(got.Waits), " "); waits != tc.waits {
				t.Errorf("%s\nit waits for %q; want %q", tc.why, waits, tc.waits)
			}
			if overdue := strings.Join(placement.NamesOf(got.Overdue), " "); overdue != tc.overdue {
				t.Errorf("%s\noverdue are %q; want %q", tc.why, overdue, tc.overdue)
			}
			if again := got.Again; again.IsZero() != (tc.again == 0) || !again.IsZero() && again.Sub(now) != tc.again {
				t.Errorf("%s\nlook again at %s; want in %s", tc.why, again, tc.again)
			}
		})
	}
}

func TestWithout(t *testing.T) {
	d := placement.Deadline{Within: time.Minute}
	got := d.Without([]placement.Leaver{{Name: "web"}, {Name: "api", Since: time.Unix(0, 0), Said: "its hook has failed."}})
	want := "What depends on it is still there, and not waited for any more: api (its removal has not ended within 1m0s, since 1970-01-01T00:00:00Z: its hook has failed); web (its removal has not ended within 1m0s)"
	if got != want || d.Without(nil) != "" {
		t.Errorf("who, since when and what it said, sorted:\n got %s\nwant %s", got, want)
	}
}

func TestLeaverOf(t *testing.T) {
	deleted, began := metav1.NewTime(time.Unix(1000, 0)), metav1.NewTime(time.Unix(2000, 0))
	removing := metav1.Condition{Type: statev1.RemovingCondition, Status: metav1.ConditionTrue, LastTransitionTime: began}
	silent := metav1.Condition{Type: kcm.ServiceSetStatusesCollectedCondition, Status: metav1.ConditionFalse, Message: "The cluster does not answer."}
	failing := kcm.ServiceState{Namespace: "web", Name: "web", State: kcm.ServiceDeleting, FailureMessage: "its hook has failed"}
	awaited := failing
	awaited.Name, awaited.Conditions = "api", []metav1.Condition{removing}
	ours := map[string]string{kcm.AdapterLabel: kcm.AdapterBuiltIn}
	tests := []struct {
		name, why string
		set       *kcm.ServiceSet
		want      placement.Leaver
	}{
		{"Unknown", "Nothing is known of it.", nil, placement.Leaver{}},
		{"Stays", "It is not deleted yet, so that it waits itself.", &kcm.ServiceSet{}, placement.Leaver{}},
		{"Foreign", "Another adapter says nothing of when it began.", &kcm.ServiceSet{
			ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted}, Status: kcm.ServiceSetStatus{Services: []kcm.ServiceState{failing}},
		}, placement.Leaver{Since: deleted.Time, Said: "Service web/web: its hook has failed"}},
		{"Underway", "Since it could be removed; the service that others wait for speaks.", &kcm.ServiceSet{
			ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted, Labels: ours},
			Status:     kcm.ServiceSetStatus{Conditions: []metav1.Condition{removing}, Services: []kcm.ServiceState{failing, awaited}},
		}, placement.Leaver{Since: began.Time, Said: "Service web/api: its hook has failed"}},
		{"Silent", "Nothing can be removed.", &kcm.ServiceSet{
			ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted, Labels: ours}, Status: kcm.ServiceSetStatus{Conditions: []metav1.Condition{silent}},
		}, placement.Leaver{Said: "The cluster does not answer."}},
		{"NotSeen", "Nobody has looked at it yet.", &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted, Labels: ours}}, placement.Leaver{}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, placement.LeaverOf("", tc.set)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.why, diff)
			}
		})
	}
}
