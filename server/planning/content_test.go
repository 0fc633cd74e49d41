package planning_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/server/planning"
	"portico.dev/portico/state/plan"
)

func configMap(name, key, text string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: name}, Data: map[string]string{key: text}}
}

// withContent is a cluster with a service that takes values from a ConfigMap, one whose manifests
// are in one, and one that needs neither.
func withContent(t *testing.T) *planning.Planner {
	t.Helper()
	template := &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: "plain-1"}}
	template.Spec.Resources = &kcm.SourceSpec{DeploymentType: kcm.DeployRemote, LocalSourceRef: &kcm.LocalSourceRef{Kind: "ConfigMap", Name: "manifests"}}
	template.Status.Valid = true
	template.Status.SourceStatus = &kcm.SourceStatus{Kind: "ConfigMap", Name: "manifests", Namespace: home}
	demo := cluster(
		kcm.Service{Name: "web", Namespace: "web", Template: "web-1", ValuesFrom: []kcm.ValuesFrom{{Kind: "ConfigMap", Name: "values"}}},
		kcm.Service{Name: "plain", Namespace: "plain", Template: "plain-1"},
		kcm.Service{Name: "other", Namespace: "other", Template: "web-1"},
	)
	demo.Spec.ServiceSpec.Provider.Config = &kcm.JSON{Raw: []byte(`{"policyRefs": [{"kind": "ConfigMap", "name": "attached"}]}`)}
	return planner(t, demo, template, configMap("values", "v", "a: 1"), configMap("attached", "m", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: y}\n"),
		configMap("manifests", "m", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {text: old}\n"),
	)
}

// ConfigMaps and Secrets are part of what a change does to services.
func TestContent(t *testing.T) {
	const (
		values = `
apiVersion: v1
kind: ConfigMap
metadata: {name: values}
data: {v: "a: 2"}
`
		manifests = `
apiVersion: v1
kind: ConfigMap
metadata: {name: manifests}
data: {m: "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {text: new}}"}
`
		secret = `
apiVersion: v1
kind: Secret
metadata: {name: fresh}
stringData: {v: "a: 3"}
`
		user = `
apiVersion: k0rdent.mirantis.com/v1beta1
kind: MultiClusterService
metadata: {name: base}
spec:
  clusterSelector: {matchLabels: {tier: gold}}
  serviceSpec:
    services:
    - {name: new, namespace: new, template: web-1, valuesFrom: [{kind: Secret, name: fresh}]}
`
	)
	for _, tc := range []struct {
		name, why, query, body string
		want                   []string
		diff                   string
	}{
		{"Values", "A service gets the values that its ConfigMap will have.", "", values, []string{"change web"}, ""},
		{"Unchanged", "The same values are no change.", "", strings.Replace(values, "a: 2", "a: 1", 1), nil, ""},
		{"Manifests", "The diff compares what the ConfigMap holds with what it will hold.", "?diff=true", manifests, []string{"change plain"}, "-  text: old\n+  text: new"},
		{"Attached", "What a policyRef leads to is deployed like a service.", "", strings.ReplaceAll(manifests, "name: manifests", "name: attached"), []string{"change ConfigMap kcm-system/attached"}, ""},
		{"Together", "Values may come with the service that uses them.", "", user + "---" + secret, []string{"install new"}, ""},
		{"Missing", "Values that do not come are missing.", "", user, []string{"install new: Secret/fresh (valuesFrom of service new) does not exist: create it, or take the reference out"}, ""},
		{"Delete", "A ConfigMap that goes is missing afterwards.", "?delete=true", values, []string{"change web: ConfigMap/values (valuesFrom of service web) does not exist: create it, or take the reference out"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, text := post(t, withContent(t), tc.query, tc.body)
			if status != http.StatusOK {
				t.Fatalf("%s got %d %s", tc.why, status, text)
			}
			got := planned(t, text)
			if len(got.Refused) > 0 {
				t.Errorf("%s got refused %+v", tc.why, got.Refused)
			}
			if said := steps(got); strings.Join(said, "\n") != strings.Join(tc.want, "\n") {
				t.Errorf("%s got %q, want %q", tc.why, said, tc.want)
			}
			if tc.diff != "" && !strings.Contains(text, strings.ReplaceAll(tc.diff, "\n", `\n`)) {
				t.Errorf("%s no %q in %s", tc.why, tc.diff, text)
			}
		})
	}
}

func steps(p plan.Plan) []string {
	var out []string
	for _, c := range p.Clusters {
		for _, s := range c.Steps {
			text := string(s.Action) + " " + s.Name
			if strings.HasPrefix(s.Name, "policy-ref.") {
				text = string(s.Action) + " " + s.Now.Template
			}
			if s.Problem != "" {
				text += ": " + s.Problem
			}
			out = append(out, text)
		}
	}
	return out
}

// What is not there cannot be deleted, whatever kind it is of.
func TestDeleteNothing(t *testing.T) {
	_, text := post(t, planner(t, cluster()), "?delete=true", "apiVersion: v1\nkind: Secret\nmetadata: {name: nobody}\n")
	if got := planned(t, text); len(got.Refused) != 1 || !strings.Contains(got.Refused[0].Reasons[0], "does not exist") {
		t.Errorf("got %s", text)
	}
}

// A tenant who may read nothing but his own namespace gets a plan for it, and is told of the rest.
func TestTenant(t *testing.T) {
	p := withContent(t)
	no := apierrors.NewForbidden(schema.GroupResource{Resource: "things"}, "", errors.New("not yours"))
	whole, is := p.Kube.(client.WithWatch)
	if !is {
		t.Fatalf("%T cannot watch", p.Kube)
	}
	p.Kube = interceptor.NewClient(whole, interceptor.Funcs{
		List: func(ctx context.Context, kube client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
			if (&client.ListOptions{}).ApplyOptions(opts).Namespace != home {
				return no
			}
			if _, many := list.(*kcm.MultiClusterServiceList); many {
				return no
			}
			return kube.List(ctx, list, opts...)
		},
		Get: func(ctx context.Context, kube client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
			if _, secret := obj.(*corev1.Secret); secret {
				return no
			}
			return kube.Get(ctx, key, obj, opts...)
		},
	})
	own := cluster(
		kcm.Service{Name: "web", Namespace: "web", Template: "web-2", ValuesFrom: []kcm.ValuesFrom{{Kind: "Secret", Name: "hidden"}}},
		kcm.Service{Name: "plain", Namespace: "plain", Template: "plain-1"},
		kcm.Service{Name: "other", Namespace: "other", Template: "web-1"},
	)
	own.APIVersion, own.Kind = kcm.GroupVersion.String(), kcm.ClusterDeploymentKind
	body, err := json.Marshal(own)
	if err != nil {
		t.Fatal(err)
	}
	status, text := post(t, p, "?diff=true", string(body))
	if status != http.StatusOK {
		t.Fatalf("got %d %s", status, text)
	}
	got := planned(t, text)
	if said := steps(got); len(said) != 1 || said[0] != "upgrade web" {
		t.Errorf("got the steps %q (refused: %v), want the upgrade", said, got.Refused)
	}
	unseen := strings.Join(got.Unseen, "\n")
	for _, want := range []string{"every MultiClusterService: none is seen", "every ClusterDeployment: those in " + home + " are seen", "whether they would fail is not seen"} {
		if !strings.Contains(unseen, want) {
			t.Errorf("no %q in what is not seen:\n%s", want, unseen)
		}
	}
}
