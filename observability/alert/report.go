package alert

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// ReportName is the ConfigMap that says what came of the rules: under ReportKey for programs, under its
// other keys for people.
const (
	ReportName = "portico-alert-rules"
	ReportKey  = "report.json"
)

// Report says which rules count, and what is wrong with the others. Of a long list the first ones are
// there.
type Report struct {
	Used int `json:"used"`
	// Own are the rules that single clusters have.
	Own []Own `json:"own,omitempty"`
	// Problems are rules that are refused, Notes are about rules that lose whose they are, Receivers about
	// the configuration of Alertmanager.
	Problems  []Problem `json:"problems,omitempty"`
	Notes     []Problem `json:"notes,omitempty"`
	Receivers []Problem `json:"receivers,omitempty"`
	// More is how many entries were left out, since an object holds no more.
	More int `json:"more,omitempty"`
}

// ReadReport returns what the ConfigMap says.
func ReadReport(c *corev1.ConfigMap) (Report, error) {
	var r Report
	if err := json.Unmarshal([]byte(c.Data[ReportKey]), &r); err != nil {
		return r, fmt.Errorf("reading ConfigMap %s/%s, key %s: %w", c.Namespace, c.Name, ReportKey, err)
	}
	return r, nil
}
