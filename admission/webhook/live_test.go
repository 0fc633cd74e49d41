package webhook_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/admission/webhook"
	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/alert"
)

// lagging is a cache that stands still: it knows what it was told last.
type lagging struct {
	client.Reader
	services  kcm.MultiClusterServiceList
	clusters  kcm.ClusterDeploymentList
	templates map[client.ObjectKey]kcm.ClusterTemplate
}

func (l *lagging) catchUp(t *testing.T) {
	t.Helper()
	l.services, l.clusters, l.templates = kcm.MultiClusterServiceList{}, kcm.ClusterDeploymentList{}, map[client.ObjectKey]kcm.ClusterTemplate{}
	must(t, "reading MultiClusterServices", l.Reader.List(t.Context(), &l.services))
	must(t, "reading ClusterDeployments", l.Reader.List(t.Context(), &l.clusters))
	var templates kcm.ClusterTemplateList
	must(t, "reading ClusterTemplates", l.Reader.List(t.Context(), &templates))
	for _, c := range templates.Items {
		l.templates[client.ObjectKeyFromObject(&c)] = c
	}
}

func (l *lagging) List(ctx context.Context, into client.ObjectList, o ...client.ListOption) error {
	switch into := into.(type) {
	case *kcm.MultiClusterServiceList:
		l.services.DeepCopyInto(into)
	case *kcm.ClusterDeploymentList:
		l.clusters.DeepCopyInto(into)
	default:
		return l.Reader.List(ctx, into, o...)
	}
	return nil
}

func (l *lagging) Get(ctx context.Context, key client.ObjectKey, into client.Object, o ...client.GetOption) error {
	if t, ok := into.(*kcm.ClusterTemplate); ok {
		was, known := l.templates[key]
		if !known {
			return apierrors.NewNotFound(kcm.GroupVersion.WithResource("clustertemplates").GroupResource(), key.Name)
		}
		was.DeepCopyInto(t)
		return nil
	}
	return l.Reader.Get(ctx, key, into, o...)
}

func wide(name string, on ...string) *kcm.MultiClusterService {
	m := &kcm.MultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: name, Finalizers: []string{"test.portico.dev/kept"}}}
	m.Spec.DependsOn = on
	m.Spec.ServiceSpec.Services = []kcm.Service{{Name: "web", Template: "web-1"}}
	return m
}

// TestServerBesideALaggingCache writes faster than the cache of the handlers follows.
func TestServerBesideALaggingCache(t *testing.T) {
	cluster := kubetest.Start(t, "deploy/crds")
	ns := cluster.Namespace(t)
	cache := &lagging{}
	kube := serveWith(t, cluster, func(o *webhook.Options) {
		cache.Reader, o.Live = o.Reader, o.Reader
		o.Reader = cache
	})
	ctx := t.Context()
	cache.catchUp(t)

	must(t, "nothing is wrong", kube.Create(ctx, wide("base")))
	must(t, "nothing is wrong", kube.Create(ctx, wide("settings", "base")))
	if err := kube.Delete(ctx, wide("base")); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "in use by MultiClusterService settings") {
		t.Errorf("settings depends on it, which the cache has not seen, but: %v", err)
	}
	circle := wide("base", "settings")
	must(t, "reading", kube.Get(ctx, client.ObjectKeyFromObject(circle), circle))
	circle.Spec.DependsOn = []string{"settings"}
	refuses(t, "each would wait for the other, which the cache has not seen", "base -> settings -> base", kube.Update(ctx, circle))

	cache.catchUp(t)
	must(t, "nobody waits for it", kube.Delete(ctx, wide("settings")))
	must(t, "settings is on its way out, which the cache has not seen", kube.Delete(ctx, wide("base")))
	for _, name := range []string{"settings", "base"} {
		m := wide(name)
		must(t, "they wait for their finalizer", kube.Get(ctx, client.ObjectKeyFromObject(m), m))
		m.Finalizers = nil
		must(t, "a finalizer can be taken away", kube.Update(ctx, m))
	}
	clusterBesideALaggingCache(t, kube, cache, ns)
}

// clusterBesideALaggingCache has a template put right, and freed, a moment before it counts.
func clusterBesideALaggingCache(t *testing.T, kube client.Client, cache *lagging, ns string) {
	t.Helper()
	ctx := t.Context()
	template := &kcm.ClusterTemplate{ObjectMeta: metav1.ObjectMeta{Name: "local-1", Namespace: ns}}
	template.Spec.Helm.ChartSpec = &kcm.HelmChartSpec{Chart: "local"}
	must(t, "a template", kube.Create(ctx, template))
	template.Status.ObservedGeneration, template.Status.ValidationError = template.Generation, "the chart is broken"
	must(t, "it is refused", kube.Status().Update(ctx, template))
	credential := &kcm.Credential{ObjectMeta: metav1.ObjectMeta{Name: "local", Namespace: ns}}
	credential.Spec.IdentityRef = &kcm.ObjectReference{APIVersion: "v1", Kind: "Secret", Name: "local", Namespace: ns}
	must(t, "a credential", kube.Create(ctx, credential))
	cache.catchUp(t)
	d := deployment(ns, "dev", nil)
	refuses(t, "the template cannot be used", "the chart is broken", kube.Create(ctx, d.DeepCopy()))
	template.Status.Valid, template.Status.ValidationError, template.Status.Providers = true, "", []string{"infrastructure-local"}
	must(t, "it is put right", kube.Status().Update(ctx, template))
	must(t, "the template was put right, which the cache has not seen", kube.Create(ctx, d))

	cache.catchUp(t)
	must(t, "a cluster goes", kube.Delete(ctx, d))
	must(t, "a cluster on its way out needs no template", kube.Delete(ctx, template))
	must(t, "reading", kube.Get(ctx, client.ObjectKeyFromObject(d), d))
	d.Finalizers = nil
	must(t, "the finalizer is taken away", kube.Update(ctx, d))
}

func deployment(namespace, name string, labels map[string]string) *kcm.ClusterDeployment {
	d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: maps.Clone(labels), Finalizers: []string{kcm.ClusterDeploymentFinalizer}}}
	d.Spec.Template, d.Spec.Credential, d.Spec.Config = "local-1", "local", &kcm.JSON{Raw: []byte("{}")}
	return d
}

// TestServerGuardsTenants has people who may write in one namespace each try to become another's tenant.
func TestServerGuardsTenants(t *testing.T) {
	cluster := kubetest.Start(t, "deploy/crds")
	kube := serveWith(t, cluster, func(o *webhook.Options) {
		o.Live, o.Clock = o.Reader, time.Now
		o.MayUseTenant = webhook.TenantReviews(o.Reader.(client.Client))
	})
	ctx := t.Context()
	a, b, labelled := cluster.Namespace(t), cluster.Namespace(t), cluster.Namespace(t)
	namespace := &metav1.PartialObjectMetadata{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}, ObjectMeta: metav1.ObjectMeta{Name: labelled}}
	must(t, "an administrator gives a namespace to a tenant", kube.Patch(ctx, namespace, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+kof.TenantLabel+`":"tenant-c"}}}`))))
	alice, bob, carol := person(t, cluster, "alice", a), person(t, cluster, "bob", b), person(t, cluster, "carol", labelled)
	of := func(tenant string) map[string]string {
		return map[string]string{kof.TenantLabel: tenant, kof.ClusterRoleLabel: kof.ChildRole}
	}
	for _, ns := range []string{a, b, labelled} {
		template := &kcm.ClusterTemplate{ObjectMeta: metav1.ObjectMeta{Name: "local-1", Namespace: ns}}
		template.Spec.Helm.ChartSpec = &kcm.HelmChartSpec{Chart: "local"}
		must(t, "a template", kube.Create(ctx, template))
		credential := &kcm.Credential{ObjectMeta: metav1.ObjectMeta{Name: "local", Namespace: ns}}
		credential.Spec.IdentityRef = &kcm.ObjectReference{APIVersion: "v1", Kind: "Secret", Name: "local", Namespace: ns}
		must(t, "a credential", kube.Create(ctx, credential))
	}

	first := deployment(a, "one", of("tenant-a"))
	must(t, "nobody has the tenant", alice.Create(ctx, first))
	must(t, "a second cluster of the same namespace", alice.Create(ctx, deployment(a, "two", of("tenant-a"))))
	refuses(t, "the tenant is alice's", "metadata.labels[k0rdent.mirantis.com/kof-tenant-id]: Forbidden: tenant tenant-a belongs to another namespace", bob.Create(ctx, deployment(b, "one", of("tenant-a"))))
	refuses(t, "it is refused without telemetry too, which could come later", "belongs to another namespace", bob.Create(ctx, deployment(b, "one", map[string]string{kof.TenantLabel: "tenant-a"})))
	refuses(t, "the namespace is another tenant's", "belongs to another namespace", bob.Create(ctx, deployment(b, "one", of("tenant-c"))))
	refuses(t, "a tenant is the value of a label", "metadata.labels", bob.Create(ctx, deployment(b, "one", of(`x"} or {tenant="tenant-a`))))
	own := deployment(b, "one", of("tenant-b"))
	must(t, "a tenant of his own", bob.Create(ctx, own))
	own.Labels[kof.TenantLabel] = "tenant-a"
	refuses(t, "a change is no way round", "belongs to another namespace", bob.Update(ctx, own))
	refuses(t, "nor is a patch of labels alone", "belongs to another namespace", bob.Patch(ctx, deployment(b, "one", nil), client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"`+kof.TenantLabel+`":"tenant-a"}}}`))))
	must(t, "the first one goes, and waits for its finalizer", alice.Delete(ctx, first))
	refuses(t, "of a cluster on its way out there is telemetry", "belongs to another namespace", bob.Update(ctx, own))

	remembered := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: kcm.DefaultSystemNamespace, Name: fleet.TenantsConfigMap}, Data: map[string]string{"tenant-gone": a + " " + labelled}}
	must(t, "the system namespace", kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: kcm.DefaultSystemNamespace}}))
	must(t, "what was a tenant's is remembered", kube.Create(ctx, remembered))
	refuses(t, "its telemetry is still there", "belongs to another namespace", bob.Create(ctx, deployment(b, "two", of("tenant-gone"))))
	must(t, "it was alice's too", alice.Create(ctx, deployment(a, "three", of("tenant-gone"))))

	c := deployment(labelled, "one", map[string]string{kof.ClusterRoleLabel: kof.ChildRole})
	must(t, "the namespace says whose it is", carol.Create(ctx, c))
	if c.Labels[kof.TenantLabel] != "tenant-c" {
		t.Errorf("the cluster has the labels %v, want its namespace's tenant among them", c.Labels)
	}
	refuses(t, "the namespace is tenant-c's", "belongs to tenant tenant-c: use that one", carol.Create(ctx, deployment(labelled, "two", of("tenant-d"))))
	administrators(t, cluster, kube, bob, b)
	atOnce(t, alice, bob, a, b)
}

// atOnce has two people name the same new tenant in the same moment: one of them gets it.
func atOnce(t *testing.T, alice, bob client.Client, a, b string) {
	t.Helper()
	for i := range 20 {
		tenant := map[string]string{kof.TenantLabel: fmt.Sprint("new-", i)}
		var errs [2]error
		var both sync.WaitGroup
		both.Go(func() { errs[0] = alice.Create(t.Context(), deployment(a, fmt.Sprint("race-", i), tenant)) })
		both.Go(func() { errs[1] = bob.Create(t.Context(), deployment(b, fmt.Sprint("race-", i), tenant)) })
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) {
			t.Errorf("of two who name a new tenant at once one gets it, but: %v", errs)
		}
	}
	dry := deployment(b, "dry", map[string]string{kof.TenantLabel: "tried"})
	must(t, "nobody has it", bob.Create(t.Context(), dry, client.DryRunAll))
	must(t, "who only tries takes nothing", alice.Create(t.Context(), deployment(a, "dry", map[string]string{kof.TenantLabel: "tried"})))
}

// administrators let somebody use a tenant, and may do so themselves.
func administrators(t *testing.T, cluster *kubetest.Cluster, kube, bob client.Client, b string) {
	t.Helper()
	ctx := t.Context()
	d := deployment(b, "three", map[string]string{kof.TenantLabel: "tenant-a"})
	must(t, "who may do everything may use every tenant", kube.Create(ctx, d.DeepCopy(), client.DryRunAll))
	must(t, "a role", kube.Create(ctx, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "tenant-a"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{"observability.portico.dev"}, Resources: []string{"tenants"}, ResourceNames: []string{"tenant-a"}, Verbs: []string{"use"}},
	}}))
	subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "bob"}}
	role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "tenant-a"}
	must(t, "a binding in a namespace", kube.Create(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "tenant-a", Namespace: b}, RoleRef: role, Subjects: subjects}))
	refuses(t, "a right in a namespace is what its own administrator can give", "belongs to another namespace", bob.Create(ctx, d.DeepCopy()))
	must(t, "a binding for all namespaces", kube.Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "tenant-a"}, RoleRef: role, Subjects: subjects}))
	eventually(t, "bob may use tenant-a", func() error { return bob.Create(ctx, d.DeepCopy()) })
	refuses(t, "and no other tenant", "belongs to another namespace", bob.Create(ctx, deployment(b, "four", map[string]string{kof.TenantLabel: "tenant-c"})))
}

// person may do everything in a namespace, and nothing elsewhere.
func person(t *testing.T, cluster *kubetest.Cluster, name, namespace string) client.Client {
	t.Helper()
	kube := cluster.Client(t, kcm.AddToScheme, rbacv1.AddToScheme)
	must(t, "a role", kube.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}},
	}))
	config := rest.CopyConfig(cluster.Config)
	config.Impersonate = rest.ImpersonationConfig{UserName: name, Groups: []string{"system:authenticated"}}
	as, err := client.New(config, client.Options{Scheme: kube.Scheme()})
	must(t, "a client", err)
	eventually(t, name+" may write", func() error { return as.List(t.Context(), &kcm.ClusterDeploymentList{}, client.InNamespace(namespace)) })
	return as
}

// TestServerJudgesRules writes ConfigMaps: those of rules are judged, and nobody else waits for us.
func TestServerJudgesRules(t *testing.T) {
	cluster := kubetest.Start(t, "deploy/crds")
	elsewhere := cluster.Namespace(t)
	var judged atomic.Int64
	kube := serveWith(t, cluster, func(o *webhook.Options) {
		o.CheckRules = func(c *corev1.ConfigMap) field.ErrorList {
			judged.Add(1)
			return alert.Validate(c)
		}
	})
	ctx := t.Context()
	must(t, "the namespace of rules", kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: kof.Namespace}}))
	rules := func(namespace, name string, labels map[string]string, text string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}, Data: map[string]string{"ours": text}}
	}
	const bad, badRecord = "QueueLong:\n  expr: sum(queue\n", "- record: a:b\n  expr: sum(queue\n"
	alerts, records := map[string]string{kof.AlertRulesLabel: "c1"}, map[string]string{kof.RecordRulesLabel: ""}
	refuses(t, "it does not parse", `data[ours]: Invalid value: "QueueLong": group ours, rule QueueLong, line 1, position 1:10 of its expression: the expression does not parse`, kube.Create(ctx, rules("kof", "a", alerts, bad)))
	refuses(t, "it does not parse", `data[ours]: Invalid value: "a:b": group ours, rule a:b, line 1, position 1:10`, kube.Create(ctx, rules("kof", "r", records, badRecord)))
	good := rules("kof", "a", alerts, "QueueLong: {expr: sum(queue) > 1}")
	must(t, "nothing is wrong", kube.Create(ctx, good))
	good.Data["ours"] = bad
	refuses(t, "a change is as good as new", "rule QueueLong", kube.Update(ctx, good))
	if n := judged.Load(); n != 4 {
		t.Errorf("%d ConfigMaps of rules were judged, want 4", n)
	}
	for _, other := range []*corev1.ConfigMap{rules("kof", "plain", nil, bad), rules(elsewhere, "a", alerts, bad), rules(elsewhere, "plain", nil, bad)} {
		must(t, "it is none of our business", kube.Create(ctx, other))
	}
	if n := judged.Load(); n != 4 {
		t.Errorf("%d ConfigMaps that are no rules were judged", n-4)
	}
}
