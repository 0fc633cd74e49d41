package lab

import (
	"context"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/client/clientset/clientset"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/state/engine"
)

const (
	// soon is how long one waits for an engine to come to a workload or a hook, often how long it
	// waits between two looks.
	soon  = 3 * time.Minute
	often = 20 * time.Millisecond
)

// Workload waits until the release has one: it is being installed.
func (t *Target) Workload(tb testing.TB, key engine.Key) *appsv1.Deployment {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), soon)
	defer cancel()
	for {
		d, err := t.lab.Clients.AppsV1().Deployments(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
		if err == nil {
			return d
		}
		if !apierrors.IsNotFound(err) {
			tb.Fatalf("waiting for the workload of %s: %v", key, err)
		}
		time.Sleep(often)
	}
}

// Crash implements enginetest.Target. It plays the controller of Deployments and the kubelet.
func (t *Target) Crash(tb testing.TB, key engine.Key, words string) {
	tb.Helper()
	d := t.Workload(tb, key)
	t.pod(tb, d, words)
	t.report(tb, d, appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, UnavailableReplicas: 1})
}

// Heal implements enginetest.Target.
func (t *Target) Heal(tb testing.TB, key engine.Key) {
	tb.Helper()
	d := t.Workload(tb, key)
	t.replicas(tb, d)
	t.report(tb, d, Ready(d))
}

func (t *Target) report(tb testing.TB, d *appsv1.Deployment, status appsv1.DeploymentStatus) {
	tb.Helper()
	deployments := t.lab.Clients.AppsV1().Deployments(d.Namespace)
	for {
		d.Status = status
		_, err := deployments.UpdateStatus(tb.Context(), d, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			// The engine writes, too, and the controller would come again.
			d, err = deployments.Get(tb.Context(), d.Name, metav1.GetOptions{})
			if err == nil {
				continue
			}
		}
		if err != nil {
			tb.Fatal(err)
		}
		return
	}
}

// Ready is the status of a Deployment that runs.
func Ready(d *appsv1.Deployment) appsv1.DeploymentStatus {
	now := metav1.Now()
	return appsv1.DeploymentStatus{
		ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1,
		Conditions: []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, LastTransitionTime: now, LastUpdateTime: now},
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionTrue, Reason: "NewReplicaSetAvailable", LastTransitionTime: now, LastUpdateTime: now},
		},
	}
}

// pod makes one that crashes, in place of the one before.
func (t *Target) pod(tb testing.TB, d *appsv1.Deployment, words string) {
	tb.Helper()
	ctx, pods := tb.Context(), t.lab.Clients.CoreV1().Pods(d.Namespace)
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
		time.Sleep(often)
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "main", Image: "example/app",
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff", Message: words}},
	}}
	if _, err := pods.UpdateStatus(ctx, p, metav1.UpdateOptions{}); err != nil {
		tb.Fatal(err)
	}
}

// replicas makes the workload's ReplicaSet, ready: some wait for it, not for the Deployment.
func (t *Target) replicas(tb testing.TB, d *appsv1.Deployment) {
	tb.Helper()
	ctx, sets := tb.Context(), t.lab.Clients.AppsV1().ReplicaSets(d.Namespace)
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

// FailHook implements enginetest.HookTarget.
func (t *Target) FailHook(tb testing.TB, key engine.Key, words string) {
	tb.Helper()
	t.endHook(tb, key, func(now metav1.Time) batchv1.JobStatus {
		return batchv1.JobStatus{StartTime: &now, Failed: 1, Conditions: []batchv1.JobCondition{
			{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded", Message: words, LastTransitionTime: now},
			{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded", Message: words, LastTransitionTime: now},
		}}
	})
}

// PassHook implements enginetest.HookTarget.
func (t *Target) PassHook(tb testing.TB, key engine.Key) {
	tb.Helper()
	t.endHook(tb, key, func(now metav1.Time) batchv1.JobStatus {
		return batchv1.JobStatus{StartTime: &now, CompletionTime: &now, Succeeded: 1, Conditions: []batchv1.JobCondition{
			{Type: batchv1.JobSuccessCriteriaMet, Status: corev1.ConditionTrue, Reason: "CompletionsReached", LastTransitionTime: now},
			{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, Reason: "CompletionsReached", LastTransitionTime: now},
		}}
	})
}

// endHook plays the controller of Jobs. It may run beside the test.
func (t *Target) endHook(tb testing.TB, key engine.Key, status func(metav1.Time) batchv1.JobStatus) {
	tb.Helper()
	jobs := t.lab.Clients.BatchV1().Jobs(key.Namespace)
	for begun := time.Now(); time.Since(begun) < soon; time.Sleep(often) {
		job, err := jobs.Get(tb.Context(), key.Name+"-hook", metav1.GetOptions{})
		if err != nil || len(job.Status.Conditions) > 0 || job.DeletionTimestamp != nil {
			continue // it does not run yet, or again
		}
		job.Status = status(metav1.Now())
		if _, err := jobs.UpdateStatus(tb.Context(), job, metav1.UpdateOptions{}); err == nil {
			return
		} else if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			tb.Errorf("ending the hook of %s: %v", key, err)
			return
		}
	}
	tb.Errorf("the hook of %s did not run within %s", key, soon)
}

// Serve implements enginetest.KindTarget.
func (t *Target) Serve(tb testing.TB) {
	tb.Helper()
	client, err := apiextensions.NewForConfig(t.lab.Server.Config)
	if err != nil {
		tb.Fatal(err)
	}
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
	if _, err := client.ApiextensionsV1().CustomResourceDefinitions().Create(tb.Context(), crd, metav1.CreateOptions{}); err != nil {
		tb.Fatal(err)
	}
}
