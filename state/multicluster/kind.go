package multicluster

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"k8s.io/apimachinery/pkg/runtime/schema"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/placement"
	"portico.dev/portico/state/revision"
	"portico.dev/portico/state/rollout"
)

// kind is what the two kinds of owner do not have in common.
type kind struct {
	subject   statev1.SubjectKind
	gvk       schema.GroupVersionKind
	finalizer string
	empty     func() client.Object
	list      func() client.ObjectList
}

// kinds are both.
var kinds = map[statev1.SubjectKind]kind{
	statev1.SubjectMultiClusterService: {
		subject: statev1.SubjectMultiClusterService, gvk: kcm.GroupVersion.WithKind(kcm.MultiClusterServiceKind),
		finalizer: kcm.MultiClusterServiceFinalizer,
		empty:     func() client.Object { return &kcm.MultiClusterService{} },
		list:      func() client.ObjectList { return &kcm.MultiClusterServiceList{} },
	},
	statev1.SubjectNamespaced: {
		subject: statev1.SubjectNamespaced, gvk: statev1.GroupVersion.WithKind(statev1.NamespacedMultiClusterServiceKind),
		finalizer: statev1.Finalizer,
		empty:     func() client.Object { return &statev1.NamespacedMultiClusterService{} },
		list:      func() client.ObjectList { return &statev1.NamespacedMultiClusterServiceList{} },
	},
}

// specOf and statusOf are those of an owner of either kind.
func specOf(obj client.Object) *kcm.MultiClusterServiceSpec {
	if n, ok := obj.(*statev1.NamespacedMultiClusterService); ok {
		return &n.Spec
	}
	return &obj.(*kcm.MultiClusterService).Spec
}

func statusOf(obj client.Object) *kcm.MultiClusterServiceStatus {
	if n, ok := obj.(*statev1.NamespacedMultiClusterService); ok {
		return &n.Status
	}
	return &obj.(*kcm.MultiClusterService).Status
}

// ownerOf is the name of an owner of either kind.
func ownerOf(obj client.Object) placement.Owner {
	if _, ok := obj.(*statev1.NamespacedMultiClusterService); ok {
		return placement.Owner{Kind: statev1.SubjectNamespaced, Namespace: obj.GetNamespace(), Name: obj.GetName()}
	}
	return placement.Owner{Kind: statev1.SubjectMultiClusterService, Name: obj.GetName()}
}

// wishOf is what an owner wants. A selector that cannot be read selects nothing.
func wishOf(obj client.Object) (placement.Wish, error) {
	w, err := placement.NewWish(ownerOf(obj), *specOf(obj))
	w.Deleting, w.Deadline = obj.GetDeletionTimestamp() != nil, placement.DeadlineOf(obj.GetAnnotations())
	return w, err
}

// home is the namespace of what belongs to an owner: its templates, revisions and Rollout.
func (c *chassis) home(o placement.Owner) string {
	if o.Kind == statev1.SubjectMultiClusterService {
		return c.System
	}
	return o.Namespace
}

// revisionOwner and rolloutSubject are an owner in the words of those packages.
func (c *chassis) revisionOwner(o placement.Owner) revision.Owner {
	return revision.Owner{Kind: o.Kind, Namespace: c.home(o), Name: o.Name}
}

func (c *chassis) rolloutSubject(o placement.Owner) rollout.Subject {
	return rollout.Subject{Kind: o.Kind, Namespace: c.home(o), Name: o.Name}
}
