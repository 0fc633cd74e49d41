package deployment

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/clusters/adopted"
	"portico.dev/portico/clusters/capi"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/helm"
)

// Whatever the world looks like: it comes to rest, being killed on the way changes nothing
// about where, and Ready is True only if every other condition holds.
func TestAnyWorld(t *testing.T) {
	for seed := range uint64(3000) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := anyStory(rand.New(rand.NewPCG(seed, 1)))
			if _, err := end(s); err != nil {
				t.Fatal(err)
			}
			if a, b := fmt.Sprint(Decide(&s.d, s.saw)), fmt.Sprint(Decide(&s.d, s.saw)); a != b {
				t.Errorf("the same world led to two plans:\n%s\n%s", a, b)
			}
			checkReady(t, Status(&s.d, s.saw, Outcome{Release: s.saw.Release}).Conditions)
		})
	}
}

// A deletion needs nothing but what it deletes: without template, chart, credential and
// documents it comes to the same end.
func TestDeletionNeedsNothing(t *testing.T) {
	for seed := range uint64(1000) {
		s := anyStory(rand.New(rand.NewPCG(seed, 2)))
		s.d.DeletionTimestamp = &metav1.Time{Time: s.saw.Now}
		s.d.Finalizers = []string{kcm.ClusterDeploymentFinalizer}
		bare := story{d: s.d, saw: Observed{
			Now: s.saw.Now, Release: s.saw.Release, Cluster: s.saw.Cluster, Adopted: s.saw.Adopted,
			ServiceSets: s.saw.ServiceSets, InfrastructureBlocked: s.saw.InfrastructureBlocked, Cloud: s.saw.Cloud,
		}}
		if full, without := planLines(Decide(&s.d, s.saw)), planLines(Decide(&bare.d, bare.saw)); fmt.Sprint(full) != fmt.Sprint(without) {
			t.Errorf("seed %d: the plan of a deletion depends on what creating needed:\n%v\n%v", seed, full, without)
		}
		w := &world{d: s.d, saw: s.saw}
		for range 20 {
			w.carryOut(Decide(&w.d, w.saw).Operations)
			w.move()
		}
		if len(w.d.Finalizers) > 0 || w.saw.Cluster != nil || len(w.saw.ServiceSets) > 0 || present(w.saw.Release) {
			t.Errorf("seed %d: something is left:\n%s", seed, w)
		}
	}
}

func checkReady(t *testing.T, conditions []metav1.Condition) {
	t.Helper()
	ready := control.Find(conditions, kcm.ReadyCondition)
	if ready == nil || ready.Status != metav1.ConditionTrue {
		return
	}
	for _, c := range conditions {
		if c.Status != metav1.ConditionTrue || c.Type == kcm.HelmChartNameChangedCondition {
			t.Errorf("Ready is True, though %s is %s: %s", c.Type, c.Status, c.Message)
		}
	}
}

// anyStory draws a world, likely or not.
func anyStory(r *rand.Rand) story {
	coin := func() bool { return r.IntN(2) == 0 }
	often := func() bool { return r.IntN(5) > 0 }
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	s := story{saw: Observed{Now: now, Chart: Chart{Name: "a", Version: "1"}}}
	s.d.Namespace, s.d.Name, s.d.Generation = "team", "dev", 1
	s.d.Spec = kcm.ClusterDeploymentSpec{Template: "a-1", Credential: "c", CleanupOnDeletion: coin()}
	if coin() {
		s.d.Finalizers = []string{kcm.ClusterDeploymentFinalizer}
	}
	if r.IntN(3) == 0 {
		s.d.DeletionTimestamp = &metav1.Time{Time: now.Add(-time.Duration(r.IntN(20)) * time.Minute)}
	}
	if often() {
		s.saw.Template = &Template{Valid: often()}
	}
	if often() {
		s.saw.Credential = &Credential{Ready: often(), Identity: kcm.ObjectReference{Kind: "Secret"}}
		s.saw.Rendering = &Rendering{Digest: pick(r, "d1", "d2"), Clusters: []RenderedCluster{{capiClusterKind, "team", "dev"}}}
	}
	s.saw.Authentication = Document{Text: pick(r, "", "x"), Stored: pick(r, "", "x", "y")}
	s.saw.AuditPolicy = Document{Text: pick(r, "", "x"), Stored: pick(r, "", "x", "y")}
	s.saw.Release = helm.State{
		Status: pick(r, helm.Absent, helm.Deployed, helm.Failed, helm.Pending), Revision: 1 + r.IntN(2),
		Digest: pick(r, "d1", "d2"), Chart: pick(r, "a", "a", "a", "b"), Since: now.Add(-time.Duration(r.IntN(90)) * time.Second),
	}
	if s.saw.Rendering != nil && coin() {
		s.saw.Tries = Tries{Failed: 1 + r.IntN(6), Last: now.Add(-time.Duration(r.IntN(20)) * time.Minute), Problem: "no room"}
	}
	switch r.IntN(4) {
	case 0:
		s.saw.Adopted = &adopted.Cluster{Ready: coin(), Problem: pick(r, "", "no route")}
	case 1, 2:
		s.saw.Cluster = &capi.Cluster{Deleting: coin(), Verdict: capi.Verdict{Status: pick(r, metav1.ConditionTrue, metav1.ConditionFalse, metav1.ConditionUnknown), Reason: "R"}}
		s.saw.InfrastructureBlocked = s.saw.Cluster.Deleting && coin()
	}
	if coin() {
		s.saw.ServiceSets = []ServiceSet{{Name: "dev", Deleting: coin()}, {Name: "other", Deleting: coin()}}
	}
	if coin() {
		s.saw.Cloud = pick(r, Cloud{Looked: true, Left: []string{"Service web/web"}}, Cloud{Problem: "no route"}, Cloud{Problem: "no kubeconfig", Hopeless: true})
	}
	s.d.Spec.DryRun = r.IntN(5) == 0
	return s
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }
