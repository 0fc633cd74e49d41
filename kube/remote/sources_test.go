package remote_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/kube/remote"
)

func TestWatchSources(t *testing.T) {
	t.Parallel()
	management := kubetest.Start(t)
	clients, err := kubernetes.NewForConfig(management.Config)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := remote.New(nil, management.Config, slog.New(slog.DiscardHandler)).Own()
	if err != nil {
		t.Fatal(err)
	}
	ns := management.Namespace(t)
	told := &heard{}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cluster.WatchSources(ctx, func(o helm.Object) {
			if o.Namespace != "" && o.Namespace != ns || strings.HasPrefix(o.Name, "kube-") {
				return
			}
			told.mu.Lock()
			defer told.mu.Unlock()
			told.said = append(told.said, fmt.Sprintf("%s %s", o.Kind, o.Name))
		}, told.lost)
	}()
	told.take(t, "when it begins, anything may have changed", " ", " ")
	create := func(name string, of corev1.SecretType) *corev1.Secret {
		t.Helper()
		made, err := clients.CoreV1().Secrets(ns).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name}, Type: of}, metav1.CreateOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	create("record", "helm.sh/release.v1")
	secret := create("nobodys", corev1.SecretTypeOpaque)
	told.take(t, "whose it is makes no difference, and records are none", "Secret nobodys")
	secret.StringData = map[string]string{"a": "b"}
	if _, err := clients.CoreV1().Secrets(ns).Update(t.Context(), secret, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	told.take(t, "it was changed", "Secret nobodys")
	if _, err := clients.CoreV1().ConfigMaps(ns).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "one"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	told.take(t, "so are ConfigMaps", "ConfigMap one")
	if err := clients.CoreV1().Secrets(ns).Delete(t.Context(), "nobodys", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	told.take(t, "to be gone is a change", "Secret nobodys")
	cancel()
	<-ended
}
