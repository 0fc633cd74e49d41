package sveltos_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"golang.org/x/tools/txtar"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/source/archive"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest"
)

// files is the chart that the suite asks for.
const files = `
-- Chart.yaml --
{apiVersion: v2, name: app, version: VERSION}
-- values.yaml --
text: ""
run: false
-- templates/text.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {text: {{ .Values.text | quote }}}
-- templates/workload.yaml --
{{- if .Values.run }}
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec: {containers: [{name: main, image: example/app}]}
{{- end }}
`

// pack makes the chart in a version, with more files.
func pack(t testing.TB, version string, more map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	var packed []archive.File
	for _, f := range txtar.Parse([]byte(files)).Files {
		packed = append(packed, archive.File{Name: "app/" + f.Name, Data: bytes.ReplaceAll(f.Data, []byte("VERSION"), []byte(version))})
	}
	for name, text := range more {
		packed = append(packed, archive.File{Name: "app/" + name, Data: []byte(text)})
	}
	if err := archive.Pack(&out, packed); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// target is the API server behind a gate.
type target struct {
	*gate
	lab      *lab
	name     types.NamespacedName
	releases *helm.Releases
}

// Name implements enginetest.Target.
func (t *target) Name() engine.Target { return engine.Target{Cluster: t.name} }

// Namespace implements enginetest.Target.
func (t *target) Namespace() string { return t.name.Namespace + "-" + t.name.Name }

// Releases implements enginetest.Target.
func (t *target) Releases(tb testing.TB) map[engine.Key]enginetest.Release {
	tb.Helper()
	ctx := tb.Context()
	secrets, err := t.lab.clients.CoreV1().Secrets(t.Namespace()).List(ctx, metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil {
		tb.Fatal(err)
	}
	out := map[engine.Key]enginetest.Release{}
	for _, s := range secrets.Items {
		key := engine.Key{Namespace: s.Namespace, Name: s.Labels["name"]}
		state, err := t.releases.Observe(ctx, key.Namespace, key.Name)
		if err != nil {
			tb.Fatal(err)
		}
		r := enginetest.Release{Revision: state.Revision, Whole: state.Status == helm.Deployed, Kept: state.Status == helm.Uninstalled, Version: state.ChartVersion}
		if text, err := t.lab.clients.CoreV1().ConfigMaps(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{}); err == nil {
			r.Text = text.Data["text"]
		}
		out[key] = r
	}
	return out
}

// workload waits until the release has one: it is being installed.
func (t *target) workload(tb testing.TB, key engine.Key) *appsv1.Deployment {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	for {
		d, err := t.lab.clients.AppsV1().Deployments(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
		if err == nil {
			return d
		}
		if !apierrors.IsNotFound(err) {
			tb.Fatalf("waiting for the workload of %s: %v", key, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Crash implements enginetest.Target. It plays the controller of Deployments and the kubelet.
func (t *target) Crash(tb testing.TB, key engine.Key, words string) {
	tb.Helper()
	d := t.workload(tb, key)
	t.pod(tb, d, words)
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, UnavailableReplicas: 1}
	if _, err := t.lab.clients.AppsV1().Deployments(key.Namespace).UpdateStatus(tb.Context(), d, metav1.UpdateOptions{}); err != nil {
		tb.Fatal(err)
	}
}

// pod makes one that crashes, in place of the one before.
func (t *target) pod(tb testing.TB, d *appsv1.Deployment, words string) {
	tb.Helper()
	ctx, pods := tb.Context(), t.lab.clients.CoreV1().Pods(d.Namespace)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: d.Name, Labels: d.Spec.Template.Labels}, Spec: d.Spec.Template.Spec}
	err := pods.Delete(ctx, p.Name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		tb.Fatal(err)
	}
	for {
		made, err := pods.Create(ctx, p, metav1.CreateOptions{})
		if err == nil {
			p = made
			break
		}
		// The service account of a new namespace comes a moment later.
		if !apierrors.IsForbidden(err) && !apierrors.IsAlreadyExists(err) {
			tb.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "main", Image: "example/app",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: words}},
	}}
	if _, err := pods.UpdateStatus(ctx, p, metav1.UpdateOptions{}); err != nil {
		tb.Fatal(err)
	}
}

// Heal implements enginetest.Target.
func (t *target) Heal(tb testing.TB, key engine.Key) {
	tb.Helper()
	d := t.workload(tb, key)
	t.replicas(tb, d)
	now := metav1.Now()
	d.Status = appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, LastTransitionTime: now, LastUpdateTime: now},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable", LastTransitionTime: now, LastUpdateTime: now},
		},
	}
	if _, err := t.lab.clients.AppsV1().Deployments(key.Namespace).UpdateStatus(tb.Context(), d, metav1.UpdateOptions{}); err != nil {
		tb.Fatal(err)
	}
}

// replicas makes the workload's ReplicaSet, ready: Helm waits for it, not for the Deployment.
func (t *target) replicas(tb testing.TB, d *appsv1.Deployment) {
	tb.Helper()
	ctx, sets := tb.Context(), t.lab.clients.AppsV1().ReplicaSets(d.Namespace)
	owner := metav1.NewControllerRef(d, appsv1.SchemeGroupVersion.WithKind("Deployment"))
	rs, err := sets.Create(ctx, &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: d.Name, Labels: d.Spec.Template.Labels, OwnerReferences: []metav1.OwnerReference{*owner}},
		Spec:       appsv1.ReplicaSetSpec{Replicas: d.Spec.Replicas, Selector: d.Spec.Selector, Template: d.Spec.Template},
	}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return
	}
	if err != nil {
		tb.Fatal(err)
	}
	rs.Status = appsv1.ReplicaSetStatus{Replicas: 1, ReadyReplicas: 1, AvailableReplicas: 1, ObservedGeneration: rs.Generation}
	if _, err := sets.UpdateStatus(ctx, rs, metav1.UpdateOptions{}); err != nil {
		tb.Fatal(err)
	}
}
