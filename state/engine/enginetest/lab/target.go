package lab

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest"
)

// Target is a namespace of the API server behind a gate. It implements enginetest.Target and
// what a target may be able to do besides.
type Target struct {
	*Gate
	lab       *Lab
	is        engine.Target
	namespace string
}

// Name implements enginetest.Target.
func (t *Target) Name() engine.Target { return t.is }

// Namespace implements enginetest.Target.
func (t *Target) Namespace() string { return t.namespace }

// Revision is one of a release, as Helm keeps it.
type Revision struct {
	Version int
	Info    struct{ Status string }
	Config  map[string]any
	Chart   struct{ Metadata struct{ Version string } }
}

// Records are all revisions of the releases of the target, the oldest first.
func (t *Target) Records(tb testing.TB) map[engine.Key][]Revision {
	tb.Helper()
	secrets, err := t.lab.Clients.CoreV1().Secrets(t.namespace).List(tb.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil {
		tb.Fatal(err)
	}
	records := map[engine.Key][]Revision{}
	for _, s := range secrets.Items {
		key := engine.Key{Namespace: s.Namespace, Name: s.Labels["name"]}
		records[key] = append(records[key], read(tb, s))
	}
	for _, all := range records {
		slices.SortFunc(all, func(a, b Revision) int { return a.Version - b.Version })
	}
	return records
}

func read(tb testing.TB, s corev1.Secret) (r Revision) {
	tb.Helper()
	text, err := base64.StdEncoding.DecodeString(string(s.Data["release"]))
	if err != nil {
		tb.Fatal(err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.NewDecoder(unpacked).Decode(&r); err != nil {
		tb.Fatal(err)
	}
	return r
}

// Releases implements enginetest.Target.
func (t *Target) Releases(tb testing.TB) map[engine.Key]enginetest.Release {
	tb.Helper()
	out := map[engine.Key]enginetest.Release{}
	for key, all := range t.Records(tb) {
		last := all[len(all)-1]
		r := enginetest.Release{Revision: last.Version, Whole: last.Info.Status == "deployed", Kept: last.Info.Status == "uninstalled"}
		// Flux adds the archive's digest to the version.
		r.Version, _, _ = strings.Cut(last.Chart.Metadata.Version, "+")
		r.Text, _ = t.Text(tb, key)
		out[key] = r
	}
	return out
}

// Text implements enginetest.ObjectTarget.
func (t *Target) Text(tb testing.TB, key engine.Key) (string, bool) {
	tb.Helper()
	text, err := t.lab.Clients.CoreV1().ConfigMaps(key.Namespace).Get(tb.Context(), key.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", false
	}
	if err != nil {
		tb.Fatal(err)
	}
	return text.Data["text"], true
}

// Edit implements enginetest.ObjectTarget.
func (t *Target) Edit(tb testing.TB, key engine.Key, text string) {
	tb.Helper()
	maps := t.lab.Clients.CoreV1().ConfigMaps(key.Namespace)
	there, err := maps.Get(tb.Context(), key.Name, metav1.GetOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	there.Data = map[string]string{"text": text}
	if _, err := maps.Update(tb.Context(), there, metav1.UpdateOptions{FieldManager: "kubectl-edit"}); err != nil {
		tb.Fatal(err)
	}
}

// Put implements enginetest.HealthTarget.
func (t *Target) Put(tb testing.TB, key engine.Key, labels map[string]string, text string) {
	tb.Helper()
	made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, Labels: labels}, Data: map[string]string{"text": text}}
	if _, err := t.lab.Clients.CoreV1().ConfigMaps(key.Namespace).Create(tb.Context(), made, metav1.CreateOptions{FieldManager: "kubectl-create"}); err != nil {
		tb.Fatal(err)
	}
}

// Delete implements enginetest.ObjectTarget.
func (t *Target) Delete(tb testing.TB, key engine.Key) {
	tb.Helper()
	if err := t.lab.Clients.CoreV1().ConfigMaps(key.Namespace).Delete(tb.Context(), key.Name, metav1.DeleteOptions{}); err != nil {
		tb.Fatal(err)
	}
}

// Restarts implements enginetest.ReloadTarget.
func (t *Target) Restarts(_ testing.TB, key engine.Key) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.restarts["/apis/apps/v1/namespaces/"+key.Namespace+"/deployments/"+key.Name]
}

// Terminate implements enginetest.NamespaceTarget. What is in the namespace does not go, and keeps it.
func (t *Target) Terminate(tb testing.TB) {
	tb.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: t.namespace}}
	keeper := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: ns.Name, Name: "keeper", Finalizers: []string{"example.com/keep"}}}
	for _, obj := range []client.Object{ns, keeper} {
		if err := t.lab.Kube.Create(tb.Context(), obj); err != nil {
			tb.Fatal(err)
		}
	}
	if err := t.lab.Kube.Delete(tb.Context(), ns); err != nil {
		tb.Fatal(err)
	}
}

// Finish implements enginetest.NamespaceTarget.
func (t *Target) Finish(tb testing.TB) {
	tb.Helper()
	keeper := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "keeper"}}
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata": {"finalizers": null}}`))
	if err := t.lab.Kube.Patch(tb.Context(), keeper, patch); err != nil {
		tb.Fatal(err)
	}
}
