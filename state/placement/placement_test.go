package placement_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/state/placement"
)

func wish(t *testing.T, o placement.Owner, spec kcm.MultiClusterServiceSpec) placement.Wish {
	t.Helper()
	w, err := placement.NewWish(o, spec)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func platform(name string) placement.Owner {
	return placement.Owner{Kind: statev1.SubjectMultiClusterService, Name: name}
}

func selecting(labels map[string]string) kcm.MultiClusterServiceSpec {
	return kcm.MultiClusterServiceSpec{ClusterSelector: metav1.LabelSelector{MatchLabels: labels}}
}

func TestTargets(t *testing.T) {
	now := metav1.Now()
	cluster := func(ns, name, stage string, edit func(*kcm.ClusterDeployment)) placement.Target {
		cd := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, Labels: map[string]string{"stage": stage}}}
		edit(cd)
		return placement.TargetOf(cd)
	}
	asIs := func(*kcm.ClusterDeployment) {}
	clusters := []placement.Target{
		cluster("b", "x", "prod", asIs), cluster("a", "y", "prod", asIs), cluster("a", "x", "dev", asIs),
		cluster("a", "going", "prod", func(cd *kcm.ClusterDeployment) { cd.DeletionTimestamp = &now }),
		cluster("a", "dry", "prod", func(cd *kcm.ClusterDeployment) { cd.Spec.DryRun = true }),
	}
	prod := selecting(map[string]string{"stage": "prod"})
	self := kcm.MultiClusterServiceSpec{ServiceSpec: kcm.ServiceSpec{Provider: kcm.StateManagementProviderConfig{SelfManagement: true}}}
	tests := []struct {
		name, why string
		owner     placement.Owner
		spec      kcm.MultiClusterServiceSpec
		want      string
	}{
		{"Empty", "An empty selector selects nothing: a typing error must not reach the whole fleet.", platform("m"), kcm.MultiClusterServiceSpec{}, ""},
		{"Prod", "Clusters that go, or are only tried out, get nothing new.", platform("m"), prod, "a/y b/x"},
		{"Expression", "Expressions alone are a selector too.", platform("m"), kcm.MultiClusterServiceSpec{ClusterSelector: metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "stage", Operator: metav1.LabelSelectorOpExists}}}}, "a/x a/y b/x"},
		{"Self", "The management cluster alone, although nothing is selected.", platform("m"), self, "management"},
		{"Namespaced", "A team's services stay at home.", placement.Owner{Kind: statev1.SubjectNamespaced, Namespace: "b", Name: "m"}, prod, "b/x"},
		{"NamespacedSelf", "And never reach the management cluster.", placement.Owner{Kind: statev1.SubjectNamespaced, Namespace: "b", Name: "m"}, self, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			var got []string
			for _, target := range placement.Targets(wish(t, tc.owner, tc.spec), clusters) {
				got = append(got, target.String())
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("%s\nTargets = %q; want %q", tc.why, s, tc.want)
			}
		})
	}
	bad := selecting(map[string]string{"not a label": "x"})
	if w, err := placement.NewWish(platform("m"), bad); err == nil || len(placement.Targets(w, clusters)) > 0 {
		t.Errorf("a selector that cannot be read: error %v; it has to be one, and selects nothing", err)
	}
}

// A cluster that carries the name of another one is not chosen in its place.
func TestTargetOfLies(t *testing.T) {
	const name, place = "k0rdent.mirantis.com/kof-cluster-name", "observability.portico.dev/cluster-namespace"
	region := selecting(map[string]string{name: "eu", place: "infra"})
	at := func(namespace, of string) placement.Target {
		return placement.TargetOf(&kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: of, Labels: map[string]string{name: "eu", place: "infra"}}})
	}
	got := placement.Targets(wish(t, platform("m"), region), []placement.Target{at("evil", "mine"), at("evil", "eu"), at("infra", "mine"), at("infra", "eu")})
	if len(got) != 1 || got[0].String() != "infra/eu" {
		t.Errorf("Targets = %v; want the region alone", got)
	}
}

func TestSetKey(t *testing.T) {
	at := placement.Target{Cluster: types.NamespacedName{Namespace: "team", Name: "dev"}}
	namespaced := placement.Owner{Kind: statev1.SubjectNamespaced, Namespace: "team", Name: "ingress"}
	tests := []struct {
		why   string
		owner placement.Owner
		at    placement.Target
		want  string
	}{
		// The digest is that of `printf ingress | sha256sum`.
		{"k0rdent's name: <cluster>-<8 hex digits of the owner's name>", platform("ingress"), at, "team/dev-487a0a9a"},
		{"The management cluster's is in the system namespace.", platform("ingress"), placement.Management(), "kcm-system/management-487a0a9a"},
		{"A namespaced one has another shape, which no platform's set has: n and 16 hex digits.", namespaced, at, "team/dev-nc96d014553ba0414"},
	}
	for _, tc := range tests {
		if got := placement.SetKey(tc.owner, tc.at, "kcm-system").String(); got != tc.want {
			t.Errorf("%s\nSetKey = %s; want %s", tc.why, got, tc.want)
		}
	}
}

func TestBehind(t *testing.T) {
	at := placement.Target{Cluster: types.NamespacedName{Namespace: "team", Name: "dev"}, Labels: map[string]string{"stage": "prod"}}
	uninstall := kcm.HelmUninstall
	spec := selecting(map[string]string{"stage": "prod"})
	spec.ServiceSpec.Services = []kcm.Service{{Name: "db", Template: "db-1"}, {Name: "off", Template: "off-1", Disable: true}, {Name: "old", Template: "old-1", HelmAction: &uninstall}}
	entry := kcm.ServiceWithValues{Name: "db", Namespace: "default", Template: "db-1", Version: "1.0.0"}
	state := kcm.ServiceState{Name: "db", Namespace: "default", Template: "db-1", Version: "1.0.0", State: kcm.ServiceDeployed}
	set := func(edit func(*kcm.ServiceSet)) *kcm.ServiceSet {
		s := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{statev1.RevisionAnnotation: "r2"}}}
		s.Spec.Services, s.Status.Services = []kcm.ServiceWithValues{entry}, []kcm.ServiceState{state}
		edit(s)
		return s
	}
	now := metav1.Now()
	tests := []struct {
		name, why string
		set       *kcm.ServiceSet
		want      string
	}{
		{"Deployed", "What is disabled, or shall not be there, is not waited for.", set(func(*kcm.ServiceSet) {}), ""},
		{"Missing", "It goes there and is not there.", nil, "it is not there yet"},
		{"Going", "What goes is not deployed.", set(func(s *kcm.ServiceSet) { s.DeletionTimestamp = &now }), "it is being removed"},
		{"OldRevision", "It is deployed, but not in what is wanted of it there.", set(func(s *kcm.ServiceSet) { s.Annotations[statev1.RevisionAnnotation] = "r1" }), "its last change has not been made yet"},
		{"OldVersion", "The adapter has not got to it.", set(func(s *kcm.ServiceSet) { s.Status.Services[0].Version = "0.9.0" }), "Service default/db is still deployed in version 0.9.0 of template db-1"},
		{"Failed", "In one sentence.", set(func(s *kcm.ServiceSet) {
			s.Status.Services[0].State, s.Status.Services[0].FailureMessage = kcm.ServiceFailed, "no disk"
		}), "Service default/db failed: no disk"},
		{"Stale", "What is said of an older wish says nothing of this one.", set(func(s *kcm.ServiceSet) {
			s.Generation = 2
			s.Status.Conditions = []metav1.Condition{{Type: kcm.ServicesInReadyStateCondition, ObservedGeneration: 1}}
		}), "Service default/db is about to be deployed"},
		{"Held", "A service that is held back is missing in the set.", set(func(s *kcm.ServiceSet) {
			s.Annotations[statev1.NotesAnnotation] = `{"held":[{"namespace":"default","name":"web","reason":"Dependency","message":"waits for db."}]}`
		}), "Service default/web: waits for db"},
		{"HeldByWave", "Of the revision that it has, nothing is missing.", set(func(s *kcm.ServiceSet) {
			s.Annotations[statev1.NotesAnnotation] = `{"held":[{"namespace":"default","name":"db","reason":"Wave","message":"later"}]}`
		}), ""},
		{"Leftover", "A service that is on its way out is still there.", set(func(s *kcm.ServiceSet) {
			s.Status.Services = append(s.Status.Services, kcm.ServiceState{Name: "x", Namespace: "default", State: kcm.ServiceDeleting})
		}), "Service default/x is still being removed"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := placement.Dependency{Wish: wish(t, platform("db"), spec), Set: tc.set, Revision: "r2"}
			if got := placement.Behind(d, at); got != tc.want {
				t.Errorf("%s\nBehind = %q; want %q", tc.why, got, tc.want)
			}
			at := at
			if at.Labels = nil; placement.Behind(d, at) != "" {
				t.Error("a dependency that does not go to the cluster holds it back")
			}
		})
	}
}

func TestBefore(t *testing.T) {
	at := placement.Target{Cluster: types.NamespacedName{Namespace: "team", Name: "dev"}, Labels: map[string]string{"stage": "prod"}}
	there, elsewhere := selecting(map[string]string{"stage": "prod"}), selecting(map[string]string{"stage": "dev"})
	kept := elsewhere
	kept.KeepServicesOnSelectorMismatch = true
	dependent := func(name string, spec kcm.MultiClusterServiceSpec, edit func(*placement.Dependent)) placement.Dependent {
		d := placement.Dependent{Wish: wish(t, platform(name), spec), Present: true}
		edit(&d)
		return d
	}
	asIs := func(*placement.Dependent) {}
	got := placement.Before([]placement.Dependent{
		dependent("stays", there, asIs), dependent("unselected", elsewhere, asIs), dependent("kept", kept, asIs),
		dependent("deleted", there, func(d *placement.Dependent) { d.Deleting = true }),
		dependent("gone", there, func(d *placement.Dependent) { d.Deleting, d.Present = true, false }),
	}, at)
	if diff := cmp.Diff([]string{"deleted", "unselected"}, placement.NamesOf(got)); diff != "" {
		t.Errorf("those that go, and are not gone, go first (-want +got):\n%s", diff)
	}
}

func TestCircle(t *testing.T) {
	g := placement.Graph{"a": {"b"}, "b": {"c", "d"}, "c": {"b"}, "d": nil, "e": {"e"}, "f": {"missing"}}
	tests := []struct{ from, want, why string }{
		{"a", "b -> c -> b", "A circle that is reached from it keeps it from being deployed too."},
		{"d", "", "It depends on nothing."},
		{"e", "e -> e", "On itself."},
		{"f", "", "What does not exist is no circle."},
	}
	for _, tc := range tests {
		if got := placement.Arrows(g.Circle(tc.from)); got != tc.want {
			t.Errorf("%s\nCircle(%s) = %q; want %q", tc.why, tc.from, got, tc.want)
		}
	}
	if !g.Needs("a", "d") || g.Needs("d", "a") || !g.Needs("e", "e") || g.Needs("a", "a") {
		t.Error("Needs does not follow dependencies of dependencies, or the wrong way")
	}
}

// Whatever owners depend on and whichever are deleted, in whatever order their sets go: nothing
// goes before what depends on it, and all go in the end. In circles nobody waits.
func TestAnyDeletion(t *testing.T) {
	at := placement.Target{Cluster: types.NamespacedName{Namespace: "team", Name: "dev"}, Labels: map[string]string{"stage": "prod"}}
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 4))
		n := 1 + r.IntN(7)
		g, present := placement.Graph{}, map[string]bool{}
		wishes := map[string]placement.Wish{}
		for i := range n {
			name := fmt.Sprint(i)
			spec := selecting(map[string]string{"stage": "prod"})
			for j := range n {
				if j < i && r.IntN(3) == 0 || r.IntN(20) == 0 {
					spec.DependsOn = append(spec.DependsOn, fmt.Sprint(j))
				}
			}
			w := wish(t, platform(name), spec)
			w.Deleting = true
			g[name], present[name], wishes[name] = spec.DependsOn, true, w
		}
		for len(present) > 0 {
			var may []string
			for name := range present {
				var dependents []placement.Dependent
				for other, w := range wishes {
					if slices.Contains(g[other], name) && !g.Needs(name, other) {
						dependents = append(dependents, placement.Dependent{Wish: w, Present: present[other]})
					}
				}
				if len(placement.Before(dependents, at)) == 0 {
					may = append(may, name)
				}
			}
			if len(may) == 0 {
				t.Fatalf("seed %d: nobody may go of %v, with dependencies %v", seed, present, g)
			}
			gone := may[r.IntN(len(may))]
			for other := range present {
				if slices.Contains(g[other], gone) && !g.Needs(gone, other) {
					t.Fatalf("seed %d: %s goes before %s, which depends on it", seed, gone, other)
				}
			}
			delete(present, gone)
		}
	}
}
