package helm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/kubetest"
)

// web is a chart of the three most common objects, with switches for what can go wrong.
const web = `
-- Chart.yaml --
{apiVersion: v2, name: web, version: 1.2.3, appVersion: "7"}
-- values.yaml --
text: hello
replicas: 1
port: 80
app: web
extra: ""
hook: ""
-- templates/configmap.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {text: {{ .Values.text | quote }}}
{{- if .Values.extra }}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Values.extra }}}
{{- end }}
-- templates/service.yaml --
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec:
  selector: {app: {{ .Values.app }}}
  ports: [{port: {{ .Values.port }}}]
-- templates/deployment.yaml --
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Values.app }}}}
  template:
    metadata: {labels: {app: {{ .Values.app }}}}
    spec: {containers: [{name: web, image: example/web}]}
-- templates/hook.yaml --
{{- if .Values.hook }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Values.hook }}
  annotations: {helm.sh/hook: "pre-install,pre-upgrade,pre-delete"}
{{- end }}
`

// world is what a test of releases works in.
type world struct {
	*testing.T
	config    *rest.Config
	clients   *kubernetes.Clientset
	releases  *Releases
	namespace string
}

func (w *world) wanted(c *Chart, values string) Wanted {
	w.Helper()
	v, err := ParseValues([]byte(values))
	if err != nil {
		w.Fatal(err)
	}
	return Wanted{Namespace: w.namespace, Name: "one", Chart: c, Values: v}
}

func (w *world) apply(want Wanted) State {
	w.Helper()
	state, err := w.releases.Apply(w.Context(), want)
	if err != nil {
		w.Fatalf("Apply: %v", err)
	}
	return state
}

func (w *world) remove() {
	w.Helper()
	if err := w.releases.Remove(w.Context(), w.namespace, "one", RemoveOptions{}); err != nil {
		w.Fatalf("Remove: %v", err)
	}
}

// objects lists everything in the namespace that a test can make, with its version.
func (w *world) objects() map[string]string {
	w.Helper()
	ctx, out := w.Context(), map[string]string{}
	var errs []error
	add := func(kind string, o metav1.ObjectMeta) {
		if o.Name != "kube-root-ca.crt" && o.DeletionTimestamp == nil {
			out[kind+" "+o.Name] = o.ResourceVersion
		}
	}
	secrets, err := w.clients.CoreV1().Secrets(w.namespace).List(ctx, metav1.ListOptions{})
	errs = append(errs, err)
	for _, o := range secrets.Items {
		add("Secret", o.ObjectMeta)
	}
	maps, err := w.clients.CoreV1().ConfigMaps(w.namespace).List(ctx, metav1.ListOptions{})
	errs = append(errs, err)
	for _, o := range maps.Items {
		add("ConfigMap", o.ObjectMeta)
	}
	services, err := w.clients.CoreV1().Services(w.namespace).List(ctx, metav1.ListOptions{})
	errs = append(errs, err)
	for _, o := range services.Items {
		add("Service", o.ObjectMeta)
	}
	deployments, err := w.clients.AppsV1().Deployments(w.namespace).List(ctx, metav1.ListOptions{})
	errs = append(errs, err)
	for _, o := range deployments.Items {
		add("Deployment", o.ObjectMeta)
	}
	if err := errors.Join(errs...); err != nil {
		w.Fatal(err)
	}
	return out
}

func (w *world) expect(why string, names ...string) {
	w.Helper()
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(w.objects()))); diff != "" {
		w.Errorf("%s (-want +got)\n%s", why, diff)
	}
}

func (w *world) configMap(name string) *corev1.ConfigMap {
	w.Helper()
	cm, err := w.clients.CoreV1().ConfigMaps(w.namespace).Get(w.Context(), name, metav1.GetOptions{})
	if err != nil {
		w.Fatal(err)
	}
	return cm
}

func (w *world) deployment() *appsv1.Deployment {
	w.Helper()
	d, err := w.clients.AppsV1().Deployments(w.namespace).Get(w.Context(), "one", metav1.GetOptions{})
	if err != nil {
		w.Fatal(err)
	}
	return d
}

func check(t testing.TB, why string, got State, status Status, revision int) {
	t.Helper()
	if got.Status != status || got.Revision != revision {
		t.Errorf("%s\ngot  %s, revision %d (%s)\nwant %s, revision %d", why, got.Status, got.Revision, got.Message, status, revision)
	}
}

var all = []string{"ConfigMap one", "Deployment one", "Secret sh.helm.release.v1.one.v1", "Service one"}

// TestReleases runs all that needs a cluster on one API server, each in its own namespace.
func TestReleases(t *testing.T) {
	cluster := kubetest.Start(t)
	clients, err := kubernetes.NewForConfig(cluster.Config)
	if err != nil {
		t.Fatal(err)
	}
	releases, err := New(cluster.Config, Config{QPS: 1000, Patience: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name string
		test func(*world)
	}{
		{"Install", testInstall},
		{"ApplyTwice", testApplyTwice},
		{"Upgrade", testUpgrade},
		{"UpgradeToNoValues", testUpgradeToNoValues},
		{"UpgradeOverForeignFields", testForeignFields},
		{"HelmsOwnRelease", testHelmsOwnRelease},
		{"ForeignObject", testForeignObject},
		{"FailingHook", testFailingHook},
		{"SlowHook", testSlowHook},
		{"ImmutableField", testImmutableField},
		{"FailedInstall", testFailedInstall},
		{"AtomicInstall", testAtomicInstall},
		{"AtomicUpgrade", testAtomicUpgrade},
		{"UnknownKind", testUnknownKind},
		{"Owners", testOwners},
		{"Give", testGive},
		{"GiveUnfinished", testGiveUnfinished},
		{"Witness", testWitness},
		{"Requests", testRequests},
		{"Seeing", testSeeing},
		{"RemoveDeaf", testRemoveDeaf},
		{"UndoDeaf", testUndoDeaf},
		{"CRDs", testCRDs},
		{"Namespace", testNamespace},
		{"Labels", testLabels},
		{"AnotherWriter", testAnotherWriter},
		{"UpgradeByHand", testUpgradeByHand},
		{"RecordsWithoutRevision", testRecordsWithoutRevision},
		{"Cancelled", testCancelled},
		{"Remove", testRemove},
		{"RemoveWithoutKinds", testRemoveWithoutKinds},
		{"RemoveFailedUpgrade", testRemoveFailedUpgrade},
		{"RemoveKeepHistory", testRemoveKeepHistory},
		{"RemoveInEndingNamespace", testRemoveInEndingNamespace},
		{"Crash", func(w *world) { testCrash(w, cluster.Kubeconfig) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.test(&world{T: t, config: cluster.Config, clients: clients, releases: releases, namespace: cluster.Namespace(t)})
		})
	}
}

func testInstall(w *world) {
	want := w.wanted(chartOf(w, web), "text: hi")
	absent, err := w.releases.Observe(w.Context(), w.namespace, "one")
	if err != nil {
		w.Fatal(err)
	}
	check(w, "nothing was there", absent, Absent, 0)
	check(w, "an install is revision 1", w.apply(want), Deployed, 1)
	w.expect("the chart's objects and the record", all...)
	state, err := w.releases.Observe(w.Context(), w.namespace, "one")
	if err != nil {
		w.Fatal(err)
	}
	if state.Digest != want.Digest() || state.Chart != "web" || state.ChartVersion != "1.2.3" || state.AppVersion != "7" {
		w.Errorf("the record tells all: %+v", state)
	}
	if got := w.configMap("one"); got.Data["text"] != "hi" || got.Annotations[nameAnnotation] != "one" {
		w.Errorf("the object is the chart's, and belongs to the release: %+v", got)
	}
	if manager := w.configMap("one").ManagedFields[0].Manager; manager != "helm" {
		w.Errorf("applied by %q: the helm command could not follow", manager)
	}
}

func testApplyTwice(w *world) {
	want := w.wanted(chartOf(w, web), "{}")
	first := w.apply(want)
	before := w.objects()
	again := w.apply(want)
	check(w, "nothing to do", again, Deployed, 1)
	if diff := cmp.Diff(before, w.objects()); diff != "" {
		w.Errorf("applying twice has written (-before +after)\n%s", diff)
	}
	if again.Chart != first.Chart || again.ChartVersion != first.ChartVersion || again.AppVersion != first.AppVersion || again.Digest != first.Digest {
		w.Errorf("the same state: %+v, then %+v", first, again)
	}
}

func testUpgrade(w *world) {
	c := chartOf(w, web)
	w.apply(w.wanted(c, "extra: more"))
	state := w.apply(w.wanted(c, "text: other"))
	check(w, "an upgrade is the next revision", state, Deployed, 2)
	w.expect("what the new revision does not have is gone",
		"ConfigMap one", "Deployment one", "Secret sh.helm.release.v1.one.v1", "Secret sh.helm.release.v1.one.v2", "Service one")
	if got := w.configMap("one").Data["text"]; got != "other" {
		w.Errorf("text is %q", got)
	}
}

func testUpgradeToNoValues(w *world) {
	c := chartOf(w, web)
	w.apply(w.wanted(c, "text: other"))
	w.apply(w.wanted(c, ""))
	if got := w.configMap("one").Data["text"]; got != "hello" {
		w.Errorf("without values the chart's defaults hold; text is still %q", got)
	}
}

func testForeignFields(w *world) {
	c := chartOf(w, web)
	w.apply(w.wanted(c, "replicas: 1"))
	d := w.deployment()
	d.Spec.Replicas = new(int32)
	if _, err := w.clients.AppsV1().Deployments(w.namespace).Update(w.Context(), d, metav1.UpdateOptions{FieldManager: "somebody"}); err != nil {
		w.Fatal(err)
	}
	w.apply(w.wanted(c, "replicas: 3"))
	if got := *w.deployment().Spec.Replicas; got != 3 {
		w.Errorf("the user's values win over what somebody changed in the cluster: %d replicas", got)
	}
}

func testHelmsOwnRelease(w *world) {
	c := chartOf(w, web)
	want := w.wanted(c, "text: other")
	w.apply(want)
	w.relabel("one", 1, func(labels map[string]string) { delete(labels, DigestLabel) })
	check(w, "a release without our digest may be anything: it is made as wanted", w.apply(want), Deployed, 2)
}

// relabel changes a record as another program might have left it.
func (w *world) relabel(name string, revision int, change func(map[string]string)) {
	w.Helper()
	secrets := w.clients.CoreV1().Secrets(w.namespace)
	s, err := secrets.Get(w.Context(), recordName(name, revision), metav1.GetOptions{})
	if err != nil {
		w.Fatal(err)
	}
	change(s.Labels)
	if _, err := secrets.Update(w.Context(), s, metav1.UpdateOptions{}); err != nil {
		w.Fatal(err)
	}
}

func testForeignObject(w *world) {
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "one"}, Data: map[string]string{"text": "mine"}}
	if _, err := w.clients.CoreV1().ConfigMaps(w.namespace).Create(w.Context(), cm, metav1.CreateOptions{}); err != nil {
		w.Fatal(err)
	}
	want := w.wanted(chartOf(w, web), "")
	state, err := w.releases.Apply(w.Context(), want)
	if err == nil || !strings.Contains(err.Error(), "cannot be imported") {
		w.Fatalf("somebody's object is not touched: %v", err)
	}
	check(w, "there is no record of it", state, Failed, 0)
	if !strings.Contains(state.Message, "cannot be imported") {
		w.Errorf("the state says why: %q", state.Message)
	}
	w.expect("nothing was made", "ConfigMap one")
	want.Options.Upgrade.TakeOwnership = true
	if _, err := w.releases.Apply(w.Context(), want); err == nil {
		w.Fatal("what upgrades may do says nothing of installs")
	}
	want.Options.Install.TakeOwnership = true
	check(w, "unless asked for", w.apply(want), Deployed, 1)
	if got := w.configMap("one").Data["text"]; got != "hello" {
		w.Errorf("text is %q", got)
	}
}

func testFailingHook(w *world) {
	c := chartOf(w, web)
	want := w.wanted(c, "hook: No_Name")
	state, err := w.releases.Apply(w.Context(), want)
	if !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "templates/hook.yaml") {
		w.Fatalf("the error names the hook: %v", err)
	}
	check(w, "the failure is recorded", state, Failed, 1)
	before := w.objects()
	again := w.apply(want)
	check(w, "the same is not tried again", again, Failed, 1)
	if !strings.Contains(again.Message, "No_Name") {
		w.Errorf("the state says why: %q", again.Message)
	}
	if diff := cmp.Diff(before, w.objects()); diff != "" {
		w.Errorf("leaving it alone has written\n%s", diff)
	}
	want.Retry = true
	if _, err := w.releases.Apply(w.Context(), want); err == nil {
		w.Error("a retry tries")
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(w.objects()))); diff != "" {
		w.Errorf("a retry makes no second revision\n%s", diff)
	}
	check(w, "other values install, as revision 1", w.apply(w.wanted(c, "hook: name")), Deployed, 1)
}

func testSlowHook(w *world) {
	slow := chartOf(w, `
-- Chart.yaml --
{apiVersion: v2, name: slow, version: 1.0.0}
-- templates/pod.yaml --
apiVersion: v1
kind: Pod
metadata: {name: slow, annotations: {helm.sh/hook: pre-install}}
spec: {containers: [{name: a, image: example/a}], restartPolicy: Never}
`)
	want := w.wanted(slow, "")
	want.Options.Timeout = time.Second
	state, err := w.releases.Apply(w.Context(), want)
	if err == nil || errors.Is(err, fleet.ErrInvalid) {
		w.Fatalf("a hook that does not end in time may do so the next time: %v", err)
	}
	check(w, "it failed", state, Failed, 1)
}

func testImmutableField(w *world) {
	c := chartOf(w, web)
	w.apply(w.wanted(c, ""))
	want := w.wanted(c, "app: other")
	state, err := w.releases.Apply(w.Context(), want)
	if !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "immutable") {
		w.Fatalf("a selector cannot change, and only the user can help: %v", err)
	}
	check(w, "the attempt is recorded", state, Failed, 2)
	check(w, "and not repeated", w.apply(want), Failed, 2)
	check(w, "back to what was good", w.apply(w.wanted(c, "")), Deployed, 2)
	if got := w.deployment().Spec.Selector.MatchLabels["app"]; got != "web" {
		w.Errorf("selector is %q", got)
	}
}

func testFailedInstall(w *world) {
	c := chartOf(w, web)
	if _, err := w.releases.Apply(w.Context(), w.wanted(c, "{extra: stray, port: 99999}")); !errors.Is(err, fleet.ErrInvalid) {
		w.Fatalf("the Service is refused: %v", err)
	}
	w.expect("the rest of it was made", "ConfigMap one", "ConfigMap stray", "Deployment one", "Secret sh.helm.release.v1.one.v1")
	check(w, "a release that never stood is installed", w.apply(w.wanted(c, "")), Deployed, 1)
	w.expect("what only the failed attempt made is gone", all...)
}

func testAtomicInstall(w *world) {
	want := w.wanted(chartOf(w, web), "port: 99999")
	want.Options.Atomic = true
	state, err := w.releases.Apply(w.Context(), want)
	if !errors.Is(err, fleet.ErrInvalid) {
		w.Fatalf("the Service is refused: %v", err)
	}
	check(w, "it failed", state, Failed, 1)
	w.expect("only the memory of it is left", "Secret sh.helm.release.v1.one.v1")
	kept := w.apply(want)
	check(w, "and is a reason not to try again", kept, Failed, 1)
	if !strings.Contains(kept.Message, "99999") {
		w.Errorf("the state says why: %q", kept.Message)
	}
	check(w, "until the values change", w.apply(w.wanted(want.Chart, "")), Deployed, 1)
}

// plain is a chart whose objects are ready without a controller.
const plain = `
-- Chart.yaml --
{apiVersion: v2, name: plain, version: 1.0.0}
-- values.yaml --
text: hello
port: 80
-- templates/all.yaml --
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {text: {{ .Values.text | quote }}}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {ports: [{port: {{ .Values.port }}}]}
`

func testAtomicUpgrade(w *world) {
	c := chartOf(w, plain)
	good := w.wanted(c, "")
	w.apply(good)
	bad := w.wanted(c, "{text: other, port: 99999}")
	bad.Options.Atomic, bad.Options.Timeout = true, 20*time.Second
	if _, err := w.releases.Apply(w.Context(), bad); !errors.Is(err, fleet.ErrInvalid) {
		w.Fatalf("the Service is refused: %v", err)
	}
	if got := w.configMap("one").Data["text"]; got != "hello" {
		w.Errorf("rolled back: text is %q", got)
	}
	before := w.objects()
	kept := w.apply(bad)
	check(w, "the same is not tried again, though an older revision stands", kept, Failed, 2)
	if diff := cmp.Diff(before, w.objects()); diff != "" {
		w.Errorf("leaving it alone has written\n%s", diff)
	}
	check(w, "what stands is what was wanted before", w.apply(good), Deployed, 3)
}

func testUnknownKind(w *world) {
	c := chartOf(w, `
-- Chart.yaml --
{apiVersion: v2, name: odd, version: 1.0.0}
-- templates/a.yaml --
apiVersion: example.org/v1
kind: Odd
metadata: {name: odd}
`)
	state, err := w.releases.Apply(w.Context(), w.wanted(c, ""))
	if !errors.Is(err, fleet.ErrNotYet) || !strings.Contains(err.Error(), "Odd.example.org") {
		w.Errorf("the kind may still come: %v", err)
	}
	w.expect("nothing was made")
	check(w, "there is no record of it", state, Failed, 0)
	if !strings.Contains(state.Message, "Odd.example.org") {
		w.Errorf("the state says why: %q", state.Message)
	}
	w.apply(w.wanted(chartOf(w, web), ""))
	state, err = w.releases.Apply(w.Context(), w.wanted(c, ""))
	if err == nil {
		w.Fatal("the kind is still missing")
	}
	check(w, "the upgrade was never recorded", state, Failed, 1)
	if !strings.Contains(state.Message, "Odd.example.org") {
		w.Errorf("the state says why: %q", state.Message)
	}
}

// deaf does not get the answer to one of the lists of records that are asked for.
type deaf struct {
	next  http.RoundTripper
	at    int64
	count atomic.Int64
}

func (d *deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/secrets") && d.count.Add(1) == d.at {
		return nil, errors.New("the answer was lost")
	}
	return d.next.RoundTrip(r)
}

// deafAt are releases that do not hear the answer to their n-th list, and whether they got so far.
func (w *world) deafAt(n int) (r *Releases, reached func() bool) {
	w.Helper()
	d := &deaf{at: int64(n)}
	config := rest.CopyConfig(w.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { d.next = next; return d })
	r, err := New(config, Config{QPS: 1000})
	if err != nil {
		w.Fatal(err)
	}
	return r, func() bool { return d.count.Load() >= d.at }
}

// testRemoveDeaf: that nobody could be asked is not that nothing is there.
func testRemoveDeaf(w *world) {
	for n := 1; ; n++ {
		w.apply(w.wanted(chartOf(w, web), ""))
		releases, reached := w.deafAt(n)
		err := releases.Remove(w.Context(), w.namespace, "one", RemoveOptions{})
		if !reached() {
			break
		}
		if left := w.objects(); err == nil && len(left) > 0 {
			w.Errorf("list %d failed, the removal has succeeded, and there are still %v", n, left)
		}
		w.remove()
	}
}

func testUndoDeaf(w *world) {
	want := w.wanted(chartOf(w, web), "port: 99999")
	want.Options.Atomic = true
	for n := 1; ; n++ {
		releases, reached := w.deafAt(n)
		_, err := releases.Apply(w.Context(), want)
		if err == nil {
			w.Fatal("the Service is refused")
		}
		if !reached() {
			break
		}
		if _, left := w.objects()["ConfigMap one"]; left && strings.Contains(err.Error(), "was removed again") {
			w.Errorf("list %d failed, it is still there: %v", n, err)
		}
		w.remove()
	}
}

// testOwners: a release stays with who has it, until it is gone.
func testOwners(w *world) {
	c := chartOf(w, web)
	a, b := Owner{"portico.dev/owner", "a"}, Owner{"portico.dev/owner", "b"}
	mine, other := w.wanted(c, ""), w.wanted(c, "text: other")
	mine.Owner, other.Owner = a, b
	w.apply(mine)
	before := w.objects()
	_, err := w.releases.Apply(w.Context(), other)
	var taken *TakenError
	if !errors.As(err, &taken) || taken.Owner != a || !errors.Is(err, fleet.ErrNotYet) {
		w.Errorf("it is told who has the release: %v", err)
	}
	if err := w.releases.Remove(w.Context(), w.namespace, "one", RemoveOptions{Owner: b}); err != nil {
		w.Errorf("of what is another's there is nothing to remove: %v", err)
	}
	if diff := cmp.Diff(before, w.objects()); diff != "" {
		w.Errorf("another's release was touched (-before +after)\n%s", diff)
	}
	if err := w.releases.Remove(w.Context(), w.namespace, "one", RemoveOptions{Owner: a, KeepHistory: true}); err != nil {
		w.Fatal(err)
	}
	check(w, "nobody has what was removed", w.apply(other), Deployed, 2)
	w.remove()
	w.apply(w.wanted(c, ""))
	check(w, "what nobody has can be taken over", w.apply(mine), Deployed, 2)
}

const withCRD = `
-- Chart.yaml --
{apiVersion: v2, name: things, version: 1.0.0}
-- values.yaml --
name: a
-- crds/things.yaml --
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.helm.portico.dev}
spec:
  group: helm.portico.dev
  scope: Namespaced
  names: {kind: Thing, plural: things}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object}}}]
-- templates/thing.yaml --
apiVersion: helm.portico.dev/v1
kind: Thing
metadata: {name: {{ .Values.name }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: served-{{ .Capabilities.APIVersions.Has "helm.portico.dev/v1" }}}
`

func testCRDs(w *world) {
	w.apply(w.wanted(chartOf(w, withCRD), ""))
	w.expect("the chart's own kinds can be used at once", "ConfigMap served-true", "Secret sh.helm.release.v1.one.v1")
}

func testNamespace(w *world) {
	want := w.wanted(chartOf(w, web), "")
	want.Namespace = w.namespace + "-new"
	if _, err := w.releases.Apply(w.Context(), want); !errors.Is(err, fleet.ErrNotYet) {
		w.Errorf("the namespace may still come: %v", err)
	}
	want.Options.CreateNamespace = true
	check(w, "or is made", w.apply(want), Deployed, 1)
}

func testLabels(w *world) {
	c := chartOf(w, web)
	want := w.wanted(c, "hook: before")
	want.ObjectLabels = map[string]string{"helm.toolkit.fluxcd.io/name": "one"}
	want.Options.Labels = map[string]string{"team": "a", "old": "x"}
	w.apply(want)
	for _, name := range []string{"one", "before"} {
		if got := w.configMap(name).Labels["helm.toolkit.fluxcd.io/name"]; got != "one" {
			w.Errorf("ConfigMap %s can be found by its label: %q", name, got)
		}
	}
	if got := w.deployment().Spec.Template.Labels; len(got) != 1 {
		w.Errorf("what the objects make is not labelled: %v", got)
	}
	want.Options.Labels = map[string]string{"team": "b"}
	check(w, "labels are part of the wish", w.apply(want), Deployed, 2)
	s, err := w.clients.CoreV1().Secrets(w.namespace).Get(w.Context(), recordName("one", 2), metav1.GetOptions{})
	if err != nil {
		w.Fatal(err)
	}
	if _, old := s.Labels["old"]; old || s.Labels["team"] != "b" {
		w.Errorf("labels of the record: %v", s.Labels)
	}
	check(w, "and stay", w.apply(want), Deployed, 2)
}

func testAnotherWriter(w *world) {
	c := chartOf(w, web)
	w.apply(w.wanted(c, ""))
	w.relabel("one", 1, func(labels map[string]string) {
		delete(labels, DigestLabel)
		labels["status"] = "pending-upgrade"
	})
	want := w.wanted(c, "text: other")
	if _, err := w.releases.Apply(w.Context(), want); !errors.Is(err, fleet.ErrNotYet) {
		w.Errorf("the helm command may be at work: %v", err)
	}
	later, err := New(w.config, Config{QPS: 1000, Clock: func() time.Time { return time.Now().Add(time.Hour) }})
	if err != nil {
		w.Fatal(err)
	}
	state, err := later.Apply(w.Context(), want)
	if err != nil {
		w.Fatal(err)
	}
	check(w, "but not for an hour", state, Deployed, 1)
}

func testCancelled(w *world) {
	slow := chartOf(w, web)
	want := w.wanted(slow, "")
	want.Options.Wait = true // no kubelet: it never becomes ready
	ctx, cancel := context.WithCancel(w.Context())
	ended := make(chan error)
	go func() {
		_, err := w.releases.Apply(ctx, want)
		ended <- err
	}()
	w.untilObject("deployments", "one")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		w.Errorf("the call ends at once: %v", err)
	}
	state, err := w.releases.Observe(w.Context(), w.namespace, "one")
	if err != nil {
		w.Fatal(err)
	}
	check(w, "like after a crash", state, Pending, 1)
	want.Options.Wait = false
	check(w, "and is finished under the same number", w.apply(want), Deployed, 1)
}

// untilObject watches until the object is there.
func (w *world) untilObject(kind, name string) {
	w.Helper()
	watch, err := w.clients.AppsV1().Deployments(w.namespace).Watch(w.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		w.Fatal(err)
	}
	defer watch.Stop()
	if _, ok := <-watch.ResultChan(); !ok {
		w.Fatalf("watching %s ended", kind)
	}
}

func testRemove(w *world) {
	w.remove()
	w.apply(w.wanted(chartOf(w, web), ""))
	w.remove()
	w.expect("nothing is left")
	w.remove()
}

func testRemoveWithoutKinds(w *world) {
	text := strings.ReplaceAll(withCRD, "things", "gones")
	text = strings.ReplaceAll(text, "Thing", "Gone")
	w.apply(w.wanted(chartOf(w, text), ""))
	crds := w.clients.RESTClient().Delete().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gones.helm.portico.dev")
	if err := crds.Do(w.Context()).Error(); err != nil {
		w.Fatal(err)
	}
	w.remove()
	fresh, err := New(w.config, Config{QPS: 1000})
	if err != nil {
		w.Fatal(err)
	}
	if err := fresh.Remove(w.Context(), w.namespace, "one", RemoveOptions{}); err != nil {
		w.Fatal(err)
	}
	w.expect("a kind that is gone took its objects along; the rest is removed")
}

func testRemoveFailedUpgrade(w *world) {
	c := chartOf(w, web)
	w.apply(w.wanted(c, "extra: first"))
	if _, err := w.releases.Apply(w.Context(), w.wanted(c, "{extra: second, port: 99999}")); err == nil {
		w.Fatal("the Service is refused")
	}
	w.remove()
	w.expect("the objects of both revisions are gone")
}

func testRemoveKeepHistory(w *world) {
	want := w.wanted(chartOf(w, web), "")
	w.apply(want)
	if err := w.releases.Remove(w.Context(), w.namespace, "one", RemoveOptions{KeepHistory: true}); err != nil {
		w.Fatal(err)
	}
	w.expect("the record stays", "Secret sh.helm.release.v1.one.v1")
	if err := w.releases.Remove(w.Context(), w.namespace, "one", RemoveOptions{KeepHistory: true}); err != nil {
		w.Errorf("twice is once: %v", err)
	}
	check(w, "it can come back", w.apply(want), Deployed, 2)
	w.remove()
	w.expect("all records go")
}

func testRemoveInEndingNamespace(w *world) {
	w.apply(w.wanted(chartOf(w, web), "hook: before"))
	// A finalizer keeps the namespace from going while we look.
	pin := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "pin", Finalizers: []string{"portico.dev/test"}}}
	if _, err := w.clients.CoreV1().ConfigMaps(w.namespace).Create(w.Context(), pin, metav1.CreateOptions{}); err != nil {
		w.Fatal(err)
	}
	if err := w.clients.CoreV1().Namespaces().Delete(w.Context(), w.namespace, metav1.DeleteOptions{}); err != nil {
		w.Fatal(err)
	}
	w.remove()
	for name := range w.objects() {
		if name != "ConfigMap before" && name != "ConfigMap pin" {
			w.Errorf("%s is left", name)
		}
	}
	if _, err := w.releases.Apply(w.Context(), w.wanted(chartOf(w, web), "")); !errors.Is(err, fleet.ErrNotYet) {
		w.Errorf("nothing can be made in it until it is gone: %v", err)
	}
	pin.Finalizers = nil
	if _, err := w.clients.CoreV1().ConfigMaps(w.namespace).Update(w.Context(), pin, metav1.UpdateOptions{}); err != nil {
		w.Log(fmt.Errorf("letting the namespace go: %w", err))
	}
}
