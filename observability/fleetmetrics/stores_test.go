package fleetmetrics

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStoreOf(t *testing.T) {
	tests := []struct {
		name, why, store, text string
		want                   Store
	}{
		{
			"Metrics", "Parts of VictoriaMetrics' data are series of one metric, and it keeps some of the disk free.", "victoria-metrics",
			`vm_data_size_bytes{type="indexdb/file"} 100
vm_data_size_bytes{type="storage/big"} 900
vm_free_disk_space_bytes{path="/d"} 5000
vm_free_disk_space_limit_bytes{path="/d"} 1000
vm_rows_ignored_total{reason="big_timestamp"} 2
vm_rows_invalid_total{type="x"} 3
`,
			Store{"r", "victoria-metrics", 1000, 5000, 5},
		},
		{
			"Records", "It does not know its disk.", "portico-store",
			"# TYPE portico_store_database_bytes gauge\nportico_store_database_bytes 10\nportico_store_journal_bytes 5\n# TYPE portico_store_rejected_total counter\nportico_store_rejected_total 7\n",
			Store{"r", "portico-store", 15, -1, 7},
		},
		{"Full", "What is kept free is more than there is.", "victoria-metrics", "vm_data_size_bytes 1\nvm_free_disk_space_bytes 3\nvm_free_disk_space_limit_bytes 9\n", Store{"r", "victoria-metrics", 1, 1, -1}},
		{"Other", "An error page tells nothing.", "victoria-metrics", "<html>502</html>", Store{"r", "victoria-metrics", -1, -1, -1}},
		{"Brace", "A label may hold a brace and a space.", "victoria-metrics", "vm_data_size_bytes{path=\"a} 7\"} 5 1700000000000\nvm_data_size_bytes_total 9\n", Store{"r", "victoria-metrics", 5, -1, -1}},
		{"Silent", "Nothing is known, which is not zero.", "victoria-metrics", "", Store{"r", "victoria-metrics", -1, -1, -1}},
		{"Stranger", "Its words are not known.", "other", "vm_data_size_bytes 1\n", Store{"r", "other", -1, -1, -1}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, err := StoreOf("r", tc.store, strings.NewReader(tc.text))
			if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
				t.Errorf("%s\nStoreOf: %v (-want +got):\n%s", tc.why, err, diff)
			}
		})
	}
}

func TestStoreOfJunk(t *testing.T) {
	for _, text := range []string{"vm_data_size_bytes", "vm_data_size_bytes{type=\"}\"} many", "vm_data_size_bytes NaN", "vm_data_size_bytes -1", "vm_data_size_bytes{", "vm_data_size_bytes 1\n" + strings.Repeat("x", 2<<20)} {
		if got, err := StoreOf("r", "victoria-metrics", strings.NewReader(text)); err == nil || got.Used >= 0 {
			t.Errorf("StoreOf(%.40q) = %+v, %v; want an error and nothing known", text, got, err)
		}
	}
}

func FuzzStoreOf(f *testing.F) {
	for _, text := range []string{"vm_data_size_bytes 1\n", "vm_data_size_bytes{a=\"b\"} NaN 5\n", "# TYPE x histogram\nx_bucket{le=\"1\"} 1\n", "\xff{", "{\n", "portico_store_database_bytes{a=\"}\"} 1"} {
		f.Add("victoria-metrics", text)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		s, err := StoreOf("r", name, strings.NewReader(text))
		if err != nil && (s.Used != -1 || s.Limit != -1 || s.Refused != -1) {
			t.Errorf("something is known of what cannot be read: %+v", s)
		}
	})
}
