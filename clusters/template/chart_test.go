package template

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"portico.dev/portico/fleet"
)

func TestProviders(t *testing.T) {
	tests := []struct {
		name, why string
		spec      []string
		chart     Chart
		want      []string
	}{
		{"Annotation", "The chart knows its providers; the list may have spaces and repeat itself.", nil,
			Chart{Annotations: map[string]string{annotationProviders: "infrastructure-local, control-plane-hosted,infrastructure-local,"}},
			[]string{"control-plane-hosted", "infrastructure-local"}},
		{"Spec", "What the user writes wins over the chart.", []string{"infrastructure-aws"},
			Chart{Annotations: map[string]string{annotationProviders: "infrastructure-local"}}, []string{"infrastructure-aws"}},
		{"None", "A chart need not say anything.", nil, Chart{}, nil},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, Providers(tc.spec, tc.chart)); diff != "" {
				t.Errorf("%s\n%s", tc.why, diff)
			}
		})
	}
}

func TestContracts(t *testing.T) {
	tests := []struct {
		name, why string
		read      func(map[string]string, Chart) (map[string]string, error)
		spec      map[string]string
		chart     map[string]string
		want      map[string]string
		complaint string
	}{
		{name: "ClusterTemplate", why: "Annotations of providers count; the core contract's and the provider list do not.", read: ProviderContracts,
			chart: map[string]string{"cluster.x-k8s.io/infrastructure-local": "v1beta2", "cluster.x-k8s.io/v1beta2": "v1alpha1", annotationProviders: "x"},
			want:  map[string]string{"infrastructure-local": "v1beta2"}},
		{name: "ClusterTemplateTwo", why: "A cluster template requires one version, so a list is a mistake.", read: ProviderContracts,
			spec: map[string]string{"infrastructure-aws": "v1beta1_v1beta2"}, complaint: `"infrastructure-aws" requires the contract "v1beta1_v1beta2"`},
		{name: "ProviderTemplate", why: "A provider may offer several contracts for one core contract.", read: CAPIContracts,
			chart: map[string]string{"cluster.x-k8s.io/v1beta1": "v1alpha3_v1beta1", "cluster.x-k8s.io/infrastructure-local": "v1"},
			want:  map[string]string{"v1beta1": "v1alpha3_v1beta1"}},
		{name: "Core", why: "Cluster API itself offers no provider contract.", read: CAPIContracts,
			spec: map[string]string{"v1beta1": "", "v1beta2": ""}, want: map[string]string{"v1beta1": "", "v1beta2": ""}},
		{name: "ProviderTemplateBad", why: "A misspelt contract would never match anything, so it is refused.", read: CAPIContracts,
			spec: map[string]string{"v1beta1": "v1beta1,v1beta2"}, complaint: `"v1beta1,v1beta2"`},
		{name: "ProviderTemplateBadCore", why: "The key is a contract version as well.", read: CAPIContracts,
			spec: map[string]string{"beta": "v1"}, complaint: `"beta" is not a version`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.read(tc.spec, Chart{Annotations: tc.chart})
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s\n%s", tc.why, diff)
			}
			checkComplaint(t, err, tc.complaint)
		})
	}
}

func TestKubernetesVersions(t *testing.T) {
	chart := Chart{Annotations: map[string]string{annotationK8sVersion: "v1.36.4", annotationK8sConstraint: ">= 1.30"}}
	tests := []struct {
		name, why, spec, want, complaint string
		read                             func(string, Chart) (string, error)
	}{
		{name: "Annotation", why: "The chart says it.", want: "v1.36.4", read: KubernetesVersion},
		{name: "Spec", why: "The user says it better.", spec: "1.35.0", want: "1.35.0", read: KubernetesVersion},
		{name: "Bad", why: "A word is no version.", spec: "latest", complaint: `"latest" is not a semantic version`, read: KubernetesVersion},
		{name: "Constraint", why: "The chart says it.", want: ">= 1.30", read: KubernetesConstraint},
		{name: "ConstraintBad", why: "Half a constraint is refused.", spec: ">= ", complaint: "cannot be read", read: KubernetesConstraint},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := tc.read(tc.spec, chart)
			if got != tc.want {
				t.Errorf("%s\ngot %q, want %q", tc.why, got, tc.want)
			}
			checkComplaint(t, err, tc.complaint)
		})
	}
}

func checkComplaint(t *testing.T, err error, complaint string) {
	t.Helper()
	switch {
	case complaint == "" && err != nil:
		t.Errorf("unexpected error: %v", err)
	case complaint != "" && (!errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), complaint)):
		t.Errorf("error = %v; want one of kind ErrInvalid that says %s", err, complaint)
	}
	if err != nil && strings.Contains(problem(err), "invalid: ") {
		t.Errorf("problem(%v) = %q still names the kind", err, problem(err))
	}
}
