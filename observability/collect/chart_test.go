package collect

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The chart kof-collectors carries what Config writes, and puts a cluster's own names and endpoints into
// it when it is rendered. go test -update writes the chart's files anew.
func TestChartCarriesTheConfiguration(t *testing.T) {
	for _, role := range []Role{Daemon, ClusterStats} {
		want, err := Config(Facts{
			Role:        role,
			Cluster:     "cluster",
			Write:       Endpoints{Metrics: "http://store", Logs: "http://store", AuditLogs: "http://store", Traces: "http://store"},
			Credentials: &Credentials{},
			Queue:       Queue{Directory: "/var/lib/otelcol/file_storage"},
		})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("../../templates/service/kof-collectors/files", string(role)+".yaml")
		if update := flag.Lookup("update"); update.Value.String() == "true" {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is not what Config writes; run go test -update here (-want +got):\n%s", file, diff)
		}
	}
}
