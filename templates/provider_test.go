package templates_test

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"portico.dev/portico/state/values"
	"portico.dev/portico/templates"
)

// The provider of a cluster is told of its nodes, and not of each of their pods; without one nothing is.
func TestCollectorsTellTheProvider(t *testing.T) {
	const statement = `set(resource.attributes["cloud.provider"], "aws") where resource.attributes["k8s.pod.uid"] == nil`
	for provider, want := range map[string]bool{"aws": true, `""`: false} {
		c := configuration(t, "daemon", "global: {cloudProvider: "+provider+"}")
		text, err := yaml.Marshal(c["processors"].(map[string]any)["transform/machines"])
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(strings.Join(strings.Fields(string(text)), " "), statement); got != want {
			t.Errorf("for provider %s: %s", provider, text)
		}
	}
	if _, wrong := configuration(t, "cluster-stats", "global: {cloudProvider: aws}")["processors"].(map[string]any)["transform/machines"]; wrong {
		t.Error("a collector that measures no machines says what they are")
	}
}

// It is the kind of the cluster's infrastructure, where there is one.
func TestProviderOfACluster(t *testing.T) {
	for kind, want := range map[string]string{"AWSCluster": "aws", "AWSManagedCluster": "aws", "AzureCluster": "azure", "LocalCluster": "local", "": ""} {
		facts := values.Facts{Cluster: cluster(nil), MgmtResources: map[string]map[string]any{
			"config": {"data": map[string]any{"write_metrics_endpoint": "https://m", "write_logs_endpoint": "https://l", "write_audit_logs_endpoint": "https://a", "write_traces_endpoint": "https://t"}},
			"secret": {"data": map[string]any{"username": "dQ==", "password": "cA=="}},
		}}
		if kind != "" {
			facts.InfrastructureProvider = map[string]any{"kind": kind}
		}
		var got struct {
			Global struct{ CloudProvider string }
		}
		text := merged(t, templates.ChildService, facts)["kof-collectors"]
		if err := yaml.Unmarshal([]byte(text), &got); err != nil || got.Global.CloudProvider != want {
			t.Errorf("%s is taken for %q, %v", kind, got.Global.CloudProvider, err)
		}
	}
}
