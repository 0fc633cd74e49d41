package serviceset_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	sveltos "portico.dev/portico/api/sveltos/v1beta1"
	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/serviceset"
)

// website serves one file to whoever knows the token, until it is told to fail.
type website struct {
	*httptest.Server
	body  atomic.Value
	fails atomic.Bool
	asked atomic.Int64
}

func newWebsite(t *testing.T) *website {
	t.Helper()
	w := &website{}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked.Add(1)
		switch {
		case w.fails.Load():
			rw.WriteHeader(http.StatusBadGateway)
		case r.Header.Get("Authorization") != "Bearer t0k3n":
			rw.WriteHeader(http.StatusUnauthorized)
		default:
			fmt.Fprint(rw, w.body.Load())
		}
	}))
	t.Cleanup(w.Close)
	return w
}

// later turns the plane's clock, and has the set looked at.
func (p *plane) later(set *kcm.ServiceSet, seconds int64) {
	p.Helper()
	now := p.ahead.Add(seconds)
	change(p, set, func(s *kcm.ServiceSet) { metav1.SetMetaDataAnnotation(&s.ObjectMeta, "test/ahead", fmt.Sprint(now)) })
}

// Manifests behind a URL are downloaded with credentials, evaluated, refreshed at their interval and no
// sooner, and stay where a refresh fails. A tenant cannot have the plane's own machine read.
func TestRemoteURL(t *testing.T) {
	p := newPlane(t)
	p.provider()
	cluster := p.world.AddCluster(p.solo())
	site := newWebsite(t)
	page := func(word string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: rules}\ndata: {text: '{{ .Cluster.metadata.labels.region }} " + word + "'}\n"
	}
	site.body.Store(page("one"))
	config := &kcm.JSON{Raw: []byte(`{"policyRefs":[{"remoteURL":{"url":"` + site.URL + `/rules.yaml","interval":"1m","template":true,"secretRef":{"name":"token"}}}]}`)}
	object := &sveltos.SveltosCluster{ObjectMeta: p.meta("solo")}
	object.Labels = map[string]string{"region": "eu"}
	p.create(object)

	tenant := p.onItsOwn("tenant")
	tenant.Spec.Provider.Config = config
	p.create(tenant)
	p.until(tenant.Name, "the missing Secret", says(kcm.ServiceSetProfileCondition, metav1.ConditionFalse, "Secret "+p.namespace+"/token (remoteURL.secretRef) does not exist"))
	p.create(&corev1.Secret{ObjectMeta: p.meta("token"), StringData: map[string]string{"token": "guess"}})
	p.until(tenant.Name, "the refusal", says(kcm.ServiceSetProfileCondition, metav1.ConditionFalse, "an address of the plane's own machine"))
	if n := site.asked.Load(); n != 0 {
		t.Errorf("the plane's machine was asked %d times for a tenant", n)
	}
	must(t, p.kube.Delete(t.Context(), tenant))

	owner := &kcm.MultiClusterService{ObjectMeta: metav1.ObjectMeta{Name: p.namespace}}
	owner.Spec.ServiceSpec.Provider = kcm.StateManagementProviderConfig{Name: "ksm-" + p.namespace, Config: config}
	p.create(owner)
	set := p.onItsOwn("named")
	set.Spec.MultiClusterService, set.Spec.Provider.Config = owner.Name, config
	p.create(set)
	p.until(set.Name, "the wrong credentials", says(kcm.ServiceSetProfileCondition, metav1.ConditionFalse, "correct the credentials"))
	secret := &corev1.Secret{ObjectMeta: p.meta("token")}
	change(p, secret, func(s *corev1.Secret) { s.Data["token"] = []byte("t0k3n") })
	text := func(want string) func(*kcm.ServiceSet, bool) bool {
		return func(s *kcm.ServiceSet, there bool) bool {
			got, _ := cluster.Text(types.NamespacedName{Namespace: "default", Name: "rules"})
			return deployed(s, there) && got == want && says(serviceset.PolicyRefsCondition, metav1.ConditionTrue, "1/1")(s, there)
		}
	}
	p.until(set.Name, "the manifests", text("eu one"))

	site.body.Store(page("two"))
	asked := site.asked.Load()
	p.later(set, 30)
	p.until(set.Name, "nothing, before the interval is over", text("eu one"))
	if n := site.asked.Load(); n != asked {
		t.Errorf("it was asked %d times before the interval was over", n-asked)
	}
	p.later(set, 40)
	p.until(set.Name, "the change", text("eu two"))
	change(p, object, func(c *sveltos.SveltosCluster) { c.Labels["region"] = "us" })
	p.until(set.Name, "the cluster's change", text("us two"))

	site.fails.Store(true)
	p.later(set, 70)
	p.until(set.Name, "the failed refresh", says(serviceset.PolicyRefsCondition, metav1.ConditionTrue, "it could not be refreshed, and stays as it was at"))
	p.until(set.Name, "what was there", text("us two"))
	change(p, set, func(s *kcm.ServiceSet) { s.Spec.Provider.Config = &kcm.JSON{Raw: []byte(`{}`)} })
	p.until(set.Name, "the end of the policyRef", func(s *kcm.ServiceSet, there bool) bool {
		return deployed(s, there) && len(cluster.Releases()) == 0
	})
}

// The lower tier has what two policyRefs hold, and the other gets it back.
func TestTiers(t *testing.T) {
	p := newPlane(t)
	p.provider()
	cluster := p.world.AddCluster(p.solo())
	shared := func(name, text string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: p.meta(name), Data: map[string]string{
			"shared": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shared}\ndata: {text: " + text + "}\n",
			"own":    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: own-" + name + "}\ndata: {text: own}\n",
		}}
	}
	first := shared("first", "low")
	p.create(first)
	p.create(shared("second", "high"))
	set := p.onItsOwn("tiers")
	set.Spec.Provider.Config = &kcm.JSON{Raw: []byte(`{"policyRefs":[{"kind":"ConfigMap","name":"second"},{"kind":"ConfigMap","name":"first","tier":50,"optional":true}]}`)}
	p.create(set)
	holds := func(want, ready string) func(*kcm.ServiceSet, bool) bool {
		return func(s *kcm.ServiceSet, there bool) bool {
			got, _ := cluster.Text(types.NamespacedName{Namespace: "default", Name: "shared"})
			return deployed(s, there) && got == want && says(serviceset.PolicyRefsCondition, metav1.ConditionTrue, ready)(s, there)
		}
	}
	p.until(set.Name, "the lower tier", holds("low", "2/2"))
	must(t, p.kube.Delete(t.Context(), first))
	p.until(set.Name, "the other one", holds("high", "1/1"))
	p.create(shared("first", "again"))
	p.until(set.Name, "the lower tier again", holds("again", "2/2"))
}

// A preview fetches nothing, and says so; what an engine refuses of a policyRef is refused where it
// stands in the spec.
func TestPreviewOfPolicyRefs(t *testing.T) {
	p := newPlane(t)
	p.provider()
	site := newWebsite(t)
	preview := serviceset.NewPreview(p.kube, p.kube, serviceset.Config{Engines: []engine.Engine{p.engine}, Default: "memory", Home: home, Clock: p.now})
	set := p.onItsOwn("preview")
	set.Namespace = home
	set.Spec.Provider.Config = &kcm.JSON{Raw: []byte(`{"policyRefs":[{"remoteURL":{"url":"` + site.URL + `"}}]}`)}
	parts, err := preview.Parts(t.Context(), set)
	must(t, err)
	if got := parts.Target.Services; len(got) != 1 || got[0].NotYet != "its content is not known until it has been fetched" || site.asked.Load() != 0 {
		t.Errorf("previewed are %+v, after %d requests", got, site.asked.Load())
	}
	spec := kcm.ServiceSpec{Provider: kcm.StateManagementProviderConfig{Config: &kcm.JSON{Raw: []byte(
		`{"policyRefs":[{"kind":"ConfigMap","name":"good"},{"kind":"ConfigMap","name":"bad","skipNamespaceCreation":true}]}`,
	)}}}
	refused, err := preview.Refusals(t.Context(), p.namespace, spec)
	must(t, err)
	if len(refused) != 1 || refused[0].Field != "spec.serviceSpec.provider.config.policyRefs[1]" || !strings.Contains(refused[0].Detail, "engine memory") {
		t.Errorf("refused are %v", refused)
	}
}
