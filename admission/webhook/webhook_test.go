package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/admission/webhook"
	costv1 "portico.dev/portico/api/cost/v1alpha1"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
)

// ask sends one request as an API server does and returns the answer. The handlers know the
// stored objects.
func ask(t *testing.T, stored []client.Object, path string, req *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	t.Helper()
	scheme := newScheme(t)
	return send(t, webhook.Options{Reader: holding(scheme, stored...), Scheme: scheme}, path, req)
}

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kcm.AddToScheme, statev1.AddToScheme, costv1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

func holding(scheme *runtime.Scheme, stored ...client.Object) client.Client {
	return fake.NewClientBuilder().WithScheme(scheme).WithObjects(stored...).Build()
}

func send(t *testing.T, options webhook.Options, path string, req *admissionv1.AdmissionRequest) *admissionv1.AdmissionResponse {
	t.Helper()
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{corev1.SchemeGroupVersion})
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	options.Mapper, options.SystemNamespace = mapper, "kcm-system"
	server := http.NewServeMux()
	webhook.Register(mux{server}, options)
	req.UID = "1"
	body, err := json.Marshal(admissionv1.AdmissionReview{TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"}, Request: req})
	if err != nil {
		t.Fatal(err)
	}
	call := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	call.Header.Set("Content-Type", "application/json")
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, call)
	var review admissionv1.AdmissionReview
	if err := json.Unmarshal(answer.Body.Bytes(), &review); err != nil {
		t.Fatalf("answer %d %s: %v", answer.Code, answer.Body, err)
	}
	return review.Response
}

type mux struct{ *http.ServeMux }

func (m mux) Register(path string, handler http.Handler) { m.Handle(path, handler) }

func raw(t *testing.T, text string) runtime.RawExtension {
	t.Helper()
	out, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: out}
}

const (
	clusterText = `
apiVersion: k0rdent.mirantis.com/v1beta1
kind: ClusterDeployment
metadata: {name: dev, namespace: team}
spec: {template: local-1, credential: local}
`
	templateText = `
apiVersion: k0rdent.mirantis.com/v1beta1
kind: ClusterTemplate
metadata: {name: local-1, namespace: team}
spec: {helm: {chartSpec: {chart: local}}}
`
)

func template() *kcm.ClusterTemplate {
	t := &kcm.ClusterTemplate{ObjectMeta: metav1.ObjectMeta{Name: "local-1", Namespace: "team"}}
	t.Status.Valid = true
	t.Status.Providers = []string{"infrastructure-local"}
	t.Status.Config = &kcm.JSON{Raw: []byte(`{"workers":1}`)}
	return t
}

func TestMutate(t *testing.T) {
	tests := []struct {
		name, why, path, text string
		want                  map[string]any // by JSON patch path
	}{
		{"Values", "The author of a new cluster sees the values before anything is made.", webhook.MutatePath(kcm.ClusterDeploymentKind), clusterText,
			map[string]any{"/spec/config": map[string]any{"workers": 1.0}, "/spec/dryRun": true}},
		{"Source", "A chart without a source comes from our repository.", webhook.MutatePath(kcm.ClusterTemplateKind), templateText,
			map[string]any{"/spec/helm/chartSpec/interval": "10m0s", "/spec/helm/chartSpec/sourceRef": map[string]any{"kind": "HelmRepository", "name": "kcm-templates"}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			answer := ask(t, []client.Object{template()}, tc.path, &admissionv1.AdmissionRequest{Operation: admissionv1.Create, Namespace: "team", Object: raw(t, tc.text)})
			if !answer.Allowed {
				t.Fatalf("%s\nrefused: %v", tc.why, answer.Result)
			}
			var patch []struct {
				Path  string
				Value any
			}
			if err := json.Unmarshal(answer.Patch, &patch); err != nil {
				t.Fatal(err)
			}
			got := map[string]any{}
			for _, p := range patch {
				if _, ok := tc.want[p.Path]; ok {
					got[p.Path] = p.Value
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n%s", tc.why, diff)
			}
		})
	}
}

func TestMutateUpdate(t *testing.T) {
	valued := strings.Replace(clusterText, "credential: local", "credential: local, config: {workers: 2}", 1)
	tests := []struct {
		name, why, old, text string
		patched              bool
	}{
		{"Without", "An object that lives without values is left as it is.", clusterText, clusterText, false},
		{"With", "Who has written values wants them.", valued, valued, false},
		{"TakenAway", "Values that are taken away are the template's again, to be looked at first.", valued, clusterText, true},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			answer := ask(t, []client.Object{template()}, webhook.MutatePath(kcm.ClusterDeploymentKind),
				&admissionv1.AdmissionRequest{Operation: admissionv1.Update, Namespace: "team", Object: raw(t, tc.text), OldObject: raw(t, tc.old)})
			if !answer.Allowed || (answer.Patch != nil) != tc.patched {
				t.Errorf("%s\nallowed %v, patch %s", tc.why, answer.Allowed, answer.Patch)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name, why string
		stored    []client.Object
		path      string
		request   admissionv1.AdmissionRequest
		reason    metav1.StatusReason // empty: allowed
	}{
		{"Missing", "What a new object names has to exist.", nil, webhook.ValidatePath(kcm.ClusterDeploymentKind),
			admissionv1.AdmissionRequest{Operation: admissionv1.Create, Object: raw(t, clusterText)}, metav1.StatusReasonInvalid},
		{"FinalizerOnly", "A finalizer can always be taken away.", nil, webhook.ValidatePath(kcm.ClusterDeploymentKind),
			admissionv1.AdmissionRequest{Operation: admissionv1.Update, Object: raw(t, clusterText), OldObject: raw(t, clusterText)}, ""},
		{"TemplateInUse", "A cluster uses it.",
			[]client.Object{&kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Name: "dev", Namespace: "team"}, Spec: kcm.ClusterDeploymentSpec{Template: "local-1"}}},
			webhook.ValidatePath(kcm.ClusterTemplateKind), admissionv1.AdmissionRequest{Operation: admissionv1.Delete, OldObject: raw(t, templateText)}, metav1.StatusReasonForbidden},
		{"TemplateFree", "Nobody uses it.", nil,
			webhook.ValidatePath(kcm.ClusterTemplateKind), admissionv1.AdmissionRequest{Operation: admissionv1.Delete, OldObject: raw(t, templateText)}, ""},
		{"Kinds", "The mapper knows what is served.", nil, webhook.ValidatePath(kcm.AccessManagementKind),
			admissionv1.AdmissionRequest{Operation: admissionv1.Create, Object: raw(t, "metadata: {name: kcm}\nspec: {accessRules: [{resources: [{kind: Secret}]}]}")}, ""},
		{"UnknownKind", "The mapper does not know it.", nil, webhook.ValidatePath(kcm.AccessManagementKind),
			admissionv1.AdmissionRequest{Operation: admissionv1.Create, Object: raw(t, "metadata: {name: kcm}\nspec: {accessRules: [{resources: [{kind: Thing}]}]}")}, metav1.StatusReasonInvalid},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			tc.request.Namespace = "team"
			answer := ask(t, tc.stored, tc.path, &tc.request)
			if answer.Allowed != (tc.reason == "") || (tc.reason != "" && answer.Result.Reason != tc.reason) {
				t.Errorf("%s\nallowed %v, result %v; want reason %q", tc.why, answer.Allowed, answer.Result, tc.reason)
			}
		})
	}
}

func TestCacheLags(t *testing.T) {
	scheme := newScheme(t)
	service := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "team"}}
	credential := &kcm.Credential{ObjectMeta: metav1.ObjectMeta{Name: "local", Namespace: "team"}}
	credential.Spec.IdentityRef = &kcm.ObjectReference{Kind: "Secret"}
	options := webhook.Options{Reader: holding(scheme), Live: holding(scheme, template(), service, credential), Scheme: scheme}
	request := &admissionv1.AdmissionRequest{Operation: admissionv1.Create, Namespace: "team", Object: raw(t, clusterText)}
	if answer := send(t, options, webhook.ValidatePath(kcm.ClusterDeploymentKind), request); !answer.Allowed {
		t.Errorf("What the cache does not know yet is not missing, but: %v", answer.Result)
	}
	for kind, name := range map[string]string{kcm.ClusterTemplateChainKind: "local-1", kcm.ServiceTemplateChainKind: "web-1"} {
		request.Object = raw(t, "metadata: {name: chain, namespace: team}\nspec: {supportedTemplates: [{name: "+name+"}]}")
		if answer := send(t, options, webhook.ValidatePath(kind), request); !answer.Allowed {
			t.Errorf("A %s comes with its templates, but: %v", kind, answer.Result)
		}
	}
}

func TestWarnings(t *testing.T) {
	old, other := template(), template()
	old.Spec.Helm.ChartSpec = &kcm.HelmChartSpec{Chart: "local"}
	other.Name, other.Spec.Helm.ChartSpec = "aws-1", &kcm.HelmChartSpec{Chart: "aws"}
	request := &admissionv1.AdmissionRequest{
		Operation: admissionv1.Update, Namespace: "team",
		OldObject: raw(t, clusterText+"status: {availableUpgrades: [aws-1]}"),
		Object:    raw(t, strings.Replace(clusterText, "local-1", "aws-1", 1)),
	}
	credential := &kcm.Credential{ObjectMeta: metav1.ObjectMeta{Name: "local", Namespace: "team"}}
	credential.Spec.IdentityRef = &kcm.ObjectReference{Kind: "Secret"}
	answer := ask(t, []client.Object{old, other, credential}, webhook.ValidatePath(kcm.ClusterDeploymentKind), request)
	if !answer.Allowed || len(answer.Warnings) != 1 {
		t.Errorf("A chain leads there, but the chart is another, which is worth a word: allowed %v, warnings %q, %v", answer.Allowed, answer.Warnings, answer.Result)
	}
}

func TestConfigurations(t *testing.T) {
	registered := recorder{}
	webhook.Register(registered, webhook.Options{Scheme: runtime.NewScheme()})
	asked := recorder{}
	mutating, validating := webhook.Configurations("portico", func(path string) admissionregistrationv1.WebhookClientConfig {
		asked[path] = true
		return admissionregistrationv1.WebhookClientConfig{}
	})
	if diff := cmp.Diff(registered, asked); diff != "" {
		t.Errorf("An API server asks at exactly the paths that are served (-served +asked)\n%s", diff)
	}
	if mutating.Name != "portico-mutating-webhook-configuration" || len(mutating.Webhooks) != 5 {
		t.Errorf("mutating configuration %s has %d webhooks", mutating.Name, len(mutating.Webhooks))
	}
	if validating.Name != "portico-validating-webhook-configuration" || len(validating.Webhooks) != 23 {
		t.Errorf("validating configuration %s has %d webhooks", validating.Name, len(validating.Webhooks))
	}
	if got, want := validating.Webhooks[4].Name, "validation.clusterdeployment.k0rdent.mirantis.com"; got != want {
		t.Errorf("webhook is called %s, want %s", got, want)
	}
	if got, want := webhook.ValidatePath(kcm.ClusterDeploymentKind), "/validate-k0rdent-mirantis-com-v1beta1-clusterdeployment"; got != want {
		t.Errorf("path is %s, want %s", got, want)
	}
	if got, want := webhook.ValidatePath(statev1.RolloutKind), "/validate-state-portico-dev-v1alpha1-rollout"; got != want {
		t.Errorf("path is %s, want %s", got, want)
	}
}

type recorder map[string]bool

func (r recorder) Register(path string, _ http.Handler) { r[path] = true }

func TestEngines(t *testing.T) {
	scheme := newScheme(t)
	const text = "metadata: {name: x, namespace: team}\nspec: {serviceSpec: {services: [{name: web, namespace: default, template: web-1}]}}"
	tests := []struct {
		name, why, kind, text, old string
		asked                      []string // the namespaces of the templates
	}{
		{"Cluster", "What an engine cannot do is refused when it is written.", kcm.ClusterDeploymentKind, strings.Replace(clusterText, "credential: local", "credential: local, serviceSpec: {services: [{name: web, template: web-1}]}", 1), "", []string{"team"}},
		{"ClusterWithout", "There is nothing to ask about.", kcm.ClusterDeploymentKind, clusterText, "", nil},
		{"Platform", "Its templates are in the system namespace.", kcm.MultiClusterServiceKind, text, "", []string{"kcm-system"}},
		{"Team", "Its templates are its own.", statev1.NamespacedMultiClusterServiceKind, text, "", []string{"team"}},
		{"Changed", "A change is as good as new.", kcm.MultiClusterServiceKind, text, strings.Replace(text, "web-1", "web-0", 1), []string{"kcm-system"}},
		{"SomethingElse", "What was accepted before stays accepted.", kcm.MultiClusterServiceKind, strings.Replace(text, "spec: {", "spec: {dependsOn: [a], ", 1), text, nil},
		{"Wrong", "What is wrong by itself need not be asked.", kcm.MultiClusterServiceKind, strings.Replace(text, "name: web", "name: WEB", 1), "", nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var asked []string
			service := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: "team"}}
			credential := &kcm.Credential{ObjectMeta: metav1.ObjectMeta{Name: "local", Namespace: "team"}}
			credential.Spec.IdentityRef = &kcm.ObjectReference{Kind: "Secret"}
			options := webhook.Options{Reader: holding(scheme, template(), service, credential), Scheme: scheme, Engines: func(_ context.Context, namespace string, _ kcm.ServiceSpec) (field.ErrorList, error) {
				asked = append(asked, namespace)
				return field.ErrorList{field.Forbidden(field.NewPath("spec", "serviceSpec", "reload"), "the engine lame cannot do this")}, nil
			}}
			req := &admissionv1.AdmissionRequest{Operation: admissionv1.Create, Namespace: "team", Object: raw(t, tc.text)}
			if tc.old != "" {
				req.Operation, req.OldObject = admissionv1.Update, raw(t, tc.old)
			}
			answer := send(t, options, webhook.ValidatePath(tc.kind), req)
			if diff := cmp.Diff(tc.asked, asked); diff != "" {
				t.Errorf("%s (-want +got)\n%s", tc.why, diff)
			}
			if len(asked) > 0 && (answer.Allowed || !strings.Contains(answer.Result.Message, "the engine lame cannot do this")) {
				t.Errorf("the engine refuses, but: %v", answer.Result)
			}
		})
	}
}
