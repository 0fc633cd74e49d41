package follow

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Object names an object of any kind.
type Object struct {
	Kind schema.GroupVersionKind
	Key  client.ObjectKey
}

// Objects know who follows which objects. It is safe for concurrent use.
type Objects struct {
	cache  cache.Cache
	mapper apimeta.RESTMapper

	mu            sync.Mutex
	of            map[client.ObjectKey][]Object
	users         map[Object]map[client.ObjectKey]bool
	used, watched map[schema.GroupVersionKind]bool
}

// New returns objects that nobody follows yet. Watched are kinds that the controller watches by
// itself, and asks Followers for.
func New(from cache.Cache, mapper apimeta.RESTMapper, watched ...schema.GroupVersionKind) *Objects {
	f := &Objects{
		cache: from, mapper: mapper, of: map[client.ObjectKey][]Object{}, users: map[Object]map[client.ObjectKey]bool{},
		used: map[schema.GroupVersionKind]bool{}, watched: map[schema.GroupVersionKind]bool{},
	}
	for _, kind := range watched {
		f.watched[kind] = true
	}
	return f
}

// Set says which objects somebody follows, and no others; none when it goes.
func (f *Objects) Set(who client.ObjectKey, objects []Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.of[who] {
		if slices.Contains(objects, o) {
			continue
		}
		delete(f.users[o], who)
		if len(f.users[o]) == 0 {
			delete(f.users, o)
		}
	}
	delete(f.of, who)
	for _, o := range objects {
		f.add(who, o)
	}
}

// Add says that somebody follows one object more. Say it before the object is read, so that no
// change falls between.
func (f *Objects) Add(who client.ObjectKey, o Object) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.add(who, o)
}

func (f *Objects) add(who client.ObjectKey, o Object) {
	if f.users[o] == nil {
		f.users[o] = map[client.ObjectKey]bool{}
	}
	f.users[o][who] = true
	if !slices.Contains(f.of[who], o) {
		f.of[who] = append(f.of[who], o)
	}
	f.used[o.Kind] = true
}

// Followers are those who follow an object, or all of its kind by an empty key, sorted.
func (f *Objects) Followers(o Object) []reconcile.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []reconcile.Request
	for _, named := range []Object{o, {Kind: o.Kind}} {
		for who := range f.users[named] {
			out = append(out, reconcile.Request{NamespacedName: who})
		}
	}
	slices.SortFunc(out, func(a, b reconcile.Request) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return slices.Compact(out)
}

// Watch has a controller woken for the kinds that are followed and not watched yet. A kind stays
// watched: its informer may be somebody else's as well. A kind that the API server does not serve is
// tried again with the next call.
func (f *Objects) Watch(on controller.Controller) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for kind := range f.used {
		if f.watched[kind] {
			continue
		}
		if _, err := f.mapper.RESTMapping(kind.GroupKind(), kind.Version); err != nil {
			if apimeta.IsNoMatchError(err) {
				continue
			}
			return fmt.Errorf("looking for the kind %s: %w", kind, err)
		}
		to := handler.TypedEnqueueRequestsFromMapFunc(func(_ context.Context, obj *metav1.PartialObjectMetadata) []reconcile.Request {
			return f.Followers(Object{kind, client.ObjectKeyFromObject(obj)})
		})
		if err := on.Watch(source.Kind(f.cache, partial(kind), to)); err != nil {
			return fmt.Errorf("watching %s: %w", kind, err)
		}
		f.watched[kind] = true
	}
	return nil
}

func partial(kind schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	obj := &metav1.PartialObjectMetadata{}
	obj.SetGroupVersionKind(kind)
	return obj
}
