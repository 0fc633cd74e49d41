package revision_test

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/state/revision"
)

var shared = kubetest.Shared{}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

func spec(values string) kcm.ServiceSpec {
	return kcm.ServiceSpec{Services: []kcm.Service{{Name: "web", Template: "web-1", Values: values}}}
}

// story is an owner in a namespace of its own. A ConfigMap stands for it: a reference asks for no
// more than that it exists.
type story struct {
	*testing.T
	kube  client.WithWatch
	store *revision.Store
	of    revision.Subject
}

func newStory(t *testing.T) *story {
	t.Helper()
	api := shared.Cluster(t)
	kube, err := client.NewWithWatch(api.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: api.Namespace(t), Name: "dev"}}
	if err := kube.Create(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	return &story{T: t, kube: kube, store: revision.NewStore(kube), of: revision.Subject{
		Owner:     revision.Owner{Kind: statev1.SubjectClusterDeployment, Namespace: owner.Namespace, Name: owner.Name},
		Reference: control.ControlledBy(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap")),
	}}
}

func (s *story) record(values string) string {
	s.Helper()
	s.of.Spec = spec(values)
	name, recorded, err := s.store.Record(s.Context(), s.of)
	if err != nil {
		s.Fatal(err)
	}
	if got := recorded[name].Services[0].Values; got != values {
		s.Errorf("revision %s holds %q; want %q", name, got, values)
	}
	if pure, err := revision.Name(s.of.Owner, s.of.Spec); err != nil || pure != name {
		s.Errorf("Name = %s, %v; and it is recorded as %s", pure, err, name)
	}
	return name
}

// listed are the values that are recorded, the newest first, with their numbers.
func (s *story) listed() string {
	s.Helper()
	list, err := s.store.List(s.Context(), s.of.Owner)
	if err != nil {
		s.Fatal(err)
	}
	var out []string
	for _, r := range list {
		holds, err := revision.SpecOf(&r)
		if err != nil {
			s.Fatal(err)
		}
		out = append(out, fmt.Sprintf("%d:%s", r.Revision, holds.Services[0].Values))
	}
	return strings.Join(out, " ")
}

func TestRecord(t *testing.T) {
	s := newStory(t)
	a := s.record("a")
	s.record("b")
	before := s.listed()
	s.record("b")
	if before != "2:b 1:a" || s.listed() != before {
		t.Errorf("recorded are %q, and %q after the same again; want 2:b 1:a", before, s.listed())
	}
	if again := s.record("a"); again != a || s.listed() != "3:a 2:b" {
		t.Errorf("going back made %s of %s: %q; want 3:a 2:b", again, a, s.listed())
	}
	other := s.of
	other.Name = "other"
	if _, _, err := s.store.Record(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if got := s.listed(); got != "3:a 2:b" {
		t.Errorf("another owner's revision is among them: %q", got)
	}
}

func TestPrune(t *testing.T) {
	s := newStory(t)
	first := s.record("0")
	for i := range 13 {
		s.record(fmt.Sprint(i + 1))
	}
	s.store.Prune(t.Context(), s.of.Owner, []string{first})
	if got := s.listed(); got != "14:13 13:12 12:11 11:10 10:9 9:8 8:7 7:6 6:5 5:4 1:0" {
		t.Errorf("kept are %q; want the ten newest and the one in use", got)
	}
}

// Nobody waits for old revisions to go.
func TestPruneFails(t *testing.T) {
	s := newStory(t)
	for i := range 12 {
		s.record(fmt.Sprint(i))
	}
	failing := interceptor.NewClient(s.kube, interceptor.Funcs{
		Delete: func(context.Context, client.WithWatch, client.Object, ...client.DeleteOption) error {
			return errors.New("no")
		},
	})
	revision.NewStore(failing).Prune(t.Context(), s.of.Owner, nil)
	if got := strings.Count(s.listed(), ":"); got != 12 {
		t.Errorf("%d revisions are left; want all 12", got)
	}
}

func TestNames(t *testing.T) {
	name := func(kind statev1.SubjectKind, namespace, owner, values string) string {
		n, err := revision.Name(revision.Owner{Kind: kind, Namespace: namespace, Name: owner}, spec(values))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	long := strings.Repeat("x", 253)
	names := []string{
		name(statev1.SubjectMultiClusterService, "kcm-system", "web", "a"), name(statev1.SubjectMultiClusterService, "kcm-system", "web", "b"),
		name(statev1.SubjectNamespaced, "kcm-system", "web", "a"), name(statev1.SubjectClusterDeployment, "kcm-system", "web", "a"),
		name(statev1.SubjectClusterDeployment, "kcm-system", long, "a"), name(statev1.SubjectClusterDeployment, "kcm-system", long[1:]+"y", "a"),
	}
	for i, n := range names {
		if len(n) > 253 || slices.Index(names, n) != i {
			t.Errorf("%s is too long, or the name of two", n)
		}
	}
	for _, v := range revision.Labels(revision.Owner{Kind: statev1.SubjectNamespaced, Name: long}) {
		if len(v) > 63 {
			t.Errorf("label value %s is too long", v)
		}
	}
	if got, err := revision.SpecOf(&appsv1.ControllerRevision{}); err == nil {
		t.Errorf("a revision without data is read as %v", got)
	}
}
