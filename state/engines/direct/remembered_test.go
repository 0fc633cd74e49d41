package direct_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest/lab"
)

// A service that is installed once is known to have run in whole by an engine that begins later,
// and has not seen it: what is wanted meanwhile makes no difference, even if it does not run now.
func TestOnceIsRemembered(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	to := l.NewTarget(t)
	key := engine.Key{Namespace: to.Namespace(), Name: "a"}
	set := l.single(to, key, "{run: true, text: one}")
	set.Policy.Sync = engine.OneTime

	first := l.Engine(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- first.Start(ctx) }()
	await(t, first, set, engine.Provisioning, "Deployment")
	to.Heal(t, key)
	await(t, first, set, engine.Deployed, "")
	cancel()
	<-ended
	record, err := l.Clients.CoreV1().Secrets(key.Namespace).Get(t.Context(), "sh.helm.release.v1.a.v1", metav1.GetOptions{})
	if err != nil || record.Labels[helm.WholeLabel] == "" {
		t.Fatalf("the record does not say that the release ran: %v, %v", record.Labels, err)
	}

	to.Crash(t, key, "no space left on device")
	set.Services[0].Values = "{run: true, text: two}"
	await(t, running(t, l), set, engine.Provisioning, "no space left on device")
	if r := to.Releases(t)[key]; r.Revision != 1 || r.Text != "one" {
		t.Errorf("the release is %+v", r)
	}
}

// foreign is a workload that reads a Secret which is not the chart's.
const foreign = `
-- templates/foreign.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}-reader}
spec:
  selector: {matchLabels: {app: {{ .Release.Name }}-reader}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}-reader}}
    spec:
      containers: [{name: main, image: example/app, envFrom: [{secretRef: {name: foreign}}]}]
`

// With Reload, what a workload reads may be anybody's. Without, nobody watches it.
func TestReloadOfForeignSecret(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	source := l.Publish(t, "foreign", lab.Pack(t, "1.0.0", foreign))
	to := l.NewTarget(t)
	e := running(t, l)
	key := engine.Key{Namespace: to.Namespace(), Name: "a"}
	set := l.single(to, key, "text: one")
	set.Services[0].Source = source
	await(t, e, set, engine.Provisioning, "Deployment")
	if asked := to.Requests(); asked["GET secrets watch"]+asked["GET secrets"] > 0 {
		t.Errorf("nobody has asked for Reload:\n%s", lines(asked, nil))
	}

	set.Policy.Reload = true
	secrets := l.Clients.CoreV1().Secrets(key.Namespace)
	secret, err := secrets.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "foreign"}, StringData: map[string]string{"a": "one"}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	reader := key
	reader.Name += "-reader"
	marked := func() bool {
		d, err := l.Clients.AppsV1().Deployments(key.Namespace).Get(t.Context(), reader.Name, metav1.GetOptions{})
		return err == nil && d.Annotations[helm.LoadedAnnotation] != ""
	}
	until(t, e, set, "the mark", marked)
	if n := to.Restarts(t, reader); n > 0 {
		t.Errorf("nothing has changed, and the workload was restarted %d times", n)
	}
	secret.Data["a"] = []byte("two")
	if _, err := secrets.Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	until(t, e, set, "the restart", func() bool { return to.Restarts(t, reader) > 0 })
	if n := to.Restarts(t, reader); n != 1 {
		t.Errorf("one thing has changed, and the workload was restarted %d times", n)
	}
}
