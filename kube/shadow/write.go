package shadow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Patch implements client.Writer, for merge patches and JSON patches.
func (c *Client) Patch(ctx context.Context, obj client.Object, patch client.Patch, _ ...client.PatchOption) error {
	return c.patch(ctx, obj, patch, false)
}

func (c *Client) patch(ctx context.Context, obj client.Object, patch client.Patch, status bool) error {
	gvk, was, err := c.stored(ctx, obj)
	if err != nil {
		return err
	}
	key := client.ObjectKeyFromObject(obj)
	if reflect.TypeOf(patch) != rawPatch && obj.GetResourceVersion() == was.GetResourceVersion() {
		return c.replace(ctx, obj, obj, status) // it was read here and then changed: it says all itself
	}
	data, err := patch.Data(obj)
	if err != nil {
		return err
	}
	before, err := json.Marshal(was)
	if err != nil {
		return err
	}
	after, err := patched(before, data, patch.Type())
	if err != nil {
		return fmt.Errorf("patching %s %s: %w", gvk.Kind, key, err)
	}
	wanted, err := fresh(was)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(after, wanted); err != nil {
		return fmt.Errorf("patching %s %s: %w", gvk.Kind, key, err)
	}
	return c.replace(ctx, obj, wanted, status)
}

// rawPatch is a patch that stands by itself, whatever the object says that it comes with.
var rawPatch = reflect.TypeOf(client.RawPatch("", nil))

func patched(before, patch []byte, kind types.PatchType) ([]byte, error) {
	switch kind {
	case types.MergePatchType:
		return jsonpatch.MergePatch(before, patch)
	case types.JSONPatchType:
		operations, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			return nil, err
		}
		return operations.Apply(before)
	}
	return nil, fmt.Errorf("a copy knows no patches of type %s", kind)
}

// Apply implements client.Writer. It lays the fields over those that are there, lists as a whole:
// whose field is whose is not kept here, so that a field that is left out stays.
func (c *Client) Apply(ctx context.Context, what runtime.ApplyConfiguration, _ ...client.ApplyOption) error {
	text, err := json.Marshal(what)
	if err != nil {
		return err
	}
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Namespace string `json:"namespace"`
			Name      string `json:"name"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return err
	}
	made, err := c.scheme.New(schema.FromAPIVersionAndKind(head.APIVersion, head.Kind))
	if err != nil {
		return err
	}
	obj, ok := made.(client.Object)
	if !ok {
		return fmt.Errorf("applying %s %s: %T is no object", head.Kind, head.Metadata.Name, made)
	}
	err = c.Get(ctx, client.ObjectKey{Namespace: head.Metadata.Namespace, Name: head.Metadata.Name}, obj)
	switch {
	case err == nil:
		return c.Patch(ctx, obj, client.RawPatch(types.MergePatchType, text))
	case client.IgnoreNotFound(err) != nil:
		return err
	}
	if err := json.Unmarshal(text, obj); err != nil {
		return err
	}
	return c.Create(ctx, obj)
}

// Status implements client.Client.
func (c *Client) Status() client.SubResourceWriter { return statusWriter{c} }

// SubResource implements client.Client, for the status alone.
func (c *Client) SubResource(name string) client.SubResourceClient {
	return noSubResource{statusWriter{c}, name}
}

type statusWriter struct{ *Client }

// Create implements client.SubResourceWriter.
func (w statusWriter) Create(context.Context, client.Object, client.Object, ...client.SubResourceCreateOption) error {
	return errors.New("creating a status: it is made by writing it")
}

// Update implements client.SubResourceWriter.
func (w statusWriter) Update(ctx context.Context, obj client.Object, _ ...client.SubResourceUpdateOption) error {
	return w.replace(ctx, obj, obj, true)
}

// Patch implements client.SubResourceWriter.
func (w statusWriter) Patch(ctx context.Context, obj client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
	return w.patch(ctx, obj, patch, true)
}

// Apply implements client.SubResourceWriter.
func (w statusWriter) Apply(context.Context, runtime.ApplyConfiguration, ...client.SubResourceApplyOption) error {
	return errors.New("applying a status: a copy knows merge patches and JSON patches of it")
}

type noSubResource struct {
	statusWriter
	name string
}

// Get implements client.SubResourceReader.
func (n noSubResource) Get(context.Context, client.Object, client.Object, ...client.SubResourceGetOption) error {
	return fmt.Errorf("reading subresource %s: a copy has none", n.name)
}

// field is a field of an object's struct; nil where there is none.
func field(obj client.Object, name string) any {
	v := reflect.ValueOf(obj).Elem()
	if v.Kind() != reflect.Struct {
		return nil
	}
	if f := v.FieldByName(name); f.IsValid() {
		return f.Interface()
	}
	return nil
}

// take copies a field from one object to another of the same type.
func take(into, from client.Object, name string) {
	to, of := reflect.ValueOf(into).Elem(), reflect.ValueOf(copyOf(from)).Elem()
	if to.Kind() != reflect.Struct || to.Type() != of.Type() {
		return
	}
	if f := to.FieldByName(name); f.IsValid() {
		f.Set(of.FieldByName(name))
	}
}

func clearStatus(obj client.Object) {
	if v := reflect.ValueOf(obj).Elem(); v.Kind() == reflect.Struct {
		if f := v.FieldByName("Status"); f.IsValid() {
			f.SetZero()
		}
	}
}

// fresh is an empty object of the same type.
func fresh(obj client.Object) (client.Object, error) {
	out, ok := reflect.New(reflect.TypeOf(obj).Elem()).Interface().(client.Object)
	if !ok {
		return nil, fmt.Errorf("making an empty %T: it is no object", obj)
	}
	return out, nil
}

func labelSet(obj client.Object) labels.Set { return obj.GetLabels() }
