package provider

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
)

// Observed is what the status of a provider is folded from.
type Observed struct {
	// Access is why the provider's account could not be prepared.
	Access Failure
	// Adapter and Provisioners are the objects that the provider names, in its order.
	Adapter      Part
	Provisioners []Part
	// CRDs are the kinds that it needs, by "<resource>.<group>".
	CRDs map[string]CRD
}

// Failure is something that did not work; the zero value is none.
type Failure struct {
	Reason, Message string
}

// Part is an object that a provider names.
type Part struct {
	// Object is its content; nil if it was not read.
	Object map[string]any
	// NoKind says that the API server does not serve its kind, Missing that there is no such
	// object, Unread why it could not be read.
	NoKind, Missing bool
	Unread          string
}

// CRD is a kind that a provider needs.
type CRD struct {
	Exists, Established bool
	// Served are the versions that are served.
	Served []string
	// Unread is why it could not be read.
	Unread string
}

// Status folds what was seen into the provider's status. It does no I/O.
func Status(ctx context.Context, p *kcm.StateManagementProvider, saw Observed, at Judge) kcm.StateManagementProviderStatus {
	facts := []metav1.Condition{access(saw), at.adapter(ctx, p, saw), at.provisioners(ctx, p, saw), crds(p, saw)}
	out := kcm.StateManagementProviderStatus{Ready: true}
	for _, fact := range facts {
		out.Ready = out.Ready && fact.Status == metav1.ConditionTrue
	}
	out.Conditions = control.Fold(p.Status.Conditions, control.Stamp{Now: at.Now, Generation: p.Generation}, facts...)
	return out
}

// Judge is by what and when a provider is judged.
type Judge struct {
	Rules *Rules
	Now   time.Time
}

// What the words of conditions begin with.
const (
	adapterWord      = "Adapter"
	provisionerWord  = "Provisioner"
	provisionersCRDs = "ProvisionerCRDs"
	rbacWord         = "RBAC"
)

func access(saw Observed) metav1.Condition {
	if saw.Access != (Failure{}) {
		return control.False(kcm.RBACReadyCondition, saw.Access.Reason, saw.Access.Message)
	}
	return control.True(kcm.RBACReadyCondition, rbacWord+kcm.EnsuredSuccessfullyReasonSuffix, "")
}

func (j Judge) adapter(ctx context.Context, p *kcm.StateManagementProvider, saw Observed) metav1.Condition {
	if c := j.part(ctx, adapterWord, p.Spec.Adapter, saw.Adapter); c.Status != metav1.ConditionTrue {
		return c
	}
	return control.True(kcm.AdapterReadyCondition, adapterWord+kcm.EnsuredSuccessfullyReasonSuffix, "")
}

func (j Judge) provisioners(ctx context.Context, p *kcm.StateManagementProvider, saw Observed) metav1.Condition {
	parts := []metav1.Condition{}
	for i, ref := range p.Spec.Provisioner {
		var part Part
		if i < len(saw.Provisioners) {
			part = saw.Provisioners[i]
		}
		parts = append(parts, j.part(ctx, provisionerWord, ref, part))
	}
	all := control.Summary(kcm.ProvisionerReadyCondition, parts...)
	if all.Status == metav1.ConditionTrue {
		all.Reason = provisionerWord + kcm.EnsuredSuccessfullyReasonSuffix
	}
	return all
}

// part says whether one object is ready.
func (j Judge) part(ctx context.Context, word string, ref kcm.ResourceReference, saw Part) metav1.Condition {
	name := nameOf(ref)
	no := func(reason, format string, args ...any) metav1.Condition {
		return control.False(word+"Ready", reason, name+" "+fmt.Sprintf(format, args...))
	}
	switch {
	case saw.NoKind:
		return no(noKindReason(word), "cannot be read: the management cluster serves no kind %s in %s: install it, or correct apiVersion and kind", ref.Kind, ref.APIVersion)
	case saw.Missing:
		return no(kcm.FailedToGetAdapterReason, "does not exist: install it, or correct its name and namespace")
	case saw.Object == nil:
		return control.Unknown(word+"Ready", word+kcm.UnknownReasonSuffix, name+" "+cmp.Or(saw.Unread, "was not read yet"))
	}
	ready, err := j.Rules.Ready(ctx, ref.ReadinessRule, saw.Object)
	switch {
	case err != nil:
		return no(kcm.FailedToEvaluateReadinessReason, "cannot be judged: %s", fleet.Sentence(err))
	case !ready:
		return no(word+kcm.NotReadyReasonSuffix, "is not ready by its rule %s", strings.Join(strings.Fields(ref.ReadinessRule), " "))
	}
	return control.True(word+"Ready", word+kcm.EnsuredSuccessfullyReasonSuffix, "")
}

func noKindReason(word string) string {
	if word == adapterWord {
		return kcm.FailedToGetGVKForAdapterReason
	}
	return kcm.FailedToGetGVKForProvisionerReason
}

func nameOf(ref kcm.ResourceReference) string {
	if ref.Namespace == "" {
		return ref.Kind + " " + ref.Name
	}
	return ref.Kind + " " + ref.Namespace + "/" + ref.Name
}

// crds says whether the kinds that the provisioners work on are served.
func crds(p *kcm.StateManagementProvider, saw Observed) metav1.Condition {
	if saw.CRDs == nil && len(p.Spec.ProvisionerCRDs) > 0 {
		return control.Unknown(kcm.ProvisionerCRDsReadyCondition, provisionersCRDs+kcm.UnknownReasonSuffix, "The kinds were not looked at yet")
	}
	var missing []string
	for _, want := range p.Spec.ProvisionerCRDs {
		for _, resource := range want.Resources {
			name := resource + "." + want.Group
			crd := saw.CRDs[name]
			switch {
			case crd.Unread != "":
				return control.Unknown(kcm.ProvisionerCRDsReadyCondition, provisionersCRDs+kcm.UnknownReasonSuffix, fmt.Sprintf("CustomResourceDefinition %s %s", name, crd.Unread))
			case !crd.Exists:
				missing = append(missing, name+" does not exist")
			case !slices.Contains(crd.Served, want.Version):
				missing = append(missing, fmt.Sprintf("%s does not serve version %s", name, want.Version))
			case !crd.Established:
				missing = append(missing, name+" is not established yet")
			}
		}
	}
	if len(missing) > 0 {
		return control.False(kcm.ProvisionerCRDsReadyCondition, provisionersCRDs+kcm.NotReadyReasonSuffix, "CustomResourceDefinition "+strings.Join(missing, ", "))
	}
	return control.True(kcm.ProvisionerCRDsReadyCondition, provisionersCRDs+kcm.EnsuredSuccessfullyReasonSuffix, "")
}
