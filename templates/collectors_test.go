package templates_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// child is what k0rdent's controllers hand to the collectors of a child cluster.
const child = `
global: {clusterName: child-one, clusterNamespace: kcm-system, tenant: team-a}
kof:
  basic_auth: true
  credentials_secret_name: kof-vmuser-creds-123
  tls_options: {insecure_skip_verify: true}
  metrics: {endpoint: https://vmauth.eu.example.net/vm/insert/0/prometheus/api/v1/write}
  logs: {endpoint: https://vmauth.eu.example.net/vli/insert/opentelemetry/v1/logs}
  audit: {endpoint: https://vmauth.eu.example.net/vlai/insert/opentelemetry/v1/logs}
  traces: {endpoint: https://vmauth.eu.example.net/vti/insert/opentelemetry/v1/traces}
collectors:
  daemon:
    config:
      receivers: {hostmetrics: {collection_interval: 1m}}
      exporters: {debug: {}}
      service: {pipelines: {traces: {exporters: [otlphttp/traces, debug]}}}
`

// configuration is the collector's, of the role, as the chart renders it for the values.
func configuration(t *testing.T, role, values string) map[string]any {
	t.Helper()
	text := objects(t, "kof-collectors", values)["ConfigMap/kof-collectors-"+role].(*corev1.ConfigMap).Data["collector.yaml"]
	var c map[string]any
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// at is the value at a path of keys.
func at(c any, keys ...string) any {
	for _, k := range keys {
		m, ok := c.(map[string]any)
		if !ok {
			return nil
		}
		c = m[k]
	}
	return c
}

func TestCollectorsOfAChild(t *testing.T) {
	tests := []struct {
		role, why string
		path      []string
		want      any
	}{
		{"daemon", "Metrics go to the region.", []string{"exporters", "prometheusremotewrite", "endpoint"}, "https://vmauth.eu.example.net/vm/insert/0/prometheus/api/v1/write"},
		{"daemon", "Logs have a path of their own.", []string{"exporters", "otlphttp/logs", "logs_endpoint"}, "https://vmauth.eu.example.net/vli/insert/opentelemetry/v1/logs"},
		{"daemon", "So have audit logs.", []string{"exporters", "otlphttp/logs-audit", "logs_endpoint"}, "https://vmauth.eu.example.net/vlai/insert/opentelemetry/v1/logs"},
		{"daemon", "And traces.", []string{"exporters", "otlphttp/traces", "traces_endpoint"}, "https://vmauth.eu.example.net/vti/insert/opentelemetry/v1/traces"},
		{"daemon", "Metrics say whose they are.", []string{"exporters", "prometheusremotewrite", "external_labels"}, map[string]any{"cluster": "child-one", "clusterNamespace": "kcm-system", "tenant": "team-a"}},
		{"cluster-stats", "So do events.", []string{"processors", "resource/k8sclustername", "attributes"}, []any{
			map[string]any{"action": "upsert", "key": "k8s.cluster.name", "value": "child-one"},
			map[string]any{"action": "upsert", "key": "tenant", "value": "team-a"},
			map[string]any{"action": "upsert", "key": "k8s.cluster.namespace", "value": "kcm-system"},
		}},
		{"cluster-stats", "A region with a certificate of its own making.", []string{"exporters", "otlphttp/logs", "tls", "insecure_skip_verify"}, true},
		{"daemon", "A region that does not know the child yet is waited for.", []string{"exporters", "prometheusremotewrite", "middlewares"}, []any{map[string]any{"id": "await_credentials"}}},
		{"cluster-stats", "So it is by those that have no log files to read again.", []string{"exporters", "otlphttp/logs", "middlewares"}, []any{map[string]any{"id": "await_credentials"}}},
		{"daemon", "The local way of metrics is not the region's.", []string{"exporters", "otlphttp/metrics-queue", "tls"}, nil},
		{"daemon", "Two thirds of the process's 120 MiB are for the heap.", []string{"processors", "memory_limiter", "limit_mib"}, 80.0},
		{"daemon", "A value of the user replaces ours.", []string{"receivers", "hostmetrics", "collection_interval"}, "1m"},
		{"daemon", "What stands beside it stays.", []string{"receivers", "hostmetrics", "root_path"}, "/hostfs"},
		{"daemon", "Lists are replaced whole.", []string{"service", "pipelines", "traces", "exporters"}, []any{"otlphttp/traces", "debug"}},
	}
	for _, tc := range tests {
		if diff := cmp.Diff(tc.want, at(configuration(t, tc.role, child), tc.path...)); diff != "" {
			t.Errorf("%s: %s\n%s (-want +got):\n%s", tc.role, tc.why, strings.Join(tc.path, "."), diff)
		}
	}
}

// Without credentials nothing asks for a Secret that is not there: the pods would never start.
func TestCollectorsWithoutCredentials(t *testing.T) {
	got := objects(t, "kof-collectors", "{}")
	pods := map[string]corev1.PodSpec{
		"daemon":        got["DaemonSet/kof-collectors-daemon-collector"].(*appsv1.DaemonSet).Spec.Template.Spec,
		"cluster-stats": got["Deployment/kof-collectors-cluster-stats-collector"].(*appsv1.Deployment).Spec.Template.Spec,
	}
	for role, pod := range pods {
		for _, e := range pod.Containers[0].Env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				t.Errorf("%s takes %s from a Secret", role, e.Name)
			}
		}
		if text := got["ConfigMap/kof-collectors-"+role].(*corev1.ConfigMap).Data["collector.yaml"]; strings.Contains(text, "basicauth") || strings.Contains(text, "await_credentials") {
			t.Errorf("%s signs in:\n%s", role, text)
		}
	}
	with := objects(t, "kof-collectors", child)["DaemonSet/kof-collectors-daemon-collector"].(*appsv1.DaemonSet).Spec.Template
	var keys []string
	for _, e := range with.Spec.Containers[0].Env {
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			keys = append(keys, e.Name+" "+e.ValueFrom.SecretKeyRef.Name+" "+e.ValueFrom.SecretKeyRef.Key)
		}
	}
	if diff := cmp.Diff([]string{"KOF_VM_USER kof-vmuser-creds-123 username", "KOF_VM_PASSWORD kof-vmuser-creds-123 password"}, keys); diff != "" {
		t.Errorf("credentials (-want +got):\n%s", diff)
	}
	without := got["DaemonSet/kof-collectors-daemon-collector"].(*appsv1.DaemonSet).Spec.Template
	if with.Annotations["checksum/config"] == without.Annotations["checksum/config"] {
		t.Error("another configuration does not replace the pods")
	}
}

// The program itself accepts what the chart renders.
func TestCollectorAcceptsTheChart(t *testing.T) {
	program, err := filepath.Abs("../bin/portico-collector")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("bin/portico-collector is not built: make bin/portico-collector")
	}
	for _, values := range []string{"{}", child} {
		for _, role := range []string{"daemon", "cluster-stats"} {
			text := objects(t, "kof-collectors", values)["ConfigMap/kof-collectors-"+role].(*corev1.ConfigMap).Data["collector.yaml"]
			file := filepath.Join(t.TempDir(), "collector.yaml")
			// The program looks whether files exist that only a pod has, and reads those of its account.
			dir := t.TempDir()
			for _, name := range []string{"token", "ca.crt"} {
				if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			text = strings.NewReplacer("/var/lib/otelcol", dir, "/var/run/secrets/kubernetes.io/serviceaccount/", dir+"/", "root_path: /hostfs", "root_path: "+dir, "auth_type: serviceAccount", "auth_type: none").Replace(text)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			cmd := exec.CommandContext(ctx, program, "validate", "--config=file:"+file)
			cmd.Env = append(os.Environ(), "OTEL_K8S_NODE_NAME=node-a", "OTEL_K8S_NODE_IP=127.0.0.1", "KOF_VM_USER=user", "KOF_VM_PASSWORD=password")
			out, err := cmd.CombinedOutput()
			cancel()
			if err != nil {
				t.Errorf("%s: portico-collector refuses it: %v\n%s", role, err, out)
			}
		}
	}
}
