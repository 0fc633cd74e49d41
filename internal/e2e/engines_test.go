package e2e_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/e2e"
)

// foreign is an engine of another project: its program, and the kinds that it works with.
type foreign struct {
	engine, program string
	kinds           []schema.GroupVersionKind
}

func foreigners() []foreign {
	helm := func(kind string) schema.GroupVersionKind {
		return schema.GroupVersionKind{Group: "helm.toolkit.fluxcd.io", Version: "v2", Kind: kind}
	}
	config := func(kind string) schema.GroupVersionKind {
		return schema.GroupVersionKind{Group: "config.projectsveltos.io", Version: "v1beta1", Kind: kind}
	}
	source := func(kind string) schema.GroupVersionKind { return sourcev1.GroupVersion.WithKind(kind) }
	return []foreign{
		{"flux", "helm-controller", []schema.GroupVersionKind{helm("HelmRelease"), source("ExternalArtifact")}},
		{"sveltos", "addon-controller", []schema.GroupVersionKind{config("Profile"), config("ClusterProfile"), config("ClusterSummary"), source("OCIRepository")}},
	}
}

// Services by Flux and by Sveltos, whose programs come with the first service that asks for them.
func TestEngines(t *testing.T) {
	plane := newPlane(t)
	for _, f := range foreigners() {
		if _, err := os.Stat(plane.Bin.File("libexec/" + f.program)); errors.Is(err, fs.ErrNotExist) {
			t.Skipf("bin/libexec/%s is not built: hack/build-engines.sh %s", f.program, f.program)
		}
	}
	s := &stage{Plane: plane, t: t}
	s.up()
	s.offerPlainChart()
	for _, f := range foreigners() {
		t.Run(f.engine, func(t *testing.T) { s.on(t).installsBy(f) })
	}
	t.Run("KilledPlane", func(t *testing.T) { s.on(t).outlivesPlane() })
	for _, f := range foreigners() {
		t.Run("Remove-"+f.engine, func(t *testing.T) { s.on(t).removesBy(f) })
	}
	s.must(s.Down(s.limited()))
	if left := s.pids("helm-controller", "addon-controller"); len(left) > 0 {
		t.Errorf("after portico down these run: %v", left)
	}
}

// served is a virtual cluster with podinfo by an engine.
func served(f foreign, message string) e2e.Cluster {
	return e2e.Cluster{Name: "by-" + f.engine, Workers: 1, Message: message}
}

// object is the ClusterDeployment of a cluster whose services an engine installs.
func (f foreign) object(c e2e.Cluster) *kcm.ClusterDeployment {
	d := c.Object()
	d.Spec.ServiceSpec.Provider.Name = "portico-" + f.engine
	return d
}

func (s *stage) installsBy(f foreign) {
	if early := s.pids(f.program); len(early) > 0 {
		s.t.Errorf("%s runs before anything uses it", f.program)
	}
	if served, err := s.lists(f.kinds[0]); err == nil {
		s.t.Errorf("the kind %s is served before anything uses it: %v", f.kinds[0].Kind, served)
	}
	s.costs("before", f.program)
	s.apply(f.object(served(f, "first")))
	s.timed("from applied to ready, the start of "+f.program+" included", func() { s.awaitReady(served(f, "first")) })
	s.startOf(f)
	s.running(f)
	c := s.child(served(f, "").Key())
	s.releases(c.kube, e2e.PodinfoNamespace, e2e.PodinfoService, "deployed")
	if made, err := s.lists(f.kinds[0]); err != nil || len(made) == 0 {
		s.t.Errorf("%s has no %s to work on: %v", f.program, f.kinds[0].Kind, err)
	}
	s.upgrades(f, c, "second", 2)
	s.installsOnItself(f)
}

// startOf logs how long the start of the program took, as the plane says.
func (s *stage) startOf(f foreign) {
	s.t.Helper()
	log, err := os.ReadFile(filepath.Join(s.Data, "log", "plane.log"))
	s.must(err)
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, "engine="+f.engine+" took=") {
			s.t.Log(strings.TrimSpace(line))
		}
	}
}

// running fails unless the plane says that the program serves.
func (s *stage) running(f foreign) {
	s.t.Helper()
	if state := s.costs("with "+f.program, f.program); state != "Ready" {
		s.t.Errorf("portico status says of %s that it is %q, want Ready", f.program, state)
	}
}

// costs logs what programs cost, and returns the state of the one of that name.
func (s *stage) costs(when, name string) (state string) {
	s.t.Helper()
	st, err := s.Status(s.limited())
	s.must(err)
	for _, p := range st.Programs {
		if p.Name == name {
			state = p.State
		}
		if p.Name == name || p.Name == "plane" || p.Name == "management" {
			s.t.Logf("%s: %s is %s, restarts: %d, memory: %d MiB, private %d MiB", when, p.Name, p.State, p.Restarts, p.Memory>>20, p.PrivateMemory>>20)
		}
	}
	return state
}

func (s *stage) upgrades(f foreign, c child, message string, revision int) {
	s.t.Helper()
	s.timed("upgrade by "+f.engine, func() {
		s.apply(f.object(served(f, message)))
		s.must(e2e.AwaitRelease(s.limited(), c.kube, e2e.PodinfoNamespace, e2e.PodinfoService, revision))
		s.awaitReady(served(f, message))
	})
	d, err := c.typed.AppsV1().Deployments(e2e.PodinfoNamespace).Get(s.limited(), e2e.PodinfoService, metav1.GetOptions{})
	s.must(err)
	if said := fmt.Sprint(d.Spec.Template.Spec.Containers[0].Env); !strings.Contains(said, message) {
		s.t.Errorf("podinfo says %s, want %q in it", said, message)
	}
}

// plain is a chart that needs no nodes.
const plain = "plain-1-0-0"

// offerPlainChart offers the template of a chart with one ConfigMap.
func (s *stage) offerPlainChart() {
	s.t.Helper()
	s.apply(&sourcev1.HelmRepository{
		ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "plain"},
		Spec:       sourcev1.HelmRepositorySpec{URL: chartServer(s.t) + "/charts", Interval: metav1.Duration{Duration: time.Hour}},
	})
	template := &kcm.ServiceTemplate{
		ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: plain},
		Spec: kcm.ServiceTemplateSpec{Helm: &kcm.HelmSpec{ChartSpec: &kcm.HelmChartSpec{
			Chart: "clusterless", Version: "1.0.0", Interval: metav1.Duration{Duration: time.Hour}, ReconcileStrategy: sourcev1.ReconcileStrategyChartVersion,
			SourceRef: kcm.LocalHelmChartSourceReference{Kind: "HelmRepository", Name: "plain"},
		}}},
	}
	s.apply(template)
	_, err := e2e.Await(s.limited(), s.kube, template, judged[*kcm.ServiceTemplate](func(t *kcm.TemplateStatus) bool { return t.Valid }))
	s.must(err)
}

// own is a service on the management cluster itself, by an engine.
func (f foreign) own() *kcm.MultiClusterService {
	return &kcm.MultiClusterService{
		ObjectMeta: metav1.ObjectMeta{Name: "own-" + f.engine},
		Spec: kcm.MultiClusterServiceSpec{
			ClusterSelector: metav1.LabelSelector{MatchLabels: map[string]string{"nobody": "has-this"}},
			ServiceSpec: kcm.ServiceSpec{
				Provider: kcm.StateManagementProviderConfig{Name: "portico-" + f.engine, SelfManagement: true},
				Services: []kcm.Service{{Template: plain, Name: "plain", Namespace: "own-" + f.engine}},
			},
		},
	}
}

// installsOnItself has the engine install on the management cluster, and remove it.
func (s *stage) installsOnItself(f foreign) {
	s.t.Helper()
	m := f.own()
	namespace := m.Spec.ServiceSpec.Services[0].Namespace
	s.apply(m)
	s.timed("on the management cluster, by "+f.engine, func() {
		s.must(e2e.AwaitRelease(s.limited(), s.kube, namespace, "plain", 1))
	})
	s.must(s.kube.Delete(s.limited(), m))
	s.must(e2e.AwaitGone(s.limited(), s.kube, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "no-cluster"}}))
	s.must(e2e.AwaitGone(s.limited(), s.kube, m))
}

// outlivesPlane kills the plane: the programs go on, and are supervised again.
func (s *stage) outlivesPlane() {
	before := s.pids("helm-controller", "addon-controller")
	s.must(syscall.Kill(s.pids("plane")["plane"].PID, syscall.SIGKILL))
	s.admissionAnswers(served(foreigners()[0], "second").Object())
	for _, f := range foreigners() {
		s.upgrades(f, s.child(served(f, "").Key()), "third", 3)
		s.running(f)
	}
	s.samePids("a kill of the plane", before, s.pids("helm-controller", "addon-controller"))
}

// admissionAnswers waits for a plane that was killed: the server asks it before it takes an object.
func (s *stage) admissionAnswers(obj client.Object) {
	s.t.Helper()
	var err error
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if err = s.kube.Patch(s.limited(), obj.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, []byte("{}")), client.DryRunAll); err == nil {
			return
		}
	}
	s.t.Fatalf("the plane does not answer again: %v", err)
}

// removesBy takes the service off, then the cluster with its list of services, and wants nothing to
// be left of either.
func (s *stage) removesBy(f foreign) {
	c := s.child(served(f, "").Key())
	s.apply(f.object(served(f, "")))
	s.timed("removal by "+f.engine, func() {
		record := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e2e.PodinfoNamespace, Name: "sh.helm.release.v1.podinfo.v3"}}
		s.must(e2e.AwaitGone(s.limited(), c.kube, record))
	})
	s.releases(c.kube, e2e.PodinfoNamespace, e2e.PodinfoService)
	s.remove(served(f, "").Key())
	var left []string
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		left = nil
		for _, kind := range f.kinds {
			found, err := s.lists(kind)
			s.must(err)
			left = append(left, found...)
		}
		if len(left) == 0 {
			break
		}
	}
	if len(left) > 0 {
		s.t.Errorf("%s has left %v", f.engine, left)
	}
}

// lists are the objects of a kind; a kind that is not served is an error.
func (s *stage) lists(kind schema.GroupVersionKind) ([]string, error) {
	list := &unstructured.UnstructuredList{}
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: kind.Group, Version: kind.Version, Kind: kind.Kind + "List"})
	err := s.kube.List(s.limited(), list)
	if err != nil && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		s.must(err)
	}
	var out []string
	for i := range list.Items {
		out = append(out, kind.Kind+" "+client.ObjectKeyFromObject(&list.Items[i]).String())
	}
	return out, err
}
