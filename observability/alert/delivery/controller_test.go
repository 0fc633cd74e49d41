package delivery

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/kubetest"
	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/alert/alertmanager"
)

var shared = kubetest.Shared{}

func TestMain(m *testing.M) { os.Exit(shared.Run(m)) }

// taken remembers what was handed on. It judges a configuration as far as that is possible without
// Alertmanager.
type taken struct {
	mu       sync.Mutex
	rules    string
	config   string
	applies  int
	failures int
}

type evaluator struct{ *taken }

func (e evaluator) Apply(_ context.Context, files []alert.File) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failures > 0 {
		e.failures--
		return errors.New("no answer")
	}
	var all strings.Builder
	for _, f := range files {
		all.WriteString(f.Name + "\n" + string(f.Data))
	}
	e.rules, e.applies = all.String(), e.applies+1
	return nil
}

type receivers struct{ *taken }

func (r receivers) Apply(_ context.Context, config []byte) error {
	if err := alertmanager.CheckConfig(config); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.config = string(config)
	return nil
}

func (a *taken) get() (rules, config string, applies int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.rules, a.config, a.applies
}

type bench struct {
	t    *testing.T
	kube client.WithWatch
	home string
	got  *taken
	ctl  *Controller
}

func start(t *testing.T) bench {
	cluster := shared.Cluster(t)
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, apiextensions.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	b := bench{t: t, kube: cluster.Client(t, corev1.AddToScheme, apiextensions.AddToScheme), home: cluster.Namespace(t), got: &taken{failures: 1}}
	cluster.Control(t, ctrl.Options{Scheme: scheme}, func(_ context.Context, mgr ctrl.Manager) error {
		b.ctl = &Controller{
			Kube: mgr.GetClient(), Live: mgr.GetAPIReader(), Evaluator: evaluator{b.got}, Receivers: receivers{b.got},
			Settings: Settings{Home: b.home, Region: "mothership", Defaults: []alert.Group{{Name: "g", Rules: []alert.Rule{{Alert: "Down", Expr: "up == 0"}, {Record: "x:sum", Expr: "sum(x)"}}}}},
		}
		return b.ctl.SetupWithManager(mgr)
	})
	return b
}

func (b bench) create(name string, labels map[string]string, data map[string]string) *corev1.ConfigMap {
	b.t.Helper()
	c := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.home, Name: name, Labels: labels}, Data: data}
	if err := b.kube.Create(b.t.Context(), c); err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b bench) data(name string) map[string]string {
	var c corev1.ConfigMap
	if err := b.kube.Get(b.t.Context(), client.ObjectKey{Namespace: b.home, Name: name}, &c); client.IgnoreNotFound(err) != nil {
		b.t.Fatal(err)
	}
	return c.Data
}

func (b bench) await(what string, happened func() bool) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if happened() {
			return
		}
	}
	rules, config, _ := b.got.get()
	b.t.Fatalf("waited in vain for %s; rules:\n%s\nconfig:\n%s\nreport: %v", what, rules, config, b.data(ReportName))
}

func (b bench) awaitRule(text string) {
	b.t.Helper()
	b.await(text, func() bool {
		rules, _, _ := b.got.get()
		return strings.Contains(rules, text)
	})
}

// Rules reach the evaluator though it failed at first, and the ConfigMaps that k0rdent's parts
// read; a version of a cluster comes and goes; nothing is done twice.
func TestRulesAreDelivered(t *testing.T) {
	b := start(t)
	b.awaitRule("up == 0")
	b.awaitRule("x:sum")
	b.await("the output", func() bool { return strings.Contains(b.data(alert.AlertOutput)["g.yaml"], "up == 0") })
	region := b.create("kof-record-vmrules-eu", map[string]string{alert.RecordOutputLabel: "eu", alert.GeneratedLabel: "true"}, nil)
	frozen := b.create("kof-record-vmrules-us", map[string]string{alert.RecordOutputLabel: "us", alert.GeneratedLabel: "false"}, map[string]string{"values": "mine"})
	b.await("the records of the region", func() bool { return strings.Contains(b.data(region.Name)["values"], "x:sum") })
	own := b.create("of-c1", map[string]string{alert.AlertRulesLabel: "c1"}, map[string]string{"g": "Down: {for: 5m}\nBad: {expr: '('}"})
	b.awaitRule(`up{cluster!="c1"} == 0`)
	b.awaitRule(`up{cluster="c1"} == 0`)
	b.await("the report", func() bool {
		return strings.Contains(b.data(ReportName)["problems"], "ConfigMap "+b.home+"/of-c1, key g, rule Bad, position 1:2: the expression does not parse")
	})
	report, err := alert.ReadReport(&corev1.ConfigMap{Data: b.data(ReportName)})
	if want := (alert.Own{Cluster: "c1", Group: "g", Rule: "Down", Object: "ConfigMap " + b.home + "/of-c1"}); err != nil || len(report.Own) != 1 || report.Own[0] != want || len(report.Problems) != 1 || report.Problems[0].Rule != "Bad" {
		t.Errorf("for programs it says %+v, %v", report, err)
	}
	if s := b.ctl.Summary(); s.Refused != 1 || s.Used != 3 || !s.ReceiversValid {
		t.Errorf("the summary is %+v", s)
	}
	if err := b.kube.Delete(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	b.await("the cluster's version to be gone", func() bool {
		return b.data(alert.AlertOutput)["__c1__g.yaml"] == "" && b.data(ReportName)["problems"] == ""
	})
	if got := b.data(frozen.Name)["values"]; got != "mine" {
		t.Errorf("the user's ConfigMap says %q", got)
	}
	b.settles()
}

// settles fails if anything is still done while nothing changes.
func (b bench) settles() {
	b.t.Helper()
	version := func() (out string) {
		var list corev1.ConfigMapList
		if err := b.kube.List(b.t.Context(), &list, client.InNamespace(b.home)); err != nil {
			b.t.Fatal(err)
		}
		for _, c := range list.Items {
			out += c.Name + c.ResourceVersion + " "
		}
		return out
	}
	time.Sleep(500 * time.Millisecond)
	was := version()
	_, _, before := b.got.get()
	time.Sleep(time.Second)
	if _, _, now := b.got.get(); now != before || version() != was {
		b.t.Errorf("it goes on without a change: %d passes, then %d; %s, then %s", before, now, was, version())
	}
}

// What the user keeps is evaluated, and not written over.
func TestFrozenOutput(t *testing.T) {
	b := start(t)
	b.await("the output", func() bool { return b.data(alert.AlertOutput) != nil })
	var out corev1.ConfigMap
	if err := b.kube.Get(t.Context(), client.ObjectKey{Namespace: b.home, Name: alert.AlertOutput}, &out); err != nil {
		t.Fatal(err)
	}
	was := out.DeepCopy()
	out.Labels[alert.GeneratedLabel] = "false"
	out.Data = map[string]string{"mine.yaml": "groups: [{name: mine, rules: [{alert: Mine, expr: mine > 1}]}]", "bad.yaml": "groups: [{name: bad, rules: [{alert: Bad, expr: '('}]}]"}
	if err := b.kube.Patch(t.Context(), &out, client.MergeFrom(was)); err != nil {
		t.Fatal(err)
	}
	b.awaitRule("mine > 1")
	rules, _, _ := b.got.get()
	if strings.Contains(rules, "up == 0") || strings.Contains(rules, "bad.yaml") {
		t.Errorf("more is evaluated than the user kept:\n%s", rules)
	}
	b.await("the broken file to be told of", func() bool { return strings.Contains(b.data(ReportName)["problems"], "key bad.yaml, rule Bad") })
	if len(b.data(alert.AlertOutput)) != 2 {
		t.Errorf("the user's ConfigMap was written: %v", b.data(alert.AlertOutput))
	}
}

// Receivers are the user's once there are any; what is wrong with them is told.
func TestReceivers(t *testing.T) {
	b := start(t)
	b.await("the configuration that sends to nobody", func() bool { _, config, _ := b.got.get(); return config == string(alertmanager.DefaultConfig()) })
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: b.home, Name: ReceiversName}, StringData: map[string]string{ReceiversKey: "route: {receiver: a}\nreceivers: [{name: a}]\n"}}
	if err := b.kube.Create(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	b.await("the user's receivers", func() bool { _, config, _ := b.got.get(); return strings.HasPrefix(config, "route: {receiver: a}") })
	secret.StringData = map[string]string{ReceiversKey: "route: {receiver: b}\nreceivers: [{name: a}]\n"}
	if err := b.kube.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	b.await("the mistake to be told of", func() bool {
		return strings.Contains(b.data(ReportName)["receivers"], `Secret `+b.home+`/`+ReceiversName+`, key alertmanager.yaml: `+fleet.ErrInvalid.Error()+`: the configuration of Alertmanager: route.receiver: there is no receiver "b"`) && !b.ctl.Summary().ReceiversValid
	})
}

// PrometheusRules count as soon as their kind is served, and from then on with every change.
func TestPrometheusRulesAppear(t *testing.T) {
	b := start(t)
	b.awaitRule("up == 0")
	text, err := os.ReadFile("testdata/crds/prometheusrules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensions.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(text, &crd); err != nil {
		t.Fatal(err)
	}
	if err := b.kube.Create(t.Context(), &crd); err != nil {
		t.Fatal(err)
	}
	rule := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"groups": []any{map[string]any{"name": "theirs", "rules": []any{map[string]any{"alert": "Theirs", "expr": "theirs > 1"}}}}}}}
	rule.SetGroupVersionKind(ruleKind)
	rule.SetNamespace(b.home)
	rule.SetName("theirs")
	b.await("the kind to be served", func() bool { return b.kube.Create(t.Context(), rule) == nil })
	b.awaitRule("theirs > 1")
	if err := unstructured.SetNestedField(rule.Object, []any{map[string]any{"name": "theirs", "rules": []any{map[string]any{"alert": "Theirs", "expr": "theirs > 2"}}}}, "spec", "groups"); err != nil {
		t.Fatal(err)
	}
	if err := b.kube.Update(t.Context(), rule); err != nil {
		t.Fatal(err)
	}
	b.awaitRule("theirs > 2")
}
