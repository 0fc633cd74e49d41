package clusters_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	kof "portico.dev/portico/api/kof/v1beta1"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/topology"
	"portico.dev/portico/observability/topology/clusters"
	"portico.dev/portico/observability/topology/ensure"
	"portico.dev/portico/observability/topology/regions"
)

var shared = kubetest.Shared{CRDs: []string{"deploy/crds", "observability/topology/clusters/testdata/crds"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// plane is a management cluster with both controllers on it.
type plane struct {
	t         *testing.T
	kube      client.WithWatch
	namespace string
}

var settings = topology.Settings{Template: "kof-propagation", LogsCluster: "logs", TracesCluster: "traces"}

func newPlane(t *testing.T, s topology.Settings) (*plane, func()) {
	t.Helper()
	return newPlaneWith(t, s, nil)
}

func newPlaneWith(t *testing.T, s topology.Settings, regionless *topology.Regionless) (*plane, func()) {
	t.Helper()
	cluster := shared.Cluster(t)
	if regionless != nil {
		s.Self = regionless.Cluster
	}
	kube := cluster.Client(t, clientgoscheme.AddToScheme, kcm.AddToScheme, kof.AddToScheme)
	var passwords atomic.Int64
	generate := func() string { return fmt.Sprintf("password%08d", passwords.Add(1)) }
	stop := cluster.Control(t, ctrl.Options{Scheme: kube.Scheme()}, func(ctx context.Context, mgr ctrl.Manager) error {
		w, err := ensure.New(ctx, mgr)
		if err != nil {
			return err
		}
		r := &regions.Controller{Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), Writer: w, Settings: s, Regionless: regionless, Clock: time.Now, Generate: generate, Events: mgr.GetEventRecorder("regions")}
		if err := r.Setup(ctx, mgr); err != nil {
			return err
		}
		c := &clusters.Controller{Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), Writer: w, Settings: s, Clock: time.Now, Generate: generate, Issue: certify, Events: mgr.GetEventRecorder("clusters")}
		return c.Setup(ctx, mgr)
	})
	p := &plane{t: t, kube: kube, namespace: cluster.Namespace(t)}
	p.template("aws", "infrastructure-aws")
	return p, stop
}

// certify signs by the names, once.
func certify(had topology.Stores, names []string, _ time.Time) (topology.Stores, time.Time, error) {
	had.Authority, had.Certificate = []byte("authority"), []byte(strings.Join(names, " "))
	return had, time.Time{}, nil
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *plane) template(name string, providers ...string) {
	p.t.Helper()
	t := &kcm.ClusterTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name}}
	t.Spec.Helm.ChartRef = &kcm.CrossNamespaceSourceReference{Kind: "HelmChart", Name: name}
	must(p.t, p.kube.Create(p.t.Context(), t))
	t.Status.Providers, t.Status.Valid = providers, true
	must(p.t, p.kube.Status().Update(p.t.Context(), t))
}

// cluster makes a ClusterDeployment, which goes with the test.
func (p *plane) cluster(name string, labels map[string]string, config string) *kcm.ClusterDeployment {
	p.t.Helper()
	d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name, Labels: labels}}
	d.Spec.Template, d.Spec.Credential, d.Spec.Config = "aws", "c", &kcm.JSON{Raw: []byte(config)}
	must(p.t, p.kube.Create(p.t.Context(), d))
	p.t.Cleanup(func() { must(p.t, client.IgnoreNotFound(p.kube.Delete(context.Background(), d))) })
	return d
}

const region = `{"region": "eu-west-1", "clusterAnnotations": {"k0rdent.mirantis.com/kof-regional-domain": "eu.example.org"}}`

func regional() map[string]string { return map[string]string{kof.ClusterRoleLabel: "regional"} }

func child(more ...string) map[string]string {
	out := map[string]string{kof.ClusterRoleLabel: "child"}
	for i := 0; i < len(more); i += 2 {
		out[more[i]] = more[i+1]
	}
	return out
}

// await looks until something is so. The condition reads; nothing here can be watched as a whole.
func (p *plane) await(what string, so func() bool) {
	p.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if so() {
			return
		}
	}
	p.t.Fatalf("%s did not happen", what)
}

func (p *plane) get(o client.Object, namespace, name string) bool {
	p.t.Helper()
	err := p.kube.Get(p.t.Context(), types.NamespacedName{Namespace: namespace, Name: name}, o)
	if !apierrors.IsNotFound(err) {
		must(p.t, err)
	}
	return err == nil
}

// says awaits what a ClusterDeployment says about its telemetry.
func (p *plane) says(name string, status metav1.ConditionStatus, reason, words string) {
	p.t.Helper()
	var r topology.Readiness
	defer func() {
		if p.t.Failed() {
			p.t.Logf("%s says %+v", name, r)
		}
	}()
	p.await(fmt.Sprintf("%s: %s %s", name, status, reason), func() bool {
		var d kcm.ClusterDeployment
		if !p.get(&d, p.namespace, name) {
			return false
		}
		r, _ = topology.ReadinessOf(&d)
		return r.Status == status && r.Reason == reason && strings.Contains(r.Message, words)
	})
}

func (p *plane) change(d *kcm.ClusterDeployment, how func(*kcm.ClusterDeployment)) {
	p.t.Helper()
	must(p.t, p.kube.Get(p.t.Context(), client.ObjectKeyFromObject(d), d))
	was := d.DeepCopy()
	how(d)
	must(p.t, p.kube.Patch(p.t.Context(), d, client.MergeFrom(was)))
}

// deliver plays the state pillar: the services of a MultiClusterService are on a region.
func (p *plane) deliver(user, region string) {
	p.t.Helper()
	var m kcm.MultiClusterService
	p.await("the MultiClusterService of user "+user, func() bool { return p.get(&m, "", topology.UserPropagation(user)) })
	m.Status.ObservedGeneration = m.Generation
	m.Status.MatchingClusters = []kcm.MatchingCluster{{ObjectReference: kcm.ObjectReference{Namespace: p.namespace, Name: region}, Deployed: true}}
	must(p.t, p.kube.Status().Update(p.t.Context(), &m))
}

func (p *plane) vmuser(name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(topology.VMUserKind)
	if !p.get(u, p.namespace, name) {
		return nil
	}
	return u
}

// made are the names of all that is there for clusters and regions of the plane's namespace.
func (p *plane) made() []string {
	p.t.Helper()
	var out []string
	for _, kind := range ensure.Kinds() {
		list := &metav1.PartialObjectMetadataList{}
		list.SetGroupVersionKind(kind.GroupVersionKind().GroupVersion().WithKind(kind.Kind + "List"))
		must(p.t, p.kube.List(p.t.Context(), list))
		for _, o := range list.Items {
			if of, ok := topology.ParseOwner(o.Annotations[topology.ForAnnotation]); ok && of.Namespace == p.namespace {
				out = append(out, fmt.Sprintf("%s %s/%s", kind.Kind, o.Namespace, o.Name)+" "+o.ResourceVersion)
			}
		}
	}
	slices.Sort(out)
	return out
}

// The whole life of a child: it finds its region, gets credentials, which are replaced, and when
// it goes nothing of it is left, in no namespace.
func TestLife(t *testing.T) {
	p, _ := newPlane(t, settings)
	c := p.cluster("dev", child(kof.TenantLabel, "team-a"), `{"region": "eu-west-1"}`)
	p.says("dev", metav1.ConditionFalse, topology.ReasonNoRegion, "no region is at aws eu-west-1")
	p.cluster("eu", regional(), region)
	p.says("eu", metav1.ConditionTrue, topology.ReasonReady, "")

	user := topology.ChildUser(types.NamespacedName{Namespace: p.namespace, Name: "dev"})
	p.says("dev", metav1.ConditionFalse, topology.ReasonDelivering, topology.UserPropagation(user))
	p.deliver(user, "eu")
	p.says("dev", metav1.ConditionTrue, topology.ReasonReady, "region "+p.namespace+"/eu")

	var config corev1.ConfigMap
	if !p.get(&config, p.namespace, "kof-cluster-config-dev") || config.Data["write_metrics_endpoint"] != "https://vmauth.eu.example.org/vm/insert/0/prometheus/api/v1/write" {
		t.Errorf("the ConfigMap of the child is %v", config.Data)
	}
	var own, copied corev1.Secret
	if !p.get(&own, p.namespace, topology.Credentials(user)) || !p.get(&copied, kof.Namespace, topology.Credentials(user)) || string(own.Data["password"]) != string(copied.Data["password"]) {
		t.Errorf("the Secrets of the child are %v and %v", own.Data, copied.Data)
	}
	if p.vmuser(topology.UserObject(user)) == nil {
		t.Error("there is no VMUser, though the kind is served")
	}

	p.change(c, func(d *kcm.ClusterDeployment) {
		d.Annotations[topology.RotateAnnotation] = "1"
	})
	var rotated corev1.Secret
	p.await("new credentials", func() bool {
		return p.get(&rotated, kof.Namespace, topology.Credentials(user)) && string(rotated.Data["password"]) != string(own.Data["password"])
	})
	if string(rotated.Data[topology.PreviousKey]) != string(own.Data["password"]) {
		t.Errorf("the replaced password is not good for a while: %v", rotated.Data)
	}
	p.await("a VMUser for the replaced password", func() bool { return p.vmuser(topology.PreviousObject(user)) != nil })

	p.says("dev", metav1.ConditionFalse, topology.ReasonDelivering, "")
	before := p.made()
	time.Sleep(2 * time.Second) // silence cannot be watched for
	if after := p.made(); !slices.Equal(before, after) {
		t.Errorf("clusters to which nothing happens are written to:\n%s\n%s", strings.Join(before, "\n"), strings.Join(after, "\n"))
	}

	must(t, p.kube.Delete(t.Context(), c))
	p.await("the end of all that the child had", func() bool {
		return !slices.ContainsFunc(p.made(), func(name string) bool {
			return strings.Contains(name, user) || strings.Contains(name, "kof-cluster-config-dev")
		}) &&
			p.vmuser(topology.UserObject(user)) == nil && p.vmuser(topology.PreviousObject(user)) == nil
	})
}

// Who goes while nobody looks is noticed later: there is no finalizer that would hold a cluster.
func TestGoneMeanwhile(t *testing.T) {
	p, stop := newPlane(t, settings)
	r := p.cluster("eu", regional(), region)
	c := p.cluster("dev", child(), `{"region": "eu-west-1"}`)
	p.says("dev", metav1.ConditionFalse, topology.ReasonDelivering, "")
	stop()
	must(t, p.kube.Delete(t.Context(), c))
	must(t, p.kube.Delete(t.Context(), r))
	if len(p.made()) == 0 {
		t.Fatal("nothing was made, so nothing can be left behind")
	}
	again, _ := newPlane(t, settings)
	again.namespace, p = p.namespace, again
	p.await("the end of all that was made", func() bool { return len(p.made()) == 0 })
}

// A role that is taken off takes everything with it; another region takes the access to the one before.
func TestChanges(t *testing.T) {
	p, _ := newPlane(t, settings)
	p.cluster("eu", regional(), region)
	p.cluster("other", regional(), strings.Replace(region, "eu.example.org", "other.example.org", 1))
	p.says("other", metav1.ConditionTrue, topology.ReasonReady, "")
	c := p.cluster("dev", child(kof.RegionalClusterNameLabel, "eu"), `{}`)
	user := topology.ChildUser(types.NamespacedName{Namespace: p.namespace, Name: "dev"})
	p.deliver(user, "eu")
	p.says("dev", metav1.ConditionTrue, topology.ReasonReady, "/eu")

	p.change(c, func(d *kcm.ClusterDeployment) { d.Labels[kof.RegionalClusterNameLabel] = "other" })
	var m kcm.MultiClusterService
	p.await("the move of the user", func() bool {
		return p.get(&m, "", topology.UserPropagation(user)) && m.Spec.ClusterSelector.MatchLabels[kof.ClusterNameLabel] == "other"
	})
	if m.Spec.KeepServicesOnSelectorMismatch {
		t.Error("the user keeps its access to the region before")
	}
	p.change(c, func(d *kcm.ClusterDeployment) { delete(d.Labels, kof.ClusterRoleLabel) })
	p.await("the end of all that the child had", func() bool {
		return !slices.ContainsFunc(p.made(), func(name string) bool {
			return strings.Contains(name, user) || strings.Contains(name, "cluster-config")
		})
	})
}

// Two regions of one name: the older one is it, and the other says so. When it goes, the other takes over.
func TestTwoRegions(t *testing.T) {
	p, _ := newPlane(t, settings)
	p.cluster("eu", regional(), region)
	p.says("eu", metav1.ConditionTrue, topology.ReasonReady, "")
	time.Sleep(time.Second) // what is older is told by seconds
	var config corev1.ConfigMap
	p.get(&config, p.namespace, "kof-eu")
	twin := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "twin", Labels: regional()}, Data: config.Data,
	}
	must(t, p.kube.Create(t.Context(), twin))
	said := func(reason string) func() bool {
		return func() bool {
			var cm corev1.ConfigMap
			p.get(&cm, p.namespace, "twin")
			r, _ := topology.ReadinessOf(&cm)
			return r.Reason == reason
		}
	}
	p.await("the complaint of the second region", said(topology.ReasonDuplicate))
	for _, name := range p.made() {
		if strings.Contains(name, topology.ServerGroup(types.NamespacedName{Namespace: p.namespace, Name: "twin"})) {
			t.Errorf("the second region is asked: %s", name)
		}
	}
	d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "eu"}}
	must(t, p.kube.Delete(t.Context(), d))
	p.await("the second region", said(topology.ReasonReady))
}

// A name that another cluster has by the same checksum is not shared: the second one gets a longer name.
func TestCollision(t *testing.T) {
	p, _ := newPlane(t, settings)
	key := types.NamespacedName{Namespace: p.namespace, Name: "dev"}
	short := topology.ChildUser(key)
	other := topology.Owner{Kind: "Management", NamespacedName: types.NamespacedName{Namespace: p.namespace, Name: "twin"}}
	p.await("namespace kof", func() bool { return p.get(&corev1.Namespace{}, "", kof.Namespace) })
	theirs := topology.User{Name: short, For: other, Namespace: p.namespace, Cluster: "twin"}.Secret(kof.Namespace, topology.Credential{Password: "theirs"})
	must(t, p.kube.Create(t.Context(), theirs))
	t.Cleanup(func() { must(t, client.IgnoreNotFound(p.kube.Delete(context.Background(), theirs))) })
	p.cluster("eu", regional(), region)
	p.cluster("dev", child(), `{"region": "eu-west-1"}`)
	long := topology.Longer(short, topology.Owner{Kind: kcm.ClusterDeploymentKind, NamespacedName: key})
	p.says("dev", metav1.ConditionFalse, topology.ReasonDelivering, long)
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(theirs), theirs))
	if string(theirs.Data["password"]) != "theirs" {
		t.Errorf("the Secret of somebody else was written over: %v", theirs.Data)
	}
}

// A management cluster that is a region takes those who have no other, and needs nobody to tell it of them.
func TestRegionless(t *testing.T) {
	system := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "kcm-system"}}
	at := types.NamespacedName{Namespace: system.Name, Name: "mothership"}
	p, stop := newPlaneWith(t, settings, &topology.Regionless{Cluster: at, Endpoints: topology.EndpointsAt("http://127.0.0.1:8427")})
	p.cluster("dev", child(), `{"region": "eu-west-1"}`)
	p.says("dev", metav1.ConditionFalse, topology.ReasonNoRegion, "")
	// The namespace comes late: the preparation is tried again.
	must(t, p.kube.Create(t.Context(), system))
	p.says("dev", metav1.ConditionTrue, topology.ReasonReady, at.String())
	var config corev1.ConfigMap
	if !p.get(&config, p.namespace, "kof-cluster-config-dev") || config.Data["write_logs_endpoint"] != "http://127.0.0.1:8427/vli/insert/opentelemetry/v1/logs" {
		t.Errorf("the ConfigMap of the child is %v", config.Data)
	}
	for _, name := range p.made() {
		if strings.HasPrefix(name, "MultiClusterService") {
			t.Errorf("a user is brought to the management cluster, which knows it: %s", name)
		}
	}
	stop()
	// Without it, the child stays where it was and says so.
	again, _ := newPlane(t, settings)
	again.namespace = p.namespace
	again.says("dev", metav1.ConditionFalse, topology.ReasonRegionMoved, at.String())
	again.await("the end of the region", func() bool { return !again.get(&corev1.ConfigMap{}, at.Namespace, "kof-mothership") })
}

// A region's stores get what they serve by, its children learn who has signed it, and all of it goes with the role.
func TestStoresOfRegion(t *testing.T) {
	p, _ := newPlane(t, settings)
	d := p.cluster("eu", regional(), region)
	var secret corev1.Secret
	p.await("what the stores get is there", func() bool { return p.get(&secret, p.namespace, topology.StoresSecret("eu")) })
	if stores := topology.StoresOf(&secret); !strings.Contains(string(stores.Certificate), "vmauth.eu.example.org") || stores.Password == "" {
		t.Errorf("the stores get %+v", stores)
	}
	p.cluster("dev", child(kof.RegionalClusterNameLabel, "eu"), "{}")
	var cm corev1.ConfigMap
	p.await("the child knows whom to trust", func() bool {
		return p.get(&cm, p.namespace, topology.ChildConfig("dev")) && cm.Data["ca_pem"] == "authority"
	})
	must(t, p.kube.Get(t.Context(), client.ObjectKeyFromObject(d), d))
	delete(d.Labels, kof.ClusterRoleLabel)
	must(t, p.kube.Update(t.Context(), d))
	p.await("what the stores had is gone", func() bool { return !p.get(&secret, p.namespace, topology.StoresSecret("eu")) })
}
