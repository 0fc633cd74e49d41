package planning_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/server/planning"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/plan"
	"portico.dev/portico/state/serviceset"
)

const home = "kcm-system"

// agreeable is an engine that refuses what is called "refused", and is asked nothing else.
type agreeable struct{ engine.Engine }

func (agreeable) Name() string { return "agreeable" }

func (agreeable) Refuse(set engine.Set) field.ErrorList {
	var errs field.ErrorList
	for i, svc := range set.Services {
		if svc.Key.Name == "refused" {
			errs = append(errs, field.Forbidden(field.NewPath("spec", "services").Index(i).Child("name"), "the engine agreeable cannot do this"))
		}
	}
	return errs
}

// shelf has charts by their digest.
type shelf map[string]*helm.Chart

func (s shelf) Chart(_ context.Context, from engine.Source) (*helm.Chart, error) {
	if c := s[from.Digest]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("reading chart %s: %w", from.Digest, fleet.ErrNotYet)
}

func (shelf) Files(context.Context, engine.Source) (map[string]string, error) {
	return nil, errors.New("there are no archives here")
}

func planner(t *testing.T, objects ...client.Object) *planning.Planner {
	t.Helper()
	scheme, err := planning.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	charts := shelf{}
	for n, text := range []string{"", "first", "second"} {
		made, err := helm.FromManifests("web", fmt.Sprintf("%d.0.0", n), fmt.Appendf(nil, `
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
data: {text: %q}
---
apiVersion: v1
kind: Secret
metadata: {name: web}
stringData: {password: %q}
`, text, text))
		if err != nil {
			t.Fatal(err)
		}
		charts[fmt.Sprintf("sha256:%d", n)] = made
	}
	for n := 1; n <= 2; n++ {
		name := fmt.Sprintf("web-%d", n)
		objects = append(objects,
			&kcm.ServiceTemplate{
				ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: name},
				Spec:       kcm.ServiceTemplateSpec{Version: fmt.Sprintf("%d.0.0", n), Helm: &kcm.HelmSpec{ChartRef: &kcm.CrossNamespaceSourceReference{Kind: "HelmChart", Name: name, Namespace: home}}},
				Status: kcm.ServiceTemplateStatus{TemplateStatus: kcm.TemplateStatus{
					TemplateValidationStatus: kcm.TemplateValidationStatus{Valid: true}, ChartRef: &kcm.CrossNamespaceSourceReference{Kind: "HelmChart", Name: name, Namespace: home},
				}},
			},
			&sourcev1.HelmChart{
				ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: name},
				Status:     sourcev1.HelmChartStatus{Artifact: &meta.Artifact{URL: "http://127.0.0.1/x", Digest: fmt.Sprintf("sha256:%d", n)}},
			})
	}
	return &planning.Planner{
		Kube:    fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).Build(),
		Adapter: serviceset.Config{Engines: []engine.Engine{agreeable{}}, Default: "agreeable", Home: home, Clock: func() time.Time { return time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC) }},
		Sources: charts,
	}
}

func cluster(services ...kcm.Service) *kcm.ClusterDeployment {
	d := &kcm.ClusterDeployment{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "demo", Labels: map[string]string{"tier": "gold"}}}
	d.Spec = kcm.ClusterDeploymentSpec{Template: "t", Credential: "c", ServiceSpec: kcm.ServiceSpec{Services: services}}
	return d
}

const manifest = `
apiVersion: k0rdent.mirantis.com/v1beta1
kind: MultiClusterService
metadata: {name: base}
spec:
  clusterSelector: {matchLabels: {tier: gold}}
  serviceSpec:
    services:
    - {name: %s, namespace: web, template: %s}
`

func post(t *testing.T, p *planning.Planner, query, body string) (int, string) {
	t.Helper()
	server := httptest.NewServer(planning.Handler(func(r *http.Request) (*planning.Planner, error) {
		if r.Header.Get("Authorization") == "" {
			return nil, fmt.Errorf("%w: who are you", fleet.ErrInvalid)
		}
		return p, nil
	}))
	defer server.Close()
	req, err := http.NewRequest(http.MethodPost, server.URL+"/plan"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer x")
	res, err := server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func planned(t *testing.T, text string) plan.Plan {
	t.Helper()
	var p plan.Plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return p
}

// The plan says what the controllers would do, and shows the objects; secrets are sealed.
func TestPost(t *testing.T) {
	p := planner(t, cluster())
	status, text := post(t, p, "?diff=true", fmt.Sprintf(manifest, "web", "web-1"))
	got := planned(t, text)
	if status != http.StatusOK || len(got.Clusters) != 1 || len(got.Clusters[0].Steps) != 1 {
		t.Fatalf("status %d: %s", status, text)
	}
	step := got.Clusters[0].Steps[0]
	if want := "+  text: first"; step.Action != plan.Install || !strings.Contains(step.Diff, want) {
		t.Errorf("the step is %+v; want an installation with %q in its diff", step, want)
	}
	if strings.Contains(strings.ReplaceAll(step.Diff, "text: first", ""), "first") {
		t.Errorf("the diff shows what a Secret holds:\n%s", step.Diff)
	}
	if got.Clusters[0].Steps[0].Diff == "" {
		t.Error("no diff although it was asked for")
	}
	_, text = post(t, p, "", fmt.Sprintf(manifest, "web", "web-1"))
	if strings.Contains(text, "text: first") {
		t.Error("a diff although nobody asked for one")
	}
}

// Everything that a service would fail of, and that can be seen before, is said.
func TestProblems(t *testing.T) {
	p := planner(t, cluster(kcm.Service{Name: "own", Namespace: "own", Template: "web-1", Values: "a: {{ .Nobody }}"}))
	_, text := post(t, p, "", fmt.Sprintf(manifest, "refused", "web-1"))
	got := planned(t, text)
	want := []plan.Refusal{{Object: "MultiClusterService base", Reasons: []string{`spec.serviceSpec.services[0].name: Forbidden: the engine agreeable cannot do this`}}}
	if diff := cmp.Diff(want, got.Refused); diff != "" {
		t.Errorf("what the engine cannot do (-want +got):\n%s", diff)
	}
	if got.Changes() {
		t.Errorf("a refused object changes something: %s", text)
	}
}

func TestMistakes(t *testing.T) {
	p := planner(t, cluster())
	for _, tc := range []struct {
		name, why, body string
		status          int
		says            string
	}{
		{"Junk", "What is no manifest is the asker's mistake.", "a: [", http.StatusBadRequest, "document 1"},
		{"Second", "The document is named.", fmt.Sprintf(manifest, "web", "web-1") + "---\nkind: X\n", http.StatusBadRequest, "document 2"},
		{"Unknown", "A misspelt field is not passed over.", strings.Replace(fmt.Sprintf(manifest, "web", "web-1"), "clusterSelector", "clusterSelektor", 1), http.StatusBadRequest, "clusterSelektor"},
		{"Nothing", "A text without objects has no plan.", "# nothing\n", http.StatusBadRequest, "no object"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, text := post(t, p, "", tc.body)
			if status != tc.status || !strings.Contains(text, tc.says) {
				t.Errorf("%s got %d %s; want %d with %q", tc.why, status, text, tc.status, tc.says)
			}
		})
	}
}

func TestStranger(t *testing.T) {
	server := httptest.NewServer(planning.Handler(func(*http.Request) (*planning.Planner, error) {
		return nil, fmt.Errorf("%w: who are you", fleet.ErrInvalid)
	}))
	defer server.Close()
	res, err := server.Client().Post(server.URL+"/plan", "", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger gets %s", res.Status)
	}
}

// Whatever is sent, it is an error or objects with a kind and a name.
func FuzzParse(f *testing.F) {
	scheme, err := planning.NewScheme()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(fmt.Appendf(nil, manifest, "web", "web-1"))
	f.Add([]byte("apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: x}}\n"))
	f.Add([]byte("---\n---\n# x\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := planning.Parse(scheme, "fuzz", "default", text)
		if err != nil {
			if !errors.Is(err, fleet.ErrInvalid) {
				t.Errorf("an error of no kind: %v", err)
			}
			return
		}
		for _, c := range m.Changes {
			if c.Object.GetName() == "" || c.Object.GetObjectKind().GroupVersionKind().Empty() {
				t.Errorf("an object without kind or name: %s", c.Text)
			}
		}
	})
}
