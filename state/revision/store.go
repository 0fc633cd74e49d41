package revision

import (
	"context"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
)

// Store reads and writes revisions. It is safe for concurrent use, as its client is.
type Store struct{ kube client.Client }

// NewStore returns a store over a client, whose reads may come from a cache.
func NewStore(kube client.Client) *Store { return &Store{kube: kube} }

// Subject is an owner as it is now.
type Subject struct {
	Owner
	// Reference is put on its revisions, so that they go with it.
	Reference metav1.OwnerReference
	// Spec is what it wants now.
	Spec kcm.ServiceSpec
}

// Record makes sure that the subject's spec is recorded, as the newest revision. It returns its
// name, and the specs of all that are recorded, by name. Recording again writes nothing.
func (s *Store) Record(ctx context.Context, of Subject) (newest string, recorded map[string]kcm.ServiceSpec, err error) {
	data, err := dataOf(of.Spec)
	if err != nil {
		return "", nil, err
	}
	newest = nameOf(of.Owner, data)
	list, err := s.List(ctx, of.Owner)
	if err != nil {
		return "", nil, err
	}
	if list, err = s.ensure(ctx, of, list, data); err != nil {
		return "", nil, err
	}
	recorded = map[string]kcm.ServiceSpec{newest: of.Spec}
	for _, r := range list {
		// One that cannot be read, for whatever reason, is one that is not there.
		if spec, err := SpecOf(&r); err == nil && r.Name != newest {
			recorded[r.Name] = spec
		}
	}
	return newest, recorded, nil
}

// Prune removes the revisions of an owner that are neither among the newest nor in use. What
// cannot be removed stays, and is tried again the next time: nothing depends on it.
func (s *Store) Prune(ctx context.Context, o Owner, inUse []string) {
	list, err := s.List(ctx, o)
	log := ctrl.LoggerFrom(ctx)
	if err != nil {
		log.Info("old revisions could not be looked for", "cause", err.Error())
	}
	for _, r := range Obsolete(list, inUse) {
		if err := s.kube.Delete(ctx, &r, client.Preconditions{UID: &r.UID}); client.IgnoreNotFound(err) != nil {
			log.Info("an old revision could not be removed, and stays", "revision", r.Name, "cause", err.Error())
		}
	}
}

// List are the revisions of an owner, the newest first.
func (s *Store) List(ctx context.Context, o Owner) ([]appsv1.ControllerRevision, error) {
	var list appsv1.ControllerRevisionList
	if err := s.kube.List(ctx, &list, client.InNamespace(o.Namespace), client.MatchingLabels(Labels(o))); err != nil {
		return nil, fmt.Errorf("listing the revisions of %s %s: %w", o.Kind, o.Name, err)
	}
	Sort(list.Items)
	return list.Items, nil
}

// ensure makes the content the newest revision of the list, which it returns.
func (s *Store) ensure(ctx context.Context, of Subject, list []appsv1.ControllerRevision, data []byte) ([]appsv1.ControllerRevision, error) {
	name, number := nameOf(of.Owner, data), int64(1)
	if len(list) > 0 {
		if list[0].Name == name {
			return list, nil
		}
		number = list[0].Revision + 1
	}
	if i := slices.IndexFunc(list, func(r appsv1.ControllerRevision) bool { return r.Name == name }); i > 0 {
		was := list[i].DeepCopy()
		list[i].Revision = number
		if err := s.kube.Patch(ctx, &list[i], client.MergeFromWithOptions(was, client.MergeFromWithOptimisticLock{})); err != nil {
			return nil, fmt.Errorf("making ControllerRevision %s/%s the newest: %w", of.Namespace, name, err)
		}
		Sort(list)
		return list, nil
	}
	made := &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: of.Namespace, Name: name, Labels: Labels(of.Owner), OwnerReferences: []metav1.OwnerReference{of.Reference},
		},
		Data: runtime.RawExtension{Raw: data}, Revision: number,
	}
	err := s.kube.Create(ctx, made)
	if apierrors.IsAlreadyExists(err) {
		return list, nil // the cache has not heard of it yet; nothing is lost by its number
	}
	if err != nil {
		return nil, fmt.Errorf("recording ControllerRevision %s/%s: %w", of.Namespace, name, err)
	}
	return slices.Insert(list, 0, *made), nil
}
