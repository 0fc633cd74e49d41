package ensure

import (
	"context"
	"errors"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/observability/topology"
)

const fieldOwner = client.FieldOwner("observability.topology")

// byOwner is the index over for whom an object was made.
const byOwner = "topology.for"

// ErrTaken means that an object of that name belongs to somebody else.
var ErrTaken = errors.New("the name belongs to somebody else")

// Writer makes and removes objects. It is safe for concurrent use.
type Writer struct {
	kube client.Client
	live client.Reader
	seen client.Reader
}

// kinds are those that are found again by their owner, in the order in which they are removed:
// what gives access goes first.
var kinds = []schema.GroupVersionKind{
	kcm.GroupVersion.WithKind(kcm.MultiClusterServiceKind),
	kof.GroupVersion.WithKind(kof.PromxyServerGroupKind),
	kof.GroupVersion.WithKind(kof.VMStorageConnectionKind),
	corev1.SchemeGroupVersion.WithKind("Secret"),
	corev1.SchemeGroupVersion.WithKind("ConfigMap"),
}

// Kinds are the kinds whose metadata a Writer keeps, and whose changes its users watch.
func Kinds() []*metav1.PartialObjectMetadata {
	var out []*metav1.PartialObjectMetadata
	for _, k := range kinds {
		out = append(out, partial(k))
	}
	return out
}

// New returns a writer for all controllers of a manager. Make it once: it adds indexes.
func New(ctx context.Context, mgr ctrl.Manager) (*Writer, error) {
	for _, k := range kinds {
		err := mgr.GetFieldIndexer().IndexField(ctx, partial(k), byOwner, func(o client.Object) []string {
			if of := o.GetAnnotations()[topology.ForAnnotation]; of != "" {
				return []string{of}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("indexing %s by owner: %w", k.Kind, err)
		}
	}
	return &Writer{kube: mgr.GetClient(), live: mgr.GetAPIReader(), seen: mgr.GetCache()}, nil
}

// Wanted is an object that has to be there.
type Wanted struct {
	client.Object
	// Otherwise is the name that it gets where its own belongs to somebody else; empty for none.
	Otherwise string
}

// Made is an object that was made for an owner.
type Made struct {
	Kind schema.GroupVersionKind
	types.NamespacedName
	// User is the user that it belongs to, if it is one's Secret.
	User string
	uid  types.UID
}

// Made are the objects that were made for an owner, in the order in which they are removed.
func (w *Writer) Made(ctx context.Context, of topology.Owner) ([]Made, error) {
	var out []Made
	for _, k := range kinds {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(k.GroupVersion().WithKind(k.Kind + "List"))
		if err := w.seen.List(ctx, list, client.MatchingFields{byOwner: of.String()}); err != nil {
			return nil, fmt.Errorf("listing what was made for %s: %w", of, err)
		}
		for _, o := range list.Items {
			m := Made{Kind: k, NamespacedName: client.ObjectKeyFromObject(&o), uid: o.UID}
			if k.Kind == "Secret" {
				m.User = o.Annotations[topology.UserAnnotation]
			}
			out = append(out, m)
		}
	}
	return out, nil
}

// Make makes all objects for an owner what they have to be. It returns what it wrote.
func (w *Writer) Make(ctx context.Context, of topology.Owner, wanted []Wanted) (written []string, err error) {
	made, err := w.Made(ctx, of)
	if err != nil {
		return nil, err
	}
	return w.make(ctx, of, made, wanted)
}

// make does so beside what was made before.
func (w *Writer) make(ctx context.Context, of topology.Owner, made []Made, wanted []Wanted) (written []string, err error) {
	for _, want := range wanted {
		o := want.Object
		longer := slices.ContainsFunc(made, func(m Made) bool {
			return want.Otherwise != "" && m.Name == want.Otherwise && m.Kind == o.GetObjectKind().GroupVersionKind()
		})
		if longer {
			o.SetName(want.Otherwise)
		}
		wrote, err := w.one(ctx, of, o)
		if errors.Is(err, ErrTaken) && want.Otherwise != "" && !longer {
			o.SetName(want.Otherwise)
			wrote, err = w.one(ctx, of, o)
		}
		if err != nil {
			return written, err
		}
		if wrote {
			written = append(written, control.Name(o))
		}
	}
	return written, nil
}

// one makes one object what it has to be. A kind that is not served is nobody's wish.
func (w *Writer) one(ctx context.Context, of topology.Owner, o client.Object) (bool, error) {
	want, err := stamped(o)
	if err != nil {
		return false, err
	}
	have := &unstructured.Unstructured{}
	have.SetGroupVersionKind(want.GroupVersionKind())
	err = w.live.Get(ctx, client.ObjectKeyFromObject(o), have)
	switch {
	case apimeta.IsNoMatchError(err):
		return false, nil
	case apierrors.IsNotFound(err):
		// To apply would write over what somebody else has made meanwhile.
		err = w.kube.Create(ctx, want, fieldOwner)
		if apierrors.IsAlreadyExists(err) {
			return false, fmt.Errorf("making %s: %w", control.Name(o), ErrTaken)
		}
		if err != nil {
			return false, fmt.Errorf("making %s: %w", control.Name(o), err)
		}
		return true, nil
	case err != nil:
		return false, fmt.Errorf("reading %s: %w", control.Name(o), err)
	case !topology.Belongs(have, of):
		return false, fmt.Errorf("%s: %w", control.Name(o), ErrTaken)
	case asWanted(have, want):
		return false, nil
	}
	return true, control.Apply(ctx, w.kube, fieldOwner, want)
}

// keep removes what was made before, but for what is wanted. It returns what it removed.
func (w *Writer) keep(ctx context.Context, of topology.Owner, made []Made, wanted []Wanted) (removed []string, err error) {
	for _, m := range made {
		kept := slices.ContainsFunc(wanted, func(want Wanted) bool {
			return want.GetObjectKind().GroupVersionKind() == m.Kind && client.ObjectKeyFromObject(want) == m.NamespacedName
		})
		if kept {
			continue
		}
		if m.User != "" && !wantsUser(wanted, m.User) {
			if err := w.RemoveUser(ctx, of, m.Namespace, m.User); err != nil {
				return removed, err
			}
		}
		o := partial(m.Kind)
		o.SetNamespace(m.Namespace)
		o.SetName(m.Name)
		if err := w.kube.Delete(ctx, o, client.Preconditions{UID: &m.uid}); client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
			return removed, fmt.Errorf("removing %s: %w", control.Name(o), err)
		}
		removed = append(removed, control.Name(o))
	}
	return removed, nil
}

func wantsUser(wanted []Wanted, user string) bool {
	return slices.ContainsFunc(wanted, func(w Wanted) bool { return w.GetAnnotations()[topology.UserAnnotation] == user })
}

// RemoveUser removes the VMUsers of a user in a namespace, where there are any.
func (w *Writer) RemoveUser(ctx context.Context, of topology.Owner, namespace, user string) error {
	name := topology.UserObject(user)
	return errors.Join(w.removeVMUser(ctx, of, types.NamespacedName{Namespace: namespace, Name: name}),
		w.RemovePrevious(ctx, of, types.NamespacedName{Namespace: namespace, Name: user}))
}

// RemovePrevious removes the VMUser of a password that is not good any more.
func (w *Writer) RemovePrevious(ctx context.Context, of topology.Owner, user types.NamespacedName) error {
	return w.removeVMUser(ctx, of, types.NamespacedName{Namespace: user.Namespace, Name: topology.PreviousObject(user.Name)})
}

func (w *Writer) removeVMUser(ctx context.Context, of topology.Owner, key types.NamespacedName) error {
	o := partial(topology.VMUserKind)
	err := w.live.Get(ctx, key, o)
	if apimeta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading VMUser %s: %w", key, err)
	}
	if !topology.Belongs(o, of) {
		return nil
	}
	uid := o.GetUID()
	if err := w.kube.Delete(ctx, o, client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("removing VMUser %s: %w", key, err)
	}
	return nil
}

func partial(kind schema.GroupVersionKind) *metav1.PartialObjectMetadata {
	o := &metav1.PartialObjectMetadata{}
	o.SetGroupVersionKind(kind)
	return o
}
