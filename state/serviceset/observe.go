package serviceset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/state/engine"
)

func (c *Controller) observe(ctx context.Context, set *kcm.ServiceSet) (Observed, error) {
	saw := Observed{Templates: map[string]Template{}, Values: map[string][]string{}}
	owner, err := c.cluster(ctx, set)
	if err != nil {
		return saw, err
	}
	saw.DependsOn = dependenciesOf(set, owner)
	for _, svc := range set.Spec.Services {
		if err := c.observeTemplate(ctx, set.Namespace, svc.Template, saw); err != nil {
			return saw, err
		}
		for _, from := range svc.ValuesFrom {
			if err := c.observeValues(ctx, set.Namespace, from, saw); err != nil {
				return saw, err
			}
		}
	}
	return saw, nil
}

// cluster returns the ClusterDeployment of a ServiceSet, nil if there is none.
func (c *Controller) cluster(ctx context.Context, set *kcm.ServiceSet) (*kcm.ClusterDeployment, error) {
	if set.Spec.Provider.SelfManagement {
		return nil, nil
	}
	var d kcm.ClusterDeployment
	err := c.kube.Get(ctx, client.ObjectKey{Namespace: set.Namespace, Name: set.Spec.Cluster}, &d)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading ClusterDeployment %s/%s: %w", set.Namespace, set.Spec.Cluster, err)
	}
	return &d, nil
}

// dependenciesOf are those between the ClusterDeployment's own services.
func dependenciesOf(set *kcm.ServiceSet, owner *kcm.ClusterDeployment) map[engine.Key][]engine.Key {
	if owner == nil || set.Spec.MultiClusterService != "" {
		return nil
	}
	return dependencies(owner.Spec.ServiceSpec.Services)
}

// depart asks the engine to remove the services of a ServiceSet, and sees how that stands. It
// needs neither the templates nor the values of the services; of those templates that are
// still there, the options count.
func (c *Controller) depart(ctx context.Context, set *kcm.ServiceSet, owner *kcm.ClusterDeployment) (Departure, error) {
	saw := Departure{Cluster: Cluster{Exists: set.Spec.Provider.SelfManagement || owner != nil}}
	if owner != nil && owner.DeletionTimestamp != nil {
		saw.Cluster.Deleting = owner.DeletionTimestamp.Time
	}
	templates, err := c.templateOptions(ctx, set)
	if err != nil {
		return saw, err
	}
	report, err := c.engine.Remove(ctx, removalOf(set, owner, templates))
	if _, known := fleet.NextOf(err); !known {
		return saw, err
	}
	if err != nil {
		saw.Problem, saw.NoAddress = fleet.Sentence(err), errors.Is(err, fleet.ErrNotYet)
	}
	saw.Report, saw.Now = report, c.clock()
	return saw, nil
}

// templateOptions are those of the templates that exist, by name.
func (c *Controller) templateOptions(ctx context.Context, set *kcm.ServiceSet) (map[string]*kcm.ServiceHelmOptions, error) {
	out := map[string]*kcm.ServiceHelmOptions{}
	for _, svc := range set.Spec.Services {
		var t kcm.ServiceTemplate
		err := c.kube.Get(ctx, client.ObjectKey{Namespace: set.Namespace, Name: svc.Template}, &t)
		if client.IgnoreNotFound(err) != nil {
			return nil, fmt.Errorf("reading ServiceTemplate %s/%s: %w", set.Namespace, svc.Template, err)
		}
		if err == nil {
			out[svc.Template] = t.Spec.HelmOptions
		}
	}
	return out, nil
}

func (c *Controller) observeTemplate(ctx context.Context, namespace, name string, saw Observed) error {
	if _, seen := saw.Templates[name]; seen {
		return nil
	}
	var t kcm.ServiceTemplate
	err := c.kube.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &t)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading ServiceTemplate %s/%s: %w", namespace, name, err)
	}
	facts := Template{Valid: t.Status.Valid, ValidationError: t.Status.ValidationError, Kind: kindOf(&t), Options: t.Spec.HelmOptions}
	if ref := t.Status.ChartRef; ref != nil {
		if facts.Source, err = c.chartOf(ctx, client.ObjectKey{Namespace: ref.Namespace, Name: ref.Name}); err != nil {
			return err
		}
	}
	saw.Templates[name] = facts
	return nil
}

func kindOf(t *kcm.ServiceTemplate) engine.Kind {
	switch {
	case t.Spec.Kustomize != nil:
		return engine.Kustomize
	case t.Spec.Resources != nil:
		return engine.Resource
	}
	return engine.Helm
}

// chartOf is what the source has fetched; empty while it has fetched nothing.
func (c *Controller) chartOf(ctx context.Context, key client.ObjectKey) (engine.Source, error) {
	var chart sourcev1.HelmChart
	err := c.kube.Get(ctx, key, &chart)
	if client.IgnoreNotFound(err) != nil {
		return engine.Source{}, fmt.Errorf("reading HelmChart %s: %w", key, err)
	}
	artifact := chart.Status.Artifact
	if err != nil || artifact == nil {
		return engine.Source{}, nil
	}
	return engine.Source{URL: artifact.URL, Digest: artifact.Digest, Revision: artifact.Revision}, nil
}

func (c *Controller) observeValues(ctx context.Context, namespace string, from kcm.ValuesFrom, saw Observed) error {
	key := client.ObjectKey{Namespace: namespace, Name: from.Name}
	data := map[string]string{}
	var err error
	switch from.Kind {
	case "ConfigMap":
		var obj corev1.ConfigMap
		err = c.live.Get(ctx, key, &obj)
		maps.Copy(data, obj.Data)
	case "Secret":
		var obj corev1.Secret
		err = c.live.Get(ctx, key, &obj)
		for k, v := range obj.Data {
			data[k] = string(v)
		}
	}
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading %s %s: %w", from.Kind, key, err)
	}
	documents := []string{}
	for _, k := range slices.Sorted(maps.Keys(data)) {
		documents = append(documents, data[k])
	}
	saw.Values[from.Kind+"/"+from.Name] = documents
	return nil
}
