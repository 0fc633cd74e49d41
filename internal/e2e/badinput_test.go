package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	sourcev1 "github.com/fluxcd/source-controller/api/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/internal/e2e"
	"portico.dev/portico/kube/source/archive"
)

// badInput is a ClusterDeployment that cannot become a cluster.
type badInput struct {
	name, reason string
	change       func(*kcm.ClusterDeployment)
	// refused says that admission refuses it; otherwise its status tells.
	refused bool
	// want has to be in the message.
	want []string
	// made says that something is made before the mistake can be noticed.
	made bool
}

func badInputs() []badInput {
	config := func(text string) func(*kcm.ClusterDeployment) {
		return func(d *kcm.ClusterDeployment) { d.Spec.Config = &kcm.JSON{Raw: []byte(text)} }
	}
	template := func(name string) func(*kcm.ClusterDeployment) {
		return func(d *kcm.ClusterDeployment) { d.Spec.Template, d.Spec.Config = name, &kcm.JSON{Raw: []byte("{}")} }
	}
	service := func(change func(*kcm.Service)) func(*kcm.ClusterDeployment) {
		return func(d *kcm.ClusterDeployment) {
			s := e2e.Podinfo("never")
			change(&s)
			d.Spec.ServiceSpec.Services = []kcm.Service{s}
		}
	}
	return []badInput{
		{name: "UnknownTemplate", reason: "a name that nothing has", refused: true,
			change: template("no-such-1-0-0"), want: []string{"spec.template", "no-such-1-0-0", "does not exist in namespace kcm-system", "create it"}},
		{name: "InvalidTemplate", reason: "a template whose chart is not there", refused: true,
			change: template("chartless"), want: []string{"spec.template", "chartless", "cannot be used", "no-such-chart"}},
		{name: "BrokenSchema", reason: "a value of another type",
			change: config(`{"workersNumber":"many"}`), want: []string{"spec.config.workersNumber", "integer"}},
		{name: "MisspeltKey", reason: "a key that the chart does not know, with the one that was meant",
			change: config(`{"workerNumber":1}`), want: []string{"spec.config.workerNumber", "workersNumber"}},
		{name: "MissingCredential", reason: "a name that nothing has", refused: true,
			change: func(d *kcm.ClusterDeployment) { d.Spec.Credential = "nobody" }, want: []string{"spec.credential", "nobody", "does not exist", "create it"}},
		{name: "NameTooLong", reason: "what is made for a cluster has its name as a prefix", refused: true,
			change: func(d *kcm.ClusterDeployment) { d.Name = strings.Repeat("a", 54) }, want: []string{"metadata.name", "53"}},
		{name: "NoCluster", reason: "a chart for something else",
			change: template("clusterless"), want: []string{"renders no Cluster"}},
		{name: "NotRendering", reason: "a chart that refuses",
			change: template("crooked"), want: []string{"crooked", "the moon is wrong"}},
		{name: "DeadKubeconfig", reason: "an adopted cluster that does not answer", made: true,
			change: func(d *kcm.ClusterDeployment) {
				template(e2e.AdoptedTemplate)(d)
				d.Spec.Credential = "dead"
			}, want: []string{"does not answer", "127.0.0.1:9"}},
		{name: "MissingChart", reason: "a service whose chart is not there", refused: true,
			change: service(func(s *kcm.Service) { s.Template = "chartless" }), want: []string{"spec.serviceSpec.services[0].template", "chartless", "cannot be used", "no-such-chart"}},
		{name: "ValuesNotYAML", reason: "values that cannot be read", refused: true,
			change: service(func(s *kcm.Service) { s.Values = "ui: [unclosed" }), want: []string{"spec.serviceSpec.services[0].values", "YAML"}},
		{name: "OtherNamespace", reason: "templates are not lent", refused: true,
			change: template("elsewhere"), want: []string{"spec.template", "elsewhere", "does not exist in namespace kcm-system"}},
	}
}

// Bad input is refused or explained; nothing is created by it, and nothing is lost.
func TestBadInput(t *testing.T) {
	s := newStage(t)
	steady := e2e.Cluster{Name: "steady", Workers: 1, Message: "steady"}
	s.apply(steady.Object())
	s.badTemplates()
	s.apply(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "dead"}, Data: map[string][]byte{"value": []byte(deadKubeconfig)}})
	s.apply(secretCredential("dead"))
	s.awaitReady(steady)
	child := s.child(steady.Key())
	_, objects := s.settled()
	processes := s.pids("clusters/")

	for _, tc := range badInputs() {
		t.Run(tc.name, func(t *testing.T) { s.on(t).badCluster(tc, objects) })
	}
	t.Run("ImmutableField", func(t *testing.T) { s.on(t).immutable(steady) })
	t.Run("LaterMistake", func(t *testing.T) { s.on(t).laterMistake(steady) })

	s.awaitReady(steady)
	s.samePids("all bad input", processes, s.pids("clusters/"))
	s.releases(s.kube, e2e.SystemNamespace, steady.Name, "deployed")
	s.releases(child.kube, e2e.PodinfoNamespace, e2e.PodinfoService, "deployed")
}

func (s *stage) badCluster(tc badInput, before e2e.Census) {
	d := e2e.Cluster{Name: "bad", Workers: 1}.Object()
	tc.change(d)
	key := client.ObjectKeyFromObject(d)
	err := s.kube.Create(s.limited(), d)
	if tc.refused {
		if err == nil {
			s.remove(key)
			s.t.Fatalf("%s: it was admitted", tc.reason)
		}
		s.says(tc, err.Error())
		compare(s.t, "after a refusal", before, s.objects)
		return
	}
	s.must(err)
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	last, err := e2e.Await(ctx, s.kube, deployment(key), notReady(tc.want...))
	if err != nil {
		s.t.Errorf("%s: %v", tc.reason, err)
	} else {
		s.t.Logf("%s: %s", tc.reason, e2e.Condition(last.Status.Conditions, kcm.ReadyCondition).Message)
	}
	if made := s.objects().Minus(before); !tc.made && slices.ContainsFunc(made, func(line string) bool { return !harmless(line) }) {
		s.t.Errorf("%s: this was created:\n%s", tc.reason, strings.Join(made, "\n"))
	}
	s.remove(key)
	compare(s.t, "after its deletion", before, s.objects)
}

// harmless are the wish itself and the services' wish list, which nothing acts on before there
// is a cluster.
func harmless(line string) bool {
	return strings.HasPrefix(line, "clusterdeployments.") || strings.HasPrefix(line, "servicesets.")
}

func (s *stage) says(tc badInput, message string) {
	s.t.Helper()
	s.t.Logf("%s: %s", tc.reason, message)
	for _, want := range tc.want {
		if !strings.Contains(message, want) {
			s.t.Errorf("%s: the message lacks %q", tc.reason, want)
		}
	}
}

// immutable changes what cannot be changed in a cluster that is there.
func (s *stage) immutable(steady e2e.Cluster) {
	d := steady.Object()
	d.Spec.DataSource = "late"
	s.says(badInput{reason: "data does not move", want: []string{"spec.dataSource", "cannot be added"}}, s.refusal(d))
	t := &kcm.ClusterTemplate{}
	s.must(s.kube.Get(s.limited(), client.ObjectKey{Namespace: e2e.SystemNamespace, Name: e2e.LocalTemplate}, t))
	t.Spec.Helm.ChartSpec.Version = "2.0.0"
	err := s.kube.Update(s.limited(), t)
	if err == nil {
		s.t.Fatal("another chart in the same template was admitted")
	}
	s.says(badInput{reason: "a template is what it is", want: []string{"immutable"}}, err.Error())
}

func (s *stage) refusal(obj client.Object) string {
	s.t.Helper()
	err := e2e.Apply(s.limited(), s.kube, obj)
	if err == nil {
		s.t.Fatalf("%s was admitted", client.ObjectKeyFromObject(obj))
	}
	return err.Error()
}

// laterMistake breaks the configuration of a cluster that runs: it goes on running.
func (s *stage) laterMistake(steady e2e.Cluster) {
	d := steady.Object()
	d.Spec.Config = &kcm.JSON{Raw: []byte(`{"workersNumber":"many","machine":{"kind":"Virtual"}}`)}
	s.apply(d)
	_, err := e2e.Await(s.limited(), s.kube, deployment(steady.Key()), notReady("spec.config.workersNumber"))
	s.must(err)
	s.apply(steady.Object())
	s.awaitReady(steady)
}

// notReady waits for a ClusterDeployment that is not ready, and says so in these words.
func notReady(words ...string) func(*kcm.ClusterDeployment) string {
	return func(d *kcm.ClusterDeployment) string {
		c := e2e.Condition(d.Status.Conditions, kcm.ReadyCondition)
		for _, word := range words {
			if c.Status != metav1.ConditionFalse || !strings.Contains(c.Message, word) {
				return fmt.Sprintf("Ready is %s: %s", c.Status, c.Message)
			}
		}
		return ""
	}
}

const deadKubeconfig = `apiVersion: v1
kind: Config
clusters: [{name: dead, cluster: {server: "https://127.0.0.1:9", insecure-skip-tls-verify: true}}]
users: [{name: dead, user: {token: dead}}]
contexts: [{name: dead, context: {cluster: dead, user: dead}}]
current-context: dead
`

// badTemplates offers templates of charts that are missing, or no good.
func (s *stage) badTemplates() {
	s.t.Helper()
	const repository = "trial"
	s.apply(&sourcev1.HelmRepository{
		ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: repository},
		Spec:       sourcev1.HelmRepositorySpec{URL: chartServer(s.t) + "/charts", Interval: metav1.Duration{Duration: time.Hour}},
	})
	s.apply(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "other"}})
	spec := func(chart string) *kcm.HelmChartSpec {
		return &kcm.HelmChartSpec{
			Chart: chart, Version: "1.0.0", Interval: metav1.Duration{Duration: time.Hour}, ReconcileStrategy: sourcev1.ReconcileStrategyChartVersion,
			SourceRef: kcm.LocalHelmChartSourceReference{Kind: "HelmRepository", Name: repository},
		}
	}
	cluster := func(namespace, name, chart string) *kcm.ClusterTemplate {
		return &kcm.ClusterTemplate{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
			Spec:       kcm.ClusterTemplateSpec{Helm: kcm.HelmSpec{ChartSpec: spec(chart)}},
		}
	}
	good := func(t *kcm.TemplateStatus) bool { return t.Valid }
	bad := func(t *kcm.TemplateStatus) bool { return strings.Contains(t.ValidationError, "no-such-chart") }
	for _, tc := range []struct {
		template *kcm.ClusterTemplate
		judged   func(*kcm.TemplateStatus) bool
	}{
		{cluster(e2e.SystemNamespace, "chartless", "no-such-chart"), bad},
		{cluster(e2e.SystemNamespace, "clusterless", "clusterless"), good},
		{cluster(e2e.SystemNamespace, "crooked", "crooked"), good},
		{cluster("other", "elsewhere", "clusterless"), func(*kcm.TemplateStatus) bool { return true }},
	} {
		s.apply(tc.template)
		_, err := e2e.Await(s.limited(), s.kube, tc.template, judged[*kcm.ClusterTemplate](tc.judged))
		s.must(err)
	}
	service := &kcm.ServiceTemplate{
		ObjectMeta: metav1.ObjectMeta{Namespace: e2e.SystemNamespace, Name: "chartless"},
		Spec:       kcm.ServiceTemplateSpec{Helm: &kcm.HelmSpec{ChartSpec: spec("no-such-chart")}},
	}
	s.apply(service)
	_, err := e2e.Await(s.limited(), s.kube, service, judged[*kcm.ServiceTemplate](bad))
	s.must(err)
}

func judged[T interface{ GetTemplateStatus() *kcm.TemplateStatus }](as func(*kcm.TemplateStatus) bool) func(T) string {
	return func(t T) string {
		if as(t.GetTemplateStatus()) {
			return ""
		}
		return fmt.Sprintf("valid is %v: %s", t.GetTemplateStatus().Valid, t.GetTemplateStatus().ValidationError)
	}
}

// chartServer is a chart repository with two charts of no use.
func chartServer(t *testing.T) string {
	t.Helper()
	templates := map[string]string{
		"clusterless": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: no-cluster}\n",
		"crooked":     `{{ fail "the moon is wrong" }}`,
	}
	index := "apiVersion: v1\nentries:\n"
	mux := http.NewServeMux()
	for name, text := range templates {
		meta := "apiVersion: v2\nname: " + name + "\nversion: 1.0.0\nannotations: {cluster.x-k8s.io/provider: infrastructure-internal}\n"
		var chart bytes.Buffer
		err := archive.Pack(&chart, []archive.File{
			{Name: name + "/Chart.yaml", Data: []byte(meta)},
			{Name: name + "/values.yaml", Data: []byte("clusterIdentity: {}\nclusterLabels: {}\n")},
			{Name: name + "/templates/one.yaml", Data: []byte(text)},
		})
		if err != nil {
			t.Fatal(err)
		}
		index += fmt.Sprintf("  %[1]s: [{apiVersion: v2, name: %[1]s, version: 1.0.0, urls: [%[1]s-1.0.0.tgz]}]\n", name)
		mux.HandleFunc("/charts/"+name+"-1.0.0.tgz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(chart.Bytes()) })
	}
	mux.HandleFunc("/charts/index.yaml", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(index)) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}
