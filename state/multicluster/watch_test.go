package multicluster

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

func TestMoved(t *testing.T) {
	now := metav1.Now()
	tests := []struct {
		why  string
		edit func(*kcm.ClusterDeployment)
		want bool
	}{
		{"Its own wish concerns no owner of services for many clusters.", func(cd *kcm.ClusterDeployment) { cd.Generation, cd.Spec.Template = 2, "other" }, false},
		{"What is said of it does not either.", func(cd *kcm.ClusterDeployment) { cd.Status.ObservedGeneration = 2 }, false},
		{"A label may be selected.", func(cd *kcm.ClusterDeployment) { cd.Labels = map[string]string{"stage": "prod"} }, true},
		{"What is only tried out gets nothing.", func(cd *kcm.ClusterDeployment) { cd.Generation, cd.Spec.DryRun = 2, true }, true},
		{"Its end is the end of its sets.", func(cd *kcm.ClusterDeployment) { cd.DeletionTimestamp = &now }, true},
		{"The status of owners names regions.", func(cd *kcm.ClusterDeployment) { cd.Status.Region = "eu" }, true},
		{"Templates are held against the version.", func(cd *kcm.ClusterDeployment) { cd.Status.KubernetesVersion = "v1.34.0" }, true},
	}
	for _, tc := range tests {
		was := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Generation: 1}}
		now := was.DeepCopy()
		tc.edit(now)
		if got := moved().Update(event.UpdateEvent{ObjectOld: was, ObjectNew: now}); got != tc.want {
			t.Errorf("%s\nmoved = %v; want %v", tc.why, got, tc.want)
		}
	}
}
