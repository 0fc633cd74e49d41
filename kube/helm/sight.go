package helm

import (
	"context"
	"fmt"

	"helm.sh/helm/v4/pkg/kube"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Sight is how the objects of a release were seen.
type Sight struct {
	// Problems are those of Health.
	Problems []Problem
	// Objects are those that were there.
	Objects []Seen
	// Kinds are those of all objects of the release, sorted, whether they were looked at or not.
	Kinds []schema.GroupVersionKind
}

// Seen is an object as it was seen. An event that tells of this version tells nothing new; one
// with this mark tells of no change to what the release has applied.
type Seen struct {
	Object Object
	// Version is the object's resourceVersion, Mark what Mark says of it.
	Version string
	Mark    uint64
}

// String is "Kind namespace/name", or "Kind name" where there is no namespace.
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// identity is the name of an object as it is written down: a namespace may be left out.
func identity(o *unstructured.Unstructured) Object {
	return Object{o.GroupVersionKind(), o.GetNamespace(), o.GetName()}
}

// ApplySeeing is Apply. It says besides how the cluster has answered, so that nobody needs to
// ask for the objects again. ok is false if it cannot tell all of it, since nothing was applied
// for example: then Look does.
func (r *Releases) ApplySeeing(ctx context.Context, want Wanted) (state State, seen Sight, ok bool, err error) {
	var answers []liveObject
	state, err = r.apply(ctx, want, &answers)
	if err != nil || len(answers) == 0 || state.Status != Deployed || waitStrategy(want.Options) != kube.HookOnlyStrategy {
		return state, Sight{}, false, err
	}
	var objects []Object
	seen = sightOf(answers)
	for _, o := range seen.Objects {
		objects = append(objects, o.Object)
	}
	seen.Kinds = kindsOf(objects)
	return state, seen, true, nil
}

// Look is Health, and tells besides what was seen. Only are the objects to look at, as their
// String says; none means all of the release's.
func (r *Releases) Look(ctx context.Context, namespace, name string, only ...string) (Sight, error) {
	k := key{namespace, name}
	objects, err := r.lastObjects(ctx, k)
	if err != nil {
		return Sight{}, fmt.Errorf("observing release %s: %w", k, classify(err))
	}
	live, err := r.live(ctx, k, objects, only)
	if err != nil {
		return Sight{}, fmt.Errorf("looking at the objects of release %s: %w", k, classify(err))
	}
	seen := sightOf(live)
	seen.Kinds = kindsOf(objects)
	return seen, nil
}

func sightOf(live []liveObject) Sight {
	s := Sight{Problems: judge(live)}
	for _, l := range live {
		if l.object != nil {
			s.Objects = append(s.Objects, seenOf(l.object))
		}
	}
	return s
}

func seenOf(o *unstructured.Unstructured) Seen {
	return Seen{Object: identity(o), Version: o.GetResourceVersion(), Mark: Mark(o)}
}
