package deployment

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
)

func TestValues(t *testing.T) {
	identity := &Credential{Identity: kcm.ObjectReference{APIVersion: "v1", Kind: "Secret", Name: "key", Namespace: "team"}}
	identityValue := map[string]any{"apiVersion": "v1", "kind": "Secret", "name": "key", "namespace": "team"}
	tests := []struct {
		name, why, config string
		labels            map[string]string
		saw               Observed
		want              helm.Values
		ours              []string
	}{
		{name: "User", why: "What the user writes is passed on, with the identity.", config: `{"workers":2}`, saw: Observed{Credential: identity},
			want: helm.Values{"workers": 2.0, "clusterIdentity": identityValue}, ours: []string{"clusterIdentity"}},
		{name: "Identity", why: "The identity is always the credential's, as a whole.", config: `{"clusterIdentity":{"name":"other","extra":1}}`, saw: Observed{Credential: identity},
			want: helm.Values{"clusterIdentity": identityValue}, ours: []string{"clusterIdentity"}},
		{name: "Labels", why: "The cluster gets the labels of its ClusterDeployment.", labels: map[string]string{"env": "dev"},
			want: helm.Values{"clusterLabels": map[string]any{"env": "dev", kcm.ComponentLabel: kcm.ComponentKCM}}, ours: []string{"clusterLabels"}},
		{name: "OwnLabels", why: "Unless the user said which.", config: `{"clusterLabels":{"a":"b"}}`, labels: map[string]string{"env": "dev"},
			want: helm.Values{"clusterLabels": map[string]any{"a": "b"}}},
		{name: "Documents", why: "The chart learns where the documents are, and when they change; the rest of the user's section stays.", config: `{"audit":{"logMaxAge":7}}`,
			saw: Observed{Authentication: Document{Text: "a", Anonymous: true}, AuditPolicy: Document{Text: "b"}},
			want: helm.Values{
				"auth":  map[string]any{"configSecret": map[string]any{"name": "dev-auth-config", "key": "config", "hash": "ca978112"}, "configWithAnon": true},
				"audit": map[string]any{"logMaxAge": 7.0, "policyRef": map[string]any{"name": "dev-audit-policy", "key": "policy", "hash": "3e23e816"}},
			}, ours: []string{"audit.policyRef", "auth"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Name: "dev", Labels: tc.labels}}
			if tc.config != "" {
				d.Spec.Config = &kcm.JSON{Raw: []byte(tc.config)}
			}
			if _, said := tc.want["clusterLabels"]; !said { // ours is on every ClusterDeployment, from the first revision on
				tc.want["clusterLabels"] = map[string]any{kcm.ComponentLabel: kcm.ComponentKCM}
				tc.ours = append(tc.ours, "clusterLabels")
				slices.Sort(tc.ours)
			}
			got, ours, err := Values(d, tc.saw)
			slices.Sort(ours)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.why, diff)
			}
			if diff := cmp.Diff(tc.ours, ours); diff != "" {
				t.Errorf("keys that are ours alone (-want +got):\n%s", diff)
			}
		})
	}
}

// The charts that k0rdent ships declare what they read of an injected value, and no more.
func TestRenderInjected(t *testing.T) {
	chart := chartOfFiles(t, map[string]string{
		"c/Chart.yaml":  "apiVersion: v2\nname: c\nversion: 1.0.0\n",
		"c/values.yaml": "workers: 1\nclusterIdentity: {}\n",
		"c/values.schema.json": `{"type":"object","properties":{
			"workers":{"type":"integer"},
			"clusterIdentity":{"type":"object","required":["name","kind"],"properties":{"name":{"type":"string","minLength":1},"kind":{"type":"string"}}},
			"auth":{"type":"object","properties":{"configSecret":{"type":"object","properties":{"name":{"type":"string"},"key":{"type":"string"}}}}}}}`,
		"c/templates/cluster.yaml": clusterTemplate,
	})
	identity := kcm.ObjectReference{APIVersion: "v1", Kind: "Secret", Name: "key", Namespace: "team"}
	tests := []struct {
		name, why, config string
		saw               Observed
		problems          []string
		want              helm.Values
	}{
		{name: "Identity", why: "What the schema does not declare is left out, and the rest stays.", config: `{}`,
			saw: Observed{Credential: &Credential{Identity: identity}}, want: helm.Values{"clusterIdentity": map[string]any{"kind": "Secret", "name": "key"}}},
		{name: "Written", why: "The identity is ours, even if the user or a default wrote one.", config: `{"clusterIdentity":{"name":"other","extra":1}}`,
			saw: Observed{Credential: &Credential{Identity: identity}}, want: helm.Values{"clusterIdentity": map[string]any{"kind": "Secret", "name": "key"}}},
		{name: "Broken", why: "Another problem with a value of ours is no reason to leave it out.", config: `{}`,
			saw:      Observed{Credential: &Credential{Identity: kcm.ObjectReference{Kind: "Secret"}}},
			problems: []string{"the value clusterIdentity.name, which Portico sets: must have at least 1 characters"}},
		{name: "Document", why: "In a section that the user has begun, what we add is still ours.", config: `{"auth":{"configSecret":{"name":"mine"}}}`,
			saw:  Observed{Credential: &Credential{Identity: identity}, Authentication: Document{Text: "a", Anonymous: true}},
			want: helm.Values{"clusterIdentity": map[string]any{"kind": "Secret", "name": "key"}, "auth": map[string]any{"configSecret": map[string]any{"name": "dev-auth-config", "key": "config"}}}},
		{name: "Misspelt", why: "The user's own misspelling beside it is one.", config: `{"auth":{"configSecrte":{}}}`,
			saw:      Observed{Credential: &Credential{Identity: identity}, Authentication: Document{Text: "a"}},
			problems: []string{`spec.config.auth.configSecrte: the chart has no such value; did you mean "configSecret"?`}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "dev"}, Spec: kcm.ClusterDeploymentSpec{Config: &kcm.JSON{Raw: []byte(tc.config)}}}
			values, ours, err := Values(d, tc.saw)
			if err != nil {
				t.Fatal(err)
			}
			got := render(wantedRelease(d, chart, values), ours)
			if diff := cmp.Diff(tc.problems, got.Problems); diff != "" {
				t.Errorf("%s\nproblems (-want +got):\n%s", tc.why, diff)
			}
			if tc.want == nil {
				return
			}
			if diff := cmp.Diff(tc.want, got.wanted.Values); diff != "" {
				t.Errorf("%s\nvalues (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}

func TestValuesRefuses(t *testing.T) {
	d := &kcm.ClusterDeployment{Spec: kcm.ClusterDeploymentSpec{Config: &kcm.JSON{Raw: []byte(`["a"]`)}}}
	if _, _, err := Values(d, Observed{}); !errors.Is(err, fleet.ErrInvalid) {
		t.Errorf("a list as spec.config gave the error %v; want one of kind ErrInvalid", err)
	}
}

const clusterTemplate = `apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata:
  name: {{ .Release.Name }}
spec:
  workers: {{ .Values.workers }}
`

func TestRender(t *testing.T) {
	files := map[string]string{
		"c/Chart.yaml":              "apiVersion: v2\nname: c\nversion: 1.0.0\n",
		"c/values.yaml":             "workers: 1\n",
		"c/values.schema.json":      `{"type":"object","additionalProperties":false,"properties":{"workers":{"type":"integer"}}}`,
		"c/templates/cluster.yaml":  clusterTemplate,
		"c/templates/machines.yaml": "{{ if gt (int .Values.workers) 8 }}{{ fail \"too many workers\" }}{{ end }}",
	}
	chart := chartOfFiles(t, files)
	tests := []struct {
		name, why string
		values    helm.Values
		ours      []string
		problems  []string
		clusters  []RenderedCluster
	}{
		{name: "Good", why: "A cluster without a namespace is in the release's.", values: helm.Values{"workers": 2.0}, clusters: []RenderedCluster{{"Cluster", "team", "dev"}}},
		{name: "Ours", why: "That the chart has no use for what we inject is no mistake.", values: helm.Values{"clusterIdentity": map[string]any{"name": "x"}}, ours: []string{"clusterIdentity"},
			clusters: []RenderedCluster{{"Cluster", "team", "dev"}}},
		{name: "Misspelt", why: "That it has no use for what the user wrote is one.", values: helm.Values{"wrokers": 2.0},
			problems: []string{`spec.config.wrokers: the chart has no such value; did you mean "workers"?`}},
		{name: "Schema", why: "The schema is the chart's word on its values.", values: helm.Values{"workers": "many"},
			problems: []string{"spec.config.workers: got string, want integer"}},
		{name: "Fails", why: "A chart that does not render says where.", values: helm.Values{"workers": 9.0},
			problems: []string{"rendering chart c 1.0.0: template templates/machines.yaml, line 1: too many workers"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: "dev"}}
			got := render(wantedRelease(d, chart, tc.values), tc.ours)
			if diff := cmp.Diff(tc.problems, got.Problems); diff != "" {
				t.Errorf("%s\nproblems (-want +got):\n%s", tc.why, diff)
			}
			if diff := cmp.Diff(tc.clusters, got.Clusters); diff != "" {
				t.Errorf("%s\nclusters (-want +got):\n%s", tc.why, diff)
			}
		})
	}
}

// chartOfFiles is a chart from its files.
func chartOfFiles(t *testing.T, files map[string]string) *helm.Chart {
	t.Helper()
	chart, err := helm.Load(packed(t, files))
	if err != nil {
		t.Fatal(err)
	}
	return chart
}

func packed(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	out := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := out.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(out.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
