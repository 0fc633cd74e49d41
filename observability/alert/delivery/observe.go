package delivery

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/observability/alert"
)

// Names of objects in the controller's namespace.
const (
	// ReceiversName is the Secret, or else the ConfigMap, with Alertmanager's configuration.
	ReceiversName = "portico-alertmanager"
	// ReceiversKey is its key.
	ReceiversKey = "alertmanager.yaml"
	// ReportName is the ConfigMap that says which rules are refused.
	ReportName = alert.ReportName
)

// Observed is all that a pass looks at.
type Observed struct {
	Rules alert.Sources `json:"rules"`
	// Output is the ConfigMap of all alerting rules; nil if it does not exist.
	Output *corev1.ConfigMap `json:"output,omitempty"`
	// RecordOutputs are the ConfigMaps that ask for the recording rules of a region.
	RecordOutputs []corev1.ConfigMap `json:"recordOutputs,omitempty"`
	// Receivers is the configuration of Alertmanager, and ReceiversFrom the object that it is
	// from; both are empty if nobody wrote one.
	Receivers     string `json:"receivers,omitempty"`
	ReceiversFrom string `json:"receiversFrom,omitempty"`
	// Report is what was said last.
	Report *corev1.ConfigMap `json:"report,omitempty"`
}

var (
	ruleKind = schema.GroupVersionKind{Group: "monitoring.coreos.com", Version: "v1", Kind: "PrometheusRule"}
	crdKind  = schema.GroupVersionKind{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"}
)

func (c *Controller) observe(ctx context.Context) (Observed, error) {
	saw := Observed{Rules: alert.Sources{Defaults: c.Settings.Defaults}}
	var err error
	if saw.Rules.PrometheusRules, err = c.prometheusRules(ctx); err != nil {
		return saw, err
	}
	for _, label := range []string{alert.AlertRulesLabel, alert.RecordRulesLabel} {
		found, err := c.labelled(ctx, label, client.InNamespace(c.Settings.Home))
		if err != nil {
			return saw, err
		}
		saw.Rules.ConfigMaps = append(saw.Rules.ConfigMaps, found...)
	}
	if saw.RecordOutputs, err = c.labelled(ctx, alert.RecordOutputLabel); err != nil {
		return saw, err
	}
	if saw.Output, err = c.configMap(ctx, alert.AlertOutput); err != nil {
		return saw, err
	}
	if saw.Report, err = c.configMap(ctx, ReportName); err != nil {
		return saw, err
	}
	saw.Receivers, saw.ReceiversFrom, err = c.receivers(ctx)
	return saw, err
}

// prometheusRules are none where the kind is not served.
func (c *Controller) prometheusRules(ctx context.Context) ([]unstructured.Unstructured, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(ruleKind.GroupVersion().WithKind("PrometheusRuleList"))
	err := c.Live.List(ctx, list, client.InNamespace(c.Settings.Home))
	switch {
	case apimeta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("listing PrometheusRules: %w", err)
	}
	return list.Items, nil
}

func (c *Controller) labelled(ctx context.Context, label string, in ...client.ListOption) ([]corev1.ConfigMap, error) {
	var list corev1.ConfigMapList
	if err := c.Live.List(ctx, &list, append(in, client.HasLabels{label})...); err != nil {
		return nil, fmt.Errorf("listing ConfigMaps with the label %s: %w", label, err)
	}
	return list.Items, nil
}

// configMap is nil if it does not exist.
func (c *Controller) configMap(ctx context.Context, name string) (*corev1.ConfigMap, error) {
	var out corev1.ConfigMap
	err := c.Live.Get(ctx, client.ObjectKey{Namespace: c.Settings.Home, Name: name}, &out)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading ConfigMap %s: %w", name, err)
	}
	return &out, nil
}

// receivers are those of the Secret, or else of the ConfigMap.
func (c *Controller) receivers(ctx context.Context) (text, from string, _ error) {
	var secret corev1.Secret
	err := c.Live.Get(ctx, client.ObjectKey{Namespace: c.Settings.Home, Name: ReceiversName}, &secret)
	if err == nil {
		return string(secret.Data[ReceiversKey]), "Secret " + c.Settings.Home + "/" + ReceiversName, nil
	}
	if !apierrors.IsNotFound(err) {
		return "", "", fmt.Errorf("reading Secret %s: %w", ReceiversName, err)
	}
	plain, err := c.configMap(ctx, ReceiversName)
	if err != nil || plain == nil {
		return "", "", err
	}
	return plain.Data[ReceiversKey], "ConfigMap " + c.Settings.Home + "/" + ReceiversName, nil
}
