package provider_test

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/state/provider"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds"}}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	os.Exit(shared.Run(m))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plane is a management cluster on which the controller runs.
type plane struct {
	*testing.T
	kube client.WithWatch
	home string
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	api := shared.Cluster(t)
	kube := api.Client(t, clientgoscheme.AddToScheme, apiextensionsv1.AddToScheme, kcm.AddToScheme)
	p := &plane{T: t, kube: kube, home: api.Namespace(t)}
	api.Control(t, ctrl.Options{Scheme: kube.Scheme()}, func(_ context.Context, mgr ctrl.Manager) error {
		return provider.New(mgr, p.home, time.Now).SetupWithManager(mgr)
	})
	return p
}

// says waits until a condition of the provider has the status and reason.
func (p *plane) says(name, kind string, status metav1.ConditionStatus, reason string) kcm.StateManagementProvider {
	p.Helper()
	return p.await(name, kind+" "+string(status)+" "+reason, func(s kcm.StateManagementProvider) bool {
		c := control.Find(s.Status.Conditions, kind)
		return c != nil && c.Status == status && c.Reason == reason
	})
}

func (p *plane) await(name, what string, wanted func(kcm.StateManagementProvider) bool) kcm.StateManagementProvider {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 30*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &kcm.StateManagementProviderList{}, client.MatchingFields{"metadata.name": name})
	must(p.T, err)
	defer w.Stop()
	var last kcm.StateManagementProvider
	for e := range w.ResultChan() {
		if s, ok := e.Object.(*kcm.StateManagementProvider); ok {
			if last = *s; wanted(last) {
				return last
			}
		}
	}
	p.Fatalf("%s: %s did not happen: %+v", name, what, last.Status)
	return last
}

func (p *plane) deployment(name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.home, Name: name},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "x"}}},
			},
		},
	}
}

// From nothing to ready and back, by watches alone: the adapter comes, its status moves, the CRD
// comes; then the provider is suspended, and nobody looks any more.
func TestLife(t *testing.T) {
	p := newPlane(t)
	name := "ksm-" + p.home
	group := p.home + ".example.org"
	smp := &kcm.StateManagementProvider{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: kcm.StateManagementProviderSpec{
		Selector:        &metav1.LabelSelector{MatchLabels: map[string]string{"adapter": name}},
		Adapter:         kcm.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Namespace: p.home, Name: "adapter", ReadinessRule: "self.status.readyReplicas == 1"},
		Provisioner:     []kcm.ResourceReference{{APIVersion: "apps/v1", Kind: "Deployment", Namespace: p.home, Name: "adapter"}},
		ProvisionerCRDs: []kcm.ProvisionerCRD{{Group: group, Version: "v1", Resources: []string{"things"}}},
	}}
	must(t, p.kube.Create(t.Context(), smp))
	p.says(name, kcm.RBACReadyCondition, metav1.ConditionTrue, "RBACEnsuredSuccessfully")
	p.says(name, kcm.AdapterReadyCondition, metav1.ConditionFalse, "FailedToGetAdapter")
	p.access(name)

	adapter := p.deployment("adapter")
	must(t, p.kube.Create(t.Context(), adapter))
	p.says(name, kcm.ProvisionerReadyCondition, metav1.ConditionTrue, "ProvisionerEnsuredSuccessfully")
	p.says(name, kcm.AdapterReadyCondition, metav1.ConditionFalse, "FailedToEvaluateReadiness")
	adapter.Status = appsv1.DeploymentStatus{Replicas: 1, ReadyReplicas: 1}
	must(t, p.kube.Status().Update(t.Context(), adapter))
	p.says(name, kcm.AdapterReadyCondition, metav1.ConditionTrue, "AdapterEnsuredSuccessfully")
	p.says(name, kcm.ProvisionerCRDsReadyCondition, metav1.ConditionFalse, "ProvisionerCRDsNotReady")
	must(t, p.kube.Create(t.Context(), things(group)))
	p.await(name, "readiness", func(s kcm.StateManagementProvider) bool { return s.Status.Ready })

	must(t, p.kube.Delete(t.Context(), adapter))
	now := p.await(name, "the end of readiness", func(s kcm.StateManagementProvider) bool { return !s.Status.Ready })
	now.Spec.Suspend = true
	must(t, p.kube.Update(t.Context(), &now))
	must(t, p.kube.Create(t.Context(), p.deployment("adapter")))
	// One that is made after it and becomes ready shows that the first was passed over.
	other := &kcm.StateManagementProvider{ObjectMeta: metav1.ObjectMeta{Name: name + "-2"}, Spec: kcm.StateManagementProviderSpec{
		Selector: smp.Spec.Selector, Adapter: smp.Spec.Provisioner[0], Provisioner: []kcm.ResourceReference{}, ProvisionerCRDs: []kcm.ProvisionerCRD{},
	}}
	must(t, p.kube.Create(t.Context(), other))
	p.await(other.Name, "readiness of the other", func(s kcm.StateManagementProvider) bool { return s.Status.Ready })
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(smp), &now))
	if now.Status.Ready {
		t.Error("a suspended provider was judged")
	}
}

// access checks what the provider's account may do, and that it is the provider's.
func (p *plane) access(name string) {
	p.Helper()
	var role rbacv1.ClusterRole
	must(p.T, p.kube.Get(p.Context(), client.ObjectKey{Name: name + "-cr"}, &role))
	var may []string
	for _, rule := range role.Rules {
		may = append(may, strings.Join(rule.APIGroups, ",")+"/"+strings.Join(rule.Resources, ",")+" "+strings.Join(rule.Verbs, ","))
	}
	want := []string{"apiextensions.k8s.io/customresourcedefinitions get,list,watch", "apps/deployments get,list,watch"}
	if !slices.Equal(may, want) {
		p.Errorf("the account may %v; want %v and nothing else", may, want)
	}
	var binding rbacv1.ClusterRoleBinding
	must(p.T, p.kube.Get(p.Context(), client.ObjectKey{Name: name + "-crb"}, &binding))
	if s := binding.Subjects; len(s) != 1 || s[0].Name != name+"-sa" || s[0].Namespace != p.home || binding.RoleRef.Name != role.Name {
		p.Errorf("the binding is %+v to %+v", s, binding.RoleRef)
	}
	if owners := binding.OwnerReferences; len(owners) != 1 || owners[0].Name != name {
		p.Errorf("the binding is owned by %v; want the provider, so that it goes with it", owners)
	}
	must(p.T, p.kube.Get(p.Context(), client.ObjectKey{Namespace: p.home, Name: name + "-sa"}, &corev1.ServiceAccount{}))
}

// An adapter may be anything, a ConfigMap as well, and is followed after all is still.
func TestAdapterIsConfigMap(t *testing.T) {
	p := newPlane(t)
	smp := &kcm.StateManagementProvider{ObjectMeta: metav1.ObjectMeta{Name: "ksm-" + p.home}, Spec: kcm.StateManagementProviderSpec{
		Selector:    &metav1.LabelSelector{MatchLabels: map[string]string{"adapter": p.home}},
		Adapter:     kcm.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: p.home, Name: "adapter", ReadinessRule: "self.data.ready == 'yes'"},
		Provisioner: []kcm.ResourceReference{}, ProvisionerCRDs: []kcm.ProvisionerCRD{},
	}}
	must(t, p.kube.Create(t.Context(), smp))
	adapter := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "adapter"}, Data: map[string]string{"ready": "yes"}}
	p.create(adapter)
	for _, ready := range []bool{true, false, true} {
		p.await(smp.Name, "readiness "+strconv.FormatBool(ready), func(s kcm.StateManagementProvider) bool { return s.Status.Ready == ready })
		// The status that was just written wakes the controller once more: that must not be what
		// makes it see the next change.
		time.Sleep(500 * time.Millisecond)
		adapter.Data["ready"] = map[bool]string{true: "no", false: "yes"}[ready]
		must(t, p.kube.Update(t.Context(), adapter))
	}
}

// A kind that is not served yet is waited for.
func TestKindComesLater(t *testing.T) {
	p := newPlane(t)
	name, group := "ksm-"+p.home, p.home+".example.org"
	smp := &kcm.StateManagementProvider{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: kcm.StateManagementProviderSpec{
		Selector:    &metav1.LabelSelector{},
		Adapter:     kcm.ResourceReference{APIVersion: group + "/v1", Kind: "Thing", Namespace: p.home, Name: "x"},
		Provisioner: []kcm.ResourceReference{}, ProvisionerCRDs: []kcm.ProvisionerCRD{},
	}}
	must(t, p.kube.Create(t.Context(), smp))
	p.says(name, kcm.AdapterReadyCondition, metav1.ConditionFalse, "FailedToGetGVKForAdapter")
	must(t, p.kube.Create(t.Context(), things(group)))
	p.says(name, kcm.AdapterReadyCondition, metav1.ConditionFalse, "FailedToGetAdapter")
}

// things is a kind of our own.
func things(group string) *apiextensionsv1.CustomResourceDefinition {
	yes := true
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "things." + group},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: group, Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Plural: "things", Singular: "thing", Kind: "Thing", ListKind: "ThingList"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: &yes}},
			}},
		},
	}
}
