package source_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	clientscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/kube/source"
	"portico.dev/portico/kube/source/archive"
	"portico.dev/portico/kube/source/store"
)

var shared = kubetest.Shared{CRDs: []string{"bin/share/crds/flux"}}

func TestMain(m *testing.M) {
	// Every failed fetch would be logged, and these tests make many on purpose.
	log.SetLogger(zap.New(zap.WriteTo(io.Discard)))
	os.Exit(shared.Run(m))
}

// engine is a running sources engine for one namespace.
type engine struct {
	t      *testing.T
	kube   client.WithWatch
	ns     string
	dir    string
	server *httptest.Server
	reader source.Reader
	stop   func()
}

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientscheme.AddToScheme, sourcev1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// start runs the engine in a namespace of its own.
func start(t *testing.T) *engine {
	t.Helper()
	cluster := shared.Cluster(t)
	kube, err := client.NewWithWatch(cluster.Config, client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	e := &engine{t: t, kube: kube, ns: cluster.Namespace(t), dir: filepath.Join(t.TempDir(), "artifacts")}
	// The address of the artifacts is the same for all starts, as in a real plane.
	e.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { e.reader.Store.Handler().ServeHTTP(w, r) }))
	t.Cleanup(e.server.Close)
	e.run()
	return e
}

// run starts the engine's controllers, again if they were stopped.
func (e *engine) run() {
	e.t.Helper()
	files, err := store.New(e.dir, e.server.URL)
	if err != nil {
		e.t.Fatal(err)
	}
	e.reader = source.Reader{Store: files, HTTP: http.DefaultClient}
	e.stop = shared.Cluster(e.t).Control(e.t, ctrl.Options{
		Scheme: scheme(e.t), Cache: cache.Options{DefaultNamespaces: map[string]cache.Config{e.ns: {}}},
	}, func(_ context.Context, mgr ctrl.Manager) error {
		return source.Setup(mgr, source.Options{Store: files, Clock: time.Now})
	})
}

func (e *engine) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: e.ns, Name: name}
}

func (e *engine) create(objects ...client.Object) {
	e.t.Helper()
	for _, o := range objects {
		if err := e.kube.Create(e.t.Context(), o); err != nil {
			e.t.Fatal(err)
		}
	}
}

// change patches an object as its user would.
func change[T client.Object](e *engine, obj T, how func(T)) {
	e.t.Helper()
	before := obj.DeepCopyObject().(client.Object)
	how(obj)
	if err := e.kube.Patch(e.t.Context(), obj, client.MergeFrom(before)); err != nil {
		e.t.Fatal(err)
	}
}

// await watches an object until it is as wanted, and fills it in.
func await[T client.Object](e *engine, obj T, list client.ObjectList, wanted func(T) bool) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(e.t.Context(), 2*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		events, err := e.kube.Watch(ctx, list, client.InNamespace(obj.GetNamespace()),
			client.MatchingFieldsSelector{Selector: fields.OneTermEqualSelector("metadata.name", obj.GetName())})
		if err != nil {
			e.t.Fatal(err)
		}
		for event := range events.ResultChan() {
			seen, ok := event.Object.(T)
			if !ok {
				continue
			}
			copyInto(seen, obj)
			if wanted(seen) {
				events.Stop()
				return
			}
		}
	}
	e.t.Fatalf("%s/%s did not become as wanted; it is %+v", obj.GetNamespace(), obj.GetName(), obj)
}

func copyInto(from, to client.Object) {
	switch f := from.(type) {
	case *sourcev1.HelmRepository:
		f.DeepCopyInto(to.(*sourcev1.HelmRepository))
	case *sourcev1.HelmChart:
		f.DeepCopyInto(to.(*sourcev1.HelmChart))
	case *sourcev1.GitRepository:
		f.DeepCopyInto(to.(*sourcev1.GitRepository))
	case *sourcev1.OCIRepository:
		f.DeepCopyInto(to.(*sourcev1.OCIRepository))
	case *sourcev1.Bucket:
		f.DeepCopyInto(to.(*sourcev1.Bucket))
	}
}

// state is what all kinds have in their status.
func state(obj client.Object) (generation int64, conditions []metav1.Condition, artifact *meta.Artifact) {
	switch o := obj.(type) {
	case *sourcev1.HelmRepository:
		return o.Status.ObservedGeneration, o.Status.Conditions, o.Status.Artifact
	case *sourcev1.HelmChart:
		return o.Status.ObservedGeneration, o.Status.Conditions, o.Status.Artifact
	case *sourcev1.GitRepository:
		return o.Status.ObservedGeneration, o.Status.Conditions, o.Status.Artifact
	case *sourcev1.OCIRepository:
		return o.Status.ObservedGeneration, o.Status.Conditions, o.Status.Artifact
	case *sourcev1.Bucket:
		return o.Status.ObservedGeneration, o.Status.Conditions, o.Status.Artifact
	}
	return 0, nil, nil
}

func ready(obj client.Object) bool {
	generation, conditions, artifact := state(obj)
	return generation == obj.GetGeneration() && control.IsTrue(conditions, meta.ReadyCondition) && artifact != nil
}

// broken says that the object reports a failure with these words.
func broken(obj client.Object, reason, words string) bool {
	generation, conditions, _ := state(obj)
	c := control.Find(conditions, meta.ReadyCondition)
	return generation == obj.GetGeneration() && c != nil && c.Status == metav1.ConditionFalse && c.Reason == reason && strings.Contains(c.Message, words)
}

// awaitReady waits for an artifact and reads it twice: as a consumer inside the process, and over
// HTTP as a foreign one.
func awaitReady[T client.Object](e *engine, obj T, list client.ObjectList) []byte {
	e.t.Helper()
	await(e, obj, list, func(o T) bool { return ready(o) })
	_, _, artifact := state(obj)
	inside, err := e.reader.Open(e.t.Context(), artifact)
	if err != nil {
		e.t.Fatal(err)
	}
	outside, err := source.Reader{HTTP: http.DefaultClient}.Open(e.t.Context(), artifact)
	if err != nil || string(outside) != string(inside) {
		e.t.Fatalf("the artifact over HTTP: %v, %d bytes; from the store: %d bytes", err, len(outside), len(inside))
	}
	if artifact.Size == nil || *artifact.Size != int64(len(inside)) {
		e.t.Errorf("size %v, want %d", artifact.Size, len(inside))
	}
	return inside
}

// names lists the files of a tar.gz.
func names(t *testing.T, data []byte) []string {
	t.Helper()
	files, err := archive.Files(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		out = append(out, f.Name)
	}
	return out
}

// content is a file of a tar.gz.
func content(t *testing.T, data []byte, name string) string {
	t.Helper()
	files, err := archive.Files(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	t.Fatalf("the archive has no %s: %v", name, names(t, data))
	return ""
}

// chart packs a small chart.
func chart(t *testing.T, name, version string, more ...archive.File) []byte {
	t.Helper()
	var out strings.Builder
	files := append([]archive.File{
		{Name: name + "/Chart.yaml", Data: []byte("apiVersion: v2\nname: " + name + "\nversion: " + version + "\n")},
		{Name: name + "/values.yaml", Data: []byte("size: 1\ncolor: red\n")},
		{Name: name + "/values-big.yaml", Data: []byte("size: 9\n")},
		{Name: name + "/templates/cm.yaml", Data: []byte("# nothing\n")},
	}, more...)
	if err := archive.Pack(&out, files); err != nil {
		t.Fatal(err)
	}
	return []byte(out.String())
}

func secret(e *engine, name string, data map[string]string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: e.meta(name), StringData: data}
}

func every(d time.Duration) metav1.Duration { return metav1.Duration{Duration: d} }

// fluxDeployment looks like Flux's source-controller.
func fluxDeployment(e *engine) *appsv1.Deployment {
	pods := map[string]string{"app": "source-controller"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: e.ns, Name: "source-controller", Labels: map[string]string{
			"app.kubernetes.io/part-of": "flux", "app.kubernetes.io/component": "source-controller",
		}},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: pods},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: pods},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "manager", Image: "none"}}},
			},
		},
	}
}
