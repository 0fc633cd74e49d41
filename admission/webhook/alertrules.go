package webhook

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	kof "portico.dev/portico/api/kof/v1beta1"
)

const configMapKind = "ConfigMap"

// selection is a part of a widespread kind: objects of a namespace with a label, whatever its value.
type selection struct{ name, namespace, label string }

// rulesOnly has an API server ask about ConfigMaps of rules alone: no other write waits for us.
func rulesOnly(k served) served {
	k.only = []selection{
		{"alertrules." + kof.GroupVersion.Group, kof.Namespace, kof.AlertRulesLabel},
		{"recordrules." + kof.GroupVersion.Group, kof.Namespace, kof.RecordRulesLabel},
	}
	return k
}

// selecting returns one webhook for each selection: labels of one are joined by "and".
func selecting(w admissionregistrationv1.ValidatingWebhook, only []selection) []admissionregistrationv1.ValidatingWebhook {
	if len(only) == 0 {
		return []admissionregistrationv1.ValidatingWebhook{w}
	}
	// A rule that slips through is found, left out and told of by the controller of rules.
	ignore := admissionregistrationv1.Ignore
	var out []admissionregistrationv1.ValidatingWebhook
	for _, s := range only {
		one := *w.DeepCopy()
		one.Name, one.FailurePolicy = "validation."+s.name, &ignore
		one.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: s.namespace}}
		one.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: s.label, Operator: metav1.LabelSelectorOpExists}}}
		out = append(out, one)
	}
	return out
}

// alertRules judges ConfigMaps of rules. What an API server does not ask about is asked by who makes plans.
func (w world) alertRules() rules[corev1.ConfigMap, *corev1.ConfigMap] {
	return rules[corev1.ConfigMap, *corev1.ConfigMap]{
		validate: func(_ context.Context, c, old *corev1.ConfigMap) (field.ErrorList, error) {
			same := old != nil && equality.Semantic.DeepEqual(c.Data, old.Data) && equality.Semantic.DeepEqual(c.Labels, old.Labels)
			if w.CheckRules == nil || c.Namespace != kof.Namespace || c.DeletionTimestamp != nil || same {
				return nil, nil
			}
			return w.CheckRules(c), nil
		},
	}
}
