package sveltos_test

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest"
)

// odd are the files by which charts are odd.
var odd = map[enginetest.Odd]map[string]string{
	enginetest.StrictSchema: {"values.schema.json": `{"properties": {"text": {"type": "string", "pattern": "^[a-z ]*$"}}}`},
	enginetest.FailingHook: {"templates/hook.yaml": `
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .Release.Name }}-hook
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: before-hook-creation}
spec:
  backoffLimit: 0
  template: {spec: {restartPolicy: Never, containers: [{name: main, image: example/app}]}}
`},
	enginetest.LateKind: {"templates/late.yaml": `
apiVersion: late.example.com/v1
kind: Late
metadata: {name: {{ .Release.Name }}}
`},
}

// Odd implements enginetest.OddLab.
func (l *lab) Odd(t testing.TB, what enginetest.Odd) engine.Source {
	name := map[enginetest.Odd]string{enginetest.StrictSchema: "strict", enginetest.FailingHook: "hook", enginetest.LateKind: "late"}[what]
	l.keep(t, name, pack(t, "1.0.0", odd[what]))
	return l.Chart(name)
}

// hook waits until the Job of a release's hook is there and has not ended.
func (t *target) hook(tb testing.TB, key engine.Key) *batchv1.Job {
	tb.Helper()
	for begun := time.Now(); time.Since(begun) < 3*time.Minute; time.Sleep(50 * time.Millisecond) {
		job, err := t.lab.clients.BatchV1().Jobs(key.Namespace).Get(tb.Context(), key.Name+"-hook", metav1.GetOptions{})
		if err == nil && len(job.Status.Conditions) == 0 && job.DeletionTimestamp == nil {
			return job
		}
		if err != nil && !apierrors.IsNotFound(err) {
			tb.Errorf("waiting for the hook of %s: %v", key, err)
			return nil
		}
	}
	tb.Errorf("the hook of %s did not begin", key)
	return nil
}

func (t *target) finish(tb testing.TB, key engine.Key, as []batchv1.JobCondition) {
	tb.Helper()
	job := t.hook(tb, key)
	if job == nil {
		return
	}
	now := metav1.Now()
	job.Status = batchv1.JobStatus{StartTime: &now, Conditions: as}
	for i := range as {
		as[i].Status, as[i].LastTransitionTime, as[i].LastProbeTime = corev1.ConditionTrue, now, now
	}
	if as[len(as)-1].Type == batchv1.JobComplete {
		job.Status.CompletionTime, job.Status.Succeeded = &now, 1
	}
	if _, err := t.lab.clients.BatchV1().Jobs(job.Namespace).UpdateStatus(tb.Context(), job, metav1.UpdateOptions{}); err != nil {
		tb.Errorf("ending the hook of %s: %v", key, err)
	}
}

// FailHook implements enginetest.HookTarget.
func (t *target) FailHook(tb testing.TB, key engine.Key, words string) {
	tb.Helper()
	t.finish(tb, key, []batchv1.JobCondition{
		{Type: batchv1.JobFailureTarget, Reason: "BackoffLimitExceeded", Message: words},
		{Type: batchv1.JobFailed, Reason: "BackoffLimitExceeded", Message: words},
	})
}

// PassHook implements enginetest.HookTarget.
func (t *target) PassHook(tb testing.TB, key engine.Key) {
	tb.Helper()
	t.finish(tb, key, []batchv1.JobCondition{{Type: batchv1.JobSuccessCriteriaMet}, {Type: batchv1.JobComplete}})
}

// Serve implements enginetest.KindTarget.
func (t *target) Serve(tb testing.TB) {
	tb.Helper()
	crd := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": "lates.late.example.com"},
		"spec": map[string]any{
			"group": "late.example.com", "scope": "Namespaced",
			"names": map[string]any{"kind": "Late", "plural": "lates", "singular": "late", "listKind": "LateList"},
			"versions": []any{map[string]any{
				"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object"}},
			}},
		},
	}}
	if err := t.lab.kube.Create(tb.Context(), crd); err != nil {
		tb.Fatal(err)
	}
}

// Terminate implements enginetest.NamespaceTarget.
func (t *target) Terminate(tb testing.TB) {
	tb.Helper()
	ctx := tb.Context()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: t.Namespace()}}
	keeper := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "keeper", Finalizers: []string{"example.com/keep"}}}
	if err := t.lab.kube.Create(ctx, ns); err != nil {
		tb.Fatal(err)
	}
	if err := t.lab.kube.Create(ctx, keeper); err != nil {
		tb.Fatal(err)
	}
	if err := t.lab.kube.Delete(ctx, ns); err != nil {
		tb.Fatal(err)
	}
}

// Finish implements enginetest.NamespaceTarget.
func (t *target) Finish(tb testing.TB) {
	tb.Helper()
	maps := t.lab.clients.CoreV1().ConfigMaps(t.Namespace())
	keeper, err := maps.Get(tb.Context(), "keeper", metav1.GetOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	keeper.Finalizers = nil
	if _, err := maps.Update(tb.Context(), keeper, metav1.UpdateOptions{}); err != nil {
		tb.Fatal(err)
	}
}

// Text implements enginetest.ObjectTarget.
func (t *target) Text(tb testing.TB, key engine.Key) (string, bool) {
	tb.Helper()
	found, err := t.lab.clients.CoreV1().ConfigMaps(key.Namespace).Get(tb.Context(), key.Name, metav1.GetOptions{})
	if err != nil {
		return "", false
	}
	return found.Data["text"], true
}

// Edit implements enginetest.ObjectTarget.
func (t *target) Edit(tb testing.TB, key engine.Key, text string) {
	tb.Helper()
	found, err := t.lab.clients.CoreV1().ConfigMaps(key.Namespace).Get(tb.Context(), key.Name, metav1.GetOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	found.Data["text"] = text
	if _, err := t.lab.clients.CoreV1().ConfigMaps(key.Namespace).Update(tb.Context(), found, metav1.UpdateOptions{}); err != nil {
		tb.Fatal(err)
	}
}

// Delete implements enginetest.ObjectTarget.
func (t *target) Delete(tb testing.TB, key engine.Key) {
	tb.Helper()
	if err := t.lab.clients.CoreV1().ConfigMaps(key.Namespace).Delete(tb.Context(), key.Name, metav1.DeleteOptions{}); err != nil {
		tb.Fatal(err)
	}
}
