package delivery

import (
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/observability/alert"
)

// Summary is what came of a pass, for metrics.
type Summary struct {
	// Used, Refused and Unlabelled count rules.
	Used, Refused, Unlabelled int
	// ReceiversValid says whether Alertmanager took its configuration.
	ReceiversValid bool
}

// Report returns the ConfigMap that says what came of a plan; nil if it says so already.
// receivers is what is wrong with the configuration of Alertmanager.
func Report(home string, was *corev1.ConfigMap, p Plan, receivers []alert.Problem) *Output {
	data := map[string]string{
		"used":      fmt.Sprint(p.Used),
		"problems":  lines(p.Problems),
		"notes":     lines(p.Notes),
		"receivers": lines(receivers),
	}
	if was == nil {
		return &Output{Now: &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: ReportName, Labels: map[string]string{managedBy: "portico"}}, Data: data}}
	}
	if maps.Equal(was.Data, data) {
		return nil
	}
	now := was.DeepCopy()
	now.Data = data
	return &Output{was, now}
}

func lines(problems []alert.Problem) string {
	var out strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&out, p)
	}
	return out.String()
}
