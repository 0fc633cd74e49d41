package templates_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/state/values"
	"portico.dev/portico/templates"
)

// pods are those of a chart's workloads by their names.
func pods(t *testing.T, name, v string) map[string]corev1.PodSpec {
	t.Helper()
	out := map[string]corev1.PodSpec{}
	for name, o := range objects(t, name, v) {
		switch o := o.(type) {
		case *appsv1.Deployment:
			out[name] = o.Spec.Template.Spec
		case *appsv1.StatefulSet:
			out[name] = o.Spec.Template.Spec
		}
	}
	return out
}

// No pod of the stores may do more than it has to, and each says when it is well and what it needs.
func TestStoragePods(t *testing.T) {
	all := pods(t, "kof-storage", "{}")
	if len(all) != 4 {
		t.Errorf("there are %d workloads, want VictoriaMetrics, portico-store, vmauth and vmalert", len(all))
	}
	for name, pod := range all {
		if s := pod.SecurityContext; s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.SeccompProfile == nil {
			t.Errorf("%s may run as root: %+v", name, s)
		}
		if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
			t.Errorf("all containers of %s get the account's token", name)
		}
		for i, c := range append(pod.InitContainers, pod.Containers...) {
			s := c.SecurityContext
			if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation || len(s.Capabilities.Drop) == 0 {
				t.Errorf("%s/%s: %+v", name, c.Name, s)
			}
			if c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s/%s does not say what it needs", name, c.Name)
			}
			if i >= len(pod.InitContainers) && (c.ReadinessProbe == nil || c.LivenessProbe == nil) {
				t.Errorf("%s/%s does not say when it is well", name, c.Name)
			}
		}
	}
	role := objects(t, "kof-storage", "{}")["Role/kof-storage-gate"].(*rbacv1.Role)
	if diff := cmp.Diff([]rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "watch"}}}, role.Rules); diff != "" {
		t.Errorf("what lets users in may do more than read them:\n%s", diff)
	}
}

func args(t *testing.T, workload, v string) string {
	t.Helper()
	pod, ok := pods(t, "kof-storage", v)[workload]
	if !ok {
		t.Fatalf("there is no %s", workload)
	}
	return strings.Join(pod.Containers[0].Args, " ")
}

func TestStorageValues(t *testing.T) {
	tests := []struct{ name, why, values, workload, want string }{
		{"Default", "A month is kept.", "{}", "StatefulSet/vmsingle-cluster", "-retentionPeriod=30d"},
		{"Retention", "Ours.", "metrics: {retention: 1y}", "StatefulSet/vmsingle-cluster", "-retentionPeriod=1y"},
		{"KOFRetention", "k0rdent's users have it elsewhere.", "victoriametrics: {vmcluster: {spec: {retentionPeriod: 90d}}}", "StatefulSet/vmsingle-cluster", "-retentionPeriod=90d"},
		{"Question", "No question of a tenant takes the memory of all.", "{}", "StatefulSet/vmsingle-cluster", "-search.maxMemoryPerQuery=64MiB"},
		{"QuestionOfMore", "A larger store answers larger ones.", "metrics: {memoryMiB: 4096}", "StatefulSet/vmsingle-cluster", "-search.maxMemoryPerQuery=512MiB"},
		{"Flag", "Flags of one's own.", "metrics: {extraArgs: {search.maxSeries: '7'}}", "StatefulSet/vmsingle-cluster", "-search.maxSeries=7"},
		{"Writes", "What is recorded survives a crash of VictoriaMetrics.", "{}", "Deployment/vmalert-cluster", "-remoteWrite.url=http://portico-store:9428"},
		{"WritesAlone", "Without portico-store nobody else takes it.", "records: {enabled: false}", "Deployment/vmalert-cluster", "-remoteWrite.url=http://vmsingle-cluster:8428"},
		{"Rules", "Nobody is told twice: alerts are judged elsewhere.", "{}", "Deployment/vmalert-cluster", "-notifier.blackhole"},
	}
	for _, tc := range tests {
		if got := args(t, tc.workload, tc.values); !strings.Contains(got, tc.want) {
			t.Errorf("%s: %s\n%s lacks %s", tc.name, tc.why, got, tc.want)
		}
	}
	got := objects(t, "kof-storage", `{global: {storageClass: fast}, records: {retention: 7d, size: 9Gi}, victoriametrics: {vmcluster: {spec: {vmstorage: {storage: {volumeClaimTemplate: {spec: {storageClassName: slow, resources: {requests: {storage: 3Gi}}}}}}}}}, vmrules: {groups: {g: [{record: "a:b", expr: up}]}}}`)
	for name, want := range map[string]string{"StatefulSet/vmsingle-cluster": "slow 3Gi", "StatefulSet/portico-store": "fast 9Gi"} {
		claim := got[name].(*appsv1.StatefulSet).Spec.VolumeClaimTemplates[0].Spec
		if is := *claim.StorageClassName + " " + claim.Resources.Requests.Storage().String(); is != want {
			t.Errorf("%s has a volume %s, want %s", name, is, want)
		}
	}
	if text := got["ConfigMap/portico-store"].(*corev1.ConfigMap).Data["config.yaml"]; !strings.Contains(text, "time: 7d") {
		t.Errorf("portico-store: %s", text)
	}
	if text := got["ConfigMap/vmalert-cluster"].(*corev1.ConfigMap).Data["rules.yaml"]; !strings.Contains(text, "name: g") || !strings.Contains(text, "record: a:b") {
		t.Errorf("rules: %s", text)
	}
}

// Without metrics there is nothing to compute rules over.
func TestStorageOfRecordsAlone(t *testing.T) {
	if text := objects(t, "kof-storage", "metrics: {enabled: false}")["ConfigMap/portico-store"].(*corev1.ConfigMap).Data["config.yaml"]; strings.Contains(text, "metrics") {
		t.Errorf("portico-store writes to a VictoriaMetrics that is not there: %s", text)
	}
	for name := range pods(t, "kof-storage", "victoriametrics: {enabled: false}") {
		if name != "StatefulSet/portico-store" && name != "Deployment/vmauth-cluster" {
			t.Errorf("there is %s", name)
		}
	}
}

// What others serve is asked for by kinds that are not known here.
func TestStorageBehindOthers(t *testing.T) {
	for values, want := range map[string][]string{
		"certManager: {enabled: true, dnsNames: [vmauth.eu.example.org]}": {"kind: Certificate", "-tlsCertFile=/public/tls.crt", "targetPort: 8443"},
		"gateway: {enabled: true, host: vmauth.eu.example.org}":           {"kind: Gateway", "kind: HTTPRoute", "-httpListenAddr=:8080", "port: 8080"},
	} {
		v, err := helm.ParseValues([]byte(values))
		if err != nil {
			t.Fatal(err)
		}
		rendered, err := helm.Render(chart(t, "kof-storage"), v, helm.Release{Namespace: "kof", Name: "kof-storage"})
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, o := range rendered.Objects {
			raw, err := yaml.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			text.Write(raw)
		}
		for _, w := range want {
			if !strings.Contains(text.String(), w) {
				t.Errorf("%s: there is no %s in\n%s", values, w, text.String())
			}
		}
	}
}

// merged are the values of the services of a MultiClusterService for a cluster.
func merged(t *testing.T, name string, facts values.Facts) map[string]string {
	t.Helper()
	m, ok := bundled()["MultiClusterService/"+name].(*kcm.MultiClusterService)
	if !ok {
		t.Fatalf("there is no MultiClusterService %s", name)
	}
	out := map[string]string{}
	for _, s := range m.Spec.ServiceSpec.Services {
		text, err := values.Merge(values.Input{Service: s.Name, Inline: s.Values, Facts: facts})
		if err != nil {
			t.Fatal(err)
		}
		out[s.Name] = text
	}
	return out
}

func cluster(annotations map[string]any) map[string]any {
	return map[string]any{"metadata": map[string]any{
		"name": "eu", "namespace": "team", "annotations": annotations, "labels": map[string]any{"k0rdent.mirantis.com/kof-tenant-id": "team-a"},
	}}
}

// A region's cluster gets its stores first, then collectors that send to them; what its user says about either counts.
func TestRegionalServices(t *testing.T) {
	encoded := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	facts := values.Facts{
		Cluster: cluster(map[string]any{
			"k0rdent.mirantis.com/kof-storage-values":    "victoriametrics: {vmcluster: {spec: {retentionPeriod: 90d}}}\nvmalert: {enabled: false}",
			"k0rdent.mirantis.com/kof-storage-class":     "fast",
			"k0rdent.mirantis.com/kof-collectors-values": "global: {tenant: team-b}",
		}),
		MgmtResources: map[string]map[string]any{"stores": {"data": map[string]any{
			"authority": encoded("CA"), "certificate": encoded("certificate"), "key": encoded("key"), "password": encoded("word"),
		}}},
	}
	got := merged(t, templates.RegionalService, facts)
	pods := pods(t, "kof-storage", got["kof-storage"])
	if len(pods) != 3 || !strings.Contains(strings.Join(pods["StatefulSet/vmsingle-cluster"].Containers[0].Args, " "), "-retentionPeriod=90d") {
		t.Errorf("the annotation does not count: %s", got["kof-storage"])
	}
	stores := objects(t, "kof-storage", got["kof-storage"])
	if class := stores["StatefulSet/portico-store"].(*appsv1.StatefulSet).Spec.VolumeClaimTemplates[0].Spec.StorageClassName; *class != "fast" {
		t.Errorf("the storage class is %s", *class)
	}
	if s := stores["Service/vmauth-cluster-external"].(*corev1.Service); s.Spec.Type != corev1.ServiceTypeLoadBalancer {
		t.Errorf("elsewhere it is reached by %s", s.Spec.Type)
	}
	config := configuration(t, "daemon", got["kof-collectors"])
	if diff := cmp.Diff("https://vmauth-cluster.kof.svc:8427/vli/insert/opentelemetry/v1/logs", at(config, "exporters", "otlphttp/logs", "logs_endpoint")); diff != "" {
		t.Error(diff)
	}
	if at(config, "exporters", "otlphttp/logs", "tls", "ca_pem") != "CA" || at(config, "exporters", "prometheusremotewrite", "external_labels", "tenant") != "team-b" {
		t.Errorf("collectors: %s", got["kof-collectors"])
	}
	var propagated struct{ Propagation struct{ Data string } }
	var secret struct{ Data map[string][]byte }
	if err := yaml.Unmarshal([]byte(got["kof-storage-credentials"]), &propagated); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(propagated.Propagation.Data), &secret); err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{
		"tls.crt": []byte("certificate"), "tls.key": []byte("key"), "username": []byte("portico"), "password": []byte("word"),
		"users.yaml": []byte("- name: portico\n  password: word"),
	}
	if diff := cmp.Diff(want, secret.Data); diff != "" {
		t.Errorf("what the stores get (-want +got):\n%s", diff)
	}
	// On this computer nodes are reached, and there is no load balancer.
	facts.InfrastructureProvider = map[string]any{"status": map[string]any{"network": map[string]any{"index": 3}}}
	external := objects(t, "kof-storage", merged(t, templates.RegionalService, facts)["kof-storage"])["Service/vmauth-cluster-external"].(*corev1.Service)
	if external.Spec.Type != corev1.ServiceTypeNodePort || external.Spec.Ports[0].NodePort != templates.RegionPort {
		t.Errorf("on this computer it is reached by %+v", external.Spec)
	}
}

// A child trusts its plane and its region, and finds them at the address that its own network has.
func TestChildServices(t *testing.T) {
	facts := values.Facts{
		Cluster:                cluster(map[string]any{"k0rdent.mirantis.com/kof-collectors-values": "collectors: {daemon: {hostNetwork: false}}"}),
		InfrastructureProvider: map[string]any{"status": map[string]any{"network": map[string]any{"index": 5}}},
		MgmtResources: map[string]map[string]any{
			"config": {"data": map[string]any{
				"write_metrics_endpoint": "https://telemetry.portico.internal:19003/m", "write_logs_endpoint": "https://telemetry.portico.internal:19003/l",
				"write_audit_logs_endpoint": "https://a/a", "write_traces_endpoint": "https://a/t", "ca_pem": "REGION",
			}},
			"secret": {"data": map[string]any{"username": "dQ==", "password": "cA=="}},
		},
	}
	got := merged(t, templates.ChildService, facts)
	config := configuration(t, "daemon", got["kof-collectors"])
	if to := at(config, "exporters", "prometheusremotewrite", "endpoint"); to != "https://10.213.5.1:19003/m" {
		t.Errorf("metrics go to %v", to)
	}
	if ca := at(config, "exporters", "otlphttp/logs", "tls", "ca_pem"); ca != "PEM\nREGION" {
		t.Errorf("trusted is %q", ca)
	}
	if pod := objects(t, "kof-collectors", got["kof-collectors"])["DaemonSet/kof-collectors-daemon-collector"].(*appsv1.DaemonSet).Spec.Template.Spec; pod.HostNetwork {
		t.Error("the annotation does not count")
	}
	// The plane's own stores have no authority beside the plane's.
	delete(facts.MgmtResources["config"]["data"].(map[string]any), "ca_pem")
	if text := merged(t, templates.ChildService, facts)["kof-collectors"]; !strings.Contains(text, `PEM`) || strings.Contains(text, "nil") {
		t.Errorf("values: %s", text)
	}
}
