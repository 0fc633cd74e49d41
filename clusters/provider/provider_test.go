package provider_test

import (
	"testing"
	"time"

	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"

	infra "portico.dev/portico/api/local/infrastructure/v1alpha1"
	"portico.dev/portico/clusters/provider"
)

func TestPlan(t *testing.T) {
	plan := provider.Plan{{Do: provider.AddFinalizer}, {Do: provider.Wait, Why: "the end", AtMost: time.Minute}}
	if got := plan[0].String() + "; " + plan[1].String(); got != "add the finalizer; wait: the end (in 1m0s)" {
		t.Errorf("the plan reads %q", got)
	}
	if !plan.Has(provider.Wait) || plan.Has(provider.Stop) || plan.Why(provider.Wait) != "the end" || plan.Why(provider.Stop) != "" {
		t.Errorf("of %v a wait is planned, for its reason, and no stop", plan)
	}
}

func TestPaused(t *testing.T) {
	yes, no := true, false
	annotated := &infra.LocalCluster{}
	annotated.Annotations = map[string]string{clusterv1.PausedAnnotation: ""}
	cluster := func(paused *bool) *clusterv1.Cluster {
		return &clusterv1.Cluster{Spec: clusterv1.ClusterSpec{Paused: paused}}
	}
	for _, tc := range []struct {
		why     string
		obj     *infra.LocalCluster
		cluster *clusterv1.Cluster
		want    bool
	}{
		{"Nobody says so.", &infra.LocalCluster{}, nil, false},
		{"The annotation is enough, whatever its value.", annotated, cluster(&no), true},
		{"The Cluster speaks for all that belongs to it.", &infra.LocalCluster{}, cluster(&yes), true},
		{"A Cluster that says nothing goes on.", &infra.LocalCluster{}, cluster(nil), false},
	} {
		if got := provider.Paused(tc.obj, tc.cluster); got != tc.want {
			t.Errorf("%s\nPaused = %t", tc.why, got)
		}
	}
}

func TestNamed(t *testing.T) {
	from := &clusterv1.Cluster{}
	from.Namespace = "team"
	ref := clusterv1.ContractVersionedObjectReference{APIGroup: infra.GroupVersion.Group, Kind: "LocalCluster", Name: "demo"}
	if key, ok := provider.Named(from, ref, provider.LocalClusterKind); !ok || key.String() != "team/demo" {
		t.Errorf("Named = %s, %t", key, ok)
	}
	ref.APIGroup = "example.org"
	if requests := provider.RequestFor(from, ref, provider.LocalClusterKind); requests != nil {
		t.Errorf("somebody else's kind of that name leads to %v", requests)
	}
}
