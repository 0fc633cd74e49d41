package plan

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// through are the kinds that are not copied: there are many of them, and some are secret.
func through() []client.Object { return []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}} }

func isThrough(o client.Object) bool {
	switch o.(type) {
	case *corev1.Secret, *corev1.ConfigMap:
		return true
	}
	return false
}

// contents are the ConfigMaps and Secrets that the changes write or delete.
type contents struct {
	scheme *runtime.Scheme
	// objects are as they will be; nil is one that is deleted.
	objects map[contentKey]client.Object
	// aside leaves them out: reads give what is on the server now.
	aside bool
}

type contentKey struct {
	kind string
	client.ObjectKey
}

func newContents(scheme *runtime.Scheme) *contents {
	return &contents{scheme: scheme, objects: map[contentKey]client.Object{}}
}

// over reads a server with the contents laid over it; nil is a server without objects.
func (c *contents) over(base client.Reader) client.Reader { return overlay{c, base} }

func (c *contents) keyOf(o client.Object, key client.ObjectKey) (contentKey, error) {
	gvk, err := apiutil.GVKForObject(o, c.scheme)
	if err != nil {
		return contentKey{}, err
	}
	if gvk.Group != "" {
		gvk.Kind = gvk.GroupKind().String() // no other group has them
	}
	return contentKey{gvk.Kind, key}, nil
}

// before hides the contents from what f reads.
func (c *contents) before(f func() error) error {
	c.aside = true
	defer func() { c.aside = false }()
	return f()
}

// apply lays a change over what base has, and returns what was there; nil if that was nothing, or
// may not be read.
func (c *contents) apply(ctx context.Context, base client.Reader, ch Change) (client.Object, error) {
	old := empty(ch.Object)
	err := base.Get(ctx, client.ObjectKeyFromObject(ch.Object), old)
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return nil, c.put(copyOf(ch.Object))
	}
	if err != nil {
		return nil, err
	}
	patch, err := merge(old.GetAnnotations()[lastApplied], ch.Text)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(old)
	if err != nil {
		return nil, err
	}
	if text, err = jsonpatch.MergePatch(text, patch); err != nil {
		return nil, err
	}
	now := empty(ch.Object)
	if err := json.Unmarshal(text, now); err != nil {
		return nil, err
	}
	return old, c.put(now)
}

func empty(o client.Object) client.Object {
	if _, is := o.(*corev1.Secret); is {
		return &corev1.Secret{}
	}
	return &corev1.ConfigMap{}
}

// put keeps an object as a server would: what a Secret has as texts becomes its data.
func (c *contents) put(o client.Object) error {
	if secret, is := o.(*corev1.Secret); is {
		for key, text := range secret.StringData {
			if secret.Data == nil {
				secret.Data = map[string][]byte{}
			}
			secret.Data[key] = []byte(text)
		}
		secret.StringData = nil
	}
	key, err := c.keyOf(o, client.ObjectKeyFromObject(o))
	if err == nil {
		c.objects[key] = o
	}
	return err
}

// remove marks an object as gone.
func (c *contents) remove(o client.Object) error {
	key, err := c.keyOf(o, client.ObjectKeyFromObject(o))
	if err == nil {
		c.objects[key] = nil
	}
	return err
}

// forget takes a change back.
func (c *contents) forget(o client.Object) error {
	key, err := c.keyOf(o, client.ObjectKeyFromObject(o))
	delete(c.objects, key)
	return err
}

// overlay is a server with contents laid over it.
type overlay struct {
	*contents
	base client.Reader
}

// Get implements client.Reader.
func (o overlay) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	at := contentKey{}
	if !o.aside && len(o.objects) > 0 {
		var err error
		if at, err = o.keyOf(obj, key); err != nil {
			return err
		}
	}
	found, is := o.objects[at]
	switch {
	case is && found != nil:
		return o.give(found, obj)
	case is, o.base == nil:
		return apierrors.NewNotFound(schema.GroupResource{Resource: at.kind}, key.Name)
	}
	return o.base.Get(ctx, key, obj, opts...)
}

// give fills obj, which may be of another Go type.
func (o overlay) give(found, obj client.Object) error {
	switch to := obj.(type) {
	case *corev1.Secret:
		found.(*corev1.Secret).DeepCopyInto(to)
	case *corev1.ConfigMap:
		found.(*corev1.ConfigMap).DeepCopyInto(to)
	case *unstructured.Unstructured:
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(found)
		if err != nil {
			return err
		}
		gvk := to.GroupVersionKind()
		to.Object = content
		to.SetGroupVersionKind(gvk)
	default:
		return fmt.Errorf("reading %s as %T: expected its own type or an unstructured object", client.ObjectKeyFromObject(found), obj)
	}
	return nil
}

// List implements client.Reader.
func (o overlay) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if o.base == nil {
		return nil
	}
	if err := o.base.List(ctx, list, opts...); err != nil || o.aside || len(o.objects) == 0 {
		return err
	}
	kind := ""
	switch list.(type) {
	case *corev1.SecretList:
		kind = "Secret"
	case *corev1.ConfigMapList:
		kind = "ConfigMap"
	default:
		return nil
	}
	items, err := meta.ExtractList(list)
	if err != nil {
		return err
	}
	items = slices.DeleteFunc(items, func(item runtime.Object) bool {
		_, is := o.objects[contentKey{kind, client.ObjectKeyFromObject(item.(client.Object))}]
		return is
	})
	asked := (&client.ListOptions{}).ApplyOptions(opts)
	for key, obj := range o.objects {
		if key.kind == kind && obj != nil && (asked.Namespace == "" || asked.Namespace == key.Namespace) && (asked.LabelSelector == nil || asked.LabelSelector.Matches(labels.Set(obj.GetLabels()))) {
			items = append(items, copyOf(obj))
		}
	}
	slices.SortFunc(items, func(a, b runtime.Object) int {
		x, y := a.(client.Object), b.(client.Object)
		return cmp.Or(cmp.Compare(x.GetNamespace(), y.GetNamespace()), cmp.Compare(x.GetName(), y.GetName()))
	})
	return meta.SetList(list, items)
}
