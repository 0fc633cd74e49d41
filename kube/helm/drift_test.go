package helm

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/kubetest"
)

// TestDrift runs what needs a cluster: charts of manifests, patches, drift and its mending.
func TestDrift(t *testing.T) {
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
		{"Defaults", testNoDrift},
		{"Found", testDriftFound},
		{"Gone", testDriftGone},
		{"Secret", testDriftSecret},
		{"Excluded", testDriftExcluded},
		{"Ignored", testDriftIgnored},
		{"Immutable", testDriftImmutable},
		{"Another", testDriftOfAnother},
		{"ManifestCRDs", testManifestCRDs},
		{"ManifestCRDsForeign", testManifestCRDsForeign},
		{"ManifestRollback", testManifestRollback},
		{"ManifestPrune", testManifestPrune},
		{"ManifestCrash", func(w *world) { testManifestCrash(w, cluster.Kubeconfig) }},
		{"Patches", testPatches},
		{"TakeOver", testTakeOver},
		{"Mounts", testMounts},
		{"NamespaceFirst", testNamespaceFirst},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.test(&world{T: t, config: cluster.Config, clients: clients, releases: releases, namespace: cluster.Namespace(t)})
		})
	}
}

// manifests is a wish for a release of manifests, where NS stands for the namespace.
func (w *world) manifests(text string) Wanted {
	w.Helper()
	c, err := FromManifests("app", "v1", []byte(strings.ReplaceAll(text, "NS", w.namespace)))
	if err != nil {
		w.Fatal(err)
	}
	return Wanted{Namespace: w.namespace, Name: "one", Chart: c}
}

func (w *world) drift(o DriftOptions) []Difference {
	w.Helper()
	found, err := w.releases.Drift(w.Context(), w.namespace, "one", o)
	if err != nil {
		w.Fatalf("Drift: %v", err)
	}
	return found
}

func (w *world) mend(o DriftOptions) []Difference {
	w.Helper()
	mended, err := w.releases.Mend(w.Context(), w.namespace, "one", o)
	if err != nil {
		w.Fatalf("Mend: %v", err)
	}
	return mended
}

func (w *world) differs(why string, got []Difference, want ...Difference) {
	w.Helper()
	for i := range want {
		want[i].Object = strings.ReplaceAll(want[i].Object, "NS", w.namespace)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s (-want +got)\n%s", why, diff)
	}
}

// edit changes an object as somebody with kubectl does.
func (w *world) edit(resource, name, patch string) {
	w.Helper()
	kind := types.MergePatchType
	if strings.HasPrefix(patch, "[") {
		kind = types.JSONPatchType
	}
	if _, err := w.resource(resource).Patch(w.Context(), name, kind, []byte(patch), metav1.PatchOptions{FieldManager: "kubectl-edit"}); err != nil {
		w.Fatalf("editing %s %s: %v", resource, name, err)
	}
}

// resource finds "group/version/plural", or ".version/plural" for the core group, in the
// namespace; with a "/" in front, in no namespace.
func (w *world) resource(path string) dynamic.ResourceInterface {
	w.Helper()
	client, err := dynamic.NewForConfig(w.config)
	if err != nil {
		w.Fatal(err)
	}
	path, wide := strings.CutPrefix(path, "/")
	if core, ok := strings.CutPrefix(path, "."); ok {
		path = "/" + core
	}
	parts := strings.Split(path, "/")
	at := client.Resource(schema.GroupVersionResource{Group: parts[0], Version: parts[1], Resource: parts[2]})
	if wide {
		return at
	}
	return at.Namespace(w.namespace)
}

func (w *world) get(path, name string) *unstructured.Unstructured {
	w.Helper()
	o, err := w.resource(path).Get(w.Context(), name, metav1.GetOptions{})
	if err != nil {
		w.Fatal(err)
	}
	return o
}

// counting counts the requests that ask what applying would make.
type counting struct {
	next http.RoundTripper
	mu   sync.Mutex
	dry  []string
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Query().Get("dryRun") != "" {
		c.mu.Lock()
		c.dry = append(c.dry, r.URL.Path)
		c.mu.Unlock()
	}
	return c.next.RoundTrip(r)
}

// counted returns a world whose dry runs are counted.
func (w *world) counted() (*world, *counting) {
	w.Helper()
	c := &counting{}
	config := rest.CopyConfig(w.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { c.next = next; return c })
	releases, err := New(config, Config{QPS: 1000, Patience: time.Hour})
	if err != nil {
		w.Fatal(err)
	}
	inner := *w
	inner.releases = releases
	return &inner, c
}

// many holds what API servers and controllers like to write in their own way.
const many = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: one, annotations: {}}
spec:
  replicas: 1
  selector: {matchLabels: {app: one}}
  template:
    metadata: {labels: {app: one}, creationTimestamp: null}
    spec:
      nodeSelector: {}
      initContainers: [{name: init, image: example/init}]
      containers:
      - name: web
        image: example/web
        resources: {limits: {cpu: 1000m, memory: 1024Mi}, requests: {cpu: "0.5"}}
        env: [{name: B, value: b}, {name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: EMPTY, value: ""}]
        ports: [{containerPort: 80}, {containerPort: 53, protocol: UDP}, {name: dns, containerPort: 53}]
        livenessProbe: {httpGet: {path: /, port: 80}}
        volumeMounts: [{name: c, mountPath: /c}]
      - {name: side, image: example/side, resources: {}, securityContext: {}}
      volumes: [{name: c, configMap: {name: one}}, {name: e, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: one}
spec: {selector: {app: one}, ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP, targetPort: dns}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
data: {text: "hello\n", empty: ""}
---
apiVersion: v1
kind: Secret
metadata: {name: one}
stringData: {password: secret}
data: {other: b3RoZXI=}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: one}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: one}
  maxReplicas: 3
  metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 1000m}}}]
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: one}
spec: {minAvailable: 1, selector: {matchLabels: {app: one}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: one}
spec:
  schedule: "0 * * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: a, image: example/a}]}}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NS-all}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {portico.dev/test: NS}}]}
rules: []
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NS-part, labels: {portico.dev/test: NS}}
rules: [{apiGroups: [""], resources: [pods], verbs: [get, list]}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: one}
spec:
  serviceName: one
  selector: {matchLabels: {app: set}}
  template: {metadata: {labels: {app: set}}, spec: {containers: [{name: a, image: example/a}]}}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1024Mi}}}}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: one}
spec: {rules: [{host: example.com, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: one, port: {name: http}}}}]}}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: one}
spec: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {a: b}}}], ports: [{port: 80}]}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: one}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: one}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: NS-part}
subjects: [{kind: ServiceAccount, name: one}]
---
apiVersion: batch/v1
kind: Job
metadata: {name: one}
spec: {ttlSecondsAfterFinished: 60, template: {spec: {restartPolicy: Never, containers: [{name: a, image: example/a}]}}}
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: one}
spec: {hard: {cpu: 1000m, memory: 1024Mi}}
`

func testNoDrift(w *world) {
	w.apply(w.manifests(many))
	// The aggregated rules come from a controller.
	w.until("the rules are aggregated", func() bool {
		rules, _, _ := unstructured.NestedSlice(w.get("/rbac.authorization.k8s.io/v1/clusterroles", w.namespace+"-all").Object, "rules")
		return len(rules) == 1
	})
	counted, c := w.counted()
	w.differs("what the cluster writes in its own way is no drift", counted.drift(DriftOptions{}))
	if len(c.dry) > 0 {
		w.Errorf("nobody has touched what was applied, and the cluster was asked all the same: %v", c.dry)
	}
	// What others write beside, and what they set to the same.
	w.edit("apps/v1/deployments", "one", `{"metadata":{"annotations":{"a":"b"}},"spec":{"replicas":1,"paused":true}}`)
	w.edit("apps/v1/deployments", "one", `[{"op":"add","path":"/spec/template/spec/containers/0","value":{"name":"injected","image":"example/i"}}]`)
	w.edit(".v1/configmaps", "one", `{"data":{"more":"x"}}`)
	w.differs("what others own is not ours", w.drift(DriftOptions{}))
	w.differs("so there is nothing to mend", w.mend(DriftOptions{}))
	kinds, err := w.releases.Kinds(w.Context(), w.namespace, "one")
	if err != nil || len(kinds) != 15 {
		w.Errorf("got %d kinds, %v: want 15", len(kinds), err)
	}
	if err := w.clients.BatchV1().Jobs(w.namespace).Delete(w.Context(), "one", metav1.DeleteOptions{}); err != nil {
		w.Fatal(err)
	}
	w.differs("a Job that asks to be removed may be", w.drift(DriftOptions{}))
}

func (w *world) until(why string, ok func() bool) {
	w.Helper()
	// Long: an API server with much else to do takes its time to let go of a kind.
	for range 1200 {
		if ok() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.Fatalf("not within a minute: %s", why)
}

func testDriftFound(w *world) {
	want := w.wanted(chartOf(w, web), "")
	want.ObjectLabels = map[string]string{"team": "a"}
	w.apply(want)
	w.differs("fresh", w.drift(DriftOptions{}))
	before := w.objects()["Secret sh.helm.release.v1.one.v1"]
	for _, step := range []struct {
		why, resource, patch, object string
		fields                       []string
	}{
		{"a value", ".v1/configmaps", `{"data":{"text":"other"}}`, "ConfigMap", []string{"/data/text"}},
		{"a field that was taken away", ".v1/configmaps", `{"data":null}`, "ConfigMap", []string{"/data/text"}},
		{"labels that the release put on", ".v1/configmaps", `{"metadata":{"labels":{"team":"b","app.kubernetes.io/managed-by":null}}}`, "ConfigMap", []string{"/metadata/labels/app.kubernetes.io~1managed-by", "/metadata/labels/team"}},
		{"replicas", "apps/v1/deployments", `{"spec":{"replicas":4}}`, "Deployment", []string{"/spec/replicas"}},
		{"a container's image, found by its name", "apps/v1/deployments", `[{"op":"add","path":"/spec/template/spec/containers/0","value":{"name":"x","image":"x"}},{"op":"replace","path":"/spec/template/spec/containers/1/image","value":"evil"}]`, "Deployment", []string{"/spec/template/spec/containers/1/image"}},
		{"a port", ".v1/services", `[{"op":"replace","path":"/spec/ports/0/port","value":81}]`, "Service", []string{"/spec/ports/0"}},
		{"more in a mapping that is one value", ".v1/services", `{"spec":{"selector":{"more":"x"}}}`, "Service", []string{"/spec/selector/more"}},
	} {
		w.edit(step.resource, "one", step.patch)
		d := Difference{Object: step.object + " NS/one", Fields: step.fields}
		w.differs(step.why, w.drift(DriftOptions{}), d)
		w.differs("mending "+step.why, w.mend(DriftOptions{}), d)
		w.differs("after mending "+step.why, w.drift(DriftOptions{}))
	}
	if got := w.configMap("one"); got.Data["text"] != "hello" || got.Labels["team"] != "a" {
		w.Errorf("the ConfigMap is %v %v", got.Data, got.Labels)
	}
	if got := *w.deployment().Spec.Replicas; got != 1 {
		w.Errorf("replicas is %d", got)
	}
	if after := w.objects()["Secret sh.helm.release.v1.one.v1"]; after != before {
		w.Error("mending wrote to the release's record")
	}
	check(w, "and makes no revision", w.apply(want), Deployed, 1)
	w.edit(".v1/configmaps", "one", `{"data":{"text":"other"}}`)
	w.edit("apps/v1/deployments", "one", `{"spec":{"replicas":4}}`)
	only := []Object{{GroupVersionKind: corev1.SchemeGroupVersion.WithKind("ConfigMap"), Namespace: w.namespace, Name: "one"}}
	w.differs("one object alone", w.drift(DriftOptions{Only: only}), Difference{"ConfigMap NS/one", []string{"/data/text"}})
	w.differs("sorted", w.drift(DriftOptions{}), Difference{"ConfigMap NS/one", []string{"/data/text"}}, Difference{"Deployment NS/one", []string{"/spec/replicas"}})
}

func testDriftGone(w *world) {
	w.apply(w.wanted(chartOf(w, web), ""))
	if err := w.clients.CoreV1().ConfigMaps(w.namespace).Delete(w.Context(), "one", metav1.DeleteOptions{}); err != nil {
		w.Fatal(err)
	}
	gone := Difference{Object: "ConfigMap NS/one"}
	w.differs("an object that is not there", w.drift(DriftOptions{}), gone)
	w.differs("is made again", w.mend(DriftOptions{}), gone)
	w.differs("and then is there", w.drift(DriftOptions{}))
	if a := w.configMap("one").Annotations; a[nameAnnotation] != "one" || a[namespaceAnnotation] != w.namespace {
		w.Errorf("it is the release's again: %v", a)
	}
	w.relabel("one", 1, func(labels map[string]string) { labels["status"] = "pending-upgrade" })
	w.edit("apps/v1/deployments", "one", `{"spec":{"replicas":4}}`)
	w.differs("of what is not deployed, nobody knows how it shall be", w.drift(DriftOptions{}))
	w.differs("nor is it mended", w.mend(DriftOptions{}))
	got, err := w.releases.Drift(w.Context(), w.namespace, "two", DriftOptions{})
	if err != nil || got != nil {
		w.Errorf("a release that is not there: %v, %v", got, err)
	}
}

func testDriftSecret(w *world) {
	w.apply(w.manifests(many))
	w.edit(".v1/secrets", "one", `{"data":{"password":"b3RoZXI="}}`)
	d := Difference{"Secret NS/one", []string{"/data/password"}}
	w.differs("a Secret's key, not its value", w.drift(DriftOptions{}), d)
	w.differs("mended", w.mend(DriftOptions{}), d)
	w.differs("as it was", w.drift(DriftOptions{}))
	s, err := w.clients.CoreV1().Secrets(w.namespace).Get(w.Context(), "one", metav1.GetOptions{})
	if err != nil || string(s.Data["password"]) != "secret" || string(s.Data["other"]) != "other" {
		w.Errorf("the Secret is %v, %v", s.Data, err)
	}
}

func testDriftExcluded(w *world) {
	w.apply(w.wanted(chartOf(w, web), ""))
	o := DriftOptions{Exclude: []Exclusion{{Paths: []string{"/spec/replicas"}, Target: &Selector{Kind: "Deployment"}}}}
	w.edit("apps/v1/deployments", "one", `{"spec":{"replicas":4}}`)
	w.differs("an excluded field may differ", w.drift(o))
	w.edit("apps/v1/deployments", "one", `{"spec":{"template":{"metadata":{"labels":{"app":"web","x":"y"}},"spec":{"terminationGracePeriodSeconds":7}}}}`)
	w.edit("apps/v1/deployments", "one", `[{"op":"replace","path":"/spec/template/spec/containers/0/image","value":"evil"}]`)
	d := Difference{"Deployment NS/one", []string{"/spec/template/spec/containers/0/image"}}
	w.differs("others not", w.drift(o), d)
	w.differs("only they are mended", w.mend(o), d)
	if got := w.deployment(); *got.Spec.Replicas != 4 || got.Spec.Template.Spec.Containers[0].Image != "example/web" {
		w.Errorf("replicas %d, image %s: want what the autoscaler set, and our image", *got.Spec.Replicas, got.Spec.Template.Spec.Containers[0].Image)
	}
	w.differs("without the exclusion", w.drift(DriftOptions{}), Difference{"Deployment NS/one", []string{"/spec/replicas"}})
	for _, path := range []string{"spec", "spec/replicas"} {
		_, err := w.releases.Drift(w.Context(), w.namespace, "one", DriftOptions{Exclude: []Exclusion{{Paths: []string{path}}}})
		if !errors.Is(err, fleet.ErrInvalid) {
			w.Errorf("the path %q is refused: %v", path, err)
		}
	}
}

func testDriftIgnored(w *world) {
	w.apply(w.wanted(chartOf(w, web), ""))
	w.edit("apps/v1/deployments", "one", `{"spec":{"replicas":4}}`)
	w.differs("chosen by a selector", w.drift(DriftOptions{Ignore: []Selector{{Kind: "Deployment", Namespace: w.namespace}}}))
	w.edit("apps/v1/deployments", "one", `{"metadata":{"annotations":{"`+IgnoreDrift+`":"ok"}}}`)
	w.differs("by its annotation", w.drift(DriftOptions{}))
	w.differs("nor mended", w.mend(DriftOptions{}))
	w.differs("another's release has no drift for us", w.drift(DriftOptions{Owner: Owner{"portico.dev/owner", "a"}}))
}

func testDriftImmutable(w *world) {
	w.apply(w.manifests(many))
	// Jobs and Services have fields that cannot be changed: here an object of the same name was
	// made anew by somebody.
	jobs := w.clients.BatchV1().Jobs(w.namespace)
	job, err := jobs.Get(w.Context(), "one", metav1.GetOptions{})
	if err != nil {
		w.Fatal(err)
	}
	background := metav1.DeletePropagationBackground
	if err := jobs.Delete(w.Context(), "one", metav1.DeleteOptions{PropagationPolicy: &background}); err != nil {
		w.Fatal(err)
	}
	w.until("the Job is gone", func() bool {
		_, err := jobs.Get(w.Context(), "one", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	job.ObjectMeta = metav1.ObjectMeta{Name: "one", Labels: job.Labels, Annotations: job.Annotations}
	job.Spec.Selector, job.Spec.Template.Labels = nil, nil
	job.Spec.Template.Spec.Containers[0].Image = "evil"
	if _, err := jobs.Create(w.Context(), job, metav1.CreateOptions{}); err != nil {
		w.Fatal(err)
	}
	d := Difference{"Job NS/one", []string{"/spec/template/spec/containers/0/image"}}
	w.differs("a field that cannot be changed back", w.drift(DriftOptions{}), d)
	mended, err := w.releases.Mend(w.Context(), w.namespace, "one", DriftOptions{})
	if !errors.Is(err, fleet.ErrInvalid) || len(mended) != 0 || !strings.Contains(err.Error(), "Job "+w.namespace+"/one: invalid: it differs in /spec/template") {
		w.Errorf("mending says what to do: %v, %v", mended, err)
	}
}

func testDriftOfAnother(w *world) {
	w.apply(w.wanted(chartOf(w, web), ""))
	w.edit(".v1/configmaps", "one", `{"metadata":{"annotations":{"`+nameAnnotation+`":"two"}},"data":{"text":"theirs"}}`)
	w.differs("what another release has taken is theirs", w.mend(DriftOptions{}))
}

const things = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: NAMEs.NS.portico.dev}
spec:
  group: NS.portico.dev
  scope: Namespaced
  names: {kind: KIND, plural: NAMEs}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, x-kubernetes-preserve-unknown-fields: true}}}}
    subresources: {status: {}}
---
apiVersion: NS.portico.dev/v1
kind: KIND
metadata: {name: one}
spec: {items: [{name: a, count: 1}], x: 1.0}
`

func thing(name, kind string) string {
	return strings.NewReplacer("NAME", name, "KIND", kind).Replace(things)
}

// noCRDs says whether no CRD of the test is left, not even one that is being deleted.
func (w *world) noCRDs() bool {
	w.Helper()
	list, err := w.resource("/apiextensions.k8s.io/v1/customresourcedefinitions").List(w.Context(), metav1.ListOptions{})
	if err != nil {
		w.Fatal(err)
	}
	return !slices.ContainsFunc(list.Items, func(crd unstructured.Unstructured) bool {
		return strings.HasSuffix(crd.GetName(), "."+w.namespace+".portico.dev")
	})
}

func (w *world) crds() string {
	w.Helper()
	list, err := w.resource("/apiextensions.k8s.io/v1/customresourcedefinitions").List(w.Context(), metav1.ListOptions{})
	if err != nil {
		w.Fatal(err)
	}
	var names []string
	for _, crd := range list.Items {
		if name, mine := strings.CutSuffix(crd.GetName(), "."+w.namespace+".portico.dev"); mine && crd.GetDeletionTimestamp() == nil {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

func testManifestCRDs(w *world) {
	a, b := thing("apple", "Apple"), thing("berry", "Berry")
	check(w, "kinds and objects of them at once", w.apply(w.manifests(a+"---"+b)), Deployed, 1)
	w.differs("fresh", w.drift(DriftOptions{}))
	if got := w.crds(); got != "apples berrys" {
		w.Errorf("CRDs: %s", got)
	}
	group := w.namespace + ".portico.dev"
	w.edit(group+"/v1/apples", "one", `{"spec":{"items":[{"name":"a","count":1},{"name":"b"}]}}`)
	w.edit("/apiextensions.k8s.io/v1/customresourcedefinitions", "apples."+group, `[{"op":"remove","path":"/spec/versions/0/subresources"}]`)
	w.differs("a custom resource, and its kind", w.mend(DriftOptions{}),
		Difference{"Apple NS/one", []string{"/spec/items/1"}},
		Difference{"CustomResourceDefinition apples.NS.portico.dev", []string{"/spec/versions/0/subresources/status"}})
	w.differs("mended", w.drift(DriftOptions{}))
	check(w, "one kind less", w.apply(w.manifests(strings.Replace(a, "status: {}", "status: {}, scale: {specReplicasPath: .spec.n, statusReplicasPath: .status.n}", 1))), Deployed, 2)
	if got := w.crds(); got != "apples" {
		w.Errorf("a CRD that is no longer wanted is removed: %s", got)
	}
	crd := w.get("/apiextensions.k8s.io/v1/customresourcedefinitions", "apples."+group)
	if _, has, _ := unstructured.NestedMap(crd.Object["spec"].(map[string]any)["versions"].([]any)[0].(map[string]any), "subresources", "scale"); !has {
		w.Error("an upgrade changes the CRDs that stay")
	}
	if err := w.releases.Remove(w.Context(), w.namespace, "one", RemoveOptions{Wait: true, Timeout: 20 * time.Second}); err != nil {
		w.Fatal(err)
	}
	if got := w.crds(); got != "" {
		w.Errorf("CRDs go with their release: %s", got)
	}
}

func testManifestCRDsForeign(w *world) {
	a := strings.ReplaceAll(thing("apple", "Apple"), "NS", w.namespace)
	crd := object(w.T, a[:strings.LastIndex(a, "---")])
	if _, err := w.resource("/apiextensions.k8s.io/v1/customresourcedefinitions").Create(w.Context(), crd, metav1.CreateOptions{}); err != nil {
		w.Fatal(err)
	}
	want := w.manifests(a)
	if _, err := w.releases.Apply(w.Context(), want); err == nil || !strings.Contains(err.Error(), "belongs to somebody else") {
		w.Errorf("somebody's CRD is not touched: %v", err)
	}
	want.Options.Install.TakeOwnership = true
	check(w, "unless asked for", w.apply(want), Deployed, 1)
	w.remove()
	if got := w.crds(); got != "" {
		w.Errorf("then it goes with the release: %s", got)
	}
	// As after a crash: a CRD of the release, and no record.
	own(crd, key{w.namespace, "one"})
	crd.SetLabels(with(crd.GetLabels(), map[string]string{manifestsMark: "true"}))
	w.until("the CRD can be made again", func() bool {
		_, err := w.resource("/apiextensions.k8s.io/v1/customresourcedefinitions").Create(w.Context(), crd.DeepCopy(), metav1.CreateOptions{})
		return err == nil
	})
	w.remove()
	if got := w.crds(); got != "" {
		w.Errorf("what a crash has left is removed: %s", got)
	}
}

func testManifestRollback(w *world) {
	a, b := thing("apple", "Apple"), thing("berry", "Berry")
	w.apply(w.manifests(a))
	// A Job that fails fails the upgrade.
	failing := "---\n{apiVersion: v1, kind: Pod, metadata: {name: never}, spec: {containers: [{name: a, image: example/a}]}}\n"
	want := w.manifests(b + failing)
	want.Options.Atomic, want.Options.Timeout = true, time.Second
	if _, err := w.releases.Apply(w.Context(), want); err == nil {
		w.Fatal("the upgrade has to fail")
	}
	if got := w.crds(); got != "apples" {
		w.Errorf("after the rollback, CRDs are as before: %s", got)
	}
	w.differs("and so are the objects", w.drift(DriftOptions{}))
	w.remove()
	want.Options.Install = InstallOptions{}
	if _, err := w.releases.Apply(w.Context(), want); err == nil {
		w.Fatal("the install has to fail")
	}
	if got := w.crds(); got != "" {
		w.Errorf("an install that is undone leaves no CRDs: %s", got)
	}
}

func testManifestPrune(w *world) {
	cm := func(name string) string {
		return "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + ", annotations: {helm.sh/hook: post-install}}\ndata: {t: '{{ .Values.x }} {{ fail \"no\" }}'}\n"
	}
	want := w.manifests(cm("a") + cm("b"))
	want.ObjectLabels = map[string]string{"team": "a"}
	check(w, "no text is a template, no object is a hook", w.apply(want), Deployed, 1)
	if got := w.configMap("a"); got.Data["t"] != `{{ .Values.x }} {{ fail "no" }}` || got.Labels["team"] != "a" {
		w.Errorf("the ConfigMap is %v %v", got.Data, got.Labels)
	}
	if release, ok := ReleaseOf(w.configMap("a")); !ok || release != (types.NamespacedName{Namespace: w.namespace, Name: "one"}) {
		w.Errorf("it is not marked as one of the release: %v", release)
	}
	check(w, "twice is once", w.apply(want), Deployed, 1)
	w.differs("no drift", w.drift(DriftOptions{}))
	state := w.apply(w.manifests(cm("a")))
	check(w, "what is gone is removed", state, Deployed, 2)
	if state.AppVersion != "v1" || state.Chart != "app" {
		w.Errorf("the state names the source: %+v", state)
	}
	w.expect("pruned", "ConfigMap a", "Secret sh.helm.release.v1.one.v1", "Secret sh.helm.release.v1.one.v2")
	w.remove()
	w.expect("all gone")
}

// testManifestCrash kills a process before and after each of its writes, and lets another one go
// on. No kind is left that nobody wants, and none is missing.
func testManifestCrash(w *world, kubeconfig string) {
	fill := func(text string) string { return strings.ReplaceAll(text, "NS", w.namespace) }
	a, b := fill(thing("apple", "Apple")), fill(thing("berry", "Berry"))
	points := 0
	for _, e := range []struct {
		name, start, errand, then, want string
	}{
		{"Install", "", a, a, "apples"},
		{"InstallThenOther", "", a, b, "berrys"},
		{"InstallThenRemove", "", a, "", ""},
		{"Upgrade", a, b, b, "berrys"},
		{"UpgradeThenBack", a, b, a, "apples"},
		{"Remove", a, "", "", ""},
	} {
		for n := 0; ; n++ {
			w.settle("")
			w.until("the kinds are gone", w.noCRDs)
			if e.start != "" {
				w.settle(e.start)
			}
			errand := crash{Kubeconfig: kubeconfig, Namespace: w.namespace, Manifests: e.errand, Remove: e.errand == "", At: max(1, n), Before: n == 0}
			if !w.dies(errand) {
				break
			}
			points++
			// Who goes on knows nothing of what was.
			releases, err := New(w.config, Config{QPS: 1000, Patience: time.Hour})
			if err != nil {
				w.Fatal(err)
			}
			w.releases = releases
			w.settle(e.then)
			if got := w.crds(); got != e.want {
				w.Errorf("%s, killed at write %d: the kinds are %q, want %q", e.name, n, got, e.want)
			}
			if found := w.drift(DriftOptions{}); len(found) > 0 {
				w.Errorf("%s, killed at write %d: %v", e.name, n, found)
			}
		}
	}
	w.Logf("%d crashes", points)
	if points < 20 {
		w.Errorf("only %d points", points)
	}
}

// settle applies manifests, or removes the release, as often as it takes: a kind that is on its
// way out has to be gone first.
func (w *world) settle(text string) {
	w.Helper()
	if text == "" {
		w.remove()
		return
	}
	var last error
	defer func() {
		if w.Failed() && last != nil {
			w.Logf("the last answer: %v", last)
		}
	}()
	w.until("applied", func() bool {
		_, err := w.releases.Apply(w.Context(), w.manifests(text))
		last = err
		if err != nil && !errors.Is(err, fleet.ErrNotYet) {
			w.Fatal(err)
		}
		return err == nil
	})
}

func testPatches(w *world) {
	want := w.wanted(chartOf(w, web), "hook: before")
	plain := want.Digest()
	want.Patches = []Patch{
		{Patch: "- {op: add, path: /metadata/annotations, value: {patched: \"yes\"}}", Target: &Selector{Namespace: w.namespace}},
		{Patch: "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {template: {spec: {containers: [{name: web, env: [{name: A, value: b}]}]}}}}", Target: &Selector{Kind: "Deployment"}},
	}
	if want.Digest() == plain {
		w.Error("patches are part of the wish")
	}
	check(w, "patched", w.apply(want), Deployed, 1)
	if got := w.deployment(); got.Annotations["patched"] != "yes" || len(got.Spec.Template.Spec.Containers[0].Env) != 1 || got.Labels[managedLabel] != managedValue {
		w.Errorf("the Deployment is %v", got)
	}
	if got := w.configMap("before"); got.Annotations["patched"] != "" {
		w.Error("hooks are not patched")
	}
	w.differs("what was patched is as it shall be", w.drift(DriftOptions{}))
	rendered, err := Render(want.Chart, want.Values, Release{Namespace: w.namespace, Name: "one", Patches: want.Patches})
	if err != nil || len(rendered.Objects) != 3 || rendered.Objects[0].GetAnnotations()["patched"] != "yes" {
		w.Errorf("rendering shows the same: %v, %v", rendered, err)
	}
	want.Patches[1].Patch = "no patch"
	if _, err := w.releases.Apply(w.Context(), want); !errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "applying patch 2") {
		w.Errorf("a bad patch is named: %v", err)
	}
}

func testTakeOver(w *world) {
	c := chartOf(w, web)
	a, b := Owner{"portico.dev/owner", "a"}, Owner{"portico.dev/owner", "b"}
	theirs, mine := w.wanted(c, "text: one"), w.wanted(c, "text: two")
	theirs.Owner, mine.Owner = a, b
	w.apply(theirs)
	theirs.Values = Values{"text": "two"}
	w.apply(theirs)
	mine.TakeFrom = []Owner{{a.Label, "c"}}
	var taken *TakenError
	if _, err := w.releases.Apply(w.Context(), mine); !errors.As(err, &taken) {
		w.Errorf("it is not c's: %v", err)
	}
	mine.TakeFrom = append(mine.TakeFrom, a)
	before := w.objects()
	check(w, "what is as wanted only changes hands", w.apply(mine), Deployed, 2)
	check(w, "once", w.apply(mine), Deployed, 2)
	after := w.objects()
	for name := range before {
		if !strings.HasPrefix(name, "Secret") && before[name] != after[name] {
			w.Errorf("%s was written", name)
		}
	}
	if list, err := w.releases.List(w.Context(), a.Label, a.Value); err != nil || len(list) != 0 {
		w.Errorf("the former owner has none: %v, %v", list, err)
	}
	if _, err := w.releases.Apply(w.Context(), theirs); !errors.As(err, &taken) || taken.Owner != b {
		w.Errorf("and is told so: %v", err)
	}
	theirs.TakeFrom, theirs.Values = []Owner{b}, Values{"text": "z"}
	check(w, "what is otherwise is upgraded in place", w.apply(theirs), Deployed, 3)
	if got := w.configMap("one").Data["text"]; got != "z" {
		w.Errorf("text is %q", got)
	}
	if list, err := w.releases.List(w.Context(), b.Label, b.Value); err != nil || len(list) != 0 {
		w.Errorf("nothing is left with the other: %v, %v", list, err)
	}
}

const reading = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: one}
spec:
  selector: {matchLabels: {app: one}}
  template:
    metadata: {labels: {app: one}}
    spec:
      initContainers: [{name: i, image: i, envFrom: [{secretRef: {name: env-from}}]}]
      containers: [{name: a, image: a, env: [{name: A, valueFrom: {configMapKeyRef: {name: env, key: a}}}]}]
      volumes: [{name: a, configMap: {name: volume}}, {name: b, projected: {sources: [{secret: {name: projected}}]}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: nothing}
spec:
  selector: {matchLabels: {app: two}}
  template: {metadata: {labels: {app: two}}, spec: {containers: [{name: a, image: a}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: volume}
data: {a: b}
`

func testMounts(w *world) {
	w.apply(w.manifests(reading))
	look := func() Mount {
		w.Helper()
		mounts, err := w.releases.Mounts(w.Context(), w.namespace, "one")
		if err != nil || len(mounts) != 1 {
			w.Fatalf("Mounts = %v, %v: want those of the DaemonSet", mounts, err)
		}
		return mounts[0]
	}
	first := look()
	var sources []string
	for _, s := range first.Sources {
		sources = append(sources, s.Kind+" "+s.Name)
	}
	if diff := cmp.Diff([]string{"ConfigMap env", "ConfigMap volume", "Secret env-from", "Secret projected"}, sources); diff != "" || first.Workload.Name != "one" {
		w.Errorf("what %v reads (-want +got)\n%s", first.Workload, diff)
	}
	w.edit(".v1/configmaps", "volume", `{"metadata":{"labels":{"x":"y"}}}`)
	if look().Digest != first.Digest {
		w.Error("a label is no content")
	}
	w.edit(".v1/configmaps", "volume", `{"data":{"a":"c"}}`)
	if look().Digest == first.Digest {
		w.Error("content is")
	}
}

func testNamespaceFirst(w *world) {
	want := w.manifests("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: NS-more}}\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: NS-more}}\n")
	check(w, "namespaces come first", w.apply(want), Deployed, 1)
	w.differs("both", w.drift(DriftOptions{}))
	if err := w.clients.CoreV1().ConfigMaps(w.namespace+"-more").Delete(w.Context(), "a", metav1.DeleteOptions{}); err != nil {
		w.Fatal(err)
	}
	w.differs("an object of another namespace", w.mend(DriftOptions{}), Difference{Object: "ConfigMap NS-more/a"})
	w.remove()
	problems := judge([]liveObject{{name: "Namespace x", object: w.get("/.v1/namespaces", w.namespace+"-more")}})
	if len(problems) != 1 || !strings.HasPrefix(problems[0].Message, "it is being deleted") {
		w.Errorf("a namespace that ends is named as such: %v", problems)
	}
}
