package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
)

func TestTurned(t *testing.T) {
	of := func(pairs ...string) statev1.RolloutStatus {
		var s statev1.RolloutStatus
		for i := 0; i < len(pairs); i += 2 {
			s.Admitted = append(s.Admitted, statev1.AdmittedCluster{Cluster: pairs[i], Revision: pairs[i+1]})
		}
		return s
	}
	tests := []struct {
		why      string
		was, now statev1.RolloutStatus
		want     []string
	}{
		{"Words alone wake nobody.", of("t/a", "r1"), of("t/a", "r1"), nil},
		{"A turn wakes the one whose it is.", of("t/a", "r1", "t/b", "r1"), of("t/a", "r1", "t/b", "r1", "t/b", "r2"), []string{"t/b"}},
		{"One that may not any more is woken too.", of("t/a", "r1", "t/b", "r1"), of("t/a", "r1"), []string{"t/b"}},
		{"The first entry is the stable one: their order counts.", of("t/a", "r1", "t/a", "r2"), of("t/a", "r2", "t/a", "r1"), []string{"t/a"}},
		{"The order of clusters does not.", of("t/a", "r1", "t/b", "r2"), of("t/b", "r2", "t/a", "r1"), nil},
	}
	for _, tc := range tests {
		subject := statev1.RolloutSpec{Subject: statev1.RolloutSubject{Kind: statev1.SubjectClusterDeployment}}
		var got []string
		for _, r := range (&Gate{}).turned(t.Context(), &statev1.Rollout{Spec: subject, Status: tc.was}, &statev1.Rollout{Spec: subject, Status: tc.now}) {
			got = append(got, r.String())
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s\n(-want +got)\n%s", tc.why, diff)
		}
	}
}

func TestMoved(t *testing.T) {
	now := metav1.Now()
	tests := []struct {
		why  string
		edit func(*kcm.ClusterDeployment)
		want bool
	}{
		{"Its own wish is news for those alone that take it in waves.", func(cd *kcm.ClusterDeployment) { cd.Generation, cd.Spec.Template = 2, "other" }, false},
		{"Labels choose clusters and waves.", func(cd *kcm.ClusterDeployment) { cd.Labels = map[string]string{"a": "b"} }, true},
		{"What is only tried out is no target.", func(cd *kcm.ClusterDeployment) { cd.Spec.DryRun = true }, true},
		{"What goes is none either.", func(cd *kcm.ClusterDeployment) { cd.DeletionTimestamp = &now }, true},
	}
	for _, tc := range tests {
		was := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
		now := was.DeepCopy()
		tc.edit(now)
		if got := moved(was, now); got != tc.want {
			t.Errorf("%s\nmoved = %v; want %v", tc.why, got, tc.want)
		}
	}
}
