package docs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"portico.dev/portico/admission"
	"portico.dev/portico/admission/webhook"
	"portico.dev/portico/api/config/controlplane"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/config"
	"portico.dev/portico/internal/e2e"
)

// configGroup is that of files, which no API server serves.
const configGroup = "config.portico.dev"

// Every manifest can be applied as it stands, in the order of its page, to a plane that was
// just started: its kinds and fields exist, the schema and the admission take it, and
// what it refers to is bundled or stands before it on the page.
func TestManifests(t *testing.T) {
	scheme, definitions := newScheme(t), definitions(t)
	count := 0
	for _, p := range pages(t) {
		w := newWorld(t, scheme, definitions)
		for _, m := range p.manifests(t) {
			count++
			if err := w.apply(m); err != nil {
				t.Errorf("%s:%d: %s %s: %v", p.path, m.line, m.GetKind(), m.GetName(), err)
			}
		}
	}
	if count < 10 {
		t.Errorf("found %d manifests: blocks are not read", count)
	}
}

// Without this the test above could pass by looking at nothing.
func TestManifestsThatAreRefused(t *testing.T) {
	const head = "apiVersion: k0rdent.mirantis.com/v1beta1\nkind: ClusterDeployment\nmetadata: {name: demo, namespace: kcm-system}\n"
	tests := []struct{ reason, text, want string }{
		{"A misspelt field would be dropped.", head + "spec: {template: local-hosted-1-0-0, credential: local, config: {}, dryrun: true}", "dryrun"},
		{"A wrong type is the schema's affair.", head + "spec: {template: local-hosted-1-0-0, credential: local, config: {}, dryRun: very}", "dryRun"},
		{"A reference has to lead somewhere.", head + "spec: {template: local-hosted-9-9-9, credential: local, config: {}}", "does not exist"},
		{"A misspelt value is refused by the chart.", head + "spec: {template: local-hosted-1-0-0, credential: local, config: {workers: 1}}", "workers"},
		{"A rule of the schema is evaluated.", "apiVersion: k0rdent.mirantis.com/v1beta1\nkind: ClusterTemplate\nmetadata: {name: x, namespace: kcm-system}\nspec: {helm: {}}", "one of chartSpec, chartRef"},
		{"A namespace has to be there.", strings.Replace(head, "kcm-system", "team", 1) + "spec: {template: x}", "namespace team"},
		{"What Portico adds to k0rdent is judged too.", "apiVersion: state.portico.dev/v1alpha1\nkind: Rollout\nmetadata: {name: x, namespace: default}\nspec: {subject: {kind: MultiClusterService, name: x}, waves: [{name: all}]}", "kcm-system"},
		{"A kind has to be served.", "apiVersion: v1\nkind: Cluster\nmetadata: {name: x}", "no kind"},
	}
	scheme, definitions := newScheme(t), definitions(t)
	for _, tc := range tests {
		p := page{"x.yaml", tc.text}
		err := newWorld(t, scheme, definitions).apply(p.manifests(t)[0])
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s\napply = %v; want an error with %q", tc.reason, err, tc.want)
		}
	}
}

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme, err := e2e.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	return scheme
}

// key names an object of the world.
type key struct {
	schema.GroupKind
	namespace, name string
}

func keyOf(o *unstructured.Unstructured) key {
	return key{o.GroupVersionKind().GroupKind(), o.GetNamespace(), o.GetName()}
}

// world is a plane in memory: what is in it, and what it serves.
type world struct {
	t           *testing.T
	scheme      *runtime.Scheme
	definitions map[schema.GroupVersionKind]*definition
	charts      bundle
	objects     map[key]*unstructured.Unstructured
}

// newWorld is a plane that was just started.
func newWorld(t *testing.T, scheme *runtime.Scheme, definitions map[schema.GroupVersionKind]*definition) *world {
	w := &world{t, scheme, definitions, bundled(t), map[key]*unstructured.Unstructured{}}
	for _, o := range w.charts.objects {
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			t.Fatal(err)
		}
		u := &unstructured.Unstructured{Object: content}
		w.objects[keyOf(u)] = u
	}
	return w
}

// apply adds an object, or replaces one, if the plane would take it.
func (w *world) apply(m manifest) error {
	if m.GroupVersionKind().Group == configGroup {
		return file(w.t, m)
	}
	if err := w.decode(m); err != nil {
		return err
	}
	old := w.objects[keyOf(m.Unstructured)]
	if d := w.definitions[m.GroupVersionKind()]; d != nil {
		if err := d.validate(m.Unstructured, old); err != nil {
			return err
		}
	}
	if err := w.admit(m.Unstructured, old); err != nil {
		return err
	}
	if err := w.charts.suits(m.Unstructured, w); err != nil {
		return err
	}
	w.charts.judge(w.t, m.Unstructured)
	w.objects[keyOf(m.Unstructured)] = m.Unstructured
	return nil
}

// file checks a configuration file, which is no object of a plane.
func file(t *testing.T, m manifest) error {
	switch m.GetKind() {
	case config.Kind:
		path := filepath.Join(t.TempDir(), config.File)
		if err := os.WriteFile(path, m.raw, 0o600); err != nil {
			return err
		}
		_, err := config.Load(config.Sources{File: path, Getenv: func(string) string { return "" }})
		return err
	case "ControlPlaneConfiguration":
		_, err := controlplane.Decode(m.raw)
		return err
	}
	return fmt.Errorf("no kind %s is known", m.GetKind())
}

// decode reads the object strictly as its Go type, fills in what the admission would, and
// checks that its namespace is there.
func (w *world) decode(m manifest) error {
	codecs := serializer.NewCodecFactory(w.scheme, serializer.EnableStrict)
	typed, _, err := codecs.UniversalDeserializer().Decode(m.raw, nil, nil)
	if err != nil {
		return err
	}
	switch o := typed.(type) {
	case interface{ GetHelmSpec() *kcm.HelmSpec }:
		admission.DefaultHelmSpec(o.GetHelmSpec())
	case *kcm.ClusterDeployment:
		if t := w.objects[key{kcm.GroupVersion.WithKind(kcm.ClusterTemplateKind).GroupKind(), o.Namespace, o.Spec.Template}]; t != nil {
			admission.DefaultClusterDeployment(o, as[kcm.ClusterTemplate](w.t, t))
		}
	}
	if m.Object, err = runtime.DefaultUnstructuredConverter.ToUnstructured(typed); err != nil {
		return err
	}
	unstructured.RemoveNestedField(m.Object, "status")
	unstructured.RemoveNestedField(m.Object, "metadata", "creationTimestamp")
	switch ns := m.GetNamespace(); ns {
	case "", kcm.DefaultSystemNamespace, metav1.NamespaceDefault, metav1.NamespaceSystem:
		return nil
	default:
		if w.objects[key{schema.GroupKind{Kind: "Namespace"}, "", ns}] == nil {
			return fmt.Errorf("namespace %s does not exist: declare it before", ns)
		}
		return nil
	}
}

// as is an object as its Go type.
func as[T any](t *testing.T, u *unstructured.Unstructured) *T {
	t.Helper()
	out := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out); err != nil {
		t.Fatal(err)
	}
	return out
}

// handlers are those of the admission, by path.
type handlers map[string]http.Handler

func (h handlers) Register(path string, handler http.Handler) { h[path] = handler }

// admit asks the admission, as an API server does.
func (w *world) admit(o, old *unstructured.Unstructured) error {
	if group := o.GroupVersionKind().Group; group != kcm.GroupVersion.Group && group != statev1.GroupVersion.Group {
		return nil
	}
	stored := fake.NewClientBuilder().WithScheme(w.scheme)
	for _, other := range w.objects {
		stored = stored.WithObjects(client.Object(other.DeepCopy()))
	}
	mapper := meta.NewDefaultRESTMapper(nil)
	for _, kind := range []string{"Secret", "ConfigMap"} {
		mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: kind}, meta.RESTScopeNamespace)
	}
	to := handlers{}
	webhook.Register(to, webhook.Options{Reader: stored.Build(), Mapper: mapper, Scheme: w.scheme, SystemNamespace: kcm.DefaultSystemNamespace})
	h, has := to[webhook.ValidatePath(o.GetKind())]
	if !has {
		return nil
	}
	req := &admissionv1.AdmissionRequest{UID: "1", Operation: admissionv1.Create, Namespace: o.GetNamespace(), Name: o.GetName(), Object: raw(w.t, o)}
	if old != nil {
		req.Operation, req.OldObject = admissionv1.Update, raw(w.t, w.withUpgrades(old))
	}
	return ask(w.t, h, webhook.ValidatePath(o.GetKind()), req)
}

func raw(t *testing.T, u *unstructured.Unstructured) runtime.RawExtension {
	t.Helper()
	text, err := u.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: text}
}

func ask(t *testing.T, h http.Handler, path string, req *admissionv1.AdmissionRequest) error {
	t.Helper()
	body, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: req})
	if err != nil {
		t.Fatal(err)
	}
	call := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	call.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, call)
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer.Body.Bytes(), &review); err != nil {
		t.Fatalf("answer %d %s: %v", answer.Code, answer.Body, err)
	}
	if !review.Response.Allowed {
		return fmt.Errorf("refused: %s", review.Response.Result.Message)
	}
	return nil
}

// withUpgrades gives a stored cluster what its controller would have found in the chains.
func (w *world) withUpgrades(old *unstructured.Unstructured) *unstructured.Unstructured {
	if old.GetKind() != kcm.ClusterDeploymentKind {
		return old
	}
	d := as[kcm.ClusterDeployment](w.t, old)
	var to []any
	for k, o := range w.objects {
		if k.Kind != kcm.ClusterTemplateChainKind || k.namespace != d.Namespace {
			continue
		}
		for _, s := range as[kcm.ClusterTemplateChain](w.t, o).Spec.SupportedTemplates {
			for _, u := range s.AvailableUpgrades {
				if s.Name == d.Spec.Template {
					to = append(to, u.Name)
				}
			}
		}
	}
	out := old.DeepCopy()
	if err := unstructured.SetNestedSlice(out.Object, to, "status", "availableUpgrades"); err != nil {
		w.t.Fatal(err)
	}
	return out
}
