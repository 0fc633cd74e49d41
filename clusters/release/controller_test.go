package release

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
	"portico.dev/portico/kube/control"
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

// A release becomes ready when the last of its templates does, and no longer is when one of
// them goes. The test plays the controller of templates.
func TestFollowsItsTemplates(t *testing.T) {
	cluster := shared.Cluster(t)
	scheme := runtime.NewScheme()
	must(t, kcm.AddToScheme(scheme))
	kube, err := client.NewWithWatch(cluster.Config, client.Options{Scheme: scheme})
	must(t, err)
	mgr, err := ctrl.NewManager(cluster.Config, ctrl.Options{Scheme: scheme, Metrics: server.Options{BindAddress: "0"}})
	must(t, err)
	must(t, New(mgr.GetClient(), time.Now).Setup(mgr))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- mgr.Start(ctx) }()
	t.Cleanup(func() { cancel(); must(t, <-ended) })

	r := &kcm.Release{ObjectMeta: metav1.ObjectMeta{Name: "kcm-1"}}
	r.Spec.Version, r.Spec.KCM.Template, r.Spec.CAPI.Template = "1.0.0", "kcm-1", "capi-1"
	must(t, kube.Create(t.Context(), r))
	await := func(what string, wanted func() bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w, err := kube.Watch(ctx, &kcm.ReleaseList{})
		must(t, err)
		defer w.Stop()
		for e := range w.ResultChan() {
			e.Object.(*kcm.Release).DeepCopyInto(r)
			if wanted() {
				return
			}
		}
		t.Fatalf("%s did not happen: %+v", what, r.Status)
	}
	says := func(kind, words string) func() bool {
		return func() bool {
			c := control.Find(r.Status.Conditions, kind)
			return !r.Status.Ready && c != nil && strings.Contains(c.Message, words)
		}
	}
	await("the names of what is missing", says(kcm.TemplatesCreatedCondition, "capi-1, kcm-1"))
	templates := map[string]*kcm.ProviderTemplate{}
	for _, name := range []string{"kcm-1", "capi-1"} {
		pt := &kcm.ProviderTemplate{ObjectMeta: metav1.ObjectMeta{Name: name}}
		pt.Spec.Helm.ChartRef = &kcm.CrossNamespaceSourceReference{Kind: "HelmChart", Name: name, Namespace: "kcm-system"}
		must(t, kube.Create(t.Context(), pt))
		templates[name] = pt
	}
	await("an open answer", says(kcm.TemplatesValidCondition, "not checked yet: capi-1, kcm-1"))
	for _, pt := range templates {
		pt.Status.ObservedGeneration, pt.Status.ValidationError = pt.Generation, "no such chart"
		must(t, kube.Status().Update(t.Context(), pt))
	}
	await("the reason of a template", says(kcm.TemplatesValidCondition, "capi-1: no such chart; kcm-1: no such chart"))
	for _, pt := range templates {
		pt.Status.Valid, pt.Status.ValidationError = true, ""
		must(t, kube.Status().Update(t.Context(), pt))
	}
	await("ready", func() bool { return r.Status.Ready && r.Status.ObservedGeneration == r.Generation })
	if r.Labels[kcm.ComponentLabel] != kcm.ComponentKCM {
		t.Errorf("labels = %v: a backup would not hold the release", r.Labels)
	}
	must(t, kube.Delete(t.Context(), templates["capi-1"]))
	await("the loss", says(kcm.TemplatesCreatedCondition, "missing ProviderTemplates: capi-1"))
}
