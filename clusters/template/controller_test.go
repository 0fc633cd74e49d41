package template_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fluxcd/pkg/apis/meta"
	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/clusters/template"
	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/kube/source"
	"portico.dev/portico/kube/source/archive"
)

var shared = kubetest.Shared{CRDs: []string{"bin/share/crds/flux", "deploy/crds"}}

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.FromSlogHandler(slog.DiscardHandler))
	os.Exit(shared.Run(m))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// plane is a management cluster with the controllers of templates, and a server of artifacts.
type plane struct {
	*testing.T
	kube      client.WithWatch
	namespace string
	artifacts map[string][]byte
	server    *httptest.Server
}

func newPlane(t *testing.T) *plane {
	t.Helper()
	api := shared.Cluster(t)
	kube := api.Client(t, clientgoscheme.AddToScheme, sourcev1.AddToScheme, kcm.AddToScheme)
	p := &plane{T: t, kube: kube, namespace: api.Namespace(t), artifacts: map[string][]byte{}}
	p.artifacts["/repository"] = repository(t)
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write(p.artifacts[r.URL.Path]) }))
	t.Cleanup(p.server.Close)
	api.Control(t, ctrl.Options{
		Scheme: kube.Scheme(),
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}}}},
	}, func(_ context.Context, mgr ctrl.Manager) error {
		return template.Setup(mgr, template.Dependencies{
			Charts: helm.NewCharts(1 << 20), Artifacts: source.Reader{HTTP: http.DefaultClient}, Home: "kcm-system",
		})
	})
	return p
}

// repository holds a chart in a folder: a wrapper, as service catalogues have them.
func repository(t *testing.T) []byte {
	t.Helper()
	const head = "apiVersion: v2\nname: web\nversion: 1.2.3\n"
	var out bytes.Buffer
	must(t, archive.Pack(&out, []archive.File{
		{Name: "README.md", Data: []byte("x")},
		{Name: "charts/web/Chart.yaml", Data: []byte(head + "description: wrapper\nannotations: {k0rdent.mirantis.com/k8s-version-constraint: '>= 1.30'}\ndependencies: [{name: web, version: 1.2.3}]\n")},
		{Name: "charts/web/values.schema.json", Data: []byte(`{"type":"object"}`)},
		{Name: "charts/web/charts/web/Chart.yaml", Data: []byte(head + "description: the web itself\n")},
		{Name: "charts/web/charts/web/values.yaml", Data: []byte("replicas: 1\n")},
	}))
	return out.Bytes()
}

// artifact is what a source says that it has fetched.
func (p *plane) artifact() *meta.Artifact {
	sum := sha256.Sum256(p.artifacts["/repository"])
	return &meta.Artifact{
		URL: p.server.URL + "/repository", Path: "repository", Revision: "main@sha1:1", Digest: "sha256:" + hex.EncodeToString(sum[:]), LastUpdateTime: metav1.Now(),
	}
}

func (p *plane) create(obj client.Object) {
	p.Helper()
	obj.SetNamespace(p.namespace)
	must(p.T, p.kube.Create(p.Context(), obj))
}

// verdict waits until the template of that name is as wanted.
func (p *plane) verdict(name, what string, wanted func(kcm.ServiceTemplateStatus) bool) kcm.ServiceTemplateStatus {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.Context(), 30*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &kcm.ServiceTemplateList{}, client.InNamespace(p.namespace), client.MatchingFields{"metadata.name": name})
	must(p.T, err)
	defer w.Stop()
	var last kcm.ServiceTemplateStatus
	for e := range w.ResultChan() {
		if t, ok := e.Object.(*kcm.ServiceTemplate); ok {
			if last = t.Status; wanted(last) {
				return last
			}
		}
	}
	p.Fatalf("%s: %s did not happen: %+v", name, what, last)
	return last
}

func valid(s kcm.ServiceTemplateStatus) bool { return s.Valid }

func complains(words string) func(kcm.ServiceTemplateStatus) bool {
	return func(s kcm.ServiceTemplateStatus) bool { return !s.Valid && strings.Contains(s.ValidationError, words) }
}

func named(name string, spec kcm.ServiceTemplateSpec) *kcm.ServiceTemplate {
	return &kcm.ServiceTemplate{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
}

// A template of every kind and origin follows its source by watches: from missing to fetched.
func TestSources(t *testing.T) {
	p := newPlane(t)
	local := func(kind, name, path string) *kcm.SourceSpec {
		return &kcm.SourceSpec{DeploymentType: kcm.DeployRemote, Path: path, LocalSourceRef: &kcm.LocalSourceRef{Kind: kind, Name: name}}
	}
	p.create(named("chart", kcm.ServiceTemplateSpec{Helm: &kcm.HelmSpec{ChartSource: local("GitRepository", "repository", "./charts/web")}}))
	p.create(named("lost", kcm.ServiceTemplateSpec{Helm: &kcm.HelmSpec{ChartSource: local("GitRepository", "repository", "charts/wep")}}))
	p.create(named("overlay", kcm.ServiceTemplateSpec{Kustomize: local("GitRepository", "repository", "overlays/x")}))
	p.create(named("rules", kcm.ServiceTemplateSpec{Resources: local("ConfigMap", "rules", "")}))
	p.verdict("chart", "the missing source", complains("GitRepository "+p.namespace+"/repository does not exist"))
	p.verdict("rules", "the missing ConfigMap", complains("ConfigMap "+p.namespace+"/rules does not exist"))

	p.create(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "rules"}, Data: map[string]string{"a": "b"}})
	if s := p.verdict("rules", "the ConfigMap", valid); s.SourceStatus == nil || s.SourceStatus.Kind != "ConfigMap" || s.SourceStatus.Name != "rules" {
		t.Errorf("the source is %+v", s.SourceStatus)
	}
	git := &sourcev1.GitRepository{ObjectMeta: metav1.ObjectMeta{Name: "repository"}, Spec: sourcev1.GitRepositorySpec{URL: "https://example.org/x", Interval: metav1.Duration{Duration: time.Hour}}}
	p.create(git)
	git.Status.ObservedGeneration, git.Status.Artifact = git.Generation, p.artifact()
	git.Status.Conditions = []metav1.Condition{{Type: "Ready", Status: metav1.ConditionTrue, Reason: "Succeeded", LastTransitionTime: metav1.Now()}}
	must(t, p.kube.Status().Update(t.Context(), git))
	s := p.verdict("chart", "the chart in a folder", valid)
	if s.ChartVersion != "1.2.3" || s.Description != "the web itself" || s.KubernetesConstraint != ">= 1.30" || string(s.Config.Raw) != `{"replicas":1}` || s.ChartRef != nil {
		t.Errorf("the status is %+v", s)
	}
	if s.SourceStatus.Artifact == nil || s.SourceStatus.Artifact.Digest != p.artifact().Digest || len(s.SourceStatus.Conditions) != 1 {
		t.Errorf("the source is %+v", s.SourceStatus)
	}
	var schema corev1.ConfigMap
	must(t, p.kube.Get(t.Context(), client.ObjectKey{Namespace: p.namespace, Name: s.SchemaConfigMapName}, &schema))
	if schema.Name != "schema-st-chart" || schema.Data["schema"] != `{"type":"object"}` {
		t.Errorf("the schema is %v", schema.Data)
	}
	p.verdict("lost", "the wrong path", complains(`no chart at "charts/wep"; charts are in: charts/web`))
	p.verdict("overlay", "the kustomization", valid)
}

// A source that a template describes is made for it, and goes with it.
func TestRemoteSource(t *testing.T) {
	p := newPlane(t)
	p.create(named("remote", kcm.ServiceTemplateSpec{Resources: &kcm.SourceSpec{DeploymentType: kcm.DeployRemote, RemoteSourceSpec: &kcm.RemoteSourceSpec{
		OCI: &kcm.OCIRepositorySpec{URL: "oci://example.org/x", Interval: metav1.Duration{Duration: time.Hour}},
	}}}))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	w, err := p.kube.Watch(ctx, &sourcev1.OCIRepositoryList{}, client.InNamespace(p.namespace))
	must(t, err)
	defer w.Stop()
	made, ok := (<-w.ResultChan()).Object.(*sourcev1.OCIRepository)
	if !ok || made.Name != "remote" || made.Labels[kcm.ManagedLabel] != kcm.LabelTrue || len(made.OwnerReferences) != 1 || made.OwnerReferences[0].Name != "remote" {
		t.Fatalf("the source is %+v", made)
	}
	made.Status.ObservedGeneration, made.Status.Artifact = made.Generation, p.artifact()
	must(t, p.kube.Status().Update(t.Context(), made))
	p.verdict("remote", "the source", valid)
}
