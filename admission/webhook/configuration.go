package webhook

import (
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// timeout bounds one question of the API server. Rules read from a cache, so seconds are
// plenty; a short bound keeps a hanging webhook from hanging every writer.
const timeout int32 = 10

// MutatePath is the path of the handler that fills in objects of a kind.
func MutatePath(kind string) string { return path("mutate", kind) }

// ValidatePath is the path of the handler that judges objects of a kind.
func ValidatePath(kind string) string { return path("validate", kind) }

func path(what, kind string) string {
	gv := versionOf(kind)
	return "/" + what + "-" + strings.ReplaceAll(gv.Group, ".", "-") + "-" + gv.Version + "-" + strings.ToLower(kind)
}

// Configurations returns the objects that tell an API server to ask the handlers. Their names
// begin with a prefix; client says how the handler at a path is reached.
func Configurations(prefix string, client func(path string) admissionregistrationv1.WebhookClientConfig) (*admissionregistrationv1.MutatingWebhookConfiguration, *admissionregistrationv1.ValidatingWebhookConfiguration) {
	mutating := &admissionregistrationv1.MutatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: prefix + "-mutating-webhook-configuration"},
	}
	validating := &admissionregistrationv1.ValidatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "ValidatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: prefix + "-validating-webhook-configuration"},
	}
	// No handler is called here, so that no world is needed.
	for _, k := range kinds(Options{Scheme: runtime.NewScheme()}) {
		if k.mutates() {
			mutating.Webhooks = append(mutating.Webhooks, mutatingWebhook(k, client(MutatePath(k.kind))))
		}
		validating.Webhooks = append(validating.Webhooks, selecting(validatingWebhook(k, client(ValidatePath(k.kind))), k.only)...)
	}
	return mutating, validating
}

func mutatingWebhook(k served, client admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.MutatingWebhook {
	fail, equivalent, none := settings()
	seconds := timeout
	return admissionregistrationv1.MutatingWebhook{
		Name:                    "mutation." + strings.ToLower(k.kind) + "." + versionOf(k.kind).Group,
		ClientConfig:            client,
		Rules:                   rulesFor(k, admissionregistrationv1.Create, admissionregistrationv1.Update),
		FailurePolicy:           &fail,
		MatchPolicy:             &equivalent,
		SideEffects:             &none,
		TimeoutSeconds:          &seconds,
		AdmissionReviewVersions: []string{"v1"},
	}
}

func validatingWebhook(k served, client admissionregistrationv1.WebhookClientConfig) admissionregistrationv1.ValidatingWebhook {
	fail, equivalent, none := settings()
	seconds := timeout
	operations := []admissionregistrationv1.OperationType{admissionregistrationv1.Create, admissionregistrationv1.Update}
	if k.deletion {
		operations = append(operations, admissionregistrationv1.Delete)
	}
	return admissionregistrationv1.ValidatingWebhook{
		Name:                    "validation." + strings.ToLower(k.kind) + "." + versionOf(k.kind).Group,
		ClientConfig:            client,
		Rules:                   rulesFor(k, operations...),
		FailurePolicy:           &fail,
		MatchPolicy:             &equivalent,
		SideEffects:             &none,
		TimeoutSeconds:          &seconds,
		AdmissionReviewVersions: []string{"v1"},
	}
}

func settings() (admissionregistrationv1.FailurePolicyType, admissionregistrationv1.MatchPolicyType, admissionregistrationv1.SideEffectClass) {
	return admissionregistrationv1.Fail, admissionregistrationv1.Equivalent, admissionregistrationv1.SideEffectClassNone
}

func rulesFor(k served, operations ...admissionregistrationv1.OperationType) []admissionregistrationv1.RuleWithOperations {
	scope, gv := admissionregistrationv1.AllScopes, versionOf(k.kind)
	return []admissionregistrationv1.RuleWithOperations{{
		Operations: operations,
		Rule: admissionregistrationv1.Rule{
			APIGroups:   []string{gv.Group},
			APIVersions: []string{gv.Version},
			Resources:   []string{k.plural},
			Scope:       &scope,
		},
	}}
}
