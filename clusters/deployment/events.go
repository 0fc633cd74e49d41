package deployment

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// Event is something worth telling once.
type Event struct {
	// Type is Normal or Warning.
	Type    string
	Reason  string
	Message string
}

// news says which event goes with a condition that has become something else. The reasons are
// k0rdent's.
var news = map[string]struct{ good, bad string }{
	kcm.TemplateReadyCondition:              {"", "ClusterTemplateError"},
	kcm.HelmChartReadyCondition:             {"", "ValidationError"},
	kcm.CredentialReadyCondition:            {"", "CredentialNotReady"},
	kcm.ClusterAuthenticationReadyCondition: {"", "ClusterAuthenticationError"},
	kcm.ClusterAuditPolicyReadyCondition:    {"", "ClusterAuditPolicyError"},
	kcm.DataSourceReadyCondition:            {"", "DataSourceError"},
	kcm.HelmChartNameChangedCondition:       {"HelmChartNameChanged", ""},
	kcm.HelmReleaseReadyCondition:           {"HelmReleaseIsReady", "HelmReleaseReconcileFailed"},
	kcm.CAPIClusterSummaryCondition:         {"CAPIClusterIsReady", "CAPIClusterIsProvisioning"},
	kcm.SveltosClusterReadyCondition:        {"SveltosClusterIsReady", "SveltosClusterIsNotReady"},
}

// Events are what a pass has to tell: what it did, and which conditions have turned.
func Events(was, now []metav1.Condition, done Outcome) []Event {
	var out []Event
	for _, op := range done.Done {
		if reason := deed(op, done); reason != "" {
			out = append(out, Event{corev1.EventTypeNormal, reason, "Done: " + op.String()})
		}
	}
	for _, c := range now {
		words, known := news[c.Type]
		old := control.Find(was, c.Type)
		if !known || old != nil && old.Status == c.Status {
			continue
		}
		switch {
		case c.Status == metav1.ConditionTrue && words.good != "":
			out = append(out, Event{typeOfGood(c.Type), words.good, c.Message})
		case c.Status == metav1.ConditionFalse && words.bad != "":
			out = append(out, Event{corev1.EventTypeWarning, words.bad, c.Message})
		}
	}
	return out
}

// typeOfGood is a warning where what is true is bad.
func typeOfGood(kind string) string {
	if kind == kcm.HelmChartNameChangedCondition {
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}

func deed(op Operation, done Outcome) string {
	switch op := op.(type) {
	case ApplyRelease:
		if done.Release.Revision > 1 {
			return "HelmReleaseUpdated"
		}
		return "HelmReleaseCreated"
	case StoreDocument:
		if op.Kind == AuthenticationDocument {
			return "AuthConfigSecretUpdated"
		}
		return "AuditPolicyConfigMapUpdated"
	case DropDocument:
		if op.Kind == AuthenticationDocument {
			return "AuthConfigSecretDeleted"
		}
		return "AuditPolicyConfigMapDeleted"
	case DeleteServiceSets:
		return "ServiceSetsDeleted"
	case DeleteCluster:
		return "CAPIClusterIsDeleting"
	case RemoveRelease:
		return "HelmReleaseDeleted"
	case Disclaim:
		return "SuccessfulDelete"
	}
	return ""
}
