package admission

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/apis/apiserver"
	apiserverv1 "k8s.io/apiserver/pkg/apis/apiserver/v1"
	apiservervalidation "k8s.io/apiserver/pkg/apis/apiserver/validation"
	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	auditvalidation "k8s.io/apiserver/pkg/apis/audit/validation"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// ValidateClusterAuthentication says what is wrong with an object; old is nil for a new one.
// The rules are the API server's own, so that what passes here is accepted there.
func ValidateClusterAuthentication(a, old *kcm.ClusterAuthentication) field.ErrorList {
	if old != nil && settled(a, a.Spec, old.Spec) {
		return nil
	}
	path := specPath.Child("authenticationConfiguration")
	if a.Spec.AuthenticationConfiguration == nil {
		return field.ErrorList{field.Required(path, "say who may sign in, for instance with one issuer in jwt")}
	}
	internal := &apiserver.AuthenticationConfiguration{}
	if err := convert(a.Spec.AuthenticationConfiguration, &apiserverv1.AuthenticationConfiguration{}, internal); err != nil {
		return field.ErrorList{field.InternalError(path, err)}
	}
	return below(path, apiservervalidation.ValidateAuthenticationConfiguration(authenticationcel.NewDefaultCompiler(), internal, nil))
}

// ValidateClusterAuditPolicy says what is wrong with an object; old is nil for a new one. The
// rules are the API server's own.
func ValidateClusterAuditPolicy(p, old *kcm.ClusterAuditPolicy) field.ErrorList {
	if old != nil && settled(p, p.Spec, old.Spec) {
		return nil
	}
	path := specPath.Child("policy")
	internal := &audit.Policy{}
	if err := convert(p.Spec.Policy, &auditv1.Policy{}, internal); err != nil {
		return field.ErrorList{field.InternalError(path, err)}
	}
	return below(path, auditvalidation.ValidatePolicy(internal))
}

// ValidateDocumentDeletion says what keeps a ClusterAuthentication or a ClusterAuditPolicy from
// being deleted: users are clusters that name it.
func ValidateDocumentDeletion(kind string, users []string) field.ErrorList {
	return inUse("the "+kind, users)
}

// convert goes from our restatement over the published type, which has the same JSON, to the
// type that the API server's rules are written for.
func convert(ours any, published, internal runtime.Object) error {
	text, err := json.Marshal(ours)
	if err != nil {
		return fmt.Errorf("writing it as JSON: %w", err)
	}
	if err := json.Unmarshal(text, published); err != nil {
		return fmt.Errorf("reading it as the API server does: %w", err)
	}
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apiserver.AddToScheme, apiserverv1.AddToScheme, audit.AddToScheme, auditv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return fmt.Errorf("registering the API server's types: %w", err)
		}
	}
	return scheme.Convert(published, internal, nil)
}

// below puts a path before those of errors that begin at their own root.
func below(path *field.Path, errs field.ErrorList) field.ErrorList {
	for _, e := range errs {
		e.Field = path.String() + "." + e.Field
	}
	return errs
}
