package deployment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	fluxmeta "github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	clusterv1 "sigs.k8s.io/cluster-api/api/core/v1beta2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/internal/scenario"
	"portico.dev/portico/kube/control"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/kubetest"
)

var shared = kubetest.Shared{CRDs: []string{"bin/share/crds/cluster-api", "bin/share/crds/flux", "bin/share/crds/portico"}}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// plane is a management cluster with our controller on it; the test plays everybody else.
type plane struct {
	t         *testing.T
	kube      client.WithWatch
	namespace string
	archive   []byte
}

// Open implements Artifacts.
func (p *plane) Open(context.Context, *fluxmeta.Artifact) ([]byte, error) { return p.archive, nil }

func newPlane(t *testing.T) *plane {
	t.Helper()
	cluster := shared.Cluster(t)
	kube := cluster.Client(t, clientgoscheme.AddToScheme, clusterv1.AddToScheme, sourcev1.AddToScheme, kcm.AddToScheme, sveltos.AddToScheme)
	p := &plane{t: t, kube: kube, namespace: cluster.Namespace(t), archive: packed(t, map[string]string{
		"tiny/Chart.yaml":             "apiVersion: v2\nname: tiny\nversion: 1.0.0\n",
		"tiny/values.yaml":            "workers: 1\nclusterLabels: {}\nclusterIdentity: {}\n",
		"tiny/templates/cluster.yaml": "{{ if ge (int .Values.workers) 0 }}apiVersion: cluster.x-k8s.io/v1beta2\nkind: Cluster\nmetadata:\n  name: {{ .Release.Name }}\n  finalizers: [test/cluster-api]\n  annotations: {workers: \"{{ .Values.workers }}\"}\nspec:\n  paused: false\n  clusterNetwork: {serviceDomain: cluster.local}\n{{ end }}",
	})}
	releases, err := helm.New(cluster.Config, helm.Config{Clock: time.Now})
	must(t, err)
	cluster.Control(t, ctrl.Options{Scheme: kube.Scheme()}, func(ctx context.Context, mgr ctrl.Manager) error {
		return New(Parts{
			Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), Releases: releases, Artifacts: p, Charts: helm.NewCharts(1 << 20),
			Children: Direct{}, Events: mgr.GetEventRecorder("test"), Clock: time.Now,
		}).Setup(ctx, mgr)
	})
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (p *plane) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: p.namespace, Name: name}
}

// template makes a ClusterTemplate as its controllers leave it: valid, with a fetched chart.
func (p *plane) template(name string) {
	p.t.Helper()
	ctx := p.t.Context()
	sum := sha256.Sum256(p.archive)
	chart := &sourcev1.HelmChart{ObjectMeta: p.meta(name), Spec: sourcev1.HelmChartSpec{
		Chart: "tiny", Interval: metav1.Duration{Duration: time.Hour}, SourceRef: sourcev1.LocalHelmChartSourceReference{Kind: "HelmRepository", Name: "x"},
	}}
	must(p.t, p.kube.Create(ctx, chart))
	chart.Status.Artifact = &fluxmeta.Artifact{URL: "http://localhost/x", Path: "x", Revision: "1.0.0", Digest: "sha256:" + hex.EncodeToString(sum[:]), LastUpdateTime: metav1.Now()}
	must(p.t, p.kube.Status().Update(ctx, chart))
	t := &kcm.ClusterTemplate{ObjectMeta: p.meta(name), Spec: kcm.ClusterTemplateSpec{
		Helm: kcm.HelmSpec{ChartRef: &kcm.CrossNamespaceSourceReference{Kind: "HelmChart", Name: name, Namespace: p.namespace}},
	}}
	must(p.t, p.kube.Create(ctx, t))
	t.Status.Valid, t.Status.ChartRef = true, t.Spec.Helm.ChartRef
	must(p.t, p.kube.Status().Update(ctx, t))
}

func (p *plane) credential(name string) {
	p.t.Helper()
	c := &kcm.Credential{ObjectMeta: p.meta(name), Spec: kcm.CredentialSpec{IdentityRef: &kcm.ObjectReference{APIVersion: "v1", Kind: "Secret", Name: name, Namespace: p.namespace}}}
	must(p.t, p.kube.Create(p.t.Context(), c))
	c.Status.Ready = true
	c.Status.Conditions = control.Fold(nil, control.Stamp{Now: time.Now(), Generation: c.Generation}, control.True(kcm.CredentialReadyCondition, kcm.SucceededReason, ""))
	must(p.t, p.kube.Status().Update(p.t.Context(), c))
}

func (p *plane) deploy(name, config string) *kcm.ClusterDeployment {
	p.t.Helper()
	d := &kcm.ClusterDeployment{ObjectMeta: p.meta(name), Spec: kcm.ClusterDeploymentSpec{
		Template: "tiny-1", Credential: "key", Config: &kcm.JSON{Raw: []byte(config)},
	}}
	must(p.t, p.kube.Create(p.t.Context(), d))
	return d
}

// await watches a ClusterDeployment until it is as wanted.
func (p *plane) await(d *kcm.ClusterDeployment, what string, wanted func(*kcm.ClusterDeployment) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	w, err := p.kube.Watch(ctx, &kcm.ClusterDeploymentList{}, client.InNamespace(d.Namespace), client.MatchingFields{"metadata.name": d.Name})
	must(p.t, err)
	defer w.Stop()
	for e := range w.ResultChan() {
		if now, ok := e.Object.(*kcm.ClusterDeployment); ok {
			now.DeepCopyInto(d)
			if wanted(d) {
				return
			}
		}
	}
	p.t.Fatalf("%s did not happen; the conditions are\n%s", what, scenario.DatedConditions("", d.Status.Conditions).Text)
}

func is(kind string, status metav1.ConditionStatus, words string) func(*kcm.ClusterDeployment) bool {
	return func(d *kcm.ClusterDeployment) bool {
		c := control.Find(d.Status.Conditions, kind)
		return c != nil && c.Status == status && strings.Contains(c.Message, words) && c.ObservedGeneration == d.Generation
	}
}

// clusterComesUp plays Cluster API.
func (p *plane) clusterComesUp(name string) *clusterv1.Cluster {
	p.t.Helper()
	c := &clusterv1.Cluster{}
	must(p.t, p.kube.Get(p.t.Context(), client.ObjectKey{Namespace: p.namespace, Name: name}, c))
	c.Status.ObservedGeneration = c.Generation
	for _, kind := range []string{"InfrastructureReady", "ControlPlaneInitialized", "ControlPlaneAvailable", "ControlPlaneMachinesReady", "WorkersAvailable", "WorkerMachinesReady", "RemoteConnectionProbe"} {
		c.Status.Conditions = append(c.Status.Conditions, metav1.Condition{Type: kind, Status: metav1.ConditionTrue, Reason: "Fine", LastTransitionTime: metav1.Now()})
	}
	must(p.t, p.kube.Status().Update(p.t.Context(), c))
	return c
}

// revisions are the records that Helm keeps of a release.
func (p *plane) revisions(name string) []string {
	p.t.Helper()
	var secrets corev1.SecretList
	must(p.t, p.kube.List(p.t.Context(), &secrets, client.InNamespace(p.namespace), client.MatchingLabels{"owner": "helm", "name": name}))
	var out []string
	for _, s := range secrets.Items {
		out = append(out, s.Name)
	}
	slices.Sort(out)
	return out
}

// The whole life of a cluster on a real API server: made, ready, changed, and gone, although
// its template and credential were deleted before it.
func TestLife(t *testing.T) {
	p := newPlane(t)
	ctx := t.Context()
	d := p.deploy("dev", `{"workers":2}`)
	p.await(d, "a refusal that names the template", is(kcm.ReadyCondition, metav1.ConditionFalse, `ClusterTemplate "tiny-1" does not exist`))
	p.template("tiny-1")
	p.await(d, "a refusal that names the credential", is(kcm.ReadyCondition, metav1.ConditionFalse, `Credential "key" does not exist`))
	if got := p.revisions("dev"); len(got) > 0 {
		t.Errorf("something was installed though the input is bad: %v", got)
	}
	p.credential("key")
	p.await(d, "the release", is(kcm.HelmReleaseReadyCondition, metav1.ConditionTrue, "Revision 1"))
	p.await(d, "that Cluster API has to look first", is(kcm.CAPIClusterSummaryCondition, metav1.ConditionUnknown, "has not looked at the newest version"))
	cluster := p.clusterComesUp("dev")
	if cluster.Labels[kcm.HelmReleaseNameLabel] != "dev" || cluster.Labels[kcm.HelmReleaseNamespaceLabel] != p.namespace {
		t.Errorf("the Cluster has the labels %v", cluster.Labels)
	}
	p.await(d, "Ready", is(kcm.ReadyCondition, metav1.ConditionTrue, "Object is ready"))

	was := d.DeepCopy()
	d.Spec.Config.Raw = []byte(`{"workers":3}`)
	must(t, p.kube.Patch(ctx, d, client.MergeFrom(was)))
	p.await(d, "the second revision", is(kcm.HelmReleaseReadyCondition, metav1.ConditionTrue, "Revision 2"))
	p.await(d, "Ready after the change has settled", is(kcm.ReadyCondition, metav1.ConditionTrue, ""))

	for _, obj := range []client.Object{&kcm.ClusterTemplate{ObjectMeta: p.meta("tiny-1")}, &kcm.Credential{ObjectMeta: p.meta("key")}} {
		must(t, p.kube.Delete(ctx, obj))
	}
	p.await(d, "what is missing", is(kcm.ReadyCondition, metav1.ConditionFalse, "does not exist"))
	if got := p.revisions("dev"); len(got) != 2 {
		t.Errorf("revisions = %v, want two: the same wish makes none", got)
	}
	must(t, p.kube.Delete(ctx, d))
	p.await(d, "the wait for Cluster API", is(kcm.DeletingCondition, metav1.ConditionTrue, "Cluster API"))
	must(t, p.kube.Get(ctx, client.ObjectKeyFromObject(cluster), cluster))
	cluster.Finalizers = nil
	must(t, p.kube.Update(ctx, cluster))
	p.awaitGone(d)
	if got := p.revisions("dev"); len(got) > 0 {
		t.Errorf("revisions %v are left", got)
	}
}

// Bad input is refused in words, and nothing is made of it.
func TestBadInput(t *testing.T) {
	p := newPlane(t)
	p.template("tiny-1")
	p.credential("key")
	tests := []struct{ name, why, config, want string }{
		{"misspelt", "A misspelt key is found, and the right one offered.", `{"wrokers":2}`, `spec.config.wrokers: the chart has no such value; did you mean "workers"?`},
		{"noclusters", "A chart that renders no cluster makes none.", `{"workers":-1}`, "renders no Cluster"},
		{"notamap", "Values are a mapping.", `["workers"]`, "spec.config has to be a mapping"},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			d := p.deploy(tc.name, tc.config)
			p.await(d, tc.why, is(kcm.ReadyCondition, metav1.ConditionFalse, tc.want))
			if got := p.revisions(tc.name); len(got) > 0 {
				t.Errorf("%s\ninstalled all the same: %v", tc.why, got)
			}
			must(t, p.kube.Delete(t.Context(), d))
			p.awaitGone(d)
		})
	}
}

// A document that somebody edits or deletes is stored again, though nothing else happens.
func TestDocumentsAreRepaired(t *testing.T) {
	p := newPlane(t)
	ctx := t.Context()
	p.template("tiny-1")
	p.credential("key")
	policy := &kcm.ClusterAuditPolicy{ObjectMeta: p.meta("log"), Spec: kcm.ClusterAuditPolicySpec{Policy: kcm.AuditPolicy{Rules: []kcm.AuditPolicyRule{{Level: "Metadata"}}}}}
	must(t, p.kube.Create(ctx, policy))
	d := p.deploy("dev", `{"workers":2}`)
	was := d.DeepCopy()
	d.Spec.AuditPolicy = "log"
	must(t, p.kube.Patch(ctx, d, client.MergeFrom(was)))
	p.await(d, "the release", is(kcm.HelmReleaseReadyCondition, metav1.ConditionTrue, "Revision"))
	stored := &corev1.ConfigMap{ObjectMeta: p.meta("dev" + kcm.AuditPolicyConfigMapSuffix)}
	p.awaitText(stored, "Metadata")
	must(t, p.kube.Delete(ctx, stored))
	p.awaitText(stored, "Metadata")
	stored.Data = map[string]string{kcm.AuditPolicyConfigMapKey: "nothing"}
	must(t, p.kube.Update(ctx, stored))
	p.awaitText(stored, "Metadata")
}

// awaitText watches a ConfigMap until the audit policy in it has a word.
func (p *plane) awaitText(c *corev1.ConfigMap, word string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	w, err := p.kube.Watch(ctx, &corev1.ConfigMapList{}, client.InNamespace(c.Namespace), client.MatchingFields{"metadata.name": c.Name})
	must(p.t, err)
	defer w.Stop()
	for e := range w.ResultChan() {
		now, ok := e.Object.(*corev1.ConfigMap)
		if ok && e.Type != watch.Deleted && strings.Contains(now.Data[kcm.AuditPolicyConfigMapKey], word) {
			now.DeepCopyInto(c)
			return
		}
	}
	p.t.Fatalf("%s has no %s", c.Name, word)
}

func (p *plane) awaitGone(d *kcm.ClusterDeployment) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	w, err := p.kube.Watch(ctx, &kcm.ClusterDeploymentList{}, client.InNamespace(d.Namespace))
	must(p.t, err)
	defer w.Stop()
	gone := func() bool {
		return apierrors.IsNotFound(p.kube.Get(ctx, client.ObjectKeyFromObject(d), &kcm.ClusterDeployment{}))
	}
	for !gone() {
		if _, ok := <-w.ResultChan(); !ok {
			p.t.Fatalf("%s is still there", control.Name(d))
		}
	}
}
