package webhook_test

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/admission/webhook"
	costv1 "portico.dev/portico/api/cost/v1alpha1"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/kubetest"
)

// TestServer follows one cluster's objects through a real API server that asks our handlers:
// what is filled in is what is stored, and nothing that went away keeps an object alive.
func TestServer(t *testing.T) {
	cluster := kubetest.Start(t, "deploy/crds")
	ns := cluster.Namespace(t)
	kube := serve(t, cluster)
	ctx := t.Context()

	template := &kcm.ClusterTemplate{ObjectMeta: metav1.ObjectMeta{Name: "local-1", Namespace: ns}}
	template.Spec.Helm.ChartSpec = &kcm.HelmChartSpec{Chart: "local"}
	must(t, "the schema needs a source, and the webhook fills it in", kube.Create(ctx, template))
	if got := template.Spec.Helm.ChartSpec.SourceRef.Name; got != kcm.TemplateRepositoryName {
		t.Errorf("the chart comes from %q, want %q", got, kcm.TemplateRepositoryName)
	}
	template.Status.Valid = true
	template.Status.ObservedGeneration = template.Generation
	template.Status.Providers = []string{"infrastructure-local"}
	template.Status.Config = &kcm.JSON{Raw: []byte(`{"workers":1}`)}
	must(t, "a status passes by the webhook", kube.Status().Update(ctx, template))

	d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Name: "dev", Namespace: ns, Finalizers: []string{kcm.ClusterDeploymentFinalizer}}}
	d.Spec.Template, d.Spec.Credential = "local-1", "local"
	if err := kube.Create(ctx, d.DeepCopy()); !apierrors.IsInvalid(err) {
		t.Errorf("the credential does not exist, but: %v", err)
	}
	credential := &kcm.Credential{ObjectMeta: metav1.ObjectMeta{Name: "local", Namespace: ns}}
	credential.Spec.IdentityRef = &kcm.ObjectReference{APIVersion: "v1", Kind: "Secret", Name: "local", Namespace: ns}
	must(t, "the identity may come later", kube.Create(ctx, credential))
	must(t, "all that is named exists", kube.Create(ctx, d))
	if d.Spec.Config == nil || string(d.Spec.Config.Raw) != `{"workers":1}` || !d.Spec.DryRun {
		t.Errorf("config %v, dry run %v: want the template's values, and a dry run", d.Spec.Config, d.Spec.DryRun)
	}
	if err := kube.Delete(ctx, template); !apierrors.IsForbidden(err) {
		t.Errorf("a cluster uses the template, but: %v", err)
	}

	appears(t, kube, credential, d)
	must(t, "a credential can go at any time", kube.Delete(ctx, credential))
	d.Labels = map[string]string{"a": "b"}
	must(t, "a label can be set though the credential is gone", kube.Update(ctx, d))
	must(t, "a cluster can be deleted though the credential is gone", kube.Delete(ctx, d))
	must(t, "the object waits for its finalizer", kube.Get(ctx, client.ObjectKeyFromObject(d), d))
	d.Finalizers = nil
	must(t, "the finalizer can be taken away", kube.Update(ctx, d))
	must(t, "nobody uses the template any more", kube.Delete(ctx, template))
}

// TestStateServer follows the kinds of the state pillar through a real API server: what is
// wrong is refused with the field and the next step, what merely comes later is not.
func TestStateServer(t *testing.T) {
	cluster := kubetest.Start(t, "deploy/crds")
	ns := cluster.Namespace(t)
	kube := serve(t, cluster)

	for _, name := range []string{"web-1", "web-2", "web-3"} {
		template := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns}}
		template.Spec.Helm = &kcm.HelmSpec{ChartSpec: &kcm.HelmChartSpec{Chart: "web"}}
		must(t, "a template", kube.Create(t.Context(), template))
	}
	chain := &kcm.ServiceTemplateChain{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: ns}}
	chain.Spec.SupportedTemplates = []kcm.SupportedTemplate{{Name: "web-1", AvailableUpgrades: []kcm.AvailableUpgrade{{Name: "web-2"}}}, {Name: "web-2"}, {Name: "web-3"}}
	must(t, "a chain", kube.Create(t.Context(), chain))

	m := &statev1.NamespacedMultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: ns}}
	m.Spec.ServiceSpec.Services = []kcm.Service{{Name: "web", Template: "web-1", TemplateChain: "web", DependsOn: []kcm.ServiceDependsOn{{Name: "db"}}}}
	refuses(t, "nobody has the dependency", "spec.serviceSpec.services[0].dependsOn[0]", kube.Create(t.Context(), m.DeepCopy()))
	m.Spec.ServiceSpec.Services[0].DependsOn = nil
	must(t, "nothing is wrong", kube.Create(t.Context(), m))

	change := func(to func(*statev1.NamespacedMultiClusterService)) error {
		c := m.DeepCopy()
		to(c)
		return kube.Update(t.Context(), c, client.DryRunAll)
	}
	refuses(t, "no step leads there", "use one of web-2", change(func(c *statev1.NamespacedMultiClusterService) { c.Spec.ServiceSpec.Services[0].Template = "web-3" }))
	must(t, "a step leads there", change(func(c *statev1.NamespacedMultiClusterService) { c.Spec.ServiceSpec.Services[0].Template = "web-2" }))
	refuses(t, "the management cluster is not the team's", "selfManagement", change(func(c *statev1.NamespacedMultiClusterService) { c.Spec.ServiceSpec.Provider.SelfManagement = true }))
	refuses(t, "the engine cannot do it, and has a name", "engine lame installs charts alone, not template plain of namespace "+ns, change(func(c *statev1.NamespacedMultiClusterService) {
		c.Spec.ServiceSpec.Services = append(c.Spec.ServiceSpec.Services, kcm.Service{Name: "plain", Template: "plain"})
	}))
	set := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Name: "late", Namespace: ns}}
	set.Spec.Provider.Name = "mine"
	set.Spec.Services = []kcm.ServiceWithValues{{Name: "web", Namespace: "default", Template: "web-3"}}
	must(t, "a ServiceSet", kube.Create(t.Context(), set))
	stateDeletions(t, kube, ns)
	rollouts(t, kube, ns)
}

// stateDeletions deletes what is in use.
func stateDeletions(t *testing.T, kube client.Client, ns string) {
	t.Helper()
	for name, user := range map[string]string{"web-1": "NamespacedMultiClusterService " + ns + "/web", "web-3": "ServiceSet " + ns + "/late"} {
		err := kube.Delete(t.Context(), &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns}})
		if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), user) {
			t.Errorf("%s uses %s, but: %v", user, name, err)
		}
	}
	if err := kube.Delete(t.Context(), &kcm.ServiceTemplateChain{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: ns}}); !apierrors.IsForbidden(err) {
		t.Errorf("the chain is in use, but: %v", err)
	}
	provider := &kcm.StateManagementProvider{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}
	provider.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	provider.Spec.Adapter = kcm.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "a", Namespace: "b", ReadinessRule: "nonsense"}
	provider.Spec.Provisioner, provider.Spec.ProvisionerCRDs = []kcm.ResourceReference{}, []kcm.ProvisionerCRD{}
	refuses(t, "the rule does not compile", "undeclared reference", kube.Create(t.Context(), provider.DeepCopy()))
	provider.Spec.Adapter.ReadinessRule = "true"
	must(t, "nothing is wrong", kube.Create(t.Context(), provider))
	if err := kube.Delete(t.Context(), provider); !apierrors.IsForbidden(err) {
		t.Errorf("a ServiceSet names the provider, but: %v", err)
	}
	must(t, "nobody waits for it", kube.Delete(t.Context(), &statev1.NamespacedMultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: ns}}))
	must(t, "nobody uses the template any more", kube.Delete(t.Context(), &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: ns}}))
}

// rollouts makes a Rollout that makes no sense, and one that does.
func rollouts(t *testing.T, kube client.Client, ns string) {
	t.Helper()
	r := &statev1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: "waves", Namespace: ns}}
	r.Spec.Subject = statev1.RolloutSubject{Kind: statev1.SubjectMultiClusterService, Name: "base"}
	r.Spec.Waves = []statev1.Wave{{Name: "all"}}
	refuses(t, "a MultiClusterService is the platform's", "spec.subject.kind", kube.Create(t.Context(), r.DeepCopy()))
	r.Spec.Subject.Kind = statev1.SubjectNamespaced
	must(t, "its subject may come later", kube.Create(t.Context(), r))
}

func refuses(t *testing.T, why, words string, err error) {
	t.Helper()
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), words) {
		t.Errorf("%s, so it is refused with %q, but: %v", why, words, err)
	}
}

// appears sets what was left out and must not change: the rules of the schema let it pass.
func appears(t *testing.T, kube client.Client, credential *kcm.Credential, d *kcm.ClusterDeployment) {
	t.Helper()
	regional := credential.DeepCopy()
	regional.Spec.Region = "eu"
	if err := kube.Update(t.Context(), regional); !apierrors.IsInvalid(err) {
		t.Errorf("a credential has no region, and must not get one, but: %v", err)
	}
	moved := d.DeepCopy()
	moved.Spec.ServiceSpec.Provider.Name = "flux"
	if err := kube.Update(t.Context(), moved); !apierrors.IsInvalid(err) {
		t.Errorf("services belong to the built-in provider, and must not move, but: %v", err)
	}
}

// serve starts the handlers and tells the API server to ask them. It returns when it does.
func serve(t *testing.T, cluster *kubetest.Cluster) client.Client {
	t.Helper()
	return serveWith(t, cluster, func(*webhook.Options) {})
}

func serveWith(t *testing.T, cluster *kubetest.Cluster, change func(*webhook.Options)) client.Client {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kcm.AddToScheme, statev1.AddToScheme, costv1.AddToScheme, corev1.AddToScheme, admissionregistrationv1.AddToScheme, authorizationv1.AddToScheme, rbacv1.AddToScheme} {
		must(t, "registering types", add(scheme))
	}
	kube, err := client.New(cluster.Config, client.Options{Scheme: scheme})
	must(t, "making a client", err)
	handlers := http.NewServeMux()
	options := webhook.Options{Reader: kube, Mapper: kube.RESTMapper(), Scheme: scheme, SystemNamespace: kcm.DefaultSystemNamespace, Engines: noPlain, CompileRule: noEmpty}
	change(&options)
	webhook.Register(mux{handlers}, options)
	server := httptest.NewTLSServer(handlers)
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	mutating, validating := webhook.Configurations("portico", func(path string) admissionregistrationv1.WebhookClientConfig {
		url := server.URL + path
		return admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: ca}
	})
	must(t, "telling whom to ask", kube.Create(t.Context(), mutating))
	must(t, "telling whom to ask", kube.Create(t.Context(), validating))

	// The API server learns of the configurations by watching: a wrong object, sent as a dry
	// run, shows when it does. Both are watched, so each has its own sign.
	err = wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		wrong := &kcm.Release{ObjectMeta: metav1.ObjectMeta{Name: "wrong"}, Spec: kcm.ReleaseSpec{Version: "x"}}
		bare := &kcm.ProviderTemplate{ObjectMeta: metav1.ObjectMeta{Name: "bare"}}
		bare.Spec.Helm.ChartSpec = &kcm.HelmChartSpec{Chart: "c"}
		refused := apierrors.IsInvalid(kube.Create(ctx, wrong, client.DryRunAll))
		return refused && kube.Create(ctx, bare, client.DryRunAll) == nil, nil
	})
	must(t, "waiting for the API server to ask", err)
	return kube
}

// noPlain is an engine that cannot do everything.
func noPlain(_ context.Context, namespace string, spec kcm.ServiceSpec) (field.ErrorList, error) {
	var errs field.ErrorList
	for i, s := range spec.Services {
		if s.Template == "plain" {
			errs = append(errs, field.Forbidden(field.NewPath("spec", "serviceSpec", "services").Index(i).Child("template"), "the engine lame installs charts alone, not template plain of namespace "+namespace))
		}
	}
	return errs, nil
}

func noEmpty(rule string) error {
	if rule == "nonsense" {
		return errors.New("undeclared reference")
	}
	return nil
}

// eventually tries until the API server has seen what a right depends on.
func eventually(t *testing.T, why string, try func() error) {
	t.Helper()
	var last error
	if wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, 20*time.Second, true, func(context.Context) (bool, error) {
		last = try()
		return last == nil, nil
	}) != nil {
		t.Fatalf("%s, but: %v", why, last)
	}
}

func must(t *testing.T, why string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s, but: %v", why, err)
	}
}
