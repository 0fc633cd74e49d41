package helm

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/kube"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/manifest"
)

// comparison compares a release's objects with those of the cluster.
type comparison struct {
	key     key
	mapper  meta.RESTMapper
	client  dynamic.Interface
	ignored []*manifest.Matcher
	exclude []exclusion
	only    map[id]bool
	saw     func(Seen)
}

// exclusion is an Exclusion that was read.
type exclusion struct {
	paths  []pointer
	target *manifest.Matcher // nil is all
}

// drifted is an object that differs.
type drifted struct {
	// name is "Kind namespace/name".
	name   string
	fields []string
	// said is the object as the release says it, sent what has to be applied to mend it.
	said, sent *unstructured.Unstructured
	// replace says that lists have to be replaced as a whole.
	replace bool
	// where is nil if the cluster does not know the kind; then unknown says so.
	where   dynamic.ResourceInterface
	unknown error
}

func (r *Releases) comparison(ctx context.Context, k key, o DriftOptions) (*comparison, error) {
	client, err := r.cluster.session(ctx).DynamicClient()
	if err != nil {
		return nil, err
	}
	c := &comparison{key: k, mapper: r.cluster.mapper, client: client, saw: o.Saw}
	for _, s := range o.Ignore {
		m, err := s.Matcher()
		if err != nil {
			return nil, fmt.Errorf("reading what to ignore: %w", err)
		}
		c.ignored = append(c.ignored, m)
	}
	for _, e := range o.Exclude {
		read, err := e.read()
		if err != nil {
			return nil, fmt.Errorf("reading what to exclude: %w", err)
		}
		c.exclude = append(c.exclude, read)
	}
	if len(o.Only) > 0 {
		c.only = map[id]bool{}
		for _, one := range o.Only {
			c.only[id{one.Group, one.Kind, one.Namespace, one.Name}] = true
		}
	}
	return c, nil
}

func (e Exclusion) read() (exclusion, error) {
	var out exclusion
	for _, text := range e.Paths {
		p, err := parsePointer(text)
		if err != nil {
			return out, err
		}
		out.paths = append(out.paths, p)
	}
	if e.Target == nil {
		return out, nil
	}
	var err error
	out.target, err = e.Target.Matcher()
	return out, err
}

// look compares one object with what the cluster has.
func (c *comparison) look(ctx context.Context, o *unstructured.Unstructured) (drifted, bool, error) {
	d := drifted{name: o.GetKind() + " " + o.GetName(), said: o, sent: o}
	if c.leftAlone(o) || o.GetName() == "" {
		return d, false, nil
	}
	gvk := o.GroupVersionKind()
	mapping, err := c.mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		d.unknown = err
		return d, c.chosen(o, o.GetNamespace()), nil
	}
	if err != nil {
		return d, false, err
	}
	namespace := ""
	d.where = c.client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		namespace = cmp.Or(o.GetNamespace(), c.key.namespace)
		d.where = c.client.Resource(mapping.Resource).Namespace(namespace)
		d.name = o.GetKind() + " " + namespace + "/" + o.GetName()
	}
	o.SetNamespace(namespace)
	if !c.chosen(o, namespace) {
		return d, false, nil
	}
	live, err := d.where.Get(ctx, o.GetName(), metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return d, !expendable(o), nil
	case err != nil:
		return d, false, err
	}
	if c.saw != nil {
		c.saw(seenOf(live))
	}
	if live.GetDeletionTimestamp() != nil || c.leftAlone(live) || c.anothers(live) {
		return d, false, nil
	}
	return c.compare(ctx, d, live)
}

func (c *comparison) chosen(o *unstructured.Unstructured, namespace string) bool {
	return c.only == nil || c.only[id{o.GroupVersionKind().Group, o.GetKind(), namespace, o.GetName()}]
}

func (c *comparison) leftAlone(o *unstructured.Unstructured) bool {
	if _, said := o.GetAnnotations()[IgnoreDrift]; said {
		return true
	}
	for _, m := range c.ignored {
		if m.Matches(o, c.key.namespace) {
			return true
		}
	}
	return false
}

// anothers says whether another release has made the object its own: two that each took it for
// theirs would mend it for ever.
func (c *comparison) anothers(live *unstructured.Unstructured) bool {
	a := live.GetAnnotations()
	return a[nameAnnotation] != "" && (a[nameAnnotation] != c.key.name || a[namespaceAnnotation] != c.key.namespace)
}

// expendable says whether an object is meant to vanish: a Job may ask to be removed some time
// after it has finished.
func expendable(o *unstructured.Unstructured) bool {
	if o.GroupVersionKind().GroupKind() != (schema.GroupKind{Group: "batch", Kind: "Job"}) {
		return false
	}
	_, asked, _ := unstructured.NestedFieldNoCopy(o.Object, "spec", "ttlSecondsAfterFinished")
	return asked
}

// controlled lists the fields that a controller of the cluster fills in, whatever is applied.
func controlled(o *unstructured.Unstructured) []pointer {
	_, aggregates := o.Object["aggregationRule"]
	if aggregates && o.GroupVersionKind().GroupKind() == (schema.GroupKind{Group: "rbac.authorization.k8s.io", Kind: "ClusterRole"}) {
		return []pointer{{"rules"}}
	}
	return nil
}

func (c *comparison) compare(ctx context.Context, d drifted, live *unstructured.Unstructured) (drifted, bool, error) {
	excluded := controlled(d.said)
	for _, e := range c.exclude {
		if e.target == nil || e.target.Matches(live, c.key.namespace) {
			excluded = append(excluded, e.paths...)
		}
	}
	rest := d.said.DeepCopy()
	for _, p := range excluded {
		p.drop(rest.Object)
	}
	if untouched(rest, live) {
		return d, false, nil
	}
	if len(excluded) > 0 {
		d.sent = d.said.DeepCopy()
		for _, p := range excluded {
			p.carry(live.Object, d.sent.Object)
		}
		// The excluded fields are sent as they are: nobody may change them until then.
		d.sent.SetResourceVersion(live.GetResourceVersion())
	}
	would, err := d.apply(ctx, dry())
	if apierrors.IsInvalid(err) {
		// A list whose items have keys may not be able to hold both ours and what somebody has made
		// of them, two ports without names, for example: then ours are all there is.
		d.replace = true
		would, err = d.apply(ctx, dry())
	}
	compared := comparer{excluded: excluded, exact: true}
	switch {
	case err == nil:
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsMethodNotSupported(err), apierrors.IsUnsupportedMediaType(err):
		// A field that cannot be changed, a webhook that knows no dry run, or an API server that
		// knows no apply: the values themselves have to do.
		d.replace = false
		would, compared.exact = settled(d.sent), false
	default:
		return d, false, err
	}
	compared.object(settled(d.sent), would, live)
	d.fields = compared.found
	return d, len(d.fields) > 0, nil
}

func dry() metav1.PatchOptions { return metav1.PatchOptions{DryRun: []string{metav1.DryRunAll}} }

// apply sends what Helm sends, in Helm's way unless lists have to be replaced.
func (d drifted) apply(ctx context.Context, o metav1.PatchOptions) (*unstructured.Unstructured, error) {
	data, err := json.Marshal(d.sent.Object)
	if err != nil {
		return nil, err
	}
	o.FieldManager = kube.ManagedFieldsManager
	if d.replace {
		return d.where.Patch(ctx, d.sent.GetName(), types.MergePatchType, data, o)
	}
	force := true
	o.Force = &force
	return d.where.Patch(ctx, d.sent.GetName(), types.ApplyPatchType, data, o)
}

// mend brings an object back. It looks again if the object is changed at the same time.
func (c *comparison) mend(ctx context.Context, d drifted) error {
	if d.unknown != nil {
		return d.unknown
	}
	const attempts = 5
	for n := 1; ; n++ {
		_, err := d.apply(ctx, metav1.PatchOptions{})
		switch {
		case apierrors.IsInvalid(err) && len(d.fields) > 0:
			return fmt.Errorf("%w: it differs in %s, and the cluster refuses to change %s: delete it, and it is made anew",
				fleet.ErrInvalid, strings.Join(d.fields, ", "), refused(err))
		case err == nil && d.replace:
			// Once more in Helm's way, so that Helm is known as the owner.
			d.replace = false
			d.sent.SetResourceVersion("")
			continue
		case !apierrors.IsConflict(err) || n == attempts:
			return err
		}
		again, differs, err := c.look(ctx, d.said)
		if err != nil || !differs {
			return err
		}
		d = again
	}
}

// refused lists the fields of which the cluster complains. Its own words would repeat all that
// is in them.
func refused(err error) string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return "them"
	}
	var fields []string
	for _, cause := range status.Status().Details.Causes {
		fields = append(fields, cause.Field)
	}
	slices.Sort(fields)
	return strings.Join(slices.Compact(fields), ", ")
}
