package shadow_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/shadow"
)

func clock() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kcm.AddToScheme, corev1.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func set(name string) *kcm.ServiceSet {
	return &kcm.ServiceSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, Labels: map[string]string{"app": name}},
		Spec:       kcm.ServiceSetSpec{Cluster: "c", Services: []kcm.ServiceWithValues{{Name: "web", Namespace: "web", Template: "web-1"}}},
	}
}

// What controllers do to objects has the same end here and on the client that controller-runtime
// keeps for tests.
func TestAsTheOracle(t *testing.T) {
	ctx := context.Background()
	story := func(t *testing.T, kube client.Client) (out []kcm.ServiceSet) {
		t.Helper()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		look := func() {
			var all kcm.ServiceSetList
			must(kube.List(ctx, &all, client.InNamespace("n")))
			for _, s := range all.Items {
				s.ResourceVersion, s.UID, s.Generation, s.CreationTimestamp, s.TypeMeta = "", "", 0, metav1.Time{}, metav1.TypeMeta{}
				if s.DeletionTimestamp != nil {
					s.DeletionTimestamp = &metav1.Time{}
				}
				out = append(out, s)
			}
		}
		a, b := set("a"), set("b")
		must(kube.Create(ctx, a))
		must(kube.Create(ctx, b))
		look()
		if err := kube.Create(ctx, set("a")); !apierrors.IsAlreadyExists(err) {
			t.Errorf("creating it twice: %v", err)
		}
		was := a.DeepCopy()
		a.Spec.Services[0].Template = "web-2"
		must(control.Patch(ctx, kube, was, a))
		was = a.DeepCopy()
		a.Status.Deployed, a.Status.Services = true, []kcm.ServiceState{{Name: "web", State: kcm.ServiceDeployed}}
		must(control.PatchStatus(ctx, kube, was, a))
		look()
		must(control.EnsureFinalizer(ctx, kube, b, "x/y"))
		stale := was.DeepCopy()
		stale.Spec.Cluster = "other"
		if err := kube.Update(ctx, stale); !apierrors.IsConflict(err) {
			t.Errorf("writing over what was not seen: %v", err)
		}
		must(kube.Delete(ctx, b))
		look()
		must(kube.Get(ctx, client.ObjectKeyFromObject(b), b))
		must(control.ReleaseFinalizer(ctx, kube, b, "x/y"))
		if err := kube.Get(ctx, client.ObjectKeyFromObject(b), b); !apierrors.IsNotFound(err) {
			t.Errorf("after the last finalizer: %v", err)
		}
		look()
		var some kcm.ServiceSetList
		must(kube.List(ctx, &some, client.MatchingLabels{"app": "b"}))
		if len(some.Items) != 0 {
			t.Errorf("listing by label finds %d", len(some.Items))
		}
		return out
	}
	sc := scheme(t)
	copied, err := shadow.New(shadow.Config{Scheme: sc, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	oracle := fake.NewClientBuilder().WithScheme(sc).WithStatusSubresource(&kcm.ServiceSet{}).Build()
	if diff := cmp.Diff(story(t, oracle), story(t, copied)); diff != "" {
		t.Errorf("the copy differs (-oracle +copy):\n%s", diff)
	}
}

// The server is read once for each kind, and never written.
func TestBase(t *testing.T) {
	ctx := context.Background()
	sc := scheme(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "s"}}
	base := fake.NewClientBuilder().WithScheme(sc).WithObjects(set("a"), secret).Build()
	c, err := shadow.New(shadow.Config{Base: base, Scheme: sc, Through: []client.Object{&corev1.Secret{}}, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	var got kcm.ServiceSet
	if err := c.Get(ctx, client.ObjectKey{Namespace: "n", Name: "a"}, &got); err != nil {
		t.Fatal(err)
	}
	got.Spec.Cluster = "other"
	if err := c.Update(ctx, &got); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(ctx, secret); err == nil {
		t.Error("a kind that is not held was deleted")
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(secret), secret); err != nil {
		t.Errorf("reading a kind that is not held: %v", err)
	}
	var there kcm.ServiceSet
	if err := base.Get(ctx, client.ObjectKeyFromObject(&got), &there); err != nil || there.Spec.Cluster != "c" {
		t.Errorf("the server has cluster %q (%v), want what it had", there.Spec.Cluster, err)
	}
	journal := c.Journal()
	if len(journal) != 1 || journal[0].Verb != shadow.Changed || len(c.Journal()) != 0 {
		t.Errorf("the journal is %+v", journal)
	}
}

// What an object owns goes with it, and generations follow the spec alone.
func TestOwnedAndGenerations(t *testing.T) {
	ctx := context.Background()
	c, err := shadow.New(shadow.Config{Scheme: scheme(t), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	owner := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "c"}}
	if err := c.Create(ctx, owner); err != nil {
		t.Fatal(err)
	}
	owned := set("a")
	owned.OwnerReferences = []metav1.OwnerReference{control.ControlledBy(owner, kcm.GroupVersion.WithKind("ClusterDeployment"))}
	owned.Status.Deployed = true
	if err := c.Create(ctx, owned); err != nil || owned.Status.Deployed {
		t.Fatalf("a new object has the status %+v (%v); a server takes none", owned.Status, err)
	}
	for _, step := range []struct {
		change func(*kcm.ServiceSet)
		want   int64
	}{
		{func(s *kcm.ServiceSet) { s.Labels["x"] = "y" }, 1},
		{func(s *kcm.ServiceSet) { s.Spec.Cluster = "d" }, 2},
	} {
		was := owned.DeepCopy()
		step.change(owned)
		if err := control.Patch(ctx, c, was, owned); err != nil {
			t.Fatal(err)
		}
		if owned.Generation != step.want {
			t.Errorf("generation %d, want %d", owned.Generation, step.want)
		}
	}
	var found kcm.ServiceSetList
	if err := c.List(ctx, &found, client.MatchingFields{"cluster": "d"}); err == nil {
		t.Error("listing by a field that nobody told of works")
	}
	of := func(o client.Object) []string { return []string{o.(*kcm.ServiceSet).Spec.Cluster} }
	if err := c.IndexField(ctx, &kcm.ServiceSet{}, "cluster", of); err != nil {
		t.Fatal(err)
	}
	if err := c.List(ctx, &found, client.MatchingFields{"cluster": "d"}); err != nil || len(found.Items) != 1 {
		t.Errorf("listing by a field finds %d objects (%v), want 1", len(found.Items), err)
	}
	if err := c.Delete(ctx, owner); err != nil {
		t.Fatal(err)
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(owned), owned); !apierrors.IsNotFound(err) {
		t.Errorf("the owner is gone, and of what it owned Get says %v", err)
	}
}

// Who asks for metadata alone gets it of the copy.
func TestMetadata(t *testing.T) {
	base := fake.NewClientBuilder().WithScheme(scheme(t)).WithObjects(set("a"), set("b")).Build()
	kube, err := shadow.New(shadow.Config{Base: base, Scheme: scheme(t), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	kind := kcm.GroupVersion.WithKind(kcm.ServiceSetKind)
	head := &metav1.PartialObjectMetadata{}
	head.SetGroupVersionKind(kind)
	if err := kube.Get(t.Context(), client.ObjectKey{Namespace: "n", Name: "a"}, head); err != nil || head.Labels["app"] != "a" || head.GroupVersionKind() != kind {
		t.Errorf("got %+v, %v", head, err)
	}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(kcm.GroupVersion.WithKind(kcm.ServiceSetKind + "List"))
	if err := kube.List(t.Context(), list, client.MatchingLabels{"app": "b"}); err != nil || len(list.Items) != 1 || list.Items[0].Name != "b" {
		t.Errorf("got %+v, %v", list.Items, err)
	}
}

// Whoever may not list a kind everywhere sees what there is of it in the namespaces that are his,
// and is told what he does not see.
func TestForbidden(t *testing.T) {
	ctx := context.Background()
	sc := scheme(t)
	may := map[string]bool{"n": true}
	elsewhere := set("b")
	elsewhere.Namespace = "other"
	base := interceptor.NewClient(fake.NewClientBuilder().WithScheme(sc).WithObjects(set("a"), elsewhere).Build(), interceptor.Funcs{
		List: func(ctx context.Context, kube client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			asked := (&client.ListOptions{}).ApplyOptions(opts)
			if _, sets := list.(*kcm.ServiceSetList); !sets || !may[asked.Namespace] {
				return apierrors.NewForbidden(schema.GroupResource{Resource: "things"}, "", errors.New("not yours"))
			}
			return kube.List(ctx, list, opts...)
		},
	})
	c, err := shadow.New(shadow.Config{Base: base, Scheme: sc, Clock: clock, Namespaces: []string{"n", "other"}})
	if err != nil {
		t.Fatal(err)
	}
	var sets kcm.ServiceSetList
	if err := c.List(ctx, &sets); err != nil || len(sets.Items) != 1 || sets.Items[0].Name != "a" {
		t.Errorf("got %d sets (%v), want the one in the namespace that may be listed", len(sets.Items), err)
	}
	var clusters kcm.ClusterDeploymentList
	if err := c.List(ctx, &clusters); err != nil || len(clusters.Items) != 0 {
		t.Errorf("got %d clusters (%v), want none", len(clusters.Items), err)
	}
	want := []string{"you may not list every ServiceSet: those in n are seen", "you may not list every ClusterDeployment: none is seen"}
	if diff := cmp.Diff(want, c.Unseen()); diff != "" {
		t.Errorf("what is not seen (-want +got):\n%s", diff)
	}
}
