package provider_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/kubetest"
)

// example is the adapter of the guide, which is no part of our module.
const example = "docs/examples/adapter"

// runExample builds the example and runs it until the test ends.
func (p *plane) runExample() {
	p.Helper()
	root, err := kubetest.Repository()
	must(p.T, err)
	program := filepath.Join(p.TempDir(), "adapter")
	build := exec.CommandContext(p.Context(), "go", "build", "-o", program, ".")
	build.Dir, build.Env = filepath.Join(root, example), append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		p.Fatalf("building the example: %v\n%s", err, out)
	}
	var log strings.Builder
	run := exec.Command(program)
	run.Env, run.Stderr = append(os.Environ(), "KUBECONFIG="+shared.Cluster(p.T).Kubeconfig), &log
	must(p.T, run.Start())
	p.Cleanup(func() {
		must(p.T, run.Process.Signal(syscall.SIGTERM))
		if err := run.Wait(); err != nil || p.Failed() {
			p.Errorf("the example ended with %v:\n%s", err, log.String())
		}
	})
}

// set waits until the ServiceSet is as wanted; there is false once it is gone.
func (p *plane) set(what string, wanted func(set kcm.ServiceSet, there bool) bool) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 30*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &kcm.ServiceSetList{}, client.InNamespace(p.home))
	must(p.T, err)
	defer w.Stop()
	var last kcm.ServiceSet
	for e := range w.ResultChan() {
		if s, ok := e.Object.(*kcm.ServiceSet); ok {
			if last = *s; wanted(last, e.Type != "DELETED") {
				return
			}
		}
	}
	p.Fatalf("%s did not happen: %+v", what, last.Status)
}

// provider makes the example's StateManagementProvider from its manifest, but for the adapter, which
// is no Deployment here.
func (p *plane) provider() *kcm.StateManagementProvider {
	p.Helper()
	root, err := kubetest.Repository()
	must(p.T, err)
	text, err := os.ReadFile(filepath.Join(root, example, "provider.yaml"))
	must(p.T, err)
	var smp kcm.StateManagementProvider
	must(p.T, yaml.UnmarshalStrict(text, &smp))
	smp.Spec.Adapter = kcm.ResourceReference{APIVersion: "v1", Kind: "ConfigMap", Namespace: p.home, Name: "adapter", ReadinessRule: "self.data.ready == 'yes'"}
	must(p.T, p.kube.Create(p.Context(), &smp))
	p.Cleanup(func() { must(p.T, p.kube.Delete(context.Background(), &smp)) })
	return &smp
}

func (p *plane) create(objects ...client.Object) {
	p.Helper()
	for _, o := range objects {
		if o.GetNamespace() == "" {
			o.SetNamespace(p.home)
		}
		must(p.T, p.kube.Create(p.Context(), o))
	}
}

// ofExample is a ServiceTemplate of manifests in a ConfigMap, as its controller leaves it, and the
// ServiceSet that an owner makes for it.
func (p *plane) ofExample(smp *kcm.StateManagementProvider) *kcm.ServiceSet {
	p.Helper()
	kubeconfig, err := os.ReadFile(shared.Cluster(p.T).Kubeconfig)
	must(p.T, err)
	template := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Name: "greeting-1"}, Spec: kcm.ServiceTemplateSpec{Resources: &kcm.SourceSpec{
		DeploymentType: kcm.DeployRemote, LocalSourceRef: &kcm.LocalSourceRef{Kind: "ConfigMap", Name: "greeting"},
	}}}
	set := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Name: "dev", Labels: smp.Spec.Selector.MatchLabels}, Spec: kcm.ServiceSetSpec{
		Cluster: "dev", Provider: kcm.StateManagementProviderConfig{Name: smp.Name},
		Services: []kcm.ServiceWithValues{{Name: "greeting", Namespace: "made-" + p.home, Template: "greeting-1", Version: "1.0.0"}},
	}}
	p.create(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "dev-kubeconfig"}, Data: map[string][]byte{"value": kubeconfig}},
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "greeting"}, Data: map[string]string{"x": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hello}\ndata: {text: one}\n"}},
		template, set,
	)
	template.Status.Valid = true
	must(p.T, p.kube.Status().Update(p.Context(), template))
	return set
}

// An adapter that somebody else has written, by the guide, with nothing of ours but the types: it
// waits for its provider, deploys, follows a change, stops while it is suspended, and takes
// everything away again.
func TestAdapterOfAThirdParty(t *testing.T) {
	p := newPlane(t)
	p.runExample()
	smp := p.provider()
	set := p.ofExample(smp)
	deployed := func(s kcm.ServiceSet, _ bool) bool { return s.Status.Deployed }
	there := client.ObjectKey{Namespace: "made-" + p.home, Name: "hello"}
	var hello corev1.ConfigMap

	p.says(smp.Name, kcm.AdapterReadyCondition, metav1.ConditionFalse, "FailedToGetAdapter")
	if err := p.kube.Get(t.Context(), there, &hello); !apierrors.IsNotFound(err) {
		t.Errorf("the adapter did not wait for its provider: %v", err)
	}
	p.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "adapter"}, Data: map[string]string{"ready": "yes"}})
	p.set("the deployment", deployed)
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(set), set))
	if s := set.Status.Services[0]; s.State != kcm.ServiceDeployed || s.Version != "1.0.0" || s.Type != kcm.ServiceResource {
		t.Errorf("the service is %+v", s)
	}
	must(t, p.kube.Get(t.Context(), there, &hello))

	p.suspend(smp, true)
	p.set("the suspension", func(s kcm.ServiceSet, _ bool) bool { return s.Status.Provider.Suspended })
	source := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: p.home, Name: "greeting"}, Data: map[string]string{"x": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bye}\n"}}
	must(t, p.kube.Update(t.Context(), source))
	p.suspend(smp, false)
	bye := client.ObjectKey{Namespace: there.Namespace, Name: "bye"}
	p.appears(bye)
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(set), set))
	must(t, p.kube.Delete(t.Context(), set))
	p.set("its end", func(_ kcm.ServiceSet, there bool) bool { return !there })
	for _, key := range []client.ObjectKey{there, bye, {Namespace: "default", Name: "manifests-" + p.home + "-dev"}} {
		if err := p.kube.Get(t.Context(), key, &hello); !apierrors.IsNotFound(err) {
			t.Errorf("ConfigMap %s is left: %v", key, err)
		}
	}
}

func (p *plane) suspend(smp *kcm.StateManagementProvider, suspend bool) {
	p.Helper()
	must(p.T, p.kube.Get(p.Context(), client.ObjectKeyFromObject(smp), smp))
	smp.Spec.Suspend = suspend
	must(p.T, p.kube.Update(p.Context(), smp))
}

// appears waits for a ConfigMap.
func (p *plane) appears(key client.ObjectKey) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 30*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &corev1.ConfigMapList{}, client.InNamespace(key.Namespace), client.MatchingFields{"metadata.name": key.Name})
	must(p.T, err)
	defer w.Stop()
	for range w.ResultChan() {
		return
	}
	p.Fatalf("ConfigMap %s did not appear", key)
}
