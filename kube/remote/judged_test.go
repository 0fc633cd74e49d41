package remote_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/kube/remote"
)

// bench is a cluster with a release "rel" whose objects health rules look at.
type bench struct {
	*testing.T
	cluster *remote.Cluster
	clients kubernetes.Interface
	ns      string
}

func (b bench) put(name, text string, labels map[string]string) {
	b.Helper()
	_, err := b.clients.CoreV1().ConfigMaps(b.ns).Create(b.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Data: map[string]string{"text": text},
	}, metav1.CreateOptions{})
	if err != nil {
		b.Fatal(err)
	}
}

func (b bench) patch(name, patch string) {
	b.Helper()
	if _, err := b.clients.CoreV1().ConfigMaps(b.ns).Patch(b.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
		b.Fatal(err)
	}
}

func (b bench) judge(rules ...helm.HealthRule) []helm.Problem {
	b.Helper()
	found, err := b.cluster.Judge(b.Context(), types.NamespacedName{Namespace: b.ns, Name: "rel"}, rules)
	if err != nil {
		b.Fatal(err)
	}
	return found
}

func TestHealthRules(t *testing.T) {
	t.Parallel()
	api := kubetest.Start(t)
	clients, err := kubernetes.NewForConfig(api.Config)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := remote.New(nil, api.Config, slog.New(slog.DiscardHandler)).Own()
	if err != nil {
		t.Fatal(err)
	}
	b := bench{t, cluster, clients, api.Namespace(t)}
	apply(t, cluster, b.ns, app)
	b.testJudge()
	b.testWatchJudged()
}

func (b bench) testJudge() {
	text := helm.HealthRule{Source: "rule", Version: "v1", Kind: "ConfigMap", Healthy: "obj.data.text == 'well'", Message: "the text is ill"}
	for i, label := range helm.NameLabels() {
		b.put(fmt.Sprintf("ill-%d", i), "ill", map[string]string{label: "rel"})
	}
	b.put("twice", "ill", map[string]string{"app": "rel", "release": "rel"})
	b.put("well", "well", map[string]string{"app": "rel"})
	b.put("others", "ill", map[string]string{"app": "other"})
	b.put("going", "ill", map[string]string{"app": "rel"})
	b.patch("going", `{"metadata": {"finalizers": ["example.com/keep"]}}`)
	if err := b.clients.CoreV1().ConfigMaps(b.ns).Delete(b.Context(), "going", metav1.DeleteOptions{}); err != nil {
		b.Fatal(err)
	}
	var want []helm.Problem
	for _, name := range []string{"ill-0", "ill-1", "ill-2", "ill-3", "one", "twice"} {
		want = append(want, helm.Problem{Object: "ConfigMap " + b.ns + "/" + name, Message: "the text is ill (rule)"})
	}
	if diff := cmp.Diff(want, b.judge(text)); diff != "" {
		b.Errorf("of the release's own, and of those with its name, each once (-want +got)\n%s", diff)
	}

	unserved, oldVersion, nodes, scope := text, text, text, text
	unserved.Group, unserved.Kind = "x.io", "Widget"
	oldVersion.Version = "v0"
	if found := b.judge(unserved, oldVersion); len(found) > 0 {
		b.Errorf("nobody serves the kind, and there are problems: %v", found)
	}
	nodes.Kind, nodes.ClusterScoped, nodes.Healthy = "Node", true, "false"
	if found := b.judge(nodes); len(found) > 0 {
		b.Errorf("no node has the name of the release: %v", found)
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "judged", Labels: map[string]string{"app": "rel"}}}
	if _, err := b.clients.CoreV1().Nodes().Create(b.Context(), node, metav1.CreateOptions{}); err != nil {
		b.Fatal(err)
	}
	want = []helm.Problem{{Object: "Node judged", Message: "the text is ill (rule)"}}
	if diff := cmp.Diff(want, b.judge(nodes)); diff != "" {
		b.Errorf("a kind without namespaces (-want +got)\n%s", diff)
	}
	scope.Kind, scope.Healthy = "Node", "true"
	if found := b.judge(scope); len(found) != 1 || !found[0].Misscoped {
		b.Errorf("a rule that is wrong about namespaces: %v", found)
	}
}

func (b bench) testWatchJudged() {
	kinds, h := remote.NewKinds(), &heard{}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.cluster.WatchJudged(ctx, kinds, h.changed, h.lost) }()
	h.take(b.T, "no kind is judged")
	kinds.Set([]schema.GroupVersionKind{corev1.SchemeGroupVersion.WithKind("Secret"), {Group: "x.io", Version: "v1", Kind: "Widget"}})
	h.take(b.T, "no Secret has a name, but for the records of releases, and nobody serves the other kind")
	kinds.Set([]schema.GroupVersionKind{corev1.SchemeGroupVersion.WithKind("ConfigMap")})
	said := func(name, of string) string {
		return fmt.Sprintf("ConfigMap %s/%s of %s/%s applied=false", b.ns, name, b.ns, of)
	}
	first := []string{said("one", "rel"), said("others", "other")}
	for _, name := range []string{"ill-0", "ill-1", "ill-2", "ill-3", "twice", "well", "going"} {
		first = append(first, said(name, "rel"))
	}
	h.take(b.T, "what is there when it begins", first...)
	b.put("nobodys", "ill", nil)
	h.take(b.T, "an object without a name is told nobody")
	b.patch("nobodys", `{"metadata": {"labels": {"app": "rel", "release": "second"}}}`)
	h.take(b.T, "one that gets two", said("nobodys", "rel"), said("nobodys", "second"))
	b.patch("nobodys", `{"metadata": {"labels": {"app": "third", "release": null}}}`)
	h.take(b.T, "one that changes them is told to all that it had", said("nobodys", "rel"), said("nobodys", "second"), said("nobodys", "third"))
	b.patch("nobodys", `{"data": {"text": "well"}}`)
	h.take(b.T, "one that changes otherwise", said("nobodys", "third"))
	if err := b.clients.CoreV1().ConfigMaps(b.ns).Delete(b.Context(), "nobodys", metav1.DeleteOptions{}); err != nil {
		b.Fatal(err)
	}
	h.take(b.T, "one that goes", said("nobodys", "third"))
	stop()
	<-done
}
