package template

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fluxcd/pkg/apis/meta"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/helm"
)

// sourceGroup is where Flux's source kinds live.
var sourceGroup = schema.GroupVersion{Group: "source.toolkit.fluxcd.io", Version: "v1"}

// Observed is all that a verdict rests on.
type Observed struct {
	Origin origin
	// Source is the state of the origin; nil if the object does not exist.
	Source *Source
	// Chart is what the chart says; nil where the template is not a chart, or the chart
	// could not be read, and Problem says why.
	Chart   *Chart
	Problem error
}

// Source is how a source object stands.
type Source struct {
	// Current says that its status is about its present spec.
	Current bool
	// Failed says that the last attempt at fetching failed, Message why.
	Failed  bool
	Message string
	// Plain says that it is a ConfigMap or Secret: nothing has to be fetched.
	Plain bool
	// Spec is the object's, for comparing with what is wanted.
	Spec       any
	Artifact   *meta.Artifact
	Generation int64
	Conditions []metav1.Condition
}

// usable says whether there is content of the source's present spec, however old it may be.
func (s Source) usable() bool { return s.Plain || s.Current && s.Artifact != nil }

// observe reads the origin of the template's content and, if it is a chart, the chart.
func (c *controller) observe(ctx context.Context, t Template) (Observed, error) {
	var saw Observed
	saw.Origin, saw.Problem = originOf(t, c.deps.Home)
	if saw.Problem != nil {
		return saw, nil
	}
	var err error
	if saw.Source, err = c.source(ctx, saw.Origin); err != nil {
		return saw, err
	}
	if t.GetHelmSpec() == nil || saw.Source == nil || saw.Source.Plain || !saw.Source.usable() {
		return saw, nil
	}
	chart, err := c.chart(ctx, saw.Origin, saw.Source.Artifact)
	if err != nil {
		if _, known := fleet.NextOf(err); !known {
			return saw, err
		}
		saw.Problem = err
		return saw, nil
	}
	saw.Chart = chart
	return saw, nil
}

func (c *controller) source(ctx context.Context, from origin) (*Source, error) {
	if from.kind == "ConfigMap" || from.kind == "Secret" {
		return c.plainSource(ctx, from)
	}
	obj := &unstructured.Unstructured{}
	obj.SetGroupVersionKind(sourceGroup.WithKind(from.kind))
	err := c.kube.Get(ctx, from.key, obj)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s %s: %w", from.kind, from.key, err)
	}
	var status struct {
		ObservedGeneration int64              `json:"observedGeneration"`
		Conditions         []metav1.Condition `json:"conditions"`
		Artifact           *meta.Artifact     `json:"artifact"`
	}
	if raw, ok := obj.Object["status"].(map[string]any); ok {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &status); err != nil {
			return nil, fmt.Errorf("reading the status of %s %s: %w", from.kind, from.key, err)
		}
	}
	s := &Source{
		Current: status.ObservedGeneration == obj.GetGeneration(), Spec: obj.Object["spec"],
		Artifact: status.Artifact, Generation: status.ObservedGeneration, Conditions: status.Conditions,
	}
	if ready := control.Find(status.Conditions, meta.ReadyCondition); ready != nil {
		s.Failed, s.Message = s.Current && ready.Status == metav1.ConditionFalse, ready.Message
	}
	return s, nil
}

// plainSource reads whether a ConfigMap or Secret exists: that is all that it needs to be ready.
func (c *controller) plainSource(ctx context.Context, from origin) (*Source, error) {
	obj := &metav1.PartialObjectMetadata{}
	obj.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(from.kind))
	if err := c.kube.Get(ctx, from.key, obj); err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return &Source{Plain: true, Current: true}, nil
}

// chart reads the chart that a HelmChart has fetched, or one in a folder of another source.
func (c *controller) chart(ctx context.Context, from origin, artifact *meta.Artifact) (*Chart, error) {
	fetch := func(ctx context.Context) ([]byte, error) { return c.deps.Artifacts.Open(ctx, artifact) }
	var chart *helm.Chart
	var err error
	if from.kind == "HelmChart" {
		chart, err = c.deps.Charts.Get(ctx, artifact.Digest, fetch)
	} else {
		chart, err = c.deps.Charts.In(ctx, artifact.Digest, from.path, fetch)
	}
	if err != nil {
		return nil, err
	}
	says := chart.Summary()
	values, err := json.Marshal(says.Defaults)
	if err != nil {
		return nil, fmt.Errorf("writing the default values of chart %s: %w", says.Name, err)
	}
	return &Chart{
		Name: says.Name, Version: says.Version, Description: says.Description,
		Annotations: says.Annotations, Values: values, Schema: says.Schema,
	}, nil
}
