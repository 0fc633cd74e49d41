package rollout

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
)

func TestRevisionFor(t *testing.T) {
	one := statev1.RolloutSubject{Kind: statev1.SubjectMultiClusterService, Name: "web"}
	each := statev1.RolloutSubject{Kind: statev1.SubjectClusterDeployment}
	rolling := func(subject statev1.RolloutSubject, phase statev1.RolloutPhase, stable string, admitted ...string) *statev1.Rollout {
		r := &statev1.Rollout{Spec: statev1.RolloutSpec{Subject: subject}, Status: statev1.RolloutStatus{Phase: phase, Stable: stable}}
		for _, revision := range admitted {
			r.Status.Admitted = append(r.Status.Admitted, statev1.AdmittedCluster{Cluster: "t/a", Revision: revision})
		}
		return r
	}
	tests := []struct {
		name, why string
		rollout   *statev1.Rollout
		has       string
		want      string
		held      bool
	}{
		{"NoRollout", "Everybody gets the newest.", nil, "r1", "r3", false},
		{"Unseen", "A Rollout that has decided nothing yet lets nothing change.", rolling(one, "", ""), "r1", "r1", true},
		{"UnseenNew", "And nothing be made.", rolling(one, "", ""), "", "", true},
		{"Admitted", "It may have the newest.", rolling(one, statev1.RolloutProgressing, "r1", "r3"), "r1", "r3", false},
		{"AdmittedToOlder", "That was another change.", rolling(one, statev1.RolloutProgressing, "r1", "r2"), "r2", "r2", true},
		{"Waits", "It keeps what it has.", rolling(one, statev1.RolloutProgressing, "r1"), "r2", "r2", true},
		{"Lost", "What it has cannot be had any more: the stable one.", rolling(one, statev1.RolloutProgressing, "r1"), "r0", "r1", true},
		{"New", "A new cluster gets what all others have.", rolling(one, statev1.RolloutProgressing, "r1"), "", "r1", true},
		{"HasIt", "What has the newest is not held.", rolling(one, statev1.RolloutProgressing, "r1"), "r3", "r3", false},
		{"Aborted", "Everybody goes back, ", rolling(one, statev1.RolloutAborted, "r1"), "r3", "r1", true},
		{"AbortedFirst", "unless there is nowhere to go.", rolling(one, statev1.RolloutAborted, ""), "r3", "r3", false},
		{"Each", "A ClusterDeployment has a stable revision of its own.", rolling(each, statev1.RolloutProgressing, "digest", "r1"), "", "r1", true},
		{"EachAdmitted", "The second entry is what it was admitted to.", rolling(each, statev1.RolloutProgressing, "digest", "r1", "r3"), "r1", "r3", false},
		{"EachAborted", "The first is what it goes back to.", rolling(each, statev1.RolloutAborted, "digest", "r1", "r3"), "r3", "r1", true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got := RevisionFor(tc.rollout, Ask{Cluster: "t/a", Newest: "r3", Has: tc.has, Recorded: func(r string) bool { return r == "r1" || r == "r2" }})
			if got.Revision != tc.want || (got.Hold != "") != tc.held {
				t.Errorf("%s\nRevisionFor = %+v; want %q, held %v", tc.why, got, tc.want, tc.held)
			}
		})
	}
}

func TestOf(t *testing.T) {
	at := func(name string, minute int, edit func(*statev1.Rollout)) statev1.Rollout {
		r := statev1.Rollout{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: name, CreationTimestamp: metav1.NewTime(noon.Add(time.Duration(minute) * time.Minute))}}
		r.Spec.Subject = statev1.RolloutSubject{Kind: statev1.SubjectClusterDeployment}
		edit(&r)
		return r
	}
	asIs := func(*statev1.Rollout) {}
	list := []statev1.Rollout{
		at("young", 5, asIs),
		at("prod", 2, func(r *statev1.Rollout) {
			r.Spec.Subject.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"stage": "prod"}}
		}),
		at("going", 1, func(r *statev1.Rollout) { r.DeletionTimestamp = &metav1.Time{Time: noon} }),
		at("elsewhere", 0, func(r *statev1.Rollout) { r.Namespace = "other" }),
		at("web", 0, func(r *statev1.Rollout) {
			r.Spec.Subject = statev1.RolloutSubject{Kind: statev1.SubjectNamespaced, Name: "web"}
		}),
		at("web-too", 0, func(r *statev1.Rollout) {
			r.Spec.Subject = statev1.RolloutSubject{Kind: statev1.SubjectNamespaced, Name: "web"}
		}),
	}
	tests := []struct {
		why, want string
		subject   Subject
	}{
		{"The older one counts.", "prod", Subject{Kind: statev1.SubjectClusterDeployment, Namespace: "team", Name: "a", Labels: map[string]string{"stage": "prod"}}},
		{"Where it selects.", "young", Subject{Kind: statev1.SubjectClusterDeployment, Namespace: "team", Name: "a"}},
		{"Of two of the same second, the first by name.", "web", Subject{Kind: statev1.SubjectNamespaced, Namespace: "team", Name: "web"}},
		{"There is none.", "", Subject{Kind: statev1.SubjectNamespaced, Namespace: "team", Name: "db"}},
	}
	for _, tc := range tests {
		got := ""
		if r := Of(list, tc.subject); r != nil {
			got = r.Name
		}
		if got != tc.want {
			t.Errorf("%s\nOf = %q; want %q", tc.why, got, tc.want)
		}
	}
}

// A spec that admission would refuse, from days before it, decides nothing: who was admitted
// stays so, and the condition says what is wrong.
func TestInvalidSpec(t *testing.T) {
	r := &statev1.Rollout{
		Spec:   statev1.RolloutSpec{Subject: statev1.RolloutSubject{Kind: statev1.SubjectMultiClusterService, Name: "web"}, Waves: []statev1.Wave{{Name: "all"}, {Name: "rest"}}},
		Status: statev1.RolloutStatus{Phase: statev1.RolloutProgressing, Revision: "2", Admitted: []statev1.AdmittedCluster{{Cluster: "t/a", Revision: "2"}}},
	}
	status, d := Status(r, Observed{Revision: "3", Targets: []Target{{Cluster: "t/a"}, {Cluster: "t/b"}}})
	if len(d.Status.Admitted) > 0 || len(status.Admitted) != 1 || status.Revision != "2" {
		t.Errorf("the decision is %+v, and the status %+v", d, status)
	}
	ready := control.Find(status.Conditions, kcm.ReadyCondition)
	if ready == nil || ready.Reason != reasonInvalid || !strings.Contains(ready.Message, "spec.waves[1]") {
		t.Errorf("the condition is %+v; want %s with the field", ready, reasonInvalid)
	}
}
