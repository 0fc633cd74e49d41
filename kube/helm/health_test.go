package helm

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

func object(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{}
	if err := u.UnmarshalJSON(raw); err != nil {
		t.Fatal(err)
	}
	return u
}

const unready = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: ns, generation: 1, creationTimestamp: "2026-01-01T00:00:00Z"}
spec: {replicas: 1, selector: {matchLabels: {app: web}}}
status:
  observedGeneration: 1
  replicas: 1
  updatedReplicas: 1
  conditions:
  - {type: Available, status: "False", reason: MinimumReplicasUnavailable, lastTransitionTime: "2026-01-01T00:01:00Z"}
  - {type: Progressing, status: "True", reason: ReplicaSetUpdated}
`

func TestJudge(t *testing.T) {
	waiting := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-b"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "main", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}},
	}}}}
	starting := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-a"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "main", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}},
	}}}}
	ended := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-c"}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
		Name: "main", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2, Reason: "Error"}},
	}}}}
	homeless := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web-d"}, Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{
		Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available",
	}}}}
	bad := func(message string) []Problem {
		return []Problem{{Object: "Deployment ns/web", Message: message}}
	}
	tests := []struct {
		name, why string
		live      []liveObject
		want      []Problem
	}{
		{"Nothing", "A release without objects has no problems.", nil, nil},
		{"Plain", "An object without a status is as good as it gets.",
			[]liveObject{{"ConfigMap ns/a", object(t, "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}"), nil}}, nil},
		{"Gone", "Somebody deleted it; when, nobody knows.",
			[]liveObject{{"ConfigMap ns/a", nil, nil}}, []Problem{{Object: "ConfigMap ns/a", Message: "it was deleted"}}},
		{"NoPods", "Without pods, the workload's own words have to do.",
			[]liveObject{{"Deployment ns/web", object(t, unready), nil}}, bad("Available: 0/1")},
		{"Pod", "A pod that says why explains it best; one that is just starting explains nothing.",
			[]liveObject{{"Deployment ns/web", object(t, unready), []corev1.Pod{waiting, starting}}},
			bad("Available: 0/1: pod web-b, container main: ImagePullBackOff: no such image")},
		{"Ended", "A container that ended says with which code.",
			[]liveObject{{"Deployment ns/web", object(t, unready), []corev1.Pod{ended}}},
			bad("Available: 0/1: pod web-c, container main: it ended with code 2 (Error)")},
		{"Unscheduled", "A pod that found no node has no containers yet.",
			[]liveObject{{"Deployment ns/web", object(t, unready), []corev1.Pod{homeless}}},
			bad("Available: 0/1: pod web-d: 0/1 nodes are available")},
		{"Failed", "A failed job will not mend by itself.",
			[]liveObject{{"Job ns/j", object(t, `
apiVersion: batch/v1
kind: Job
metadata: {name: j, namespace: ns, creationTimestamp: "2026-01-01T00:01:00Z"}
status: {conditions: [{type: Failed, status: "True", reason: BackoffLimitExceeded, message: too often}]}`), nil}},
			[]Problem{{Object: "Job ns/j", Message: "Job Failed. failed: 0/1"}}},
		{"CRD", "A kind that is not served yet is not there yet.",
			[]liveObject{{"CustomResourceDefinition xs.x.io", object(t, `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: xs.x.io}
status: {conditions: [{type: NamesAccepted, status: "True"}, {type: Established, status: "False", reason: Installing, message: the initial names have been accepted}]}`), nil}},
			[]Problem{{Object: "CustomResourceDefinition xs.x.io", Message: "Install in progress"}}},
		{"Claim", "A volume that is not bound cannot be mounted.",
			[]liveObject{{"PersistentVolumeClaim ns/a", object(t, "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: a, namespace: ns}, status: {phase: Pending}}"), nil}},
			[]Problem{{Object: "PersistentVolumeClaim ns/a", Message: "PVC is not Bound. phase: Pending"}}},
		{"Ready", "A custom resource says it by its condition Ready.",
			[]liveObject{{"X ns/a", object(t, `{apiVersion: x.io/v1, kind: X, metadata: {name: a, namespace: ns}, status: {conditions: [{type: Ready, status: "False", reason: NoLicence, message: the licence has ended}]}}`), nil}},
			[]Problem{{Object: "X ns/a", Message: "the licence has ended"}}},
		{"Ending", "A namespace that ends says what it waits for.",
			[]liveObject{{"Namespace a", object(t, `
apiVersion: v1
kind: Namespace
metadata: {name: a, deletionTimestamp: "2026-01-01T00:00:00Z"}
status: {phase: Terminating, conditions: [{type: NamespaceContentRemaining, status: "True", message: "Some resources are remaining: things.x.io has 1 resource instances"}]}`), nil}},
			[]Problem{{Object: "Namespace a", Message: "it is being deleted: Some resources are remaining: things.x.io has 1 resource instances"}}},
		{"Held", "So does any other object.",
			[]liveObject{{"ConfigMap ns/a", object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: a, deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: [x.io/keep]}}`), nil}},
			[]Problem{{Object: "ConfigMap ns/a", Message: "it is being deleted: it waits for whoever takes away its finalizers x.io/keep"}}},
		{"Sorted", "The same problems come in the same order.",
			[]liveObject{{"B b", nil, nil}, {"A a", nil, nil}},
			[]Problem{{Object: "A a", Message: "it was deleted"}, {Object: "B b", Message: "it was deleted"}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, judge(tc.live)); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.why, diff)
			}
		})
	}
}
