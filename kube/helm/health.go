package helm

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// Problem is an object of a release that does not run, or not yet.
type Problem struct {
	// Object is "Kind namespace/name"; Message says what is wrong with it.
	Object, Message string
}

// Health says which objects of a release's last revision do not run, sorted by object; none
// means that all do. It looks once and waits for nothing. A release that is not there has no
// problems.
func (r *Releases) Health(ctx context.Context, namespace, name string) ([]Problem, error) {
	k := key{namespace, name}
	last, err := r.last(ctx, k)
	if err != nil || last == nil {
		return nil, err
	}
	objects, err := objectsOf(last)
	if err != nil {
		return nil, fmt.Errorf("reading the manifest of release %s: %w", k, err)
	}
	session := r.cluster.session(ctx)
	client, err := session.DynamicClient()
	if err != nil {
		return nil, fmt.Errorf("looking at release %s: %w", k, err)
	}
	var problems []Problem
	for _, o := range objects {
		p, err := look(ctx, lens{session.mapper, client, namespace}, o)
		if err != nil {
			return nil, fmt.Errorf("looking at %s %s of release %s: %w", o.GetKind(), o.GetName(), k, classify(err))
		}
		if p != nil {
			problems = append(problems, *p)
		}
	}
	slices.SortFunc(problems, func(a, b Problem) int { return cmp.Compare(a.Object, b.Object) })
	return problems, nil
}

// lens is what looking at an object needs.
type lens struct {
	mapper    meta.RESTMapper
	client    dynamic.Interface
	namespace string
}

func look(ctx context.Context, through lens, o *unstructured.Unstructured) (*Problem, error) {
	gvk := o.GroupVersionKind()
	mapping, err := through.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, err
	}
	where, called := dynamic.ResourceInterface(through.client.Resource(mapping.Resource)), o.GetKind()+" "+o.GetName()
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		namespace := cmp.Or(o.GetNamespace(), through.namespace)
		where, called = through.client.Resource(mapping.Resource).Namespace(namespace), o.GetKind()+" "+namespace+"/"+o.GetName()
	}
	live, err := where.Get(ctx, o.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return &Problem{called, "it was deleted"}, nil
	}
	if err != nil {
		return nil, err
	}
	result, err := status.Compute(live)
	if err != nil {
		return nil, err
	}
	if result.Status == status.CurrentStatus {
		return nil, nil
	}
	return &Problem{called, cmp.Or(strings.TrimSpace(result.Message), string(result.Status))}, nil
}
