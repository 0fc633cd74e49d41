package chain

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/kubetest"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A managed chain in a tenant's namespace waits for its template, brings it, and takes it with
// it when it goes.
func TestBringsItsTemplate(t *testing.T) {
	cluster := shared.Cluster(t)
	home, tenant := cluster.Namespace(t), cluster.Namespace(t)
	scheme := runtime.NewScheme()
	must(t, kcm.AddToScheme(scheme))
	kube, err := client.NewWithWatch(cluster.Config, client.Options{Scheme: scheme})
	must(t, err)
	mgr, err := ctrl.NewManager(cluster.Config, ctrl.Options{Scheme: scheme, Metrics: server.Options{BindAddress: "0"}})
	must(t, err)
	must(t, Setup(mgr, home))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() { cancel(); must(t, <-ended) })

	c := &kcm.ServiceTemplateChain{ObjectMeta: metav1.ObjectMeta{Namespace: tenant, Name: "nginx", Labels: map[string]string{kcm.ManagedLabel: kcm.LabelTrue}}}
	c.Spec.SupportedTemplates = []kcm.SupportedTemplate{{Name: "nginx-1"}}
	must(t, kube.Create(t.Context(), c))
	awaitChain := func(what string, wanted func() bool) {
		t.Helper()
		await(t, kube, &kcm.ServiceTemplateChainList{}, tenant, func(o client.Object) bool {
			o.(*kcm.ServiceTemplateChain).DeepCopyInto(c)
			return wanted()
		}, func() { t.Fatalf("%s did not happen: %+v", what, c.Status) })
	}
	awaitChain("the missing original", func() bool {
		return !c.Status.Valid && strings.Contains(c.Status.ValidationError, "ServiceTemplate nginx-1 does not exist in namespace "+home)
	})
	original := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "nginx-1"}}
	original.Spec.Helm = &kcm.HelmSpec{ChartRef: &kcm.CrossNamespaceSourceReference{Kind: "HelmChart", Name: "nginx"}}
	must(t, kube.Create(t.Context(), original))
	awaitChain("the unchecked original", func() bool { return strings.Contains(c.Status.ValidationError, "has not been checked yet") })
	original.Status.Valid, original.Status.ChartRef = true, original.Spec.Helm.ChartRef
	must(t, kube.Status().Update(t.Context(), original))
	awaitChain("a valid chain", func() bool { return c.Status.Valid && c.Status.ValidationError == "" })

	copied := &kcm.ServiceTemplate{}
	await(t, kube, &kcm.ServiceTemplateList{}, tenant, func(o client.Object) bool {
		o.(*kcm.ServiceTemplate).DeepCopyInto(copied)
		return true
	}, func() { t.Fatal("no copy was made") })
	if ref := copied.Spec.Helm.ChartRef; ref == nil || ref.Namespace != home || ref.Name != "nginx" || copied.Labels[kcm.ManagedLabel] != kcm.LabelTrue {
		t.Errorf("the copy is %+v with labels %v; want the chart of the original", copied.Spec, copied.Labels)
	}
	if refs := copied.OwnerReferences; len(refs) != 1 || refs[0].UID != c.UID {
		t.Errorf("the copy is owned by %v; want the chain, so that it goes with it", refs)
	}
}

// await watches the objects of a namespace until one is as wanted.
func await(t *testing.T, kube client.WithWatch, list client.ObjectList, namespace string, wanted func(client.Object) bool, otherwise func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	w, err := kube.Watch(ctx, list, client.InNamespace(namespace))
	must(t, err)
	defer w.Stop()
	for e := range w.ResultChan() {
		if o, ok := e.Object.(client.Object); ok && wanted(o) {
			return
		}
	}
	otherwise()
}
