package httpapi

import (
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"portico.dev/portico/observability/alert"
	"portico.dev/portico/server/signin"
)

// AlertRules are the rules that are refused and why, those that single clusters have, and what is wrong with
// the receivers.
type AlertRules struct {
	alert.Report
}

// alertRules answers those who may read the report of the rules: it speaks of all tenants'.
func (s *server) alertRules(w http.ResponseWriter, r *http.Request) error {
	if s.AlertRules == nil {
		return absent("there are no rules")
	}
	report, err := s.AlertRules(r.Context(), signin.From(r.Context()))
	if apierrors.IsNotFound(err) {
		// No rule was looked at yet, so none is refused.
		return write(w, AlertRules{})
	}
	if err != nil {
		return err
	}
	return write(w, AlertRules{report})
}
