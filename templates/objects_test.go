package templates_test

import (
	"slices"
	"testing"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/config"
	"portico.dev/portico/templates"
)

func bundled() map[string]client.Object {
	objects := map[string]client.Object{}
	p := templates.Params{Namespace: "kcm-system", Version: "v0.1.0-rc.1", Registry: "127.0.0.1:5001", CA: []byte("PEM")}
	for _, o := range templates.Objects(p) {
		objects[o.GetObjectKind().GroupVersionKind().Kind+"/"+o.GetName()] = o
	}
	return objects
}

// Whoever comes from k0rdent looks for these names.
func TestObjects(t *testing.T) {
	got := bundled()
	for _, name := range []string{
		"Management/kcm", "AccessManagement/kcm", "StateManagementProvider/ksm-projectsveltos", "Release/kcm-0-1-0-rc-1",
		"HelmRepository/kcm-templates", "ClusterTemplate/local-hosted-1-0-0", "ClusterTemplate/adopted-cluster-1-0-0", "ServiceTemplate/podinfo-6-9-2",
		"ServiceTemplate/kof-collectors-1-0-0",
	} {
		if got[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for name, o := range got {
		if o.GetObjectKind().GroupVersionKind().Version == "" {
			t.Errorf("%s cannot be applied: it has no kind", name)
		}
	}
	repo := got["HelmRepository/kcm-templates"].(*sourcev1.HelmRepository)
	if repo.Spec.URL != "oci://127.0.0.1:5001/charts" || repo.Labels[kcm.ManagedLabel] != "true" || repo.Spec.CertSecretRef == nil || got["Secret/"+repo.Spec.CertSecretRef.Name] == nil {
		t.Errorf("HelmRepository %+v", repo)
	}
}

// Every engine can be chosen from the start. No provider waits for the kinds of an engine: they come
// with the first service, which would wait for its provider.
func TestEngineProviders(t *testing.T) {
	got := bundled()
	providers := map[string]string{"ksm-projectsveltos": ""}
	for _, engine := range config.Engines() {
		providers["portico-"+engine] = engine
	}
	for name, engine := range providers {
		p, ok := got["StateManagementProvider/"+name].(*kcm.StateManagementProvider)
		if !ok {
			t.Errorf("StateManagementProvider %s is missing", name)
			continue
		}
		labels := p.Spec.Selector.MatchLabels
		if labels[kcm.AdapterLabel] != kcm.AdapterBuiltIn || labels[statev1.EngineLabel] != engine || len(p.Spec.ProvisionerCRDs) > 0 {
			t.Errorf("StateManagementProvider %s selects %v and waits for %v; want our adapter's sets of engine %q, and nothing to wait for",
				name, labels, p.Spec.ProvisionerCRDs, engine)
		}
	}
}

// Each template names a chart that is in the bundle, in that version; the Release names
// templates that exist; the Management names a Release and providers that it has.
func TestObjectsReferToEachOther(t *testing.T) {
	charts, err := templates.Charts()
	if err != nil {
		t.Fatal(err)
	}
	packed := []string{"podinfo " + templates.PodinfoVersion}
	for _, c := range charts {
		packed = append(packed, c.Name+" "+c.Version)
	}
	got := bundled()
	for name, o := range got {
		template, ok := o.(interface{ GetHelmSpec() *kcm.HelmSpec })
		if !ok {
			continue
		}
		spec := template.GetHelmSpec().ChartSpec
		if want := spec.Chart + " " + spec.Version; !slices.Contains(packed, want) {
			t.Errorf("%s names chart %s; the bundle has %v", name, want, packed)
		}
	}
	release := got["Release/kcm-0-1-0-rc-1"].(*kcm.Release)
	names := []string{release.Spec.KCM.Template, release.Spec.CAPI.Template}
	var providers []string
	for _, p := range release.Spec.Providers {
		names, providers = append(names, p.Template), append(providers, p.Name)
	}
	for _, n := range names {
		if got["ProviderTemplate/"+n] == nil {
			t.Errorf("the Release names ProviderTemplate %s, which does not exist", n)
		}
	}
	management := got["Management/kcm"].(*kcm.Management)
	if management.Spec.Release != release.Name {
		t.Errorf("the Management runs release %s, want %s", management.Spec.Release, release.Name)
	}
	for _, p := range management.Spec.Providers {
		if !slices.Contains(providers, p.Name) {
			t.Errorf("the Management wants provider %s; the Release has %v", p.Name, providers)
		}
	}
}
