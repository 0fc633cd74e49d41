package shadow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"

	"portico.dev/portico/fleet"
)

// Client is a client.Client whose writes stay in memory.
type Client struct {
	base   client.Reader
	scheme *runtime.Scheme
	mapper meta.RESTMapper
	clock  fleet.Clock
	// through are the kinds that are not held: each Get and List goes to the base.
	through map[schema.GroupKind]bool

	objects map[schema.GroupKind]map[types.NamespacedName]client.Object
	indexes map[index]client.IndexerFunc
	version uint64
	journal []Write
	// namespaces are those in which is listed what may not be listed everywhere.
	namespaces []string
	unseen     []string
}

// index is a field by which objects of a kind are found.
type index struct {
	kind  schema.GroupKind
	field string
}

// Config is what a Client is made from.
type Config struct {
	// Base is what is copied; nil is a server without objects.
	Base   client.Reader
	Scheme *runtime.Scheme
	// Mapper says which kinds are namespaced; nil is enough where nobody asks.
	Mapper meta.RESTMapper
	// Through are kinds that are never held; they cannot be written.
	Through []client.Object
	// Namespaces are where a kind is listed that the reader may not list everywhere.
	Namespaces []string
	// Clock dates what is made and deleted.
	Clock fleet.Clock
}

// Verb is what was done to an object.
type Verb string

// The verbs of a journal.
const (
	Created Verb = "created"
	Changed Verb = "changed"
	Deleted Verb = "deleted"
)

// Write is one write, with the object after it.
type Write struct {
	Verb   Verb
	Status bool
	Object client.Object
}

var (
	_ client.Client       = (*Client)(nil)
	_ client.FieldIndexer = (*Client)(nil)
)

// New returns a client without any change.
func New(c Config) (*Client, error) {
	out := &Client{
		base: c.Base, scheme: c.Scheme, mapper: c.Mapper, clock: c.Clock,
		through: map[schema.GroupKind]bool{}, objects: map[schema.GroupKind]map[types.NamespacedName]client.Object{},
		indexes: map[index]client.IndexerFunc{}, namespaces: c.Namespaces,
	}
	for _, o := range c.Through {
		gvk, err := apiutil.GVKForObject(o, c.Scheme)
		if err != nil {
			return nil, err
		}
		out.through[gvk.GroupKind()] = true
	}
	return out, nil
}

// Unseen says what the reader may not see, in sentences: the copy is without it.
func (c *Client) Unseen() []string { return slices.Clone(c.unseen) }

// Journal are the writes since the last call, in their order.
func (c *Client) Journal() []Write {
	out := c.journal
	c.journal = nil
	return out
}

// Scheme implements client.Client.
func (c *Client) Scheme() *runtime.Scheme { return c.scheme }

// RESTMapper implements client.Client.
func (c *Client) RESTMapper() meta.RESTMapper { return c.mapper }

// GroupVersionKindFor implements client.Client.
func (c *Client) GroupVersionKindFor(obj runtime.Object) (schema.GroupVersionKind, error) {
	return apiutil.GVKForObject(obj, c.scheme)
}

// IsObjectNamespaced implements client.Client.
func (c *Client) IsObjectNamespaced(obj runtime.Object) (bool, error) {
	return apiutil.IsObjectNamespaced(obj, c.scheme, c.mapper)
}

// held are the objects of a kind; nil where the kind is not held.
func (c *Client) held(ctx context.Context, gvk schema.GroupVersionKind) (map[types.NamespacedName]client.Object, error) {
	gk := gvk.GroupKind()
	if c.through[gk] {
		return nil, nil
	}
	if all, ok := c.objects[gk]; ok {
		return all, nil
	}
	all := map[types.NamespacedName]client.Object{}
	if c.base != nil {
		if err := c.copyKind(ctx, gvk, all); err != nil {
			return nil, err
		}
	}
	c.objects[gk] = all
	return all, nil
}

func (c *Client) copyKind(ctx context.Context, gvk schema.GroupVersionKind, into map[types.NamespacedName]client.Object) error {
	err := c.copyList(ctx, gvk, into)
	if !apierrors.IsForbidden(err) {
		return err
	}
	var seen []string
	for _, namespace := range c.namespaces {
		err := c.copyList(ctx, gvk, into, client.InNamespace(namespace))
		switch {
		case err == nil:
			seen = append(seen, namespace)
		case !apierrors.IsForbidden(err):
			return err
		}
	}
	note := fmt.Sprintf("you may not list every %s: none is seen", gvk.Kind)
	if len(seen) > 0 {
		note = fmt.Sprintf("you may not list every %s: those in %s are seen", gvk.Kind, strings.Join(seen, ", "))
	}
	c.unseen = append(c.unseen, note)
	return nil
}

func (c *Client) copyList(ctx context.Context, gvk schema.GroupVersionKind, into map[types.NamespacedName]client.Object, opts ...client.ListOption) error {
	made, err := c.scheme.New(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	if err != nil {
		return err
	}
	list, ok := made.(client.ObjectList)
	if !ok {
		return fmt.Errorf("copying every %s: %T is no list", gvk.Kind, made)
	}
	err = c.base.List(ctx, list, opts...)
	if meta.IsNoMatchError(err) {
		return nil // a server that does not know the kind has none of it
	}
	if err != nil {
		return fmt.Errorf("copying every %s: %w", gvk.Kind, err)
	}
	return meta.EachListItem(list, func(item runtime.Object) error {
		obj, ok := item.(client.Object)
		if !ok {
			return fmt.Errorf("copying every %s: %T is no object", gvk.Kind, item)
		}
		into[client.ObjectKeyFromObject(obj)] = copyOf(obj)
		return nil
	})
}

// Get implements client.Reader.
func (c *Client) Get(ctx context.Context, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
	gvk, all, err := c.of(ctx, obj)
	switch {
	case err != nil:
		return err
	case all == nil && c.base == nil:
		return notFound(gvk, key.Name)
	case all == nil:
		return c.base.Get(ctx, key, obj, opts...)
	}
	found, ok := all[key]
	if !ok {
		return notFound(gvk, key.Name)
	}
	return c.assign(obj, found)
}

func (c *Client) of(ctx context.Context, obj client.Object) (schema.GroupVersionKind, map[types.NamespacedName]client.Object, error) {
	gvk, err := apiutil.GVKForObject(obj, c.scheme)
	if err != nil {
		return gvk, nil, err
	}
	all, err := c.held(ctx, gvk)
	return gvk, all, err
}

// IndexField implements client.FieldIndexer.
func (c *Client) IndexField(_ context.Context, obj client.Object, name string, of client.IndexerFunc) error {
	gvk, err := apiutil.GVKForObject(obj, c.scheme)
	if err != nil {
		return err
	}
	c.indexes[index{gvk.GroupKind(), name}] = of
	return nil
}

// List implements client.Reader. Fields can be asked for that IndexField was told of.
func (c *Client) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	gvk, err := apiutil.GVKForObject(list, c.scheme)
	if err != nil {
		return err
	}
	gvk.Kind = gvk.Kind[:len(gvk.Kind)-len("List")]
	all, err := c.held(ctx, gvk)
	switch {
	case err != nil:
		return err
	case all == nil && c.base == nil:
		return nil
	case all == nil:
		return c.base.List(ctx, list, opts...)
	}
	o := (&client.ListOptions{}).ApplyOptions(opts)
	has, err := c.fields(gvk, o.FieldSelector)
	if err != nil {
		return err
	}
	var items []runtime.Object
	for key, obj := range all {
		if (o.Namespace == "" || o.Namespace == key.Namespace) && (o.LabelSelector == nil || o.LabelSelector.Matches(labelSet(obj))) && has(obj) {
			items = append(items, copyOf(obj))
		}
	}
	slices.SortFunc(items, func(a, b runtime.Object) int {
		x, y := a.(client.Object), b.(client.Object)
		return cmp.Or(cmp.Compare(x.GetNamespace(), y.GetNamespace()), cmp.Compare(x.GetName(), y.GetName()))
	})
	if heads, is := list.(*metav1.PartialObjectMetadataList); is {
		heads.Items = nil
		for _, o := range items {
			heads.Items = append(heads.Items, headOf(o.(client.Object), gvk))
		}
		return nil
	}
	return meta.SetList(list, items)
}

// fields is a test for what a selector asks for.
func (c *Client) fields(gvk schema.GroupVersionKind, selector fields.Selector) (func(client.Object) bool, error) {
	if selector == nil || selector.Empty() {
		return func(client.Object) bool { return true }, nil
	}
	wanted := selector.Requirements()
	of := make([]client.IndexerFunc, len(wanted))
	for i, r := range wanted {
		if of[i] = c.indexes[index{gvk.GroupKind(), r.Field}]; of[i] == nil {
			return nil, fmt.Errorf("listing every %s by %s: this copy has no such index", gvk.Kind, r.Field)
		}
	}
	return func(obj client.Object) bool {
		for i, r := range wanted {
			if !slices.Contains(of[i](obj), r.Value) {
				return false
			}
		}
		return true
	}, nil
}

// Create implements client.Writer.
func (c *Client) Create(ctx context.Context, obj client.Object, _ ...client.CreateOption) error {
	gvk, all, err := c.of(ctx, obj)
	if err != nil {
		return err
	}
	if all == nil {
		return c.readOnly(gvk, obj)
	}
	key := client.ObjectKeyFromObject(obj)
	if _, exists := all[key]; exists {
		return apierrors.NewAlreadyExists(resource(gvk), key.Name)
	}
	made := copyOf(obj)
	made.SetGeneration(1)
	made.SetCreationTimestamp(metav1.NewTime(c.clock()))
	made.SetUID(types.UID(fmt.Sprintf("%s/%s", gvk.Kind, key)))
	made.SetResourceVersion(c.next())
	clearStatus(made)
	all[key] = made
	c.note(Write{Verb: Created, Object: made})
	return c.assign(obj, made)
}

// stored is the object that is to be written, as it is.
func (c *Client) stored(ctx context.Context, obj client.Object) (schema.GroupVersionKind, client.Object, error) {
	gvk, all, err := c.of(ctx, obj)
	if err != nil {
		return gvk, nil, err
	}
	if all == nil {
		return gvk, nil, c.readOnly(gvk, obj)
	}
	if found, exists := all[client.ObjectKeyFromObject(obj)]; exists {
		return gvk, found, nil
	}
	return gvk, nil, notFound(gvk, obj.GetName())
}

// Update implements client.Writer.
func (c *Client) Update(ctx context.Context, obj client.Object, _ ...client.UpdateOption) error {
	return c.replace(ctx, obj, obj, false)
}

// replace stores what wanted says of metadata and spec, or of the status, and returns it in obj.
func (c *Client) replace(ctx context.Context, obj, wanted client.Object, status bool) error {
	gvk, was, err := c.stored(ctx, obj)
	if err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(obj)
	if v := wanted.GetResourceVersion(); v != "" && v != was.GetResourceVersion() {
		return apierrors.NewConflict(resource(gvk), key.Name, errors.New("it was changed meanwhile"))
	}
	now := copyOf(was)
	if status {
		take(now, wanted, "Status")
	} else {
		now = copyOf(wanted)
		take(now, was, "Status")
		keepIdentity(now, was)
	}
	if equality.Semantic.DeepEqual(was, now) {
		return c.assign(obj, now)
	}
	now.SetResourceVersion(c.next())
	c.objects[gvk.GroupKind()][key] = now
	if now.GetDeletionTimestamp() != nil && len(now.GetFinalizers()) == 0 {
		c.drop(gvk, key)
	} else {
		c.note(Write{Verb: Changed, Status: status, Object: now})
	}
	return c.assign(obj, now)
}

// keepIdentity restores what only a server writes.
func keepIdentity(now, was client.Object) {
	now.SetUID(was.GetUID())
	now.SetCreationTimestamp(was.GetCreationTimestamp())
	now.SetDeletionTimestamp(was.GetDeletionTimestamp())
	now.SetResourceVersion(was.GetResourceVersion())
	now.SetGeneration(was.GetGeneration())
	if !equality.Semantic.DeepEqual(field(now, "Spec"), field(was, "Spec")) {
		now.SetGeneration(was.GetGeneration() + 1)
	}
}

// Delete implements client.Writer. What the object owns goes with it.
func (c *Client) Delete(ctx context.Context, obj client.Object, _ ...client.DeleteOption) error {
	gvk, found, err := c.stored(ctx, obj)
	if err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(obj)
	if len(found.GetFinalizers()) == 0 {
		c.drop(gvk, key)
		return nil
	}
	if found.GetDeletionTimestamp() != nil {
		return nil
	}
	going := copyOf(found)
	now := metav1.NewTime(c.clock())
	going.SetDeletionTimestamp(&now)
	going.SetResourceVersion(c.next())
	c.objects[gvk.GroupKind()][key] = going
	c.note(Write{Verb: Changed, Object: going})
	return nil
}

// drop takes an object away, and deletes what it owns.
func (c *Client) drop(gvk schema.GroupVersionKind, key types.NamespacedName) {
	gone := c.objects[gvk.GroupKind()][key]
	delete(c.objects[gvk.GroupKind()], key)
	c.note(Write{Verb: Deleted, Object: gone})
	var owned []client.Object
	for _, all := range c.objects {
		for _, o := range all {
			if slices.ContainsFunc(o.GetOwnerReferences(), func(r metav1.OwnerReference) bool { return r.UID == gone.GetUID() }) {
				owned = append(owned, o)
			}
		}
	}
	slices.SortFunc(owned, func(a, b client.Object) int {
		return cmp.Or(cmp.Compare(fmt.Sprintf("%T", a), fmt.Sprintf("%T", b)), cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	for _, o := range owned {
		_ = c.Delete(context.Background(), o) // it is held, and so it needs no server
	}
}

// DeleteAllOf implements client.Writer.
func (c *Client) DeleteAllOf(context.Context, client.Object, ...client.DeleteAllOfOption) error {
	return errors.New("deleting all of a kind: a copy deletes objects one by one")
}

// Restore puts an object back as it was when it was read here.
func (c *Client) Restore(obj client.Object) error {
	gvk, err := apiutil.GVKForObject(obj, c.scheme)
	if err != nil {
		return err
	}
	all := c.objects[gvk.GroupKind()]
	if all == nil {
		return c.readOnly(gvk, obj)
	}
	all[client.ObjectKeyFromObject(obj)] = copyOf(obj)
	c.note(Write{Verb: Changed, Object: obj})
	return nil
}

func (c *Client) next() string {
	c.version++
	return "shadow-" + strconv.FormatUint(c.version, 10)
}

func (c *Client) note(w Write) {
	w.Object = copyOf(w.Object)
	c.journal = append(c.journal, w)
}

func (c *Client) readOnly(gvk schema.GroupVersionKind, obj client.Object) error {
	return fmt.Errorf("writing %s %s: the kind is not held by this copy", gvk.Kind, client.ObjectKeyFromObject(obj))
}

// assign puts a copy of what is stored into obj, which may be of another Go type.
func (c *Client) assign(obj, stored client.Object) error {
	from, to := reflect.ValueOf(copyOf(stored)).Elem(), reflect.ValueOf(obj).Elem()
	if from.Type() == to.Type() {
		to.Set(from)
		return nil
	}
	if head, is := obj.(*metav1.PartialObjectMetadata); is {
		*head = headOf(copyOf(stored), head.GroupVersionKind())
		return nil
	}
	return c.scheme.Convert(stored, obj, nil)
}

// headOf is an object as those see it who ask for its metadata alone.
func headOf(o client.Object, gvk schema.GroupVersionKind) metav1.PartialObjectMetadata {
	head := *meta.AsPartialObjectMetadata(o)
	head.SetGroupVersionKind(gvk)
	return head
}

func copyOf[T runtime.Object](obj T) T { return obj.DeepCopyObject().(T) }

func notFound(gvk schema.GroupVersionKind, name string) error {
	return apierrors.NewNotFound(resource(gvk), name)
}

func resource(gvk schema.GroupVersionKind) schema.GroupResource {
	plural, _ := meta.UnsafeGuessKindToResource(gvk)
	return plural.GroupResource()
}
