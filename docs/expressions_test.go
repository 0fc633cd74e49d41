package docs_test

import (
	"testing"

	"sigs.k8s.io/yaml"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/state/service"
	"portico.dev/portico/state/values"
)

// Values with expressions come out as YAML on a cluster, with the objects that stand on their
// page.
func TestExpressions(t *testing.T) {
	count := 0
	for _, p := range pages(t) {
		all := p.manifests(t)
		for _, m := range all {
			if m.GetKind() != kcm.MultiClusterServiceKind {
				continue
			}
			spec := as[kcm.MultiClusterService](t, m.Unstructured).Spec.ServiceSpec
			for _, svc := range spec.Services {
				if !values.IsTemplate(svc.Values) {
					continue
				}
				count++
				text, err := values.Text("the values of service "+svc.Name, svc.Values, factsFor(t, spec, all))
				if err == nil {
					err = yaml.UnmarshalStrict([]byte(text), &map[string]any{})
				}
				if err != nil {
					t.Errorf("%s:%d: %v", p.path, m.line, err)
				}
			}
		}
	}
	if count == 0 {
		t.Error("found no expressions: they are not read")
	}
}

// factsFor are those of a cluster that is called demo, and what the configuration names.
func factsFor(t *testing.T, spec kcm.ServiceSpec, all []manifest) values.Facts {
	t.Helper()
	config, unknown, err := service.DecodeConfig(spec.Provider.Config)
	if err != nil || len(unknown) > 0 {
		t.Fatalf("the configuration has unknown keys %v, %v", unknown, err)
	}
	facts := values.Facts{
		Cluster:       map[string]any{"metadata": map[string]any{"name": "demo", "namespace": kcm.DefaultSystemNamespace}},
		MgmtResources: map[string]map[string]any{},
	}
	for _, ref := range config.TemplateResourceRefs {
		for _, m := range all {
			if m.GetKind() == ref.Resource.Kind && m.GetNamespace() == ref.Resource.Namespace && m.GetName() == ref.Resource.Name {
				facts.MgmtResources[ref.Identifier] = m.Object
			}
		}
	}
	return facts
}
