package helm

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
)

// counter counts requests by method and resource, but for discovery.
type counter struct {
	next http.RoundTripper

	mu    sync.Mutex
	asked map[string]int
}

var resources = regexp.MustCompile(`^/(?:api|apis/[^/]+)/[^/]+(?:/namespaces/[^/]+)?/([a-z]+)(/.*)?$`)

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	if found := resources.FindStringSubmatch(r.URL.Path); found != nil {
		what := r.Method + " " + found[1]
		if r.Method == http.MethodGet && found[2] == "" {
			what = "LIST " + found[1]
		}
		c.mu.Lock()
		c.asked[what]++
		c.mu.Unlock()
	}
	return c.next.RoundTrip(r)
}

// take returns what was counted since, and begins anew.
func (c *counter) take() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []string
	for _, what := range slices.SortedFunc(maps.Keys(c.asked), cmp.Compare[string]) {
		all = append(all, fmt.Sprintf("%d %s", c.asked[what], what))
	}
	c.asked = map[string]int{}
	return strings.Join(all, ", ")
}

// testRequests says what each operation may ask of the cluster: an install is five writes, and
// the reads that keep it from harming what is not its own.
func testRequests(w *world) {
	counts := &counter{asked: map[string]int{}}
	config := rest.CopyConfig(w.config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { counts.next = next; return counts })
	releases, err := New(config, Config{QPS: 1000})
	if err != nil {
		w.Fatal(err)
	}
	w.releases = releases
	c := chartOf(w, web)
	must := func(err error) {
		w.Helper()
		if err != nil {
			w.Fatal(err)
		}
	}
	first := w.wanted(c, "text: a")
	first.Options.CreateNamespace = true
	for _, step := range []struct {
		what string
		do   func() error
		want string
	}{
		{"install", func() error { _, err := releases.Apply(w.Context(), first); return err },
			"1 GET configmaps, 1 GET deployments, 1 GET services, 1 LIST secrets, 1 PATCH configmaps, 1 PATCH deployments, 1 PATCH services, 1 POST secrets, 1 PUT secrets"},
		{"once more", func() error { _, err := releases.Apply(w.Context(), first); return err }, "1 LIST secrets"},
		{"look at one", func() error {
			_, err := releases.Look(w.Context(), w.namespace, "one", "ConfigMap "+w.namespace+"/one")
			return err
		}, "1 GET configmaps, 1 LIST secrets"},
		{"kinds", func() error { _, err := releases.Kinds(w.Context(), w.namespace, "one"); return err }, "1 LIST secrets"},
		{"drift", func() error {
			_, err := releases.Drift(w.Context(), w.namespace, "one", DriftOptions{})
			return err
		}, "1 GET configmaps, 1 GET deployments, 1 GET secrets, 1 GET services, 1 LIST secrets"},
		{"upgrade", func() error { _, err := releases.Apply(w.Context(), w.wanted(c, "text: b")); return err },
			"1 GET configmaps, 1 GET deployments, 1 GET services, 2 LIST secrets, 1 PATCH configmaps, 1 PATCH deployments, 1 PATCH services, 1 POST secrets, 2 PUT secrets"},
		{"health", func() error { _, err := releases.Health(w.Context(), w.namespace, "one"); return err },
			"1 GET configmaps, 1 GET deployments, 1 GET services, 1 LIST pods, 1 LIST secrets"},
	} {
		counts.take()
		must(step.do())
		got := counts.take()
		w.Logf("%s: %s", step.what, got)
		if got != step.want {
			w.Errorf("%s asked %s\nwant %s", step.what, got, step.want)
		}
	}
}

// testSeeing compares what applying has seen with what looking sees.
func testSeeing(w *world) {
	seeing := func(values string) Sight {
		w.Helper()
		_, seen, ok, err := w.releases.ApplySeeing(w.Context(), w.wanted(chartOf(w, web), values))
		if err != nil || !ok {
			w.Fatalf("ApplySeeing = %v, %v", ok, err)
		}
		return seen
	}
	same := func(why string, got Sight, only ...string) {
		w.Helper()
		want, err := w.releases.Look(w.Context(), w.namespace, "one", only...)
		if err != nil {
			w.Fatal(err)
		}
		byName := cmpopts.SortSlices(func(a, b Seen) bool { return a.Object.String() < b.Object.String() })
		if diff := gocmp.Diff(want, got, byName); diff != "" {
			w.Errorf("%s (-looked +got)\n%s", why, diff)
		}
	}
	same("an install answers what looking sees", seeing("hook: before"))
	same("so does an upgrade", seeing("{text: other, hook: before}"))
	d := w.deployment()
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	d, err := w.clients.AppsV1().Deployments(w.namespace).UpdateStatus(w.Context(), d, metav1.UpdateOptions{})
	if err != nil {
		w.Fatal(err)
	}
	seen := seeing("{text: third}")
	same("what has not changed is as it was", seen)
	before := seen.mark(w, "Deployment")
	d.Status.ReadyReplicas, d.Status.AvailableReplicas = 0, 0
	if _, err := w.clients.AppsV1().Deployments(w.namespace).UpdateStatus(w.Context(), d, metav1.UpdateOptions{}); err != nil {
		w.Fatal(err)
	}
	after, err := w.releases.Look(w.Context(), w.namespace, "one", "Deployment "+w.namespace+"/one")
	if err != nil {
		w.Fatal(err)
	}
	if len(after.Objects) != 1 || after.mark(w, "Deployment") != before || after.Objects[0].Version == d.ResourceVersion || len(after.Kinds) != 3 {
		w.Errorf("another status, and no other mark: %+v", after)
	}
	_, _, ok, err := w.releases.ApplySeeing(w.Context(), w.wanted(chartOf(w, web), "text: third"))
	if err != nil || ok {
		w.Errorf("what applies nothing has seen nothing: %v, %v", ok, err)
	}
}

func (s Sight) mark(t testing.TB, kind string) uint64 {
	t.Helper()
	for _, o := range s.Objects {
		if o.Object.Kind == kind {
			return o.Mark
		}
	}
	t.Fatalf("there is no %s in %+v", kind, s)
	return 0
}
