package chain

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/scenario"
)

func TestScenarios(t *testing.T) {
	scenario.Run(t, "testdata/*.txtar", func(in *scenario.Input) ([]scenario.Section, error) {
		var chain kcm.ClusterTemplateChain
		var saw Observed
		if err := in.Decode("chain.yaml", &chain); err != nil {
			return nil, err
		}
		if err := in.Decode("observed.yaml", &saw); err != nil {
			return nil, err
		}
		var plan []string
		for _, op := range Decide(&chain, saw) {
			plan = append(plan, op.String())
		}
		return []scenario.Section{scenario.Text("plan", plan...), scenario.YAML("status", Status(kinds()[0], &chain, saw))}, nil
	})
}

// A copy of a service template points to what the original has, from another namespace.
func TestCopyService(t *testing.T) {
	git := &kcm.RemoteSourceSpec{Git: &kcm.GitRepositorySpec{URL: "https://example.org/x"}}
	chart := &kcm.CrossNamespaceSourceReference{Kind: "HelmChart", Name: "nginx", Namespace: "kcm-system"}
	tests := []struct {
		name, why string
		spec      kcm.ServiceTemplateSpec
		want      kcm.ServiceTemplateSpec
	}{
		{"Chart", "The chart is fetched once, for the original.",
			kcm.ServiceTemplateSpec{Version: "1.2.3", Helm: &kcm.HelmSpec{ChartSpec: &kcm.HelmChartSpec{Chart: "nginx"}}},
			kcm.ServiceTemplateSpec{Version: "1.2.3", Helm: &kcm.HelmSpec{ChartRef: chart}}},
		{"RemoteSource", "The repository object has the name of the original.",
			kcm.ServiceTemplateSpec{Kustomize: &kcm.SourceSpec{DeploymentType: kcm.DeployRemote, Path: "./a", RemoteSourceSpec: git}},
			kcm.ServiceTemplateSpec{Kustomize: &kcm.SourceSpec{DeploymentType: kcm.DeployRemote, Path: "./a", LocalSourceRef: &kcm.LocalSourceRef{Kind: "GitRepository", Name: "nginx", Namespace: "kcm-system"}}}},
		{"ChartInSource", "The same for a chart in a folder of a repository.",
			kcm.ServiceTemplateSpec{Helm: &kcm.HelmSpec{ChartSource: &kcm.SourceSpec{RemoteSourceSpec: git}}},
			kcm.ServiceTemplateSpec{Helm: &kcm.HelmSpec{ChartSource: &kcm.SourceSpec{LocalSourceRef: &kcm.LocalSourceRef{Kind: "GitRepository", Name: "nginx", Namespace: "kcm-system"}}}}},
		{"LocalSource", "Flux's kinds can be read across namespaces.",
			kcm.ServiceTemplateSpec{Resources: &kcm.SourceSpec{LocalSourceRef: &kcm.LocalSourceRef{Kind: "Bucket", Name: "b"}}},
			kcm.ServiceTemplateSpec{Resources: &kcm.SourceSpec{LocalSourceRef: &kcm.LocalSourceRef{Kind: "Bucket", Name: "b", Namespace: "kcm-system"}}}},
		{"ConfigMap", "A ConfigMap cannot: one of that name has to be beside the copy.",
			kcm.ServiceTemplateSpec{Resources: &kcm.SourceSpec{LocalSourceRef: &kcm.LocalSourceRef{Kind: "ConfigMap", Name: "c", Namespace: "kcm-system"}}},
			kcm.ServiceTemplateSpec{Resources: &kcm.SourceSpec{LocalSourceRef: &kcm.LocalSourceRef{Kind: "ConfigMap", Name: "c"}}}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			original := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "kcm-system", Name: "nginx"}, Spec: tc.spec}
			original.Status.ChartRef = chart
			before := original.DeepCopy()
			got, err := copyService(original)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.(*kcm.ServiceTemplate).Spec); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
			if diff := cmp.Diff(before, original); diff != "" {
				t.Errorf("the original, which the cache owns, was changed:\n%s", diff)
			}
		})
	}
}

func TestCopyWithoutChart(t *testing.T) {
	if _, err := copyCluster(&kcm.ClusterTemplate{}); err == nil {
		t.Error("a template whose chart nobody knows was copied")
	}
}

// Both kinds are judged by the same rules.
func TestKinds(t *testing.T) {
	for _, k := range kinds() {
		c := k.empty()
		c.GetChainSpec().SupportedTemplates = []kcm.SupportedTemplate{{Name: "a"}}
		if s := Status(k, c, Observed{Home: "kcm-system", Templates: []Listed{{Name: "a"}}}); s.Valid {
			t.Errorf("a %s whose template does not exist is valid", k.name)
		}
	}
	if names := []string{kinds()[0].template, kinds()[1].template}; !slices.Equal(names, []string{"ClusterTemplate", "ServiceTemplate"}) {
		t.Errorf("kinds of templates = %v", names)
	}
}
