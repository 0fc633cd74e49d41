package delivery

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"portico.dev/portico/observability/alert"
)

// However much is wrong, the report fits into an object, and says how much it leaves out.
func TestReportIsBounded(t *testing.T) {
	p := Plan{Used: 3}
	for i := range 10_000 {
		p.Problems = append(p.Problems, alert.Problem{Object: "ConfigMap kof/x", Key: "g", Rule: fmt.Sprint("R", i), Message: strings.Repeat("ü", 5000)})
		p.Own = append(p.Own, alert.Own{Cluster: fmt.Sprint("c", i), Group: "g", Rule: "R"})
	}
	out := Report("kof", nil, p, nil)
	size := 0
	for key, text := range out.Now.Data {
		size += len(key) + len(text)
	}
	if size > 900_000 {
		t.Errorf("the report has %d bytes", size)
	}
	got, err := alert.ReadReport(out.Now)
	if err != nil || got.Used != 3 || len(got.Problems) != longest || len(got.Own) != longest || got.More != 2*(10_000-longest) {
		t.Errorf("it has %d problems, %d of clusters and %d more, %v", len(got.Problems), len(got.Own), got.More, err)
	}
	if again := Report("kof", out.Now, p, nil); again != nil {
		t.Error("the same report is written again")
	}
	if _, err := alert.ReadReport(&corev1.ConfigMap{}); err == nil {
		t.Error("a ConfigMap without a report has one")
	}
}
