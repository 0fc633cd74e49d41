package docs_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/clusters/template"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/source/archive"
	"portico.dev/portico/templates"
)

// bundle is what a plane has from the start.
type bundle struct {
	charts  map[string]*helm.Chart // by name and version
	objects []client.Object
}

func bundled(t *testing.T) bundle {
	t.Helper()
	all, err := templates.Charts()
	if err != nil {
		t.Fatal(err)
	}
	b := bundle{charts: map[string]*helm.Chart{}}
	for _, c := range all {
		var packed bytes.Buffer
		if err := archive.Pack(&packed, c.Files); err != nil {
			t.Fatal(err)
		}
		chart, err := helm.Load(packed.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		b.charts[c.Name+" "+c.Version] = chart
	}
	b.objects = templates.Objects(templates.Params{Namespace: kcm.DefaultSystemNamespace, Version: "v0.1.0", Registry: "127.0.0.1:7445", CA: []byte("PEM")})
	for _, o := range b.objects {
		switch o := o.(type) {
		case *kcm.ClusterTemplate:
			b.fill(t, o)
		case *kcm.ServiceTemplate:
			o.Status.Valid = true
		case *kcm.Management:
			o.Status.AvailableProviders = []string{"control-plane-hosted", "infrastructure-internal", "infrastructure-local"}
		}
	}
	return b
}

// fill gives a template the status that its chart leads to.
func (b bundle) fill(t *testing.T, o *kcm.ClusterTemplate) {
	t.Helper()
	chart := b.chartOf(o)
	if chart == nil {
		return // not bundled: nobody has fetched it yet
	}
	says := chart.Summary()
	values, err := json.Marshal(says.Defaults)
	if err != nil {
		t.Fatal(err)
	}
	read := template.Chart{Name: says.Name, Version: says.Version, Annotations: says.Annotations}
	o.Status.Valid, o.Status.ObservedGeneration = true, o.Generation
	o.Status.Config = &kcm.JSON{Raw: values}
	o.Status.Providers = template.Providers(o.Spec.Providers, read)
	if o.Status.ProviderContracts, err = template.ProviderContracts(o.Spec.ProviderContracts, read); err != nil {
		t.Fatal(err)
	}
	if o.Status.KubernetesVersion, err = template.KubernetesVersion(o.Spec.KubernetesVersion, read); err != nil {
		t.Fatal(err)
	}
}

// chartOf is the bundled chart of a template, nil if it is another's.
func (b bundle) chartOf(o *kcm.ClusterTemplate) *helm.Chart {
	spec := o.Spec.Helm.ChartSpec
	if spec == nil || spec.SourceRef.Name != kcm.TemplateRepositoryName {
		return nil
	}
	return b.charts[spec.Chart+" "+spec.Version]
}

// judge does what the controllers would do to an object that was stored.
func (b bundle) judge(t *testing.T, u *unstructured.Unstructured) {
	t.Helper()
	if u.GetKind() != kcm.ClusterTemplateKind {
		return
	}
	o := as[kcm.ClusterTemplate](t, u)
	b.fill(t, o)
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		t.Fatal(err)
	}
	u.Object = content
}

// suits says whether a cluster's values suit its chart, if the chart is bundled.
func (b bundle) suits(u *unstructured.Unstructured, w *world) error {
	if u.GetKind() != kcm.ClusterDeploymentKind {
		return nil
	}
	d := as[kcm.ClusterDeployment](w.t, u)
	o := w.objects[key{kcm.GroupVersion.WithKind(kcm.ClusterTemplateKind).GroupKind(), d.Namespace, d.Spec.Template}]
	if o == nil {
		return nil
	}
	chart := b.chartOf(as[kcm.ClusterTemplate](w.t, o))
	if chart == nil {
		return nil
	}
	values, err := helm.ParseValues(d.Spec.Config.Raw)
	if err != nil {
		return err
	}
	if err := helm.Check(chart, values); err != nil {
		return err
	}
	_, err = helm.Render(chart, values, helm.Release{Namespace: d.Namespace, Name: d.Name})
	return err
}
