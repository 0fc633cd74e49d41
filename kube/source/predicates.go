package source

import (
	"fmt"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"portico.dev/portico/kube/control"
)

// wishes lets through what the user wants of an object: its spec, and a request to look at
// once. Our own writes of the status pass by, or a failure would be its own reason to try again.
func wishes() predicate.Predicate {
	return predicate.Funcs{UpdateFunc: func(e event.UpdateEvent) bool {
		return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() ||
			viewOf(e.ObjectOld).requested != viewOf(e.ObjectNew).requested ||
			e.ObjectOld.GetDeletionTimestamp().IsZero() != e.ObjectNew.GetDeletionTimestamp().IsZero()
	}}
}

// news lets through what matters to the charts of a source: where it is, what it holds, and why
// it holds nothing.
func news() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc: func(event.CreateEvent) bool { return true },
		DeleteFunc: func(event.DeleteEvent) bool { return true },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return e.ObjectOld.GetGeneration() != e.ObjectNew.GetGeneration() || content(e.ObjectOld) != content(e.ObjectNew)
		},
	}
}

func content(obj client.Object) string {
	v := viewOf(obj)
	if a := *v.artifact; a != nil {
		return a.Digest + a.URL
	}
	if ready := control.Find(*v.conditions, meta.ReadyCondition); ready != nil {
		return ready.Message
	}
	return ""
}

func newList(kind string) (client.ObjectList, error) {
	switch kind {
	case sourcev1.HelmRepositoryKind:
		return &sourcev1.HelmRepositoryList{}, nil
	case sourcev1.HelmChartKind:
		return &sourcev1.HelmChartList{}, nil
	case sourcev1.GitRepositoryKind:
		return &sourcev1.GitRepositoryList{}, nil
	case sourcev1.OCIRepositoryKind:
		return &sourcev1.OCIRepositoryList{}, nil
	case sourcev1.BucketKind:
		return &sourcev1.BucketList{}, nil
	}
	return nil, fmt.Errorf("listing sources: %s is not a source kind", kind)
}
