package reader_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	statev1 "portico.dev/portico/api/state/v1alpha1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/server/explain"
	"portico.dev/portico/server/explain/reader"
)

// TestServices reads, on a real API server, what bears on the services of a cluster, and nothing
// of other clusters but what may stand in the way.
func TestServices(t *testing.T) {
	cluster := kubetest.Start(t, "deploy/crds")
	ns := cluster.Namespace(t)
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{kcm.AddToScheme, statev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	kube, err := client.New(cluster.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range fleetOf(ns) {
		if err := kube.Create(t.Context(), o); err != nil {
			t.Fatalf("creating %T %s: %v", o, o.GetName(), err)
		}
	}
	unreachable := func(context.Context, types.NamespacedName) (client.Reader, error) { return nil, fleet.ErrNotYet }
	r := reader.New(kube, unreachable, func() time.Time { return time.Unix(0, 0) })
	tests := []struct {
		reason string
		of     explain.Ref
		want   []string
	}{
		{"A cluster has services of its own and of others, and waits for waves.", explain.Ref{Kind: kcm.ClusterDeploymentKind, Namespace: ns, Name: "dev"},
			[]string{"ClusterDeployment dev", "MultiClusterService base", "NamespacedMultiClusterService web", "Rollout waves", "ServiceSet dev-base", "ServiceSet prod", "ServiceTemplate web-1", "StateManagementProvider mine"}},
		{"A ServiceSet has an owner, a provider, and rivals.", explain.Ref{Kind: kcm.ServiceSetKind, Namespace: ns, Name: "dev-base"},
			[]string{"ClusterDeployment dev", "MultiClusterService base", "Rollout waves", "ServiceSet dev-base", "ServiceSet prod", "ServiceTemplate web-1", "StateManagementProvider mine"}},
		{"A team's services, with their rollout.", explain.Ref{Kind: statev1.NamespacedMultiClusterServiceKind, Namespace: ns, Name: "web"},
			[]string{"NamespacedMultiClusterService web", "Rollout waves", "ServiceSet dev-base", "ServiceSet prod"}},
		{"A rollout has a subject.", explain.Ref{Kind: statev1.RolloutKind, Namespace: ns, Name: "waves"},
			[]string{"NamespacedMultiClusterService web", "Rollout waves", "ServiceSet dev-base", "ServiceSet prod", "ServiceTemplate web-1", "StateManagementProvider mine"}},
		{"A provider consists of programs, and this one's are not there.", explain.Ref{Kind: kcm.StateManagementProviderKind, Name: "mine"}, []string{"StateManagementProvider mine"}},
	}
	for _, tc := range tests {
		saw, err := r.Read(t.Context(), tc.of)
		if err != nil {
			t.Fatalf("Read(%s): %v", tc.of, err)
		}
		if diff := cmp.Diff(tc.want, names(saw)); diff != "" {
			t.Errorf("%s\nRead(%s) (-want +got)\n%s", tc.reason, tc.of, diff)
		}
		if saw.Tree(tc.of) == nil {
			t.Errorf("%s has no tree", tc.of)
		}
	}
}

// fleetOf are two clusters, of which one has services of everybody.
func fleetOf(ns string) []client.Object {
	dev := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Name: "dev", Namespace: ns}}
	dev.Spec.Template, dev.Spec.Credential = "local-1", "local"
	base := &kcm.MultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: "base"}}
	web := &statev1.NamespacedMultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: ns}}
	waves := &statev1.Rollout{ObjectMeta: metav1.ObjectMeta{Name: "waves", Namespace: ns}}
	waves.Spec.Subject = statev1.RolloutSubject{Kind: statev1.SubjectNamespaced, Name: "web"}
	waves.Spec.Waves = []statev1.Wave{{Name: "all"}}
	set := func(name, cluster, template string) *kcm.ServiceSet {
		s := &kcm.ServiceSet{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: ns}}
		s.Spec.Cluster, s.Spec.Provider.Name = cluster, "mine"
		s.Spec.Services = []kcm.ServiceWithValues{{Name: "web", Namespace: "default", Template: template}}
		return s
	}
	owned := set("dev-base", "dev", "web-1")
	owned.Spec.MultiClusterService = "base"
	provider := &kcm.StateManagementProvider{ObjectMeta: metav1.ObjectMeta{Name: "mine"}}
	provider.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	provider.Spec.Adapter = kcm.ResourceReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "a", Namespace: ns}
	provider.Spec.Provisioner, provider.Spec.ProvisionerCRDs = []kcm.ResourceReference{}, []kcm.ProvisionerCRD{}
	template := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Name: "web-1", Namespace: ns}}
	template.Spec.Helm = &kcm.HelmSpec{ChartSpec: &kcm.HelmChartSpec{Chart: "web", SourceRef: kcm.LocalHelmChartSourceReference{Kind: "HelmRepository", Name: "x"}, Interval: metav1.Duration{Duration: time.Minute}}}
	return []client.Object{dev, base, web, waves, owned, set("prod", "prod", "web-2"), provider, template}
}

func names(saw explain.Snapshot) []string {
	var out []string
	for _, o := range saw.Objects {
		out = append(out, o.GetKind()+" "+o.GetName())
	}
	slices.Sort(out)
	return out
}
