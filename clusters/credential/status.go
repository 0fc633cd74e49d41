package credential

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
)

// Observed is what a verdict rests on.
type Observed struct {
	// Served says whether the cluster knows the identity's kind.
	Served bool
	// Exists says whether the identity exists.
	Exists bool
	// Region is how the region stands; nil where the credential names none.
	Region *Region
}

// Region is how a region stands.
type Region struct{ Exists, Ready bool }

// Status folds what was observed into the credential's status.
func Status(c *kcm.Credential, saw Observed, now time.Time) kcm.CredentialStatus {
	ready := verdict(c, saw)
	return kcm.CredentialStatus{
		Ready:      ready.Status == metav1.ConditionTrue,
		Conditions: control.Fold(c.Status.Conditions, control.Stamp{Now: now, Generation: c.Generation}, ready),
	}
}

func verdict(c *kcm.Credential, saw Observed) metav1.Condition {
	const kind = kcm.CredentialReadyCondition
	no := func(format string, args ...any) metav1.Condition {
		return control.False(kind, kcm.FailedReason, fmt.Sprintf(format, args...))
	}
	ref := c.Spec.IdentityRef
	switch {
	case ref == nil || ref.Kind == "" || ref.Name == "" || ref.APIVersion == "":
		return no("spec.identityRef needs apiVersion, kind and name of the identity")
	case saw.Region != nil && !saw.Region.Exists:
		return no("Region %q (spec.region) does not exist: create it, or leave spec.region empty for the management cluster", c.Spec.Region)
	case saw.Region != nil && !saw.Region.Ready:
		return no("Region %q is not ready: see kubectl describe region %s", c.Spec.Region, c.Spec.Region)
	case !saw.Served:
		return no("The kind %s of %s is not known here: is the provider that brings it installed?", ref.Kind, ref.APIVersion)
	case !saw.Exists:
		return no("%s %s (spec.identityRef) does not exist: create it, or point to another", ref.Kind, place(ref.Namespace, ref.Name))
	}
	return control.True(kind, kcm.SucceededReason, fmt.Sprintf("%s %s exists", ref.Kind, place(ref.Namespace, ref.Name)))
}

func place(namespace, name string) string {
	if namespace == "" {
		return name
	}
	return namespace + "/" + name
}
