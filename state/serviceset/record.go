package serviceset

//lint:file-ignore SA1019 k0rdent's users still write the deprecated fields

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/service"
)

// recordAnnotation holds the Record of a ServiceSet.
const recordAnnotation = "state.portico.dev/adapter"

// Record is what has to be remembered of a set to remove it rightly: it is written before anything
// is made, so that it outlives us.
type Record struct {
	// Engine is the one that makes the services.
	Engine string `json:"engine,omitempty"`
	// Local says that some of them are on the management cluster, beside those on the target.
	Local bool `json:"local,omitempty"`
	// Removal are the options of those services that are removed in a way of their own, by
	// namespace/name: a service is removed when neither its entry nor its template may be left.
	Removal map[string]kcm.ServiceHelmOptions `json:"removal,omitempty"`
}

// recordOf reads the record of a set. A set without one that bears our finalizer was made before
// there were records, by the engine that there was then.
func recordOf(set *kcm.ServiceSet, fallback string) (Record, error) {
	var r Record
	text, ok := set.Annotations[recordAnnotation]
	if !ok {
		if controllerutil.ContainsFinalizer(set, kcm.ServiceSetFinalizer) {
			r.Engine = fallback
		}
		return r, nil
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, fmt.Errorf("reading the annotation %s of ServiceSet %s/%s: %w", recordAnnotation, set.Namespace, set.Name, err)
	}
	return r, nil
}

// next is the record that has to be written before the parts are made. What is said of a service
// stays until it is gone.
func (r Record) next(set *kcm.ServiceSet, name string, parts Parts) Record {
	out := Record{Engine: name, Local: r.Local || parts.Local != nil, Removal: map[string]kcm.ServiceHelmOptions{}}
	there := map[string]bool{}
	for _, s := range set.Status.Services {
		there[service.KeyOf(s.Namespace, s.Name).String()] = s.State != kcm.ServiceDeleted
	}
	for key, options := range r.Removal {
		if there[key] {
			out.Removal[key] = options
		}
	}
	for _, svc := range parts.all() {
		delete(out.Removal, svc.Key.String())
		if manner := mannerOf(svc.Options); svc.Kind == engine.Helm && manner != (kcm.ServiceHelmOptions{}) {
			out.Removal[svc.Key.String()] = manner
		}
	}
	if len(out.Removal) == 0 {
		out.Removal = nil
	}
	return out
}

// leaving are services that left the spec and are removed in a way of their own: they are told to
// the engine until they are gone, since it may not have heard of their options.
func (r Record) leaving(set *kcm.ServiceSet) []engine.Service {
	wanted := map[engine.Key]bool{}
	for _, svc := range set.Spec.Services {
		wanted[service.KeyOf(svc.Namespace, svc.Name)] = true
	}
	var out []engine.Service
	for _, s := range set.Status.Services {
		key := service.KeyOf(s.Namespace, s.Name)
		options, ok := r.Removal[key.String()]
		if ok && !wanted[key] && s.State != kcm.ServiceDeleted {
			out = append(out, engine.Service{Key: key, Kind: engine.Kind(s.Type), Template: s.Template, Version: s.Version, Options: optionsOf(&options), Uninstall: true})
		}
	}
	return out
}

// options are those by which services are removed, as far as they are remembered.
func (r Record) options() map[engine.Key]engine.Options {
	out := map[engine.Key]engine.Options{}
	for name, manner := range r.Removal {
		out[keyNamed(name)] = optionsOf(&manner)
	}
	return out
}

// mannerOf is the part of options that says how a release is removed, as far as it is not the usual
// one.
func mannerOf(o engine.Options) kcm.ServiceHelmOptions {
	var out kcm.ServiceHelmOptions
	usual := optionsOf(&out)
	if o.DisableHooks != usual.DisableHooks {
		out.DisableHooks = &o.DisableHooks
	}
	if o.Timeout != usual.Timeout {
		out.Timeout = &metav1.Duration{Duration: o.Timeout}
	}
	if o.Uninstall != usual.Uninstall {
		out.UninstallOptions = &kcm.HelmUninstallOptions{KeepHistory: o.Uninstall.KeepHistory, DisableHooks: o.Uninstall.DisableHooks, DeletionPropagation: o.Uninstall.Propagation}
	}
	return out
}

// remember writes our finalizer and the record, in one request and only if they differ.
func (c *Controller) remember(ctx context.Context, set *kcm.ServiceSet, r Record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("writing the annotation %s: %w", recordAnnotation, err)
	}
	was, ok := set.DeepCopyObject().(client.Object)
	if !ok {
		return nil
	}
	if set.DeletionTimestamp == nil {
		controllerutil.AddFinalizer(set, kcm.ServiceSetFinalizer)
	}
	if set.Annotations == nil {
		set.Annotations = map[string]string{}
	}
	set.Annotations[recordAnnotation] = string(text)
	return control.Patch(ctx, c.kube, was, set)
}
