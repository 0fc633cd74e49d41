package delivery

import (
	"encoding/json"
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

// longest bounds each list of the report, and longestMessage a message in it: an object holds a megabyte.
const (
	longest        = 200
	longestMessage = 500
)

// told is the report of a plan. receivers is what is wrong with the configuration of Alertmanager.
func told(p Plan, receivers []alert.Problem) alert.Report {
	t := alert.Report{Used: p.Used, Own: p.Own[:min(len(p.Own), longest)]}
	t.More = len(p.Own) - len(t.Own)
	for _, list := range []struct {
		from []alert.Problem
		to   *[]alert.Problem
	}{{p.Problems, &t.Problems}, {p.Notes, &t.Notes}, {receivers, &t.Receivers}} {
		for _, one := range list.from[:min(len(list.from), longest)] {
			if len(one.Message) > longestMessage {
				one.Message = strings.ToValidUTF8(one.Message[:longestMessage], "") + "…"
			}
			*list.to = append(*list.to, one)
		}
		t.More += max(len(list.from)-longest, 0)
	}
	return t
}

// Report returns the ConfigMap that says what came of a plan; nil if it says so already.
// receivers is what is wrong with the configuration of Alertmanager.
func Report(home string, was *corev1.ConfigMap, p Plan, receivers []alert.Problem) *Output {
	t := told(p, receivers)
	text, err := json.Marshal(t)
	if err != nil {
		text = []byte("{}") // text can always be written
	}
	data := map[string]string{
		"used":          fmt.Sprint(t.Used),
		"problems":      lines(t.Problems),
		"notes":         lines(t.Notes),
		"receivers":     lines(t.Receivers),
		alert.ReportKey: string(text),
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
