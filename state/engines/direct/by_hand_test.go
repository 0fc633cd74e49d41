package direct_test

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/state/engine"
)

// Text implements enginetest.ObjectTarget.
func (t *target) Text(tb testing.TB, key engine.Key) (string, bool) {
	tb.Helper()
	text, err := t.lab.clients.CoreV1().ConfigMaps(key.Namespace).Get(tb.Context(), key.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", false
	}
	if err != nil {
		tb.Fatal(err)
	}
	return text.Data["text"], true
}

// Edit implements enginetest.ObjectTarget.
func (t *target) Edit(tb testing.TB, key engine.Key, text string) {
	tb.Helper()
	maps := t.lab.clients.CoreV1().ConfigMaps(key.Namespace)
	there, err := maps.Get(tb.Context(), key.Name, metav1.GetOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	there.Data = map[string]string{"text": text}
	if _, err := maps.Update(tb.Context(), there, metav1.UpdateOptions{FieldManager: "kubectl-edit"}); err != nil {
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

// Restarts implements enginetest.ReloadTarget.
func (t *target) Restarts(_ testing.TB, key engine.Key) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.restarts["/apis/apps/v1/namespaces/"+key.Namespace+"/deployments/"+key.Name]
}

// FailHook implements enginetest.HookTarget.
func (t *target) FailHook(tb testing.TB, key engine.Key, words string) {
	tb.Helper()
	t.endHook(tb, key, func(now metav1.Time) batchv1.JobStatus {
		return batchv1.JobStatus{StartTime: &now, Failed: 1, Conditions: []batchv1.JobCondition{
			{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded", Message: words, LastTransitionTime: now},
			{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded", Message: words, LastTransitionTime: now},
		}}
	})
}

// PassHook implements enginetest.HookTarget.
func (t *target) PassHook(tb testing.TB, key engine.Key) {
	tb.Helper()
	t.endHook(tb, key, func(now metav1.Time) batchv1.JobStatus {
		return batchv1.JobStatus{StartTime: &now, CompletionTime: &now, Succeeded: 1, Conditions: []batchv1.JobCondition{
			{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue, Reason: "CompletionsReached", LastTransitionTime: now},
			{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, Reason: "CompletionsReached", LastTransitionTime: now},
		}}
	})
}

// endHook plays the controller of Jobs.
func (t *target) endHook(tb testing.TB, key engine.Key, status func(metav1.Time) batchv1.JobStatus) {
	tb.Helper()
	jobs := t.lab.clients.BatchV1().Jobs(key.Namespace)
	for begun := time.Now(); time.Since(begun) < time.Minute; time.Sleep(20 * time.Millisecond) {
		job, err := jobs.Get(tb.Context(), key.Name+"-hook", metav1.GetOptions{})
		if err != nil || len(job.Status.Conditions) > 0 {
			continue // it does not run yet, or again
		}
		job.Status = status(metav1.Now())
		if _, err := jobs.UpdateStatus(tb.Context(), job, metav1.UpdateOptions{}); err == nil {
			return
		} else if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			tb.Error(err)
			return
		}
	}
	tb.Errorf("the hook of %s did not run within a minute", key)
}

// Serve implements enginetest.KindTarget.
func (t *target) Serve(tb testing.TB) {
	tb.Helper()
	client, err := apiextensions.NewForConfig(t.lab.cluster.Config)
	if err != nil {
		tb.Fatal(err)
	}
	crds := client.ApiextensionsV1().CustomResourceDefinitions()
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "lates.suite.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "suite.example.com", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "lates", Singular: "late", Kind: "Late", ListKind: "LateList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1", Served: true, Storage: true, Schema: &apiextensionsv1.CustomResourceValidation{
				OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: new(true)},
			}}},
		},
	}
	if _, err := crds.Create(tb.Context(), crd, metav1.CreateOptions{}); err != nil {
		tb.Fatal(err)
	}
}

// Terminate implements enginetest.NamespaceTarget. There is no controller of namespaces, so that
// one which is deleted does not go before it is let go.
func (t *target) Terminate(tb testing.TB) {
	tb.Helper()
	namespaces := t.lab.clients.CoreV1().Namespaces()
	if _, err := namespaces.Create(tb.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: t.Namespace()}}, metav1.CreateOptions{}); err != nil {
		tb.Fatal(err)
	}
	if err := namespaces.Delete(tb.Context(), t.Namespace(), metav1.DeleteOptions{}); err != nil {
		tb.Fatal(err)
	}
}

// Finish implements enginetest.NamespaceTarget.
func (t *target) Finish(tb testing.TB) {
	tb.Helper()
	namespaces := t.lab.clients.CoreV1().Namespaces()
	there, err := namespaces.Get(tb.Context(), t.Namespace(), metav1.GetOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	there.Spec.Finalizers = nil
	if _, err := namespaces.Finalize(tb.Context(), there, metav1.UpdateOptions{}); err != nil {
		tb.Fatal(err)
	}
}
