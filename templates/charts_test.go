package templates_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	kubernetes "k8s.io/client-go/kubernetes/scheme"
	capi "sigs.k8s.io/cluster-api/api/core/v1beta2"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	hosted "portico.dev/portico/api/local/controlplane/v1alpha1"
	local "portico.dev/portico/api/local/infrastructure/v1alpha1"
	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/source/archive"
	"portico.dev/portico/templates"
)

func chart(t *testing.T, name string) *helm.Chart {
	t.Helper()
	all, err := templates.Charts()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(c templates.Chart) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("there is no chart %s", name)
	}
	var packed bytes.Buffer
	if err := archive.Pack(&packed, all[i].Files); err != nil {
		t.Fatal(err)
	}
	c, err := helm.Load(packed.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// objects renders a chart as release "demo" and reads each object strictly as its Go type: a
// field that the type does not have is an error.
func objects(t *testing.T, name, values string) map[string]runtime.Object {
	t.Helper()
	c := chart(t, name)
	v, err := helm.ParseValues([]byte(values))
	if err != nil {
		t.Fatal(err)
	}
	if err := helm.Check(c, v); err != nil {
		t.Fatal(err)
	}
	rendered, err := helm.Render(c, v, helm.Release{Namespace: "kcm-system", Name: "demo"})
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]runtime.Object{}
	for _, u := range rendered.Objects {
		out[u.GetKind()+"/"+u.GetName()] = strict(t, u)
	}
	return out
}

func strict(t *testing.T, u *unstructured.Unstructured) runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kubernetes.AddToScheme, capi.AddToScheme, kcm.AddToScheme, hosted.AddToScheme, local.AddToScheme, sveltos.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := json.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	obj, _, err := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer().Decode(raw, nil, nil)
	if err != nil {
		t.Fatalf("%s %s: %v", u.GetKind(), u.GetName(), err)
	}
	if wide := []string{kcm.ProviderInterfaceKind, "ClusterRole", "ClusterRoleBinding"}; u.GetNamespace() != "kcm-system" && !slices.Contains(wide, u.GetKind()) {
		t.Errorf("%s %s is in namespace %q, want that of the release", u.GetKind(), u.GetName(), u.GetNamespace())
	}
	return obj
}

func TestEveryChartRenders(t *testing.T) {
	want := map[string][]string{
		"local-hosted":    {"Cluster/demo", "HostedControlPlane/demo-cp", "LocalCluster/demo", "LocalMachineTemplate/demo-md-", "MachineDeployment/demo-md", "MachineHealthCheck/demo"},
		"adopted-cluster": {"SveltosCluster/demo"},
		"kcm":             {}, "cluster-api": {}, "hosted": {},
		"local": {"ProviderInterface/local"},
		"kof-collectors": {
			"ClusterRole/kof-collectors", "ClusterRoleBinding/kof-collectors", "ConfigMap/kof-collectors-cluster-stats", "ConfigMap/kof-collectors-daemon",
			"DaemonSet/kof-collectors-daemon-collector", "Deployment/kof-collectors-cluster-stats-collector",
			"Service/kof-collectors-daemon-collector", "ServiceAccount/kof-collectors",
		},
		"kof-propagation": {},
		"kof-storage": {
			"ConfigMap/portico-store", "ConfigMap/vmalert-cluster", "Deployment/vmalert-cluster", "Deployment/vmauth-cluster",
			"NetworkPolicy/kof-storage-metrics", "NetworkPolicy/kof-storage-records", "NetworkPolicy/kof-storage-vmalert", "NetworkPolicy/kof-storage-vmauth",
			"Role/kof-storage-gate", "RoleBinding/kof-storage-gate", "Service/portico-store", "Service/vmauth-cluster", "Service/vmauth-cluster-external", "Service/vmsingle-cluster",
			"ServiceAccount/kof-storage-gate", "StatefulSet/portico-store", "StatefulSet/vmsingle-cluster",
		},
	}
	all, err := templates.Charts()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		t.Run(c.Name, func(t *testing.T) {
			got := slices.Sorted(maps.Keys(objects(t, c.Name, "{}")))
			for i := range got {
				if strings.HasPrefix(got[i], "LocalMachineTemplate/") {
					got[i] = got[i][:len(got[i])-8]
				}
			}
			if diff := cmp.Diff(want[c.Name], got, cmp.Transformer("empty", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
				t.Errorf("objects with default values (-want +got):\n%s", diff)
			}
		})
	}
	if len(all) != len(want) {
		t.Errorf("%d charts, the test knows %d", len(all), len(want))
	}
}

// everything sets each documented value of local-hosted to something other than its default.
const everything = `
version: v1.35.1
workersNumber: 0
machine: {kind: Virtual, cpus: 4, memory: 8Gi, labels: {tier: small}}
pools:
- name: big
  workersNumber: 3
  machine: {kind: Real, cpus: 16, labels: {tier: big}}
- name: none
  workersNumber: 0
rollout: {maxSurge: 50%, maxUnavailable: 1, nodeDrainTimeoutSeconds: 5}
machineHealthCheck: {enabled: true, nodeStartupTimeoutSeconds: 60, unhealthyTimeoutSeconds: 30, unhealthyLessThanOrEqualTo: 2}
network: Isolated
clusterNetwork: {pods: {cidrBlocks: [10.1.0.0/16]}, services: {cidrBlocks: [10.2.0.0/16]}, serviceDomain: other.local}
clusterLabels: {env: test}
clusterAnnotations: {note: here}
controlPlane: {apiServer: {extraArgs: {max-requests-inflight: "800"}}, resources: {cpu: 500m, memory: 512Mi}}
audit: {policyRef: {name: demo-audit-policy, key: policy, hash: a1}}
auth: {configSecret: {name: demo-auth-config, key: config, hash: b2}, configWithAnon: true}
encryption: {configSecret: {name: keys, key: config, hash: c3}}
clusterIdentity: {apiVersion: v1, kind: Secret, name: local, namespace: kcm-system}
global: {registry: here}
`

func TestLocalHostedValues(t *testing.T) {
	got := objects(t, "local-hosted", everything)
	cluster := got["Cluster/demo"].(*capi.Cluster)
	if cluster.Labels["env"] != "test" || cluster.Annotations["note"] != "here" || cluster.Spec.ClusterNetwork.Pods.CIDRBlocks[0] != "10.1.0.0/16" ||
		cluster.Spec.ClusterNetwork.Services.CIDRBlocks[0] != "10.2.0.0/16" || cluster.Spec.ClusterNetwork.ServiceDomain != "other.local" {
		t.Errorf("Cluster %+v", cluster)
	}
	cp := got["HostedControlPlane/demo-cp"].(*hosted.HostedControlPlane)
	wantSpec := hosted.HostedControlPlaneSpec{
		Version:        "v1.35.1",
		APIServer:      hosted.APIServerSpec{ExtraArgs: map[string]string{"max-requests-inflight": "800"}},
		Audit:          hosted.AuditSpec{PolicyRef: &hosted.KeyRef{Name: "demo-audit-policy", Key: "policy"}},
		Authentication: hosted.AuthenticationSpec{ConfigSecretRef: &hosted.KeyRef{Name: "demo-auth-config", Key: "config"}},
		Encryption:     hosted.EncryptionSpec{ConfigSecretRef: &hosted.KeyRef{Name: "keys", Key: "config"}},
		Resources:      cp.Spec.Resources,
	}
	if diff := cmp.Diff(wantSpec, cp.Spec); diff != "" || cp.Spec.Resources.CPU.String() != "500m" || cp.Spec.Resources.Memory.String() != "512Mi" {
		t.Errorf("HostedControlPlane %v (-want +got):\n%s", cp.Spec.Resources, diff)
	}
	if len(cp.Annotations) != 3 {
		t.Errorf("a new hash of a document has to reach the control plane, but its annotations are %v", cp.Annotations)
	}
	wantNetwork(t, got, local.NetworkIsolated)
	check := got["MachineHealthCheck/demo"].(*capi.MachineHealthCheck).Spec
	if *check.Checks.NodeStartupTimeoutSeconds != 60 || *check.Checks.UnhealthyNodeConditions[1].TimeoutSeconds != 30 || check.Remediation.TriggerIf.UnhealthyLessThanOrEqualTo.IntValue() != 2 {
		t.Errorf("MachineHealthCheck %+v", check)
	}
}

func TestLocalHostedPools(t *testing.T) {
	got := objects(t, "local-hosted", everything)
	machines := map[string]local.LocalMachineSpec{}
	replicas := map[string]int32{}
	for name, o := range got {
		md, ok := o.(*capi.MachineDeployment)
		if !ok {
			continue
		}
		ref := md.Spec.Template.Spec.InfrastructureRef
		template, ok := got[ref.Kind+"/"+ref.Name].(*local.LocalMachineTemplate)
		if !ok {
			t.Errorf("%s points to %s %s, which the chart does not render", name, ref.Kind, ref.Name)
			continue
		}
		machines[md.Name], replicas[md.Name] = template.Spec.Template.Spec, *md.Spec.Replicas
		if *md.Spec.Template.Spec.Bootstrap.DataSecretName != "demo-bootstrap" || md.Spec.Template.Spec.Version != "v1.35.1" || *md.Spec.Template.Spec.Deletion.NodeDrainTimeoutSeconds != 5 {
			t.Errorf("%s has the template %+v", name, md.Spec.Template.Spec)
		}
	}
	if diff := cmp.Diff(map[string]int32{"demo-md": 0, "demo-big": 3, "demo-none": 0}, replicas); diff != "" {
		t.Errorf("replicas (-want +got):\n%s", diff)
	}
	for name, want := range map[string]string{"demo-md": "Virtual 4 8Gi small", "demo-big": "Real 16 8Gi big", "demo-none": "Virtual 4 8Gi small"} {
		m := machines[name]
		if got := fmt.Sprintf("%s %d %s %s", m.Kind, m.CPUs, &m.Memory, m.NodeLabels["tier"]); got != want {
			t.Errorf("machine of %s is %s, want %s: what a pool does not say, the default machine says", name, got, want)
		}
	}
}

// A template of machines is never changed: any change of the machine has to give a new name, and
// anything else must not.
func TestMachineTemplateName(t *testing.T) {
	name := func(values string) string {
		for key := range objects(t, "local-hosted", values) {
			if n, ok := strings.CutPrefix(key, "LocalMachineTemplate/"); ok {
				return n
			}
		}
		return ""
	}
	before := name("{}")
	for _, same := range []string{"workersNumber: 5", "version: v1.36.5", "clusterLabels: {a: b}", "machine: {kind: Real}"} {
		if name(same) != before {
			t.Errorf("%s replaces the machines", same)
		}
	}
	for _, other := range []string{"machine: {kind: Virtual}", "machine: {cpus: 3}", "machine: {memory: 3Gi}", "machine: {labels: {a: b}}"} {
		if name(other) == before {
			t.Errorf("%s changes a template that Cluster API takes for unchangeable", other)
		}
	}
}

func wantNetwork(t *testing.T, got map[string]runtime.Object, want local.NetworkMode) {
	t.Helper()
	if have := got["LocalCluster/demo"].(*local.LocalCluster).Spec.Network; have != want {
		t.Errorf("network %s, want %s", have, want)
	}
}

func TestNetwork(t *testing.T) {
	tests := []struct {
		name, why, values string
		want              local.NetworkMode
	}{
		{"Real", "Real machines need a network of their own.", "{}", local.NetworkIsolated},
		{"Virtual", "Nodes that only pretend need no network, and then no root.", "machine: {kind: Virtual}", local.NetworkHost},
		{"OneReal", "One real pool is enough.", "{machine: {kind: Virtual}, pools: [{name: a, machine: {kind: Real}}]}", local.NetworkIsolated},
		{"Chosen", "Real machines are to come later.", "{machine: {kind: Virtual}, network: Isolated}", local.NetworkIsolated},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			t.Log(tc.why)
			wantNetwork(t, objects(t, "local-hosted", tc.values), tc.want)
		})
	}
}

// Mistakes are refused before anything is made, with words that name the value.
func TestLocalHostedRefuses(t *testing.T) {
	c := chart(t, "local-hosted")
	tests := []struct{ values, says string }{
		{"workerNumber: 3", "workerNumber"},
		{"workersNumber: -1", "workersNumber"},
		{"version: 1.36.4", "version"},
		{"machine: {kind: real}", "machine.kind"},
		{"machine: {memory: 2 GB}", "machine.memory"},
		{"machine: {cpu: 2}", "machine.cpu"},
		{"pools: [{workersNumber: 1}]", "pools"},
		{"pools: [{name: md}]", "pools"},
		{"audit: {policyRef: {name: x}}", "audit.policyRef"},
		{"controlPlane: {apiServer: {extraArgs: {--v: \"4\"}}}", "extraArgs"},
	}
	for _, tc := range tests {
		v, err := helm.ParseValues([]byte(tc.values))
		if err != nil {
			t.Fatal(err)
		}
		if err := helm.Check(c, v); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("values %s: error %v, want one that names %s", tc.values, err, tc.says)
		}
	}
	v, err := helm.ParseValues([]byte("network: Host"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := helm.Render(c, v, helm.Release{Namespace: "n", Name: "demo"}); err == nil || !strings.Contains(err.Error(), `pool "md" has real ones`) {
		t.Errorf("real machines in the host's network: %v", err)
	}
}

func TestAdoptedClusterValues(t *testing.T) {
	got := objects(t, "adopted-cluster", `
clusterIdentity: {apiVersion: v1, kind: Secret, name: edge-kubeconfig, namespace: kcm-system}
clusterLabels: {env: edge}
clusterAnnotations: {note: here}
consecutiveFailureThreshold: 7
global: {registry: here}
`)["SveltosCluster/demo"].(*sveltos.SveltosCluster)
	if got.Spec.KubeconfigName != "edge-kubeconfig" || got.Labels["env"] != "edge" || got.Annotations["note"] != "here" || got.Spec.ConsecutiveFailureThreshold != 7 {
		t.Errorf("SveltosCluster %+v", got)
	}
}

// Every key of the values is in the schema with words for people, and the other way round.
func TestSchemasSpeak(t *testing.T) {
	all, err := templates.Charts()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		i := slices.IndexFunc(c.Files, func(f archive.File) bool { return strings.HasSuffix(f.Name, "/values.schema.json") })
		if i < 0 {
			t.Errorf("chart %s has no schema: a misspelt value would be taken in silence", c.Name)
			continue
		}
		var schema struct {
			AdditionalProperties any `json:"additionalProperties"`
			Properties           map[string]struct {
				Description string `json:"description"`
				Ref         string `json:"$ref"`
			} `json:"properties"`
		}
		if err := json.Unmarshal(c.Files[i].Data, &schema); err != nil {
			t.Fatalf("chart %s: %v", c.Name, err)
		}
		if schema.AdditionalProperties != false {
			t.Errorf("chart %s takes unknown values", c.Name)
		}
		for name, p := range schema.Properties {
			if p.Description == "" && p.Ref == "" {
				t.Errorf("chart %s says nothing about value %s", c.Name, name)
			}
		}
		for name := range chart(t, c.Name).Summary().Defaults {
			if _, known := schema.Properties[name]; !known {
				t.Errorf("chart %s has value %s, which its schema does not know", c.Name, name)
			}
		}
	}
}
