package source

import (
	"context"
	"io"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/kube/source/store"
)

// looker is what differs from one kind to the next.
type looker interface {
	// Look finds out what the source holds now without fetching it. Its errors are failures
	// (see failed); fleet.ErrInvalid means that only a change of the object can help,
	// fleet.ErrNotYet that another object has to be ready first.
	Look(ctx context.Context, obj client.Object) (Found, error)
}

// lookFunc is a looker made of a function.
type lookFunc[T client.Object] func(ctx context.Context, obj T) (Found, error)

func (f lookFunc[T]) Look(ctx context.Context, obj client.Object) (Found, error) {
	return f(ctx, obj.(T))
}

// Found says what a source holds.
type Found struct {
	// Revision names it as Flux does.
	Revision string
	// File is the name of the artifact's file.
	File string
	// Input identifies all that the artifact is made of: equal inputs, equal artifacts.
	Input string
	// Metadata goes into the artifact.
	Metadata map[string]string
	// Reason and Message are what success is called.
	Reason, Message string
	// Observed is what the kind's own status fields say.
	Observed observed
	// Fetch writes the artifact. It is called only when the artifact is not stored yet.
	Fetch func(ctx context.Context, w io.Writer) error
}

// observed holds the status fields that only some kinds have.
type observed struct {
	ChartName      string
	SourceRevision string
	ValuesFiles    []string
}

// view is one source object, seen the same way whatever its kind.
type view struct {
	key       store.Key
	suspended bool
	interval  time.Duration
	timeout   time.Duration
	// requested is the token of the last request to look at once.
	requested string

	observedGeneration *int64
	handled            *string
	conditions         *[]metav1.Condition
	artifact           **meta.Artifact
	// url is the address that always leads to the newest artifact; GitRepository has none.
	url *string
}

// defaultTimeout bounds a look and a fetch where the object does not say.
const defaultTimeout = time.Minute

// viewOf points into the object: writing through the view changes the object.
func viewOf(obj client.Object) view {
	v := view{timeout: defaultTimeout, requested: obj.GetAnnotations()[meta.ReconcileRequestAnnotation]}
	v.key = store.Key{Namespace: obj.GetNamespace(), Name: obj.GetName()}
	switch o := obj.(type) {
	case *sourcev1.HelmRepository:
		v.key.Kind, v.suspended, v.interval = sourcev1.HelmRepositoryKind, o.Spec.Suspend, o.GetRequeueAfter()
		v.point(&o.Status.ObservedGeneration, &o.Status.LastHandledReconcileAt, &o.Status.Conditions)
		v.artifact, v.url, v.timeout = &o.Status.Artifact, &o.Status.URL, o.GetTimeout()
	case *sourcev1.HelmChart:
		v.key.Kind, v.suspended, v.interval = sourcev1.HelmChartKind, o.Spec.Suspend, o.GetRequeueAfter()
		v.point(&o.Status.ObservedGeneration, &o.Status.LastHandledReconcileAt, &o.Status.Conditions)
		v.artifact, v.url = &o.Status.Artifact, &o.Status.URL
	case *sourcev1.GitRepository:
		v.key.Kind, v.suspended, v.interval = sourcev1.GitRepositoryKind, o.Spec.Suspend, o.GetRequeueAfter()
		v.point(&o.Status.ObservedGeneration, &o.Status.LastHandledReconcileAt, &o.Status.Conditions)
		v.artifact, v.url, v.timeout = &o.Status.Artifact, new(string), timeout(o.Spec.Timeout)
	case *sourcev1.OCIRepository:
		v.key.Kind, v.suspended, v.interval = sourcev1.OCIRepositoryKind, o.Spec.Suspend, o.GetRequeueAfter()
		v.point(&o.Status.ObservedGeneration, &o.Status.LastHandledReconcileAt, &o.Status.Conditions)
		v.artifact, v.url, v.timeout = &o.Status.Artifact, &o.Status.URL, timeout(o.Spec.Timeout)
	case *sourcev1.Bucket:
		v.key.Kind, v.suspended, v.interval = sourcev1.BucketKind, o.Spec.Suspend, o.GetRequeueAfter()
		v.point(&o.Status.ObservedGeneration, &o.Status.LastHandledReconcileAt, &o.Status.Conditions)
		v.artifact, v.url, v.timeout = &o.Status.Artifact, &o.Status.URL, timeout(o.Spec.Timeout)
	}
	return v
}

func (v *view) point(generation *int64, handled *string, conditions *[]metav1.Condition) {
	v.observedGeneration, v.handled, v.conditions = generation, handled, conditions
}

func timeout(d *metav1.Duration) time.Duration {
	if d == nil || d.Duration <= 0 {
		return defaultTimeout
	}
	return d.Duration
}

// record writes the status fields that only some kinds have.
func record(obj client.Object, o observed) {
	switch obj := obj.(type) {
	case *sourcev1.HelmChart:
		obj.Status.ObservedChartName = o.ChartName
		obj.Status.ObservedSourceArtifactRevision = o.SourceRevision
		obj.Status.ObservedValuesFiles = o.ValuesFiles
	case *sourcev1.GitRepository:
		obj.Status.ObservedIgnore = obj.Spec.Ignore
		obj.Status.ObservedRecurseSubmodules = obj.Spec.RecurseSubmodules
		obj.Status.ObservedSparseCheckout = obj.Spec.SparseCheckout
	case *sourcev1.OCIRepository:
		obj.Status.ObservedIgnore = obj.Spec.Ignore
		obj.Status.ObservedLayerSelector = obj.Spec.LayerSelector
	case *sourcev1.Bucket:
		obj.Status.ObservedIgnore = obj.Spec.Ignore
	}
}
