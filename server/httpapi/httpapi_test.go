package httpapi_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	kcm "portico.dev/portico/api/kcm/v1beta1"
	"portico.dev/portico/server/httpapi"
	"portico.dev/portico/server/inventory"
	"portico.dev/portico/server/rights"
	"portico.dev/portico/server/signin"
)

func names(f inventory.Fleet) []string {
	out := []string{}
	for _, c := range f.Items {
		out = append(out, c.Name)
	}
	return out
}

// Each sees the clusters that RBAC lets him get, in lists, figures, details and trees.
func TestFleetRights(t *testing.T) {
	p := start(t, nil)
	p.deploy(p.a, "one", "acme")
	p.deploy(p.a, "two", "acme")
	p.deploy(p.b, "three", "")
	admin, ann, none := p.admin(), p.user("get", p.a), p.user("get")
	p.eventually("the fleet has three clusters", func() bool { return read[inventory.Fleet](p, "/api/v1/fleet", admin).Total == 3 })

	if f := read[inventory.Fleet](p, "/api/v1/fleet?sort=-name", ann); !slices.Equal(names(f), []string{"two", "one"}) || f.Totals.Clusters != 2 || f.Totals.Tenants["acme"] != 2 || f.Totals.Tenants["PLATFORM"] != 0 {
		t.Errorf("ann sees %v with %+v", names(f), f.Totals)
	}
	if f := read[inventory.Fleet](p, "/api/v1/fleet?q=three", ann); f.Total != 0 {
		t.Errorf("ann finds %v", names(f))
	}
	if f := read[inventory.Fleet](p, "/api/v1/fleet", none); f.Total != 0 || len(f.Totals.Regions) != 0 {
		t.Errorf("who may get nothing sees %v", f)
	}
	for _, tc := range []struct {
		path, token string
		want        int
		why         string
	}{
		{"/api/v1/fleet", "", 401, "a stranger"},
		{"/api/v1/fleet", "not.a.token", 401, "a token that nobody made"},
		{"/api/v1/events", "", 401, "a stranger who listens"},
		{"/api/v1/logs", "", 401, "a stranger who searches"},
		{"/metrics-api/api/v1/query", "", 401, "a stranger who asks a mounted API"},
		{"/api/v1/clusters/" + p.a + "/one", ann, 200, "ann's cluster"},
		{"/api/v1/clusters/" + p.b + "/three", ann, 403, "not ann's cluster"},
		{"/api/v1/clusters/" + p.b + "/nothing", ann, 403, "whether it is there is not for ann to know"},
		{"/api/v1/clusters/" + p.b + "/three/tree", ann, 403, "not ann's tree"},
		{"/api/v1/clusters/" + p.a + "/nothing", ann, 404, "it is not there"},
		{"/api/v1/fleet?sort=colour", ann, 400, "a wrong question"},
		{"/api/v1/fleet?limit=x", ann, 400, "a wrong limit"},
		{"/api/v1/fleet?selector=a==b==c", ann, 400, "a wrong selector"},
		{"/api/v1/nothing", ann, 404, "no route"},
	} {
		if code, text := p.get(tc.path, tc.token); code != tc.want || code >= 400 && !strings.Contains(text, `"error":"`) {
			t.Errorf("%s: %s: %d %s", tc.why, tc.path, code, text)
		}
	}
}

// What somebody may see follows RBAC within seconds, in both directions.
func TestRevoked(t *testing.T) {
	p := start(t, nil)
	p.deploy(p.a, "one", "")
	admin, ann := p.admin(), p.user("get", p.a)
	p.eventually("the cluster is seen", func() bool { return read[inventory.Fleet](p, "/api/v1/fleet", admin).Total == 1 })
	if f := read[inventory.Fleet](p, "/api/v1/fleet", ann); f.Total != 1 {
		t.Fatalf("ann sees %v", names(f))
	}
	must(t, p.clients.RbacV1().RoleBindings(p.a).DeleteCollection(p.Context(), metav1.DeleteOptions{}, metav1.ListOptions{}))
	began := time.Now()
	p.eventually("ann sees nothing", func() bool { return read[inventory.Fleet](p, "/api/v1/fleet", ann).Total == 0 })
	if took := time.Since(began); took > rights.Life+2*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestMe(t *testing.T) {
	p := start(t, nil)
	p.deploy(p.a, "one", "acme")
	p.deploy(p.b, "two", "beta")
	admin, ann := p.admin(), p.user("get", p.a)
	p.eventually("both clusters are seen", func() bool { return read[inventory.Fleet](p, "/api/v1/fleet", admin).Total == 2 })
	if me := read[httpapi.Me](p, "/api/v1/me", admin); !me.Everything || me.By != signin.ByToken {
		t.Errorf("the administrator is %+v", me)
	}
	me := read[httpapi.Me](p, "/api/v1/me", ann)
	if me.Everything || !slices.Equal(me.Namespaces, []string{p.a}) || len(me.Tenants) != 1 || me.Tenants[0] != "acme" || !strings.HasPrefix(me.Name, "system:serviceaccount:"+p.a) {
		t.Errorf("ann is %+v", me)
	}
}

// A client certificate of the management API server is as good as a token; one of somebody else
// is none.
func TestCertificate(t *testing.T) {
	p := start(t, nil)
	own, err := tls.X509KeyPair(p.cluster.Config.CertData, p.cluster.Config.KeyData)
	must(t, err)
	p.Client().Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{own}
	me := read[httpapi.Me](p, "/api/v1/me", "")
	if me.By != signin.ByCertificate || !me.Everything {
		t.Errorf("the administrator is %+v", me)
	}
	p.CloseClientConnections()
	p.Client().CloseIdleConnections()
	p.Client().Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{p.Server.TLS.Certificates[0]}
	res, err := p.Client().Get(p.URL + "/api/v1/me")
	if err == nil {
		defer res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("a certificate of somebody else is let in: %s", res.Status)
		}
	}
}

// A link is made with a token, and signs in as whom the token is of; a session makes no more.
func TestLinkAndSession(t *testing.T) {
	p := start(t, nil)
	ann := p.user("get", p.a)
	res := p.request("POST", "/api/v1/links", ann)
	defer res.Body.Close()
	var link httpapi.Link
	must(t, json.NewDecoder(res.Body).Decode(&link))
	if res.StatusCode != http.StatusCreated || time.Until(link.Expires) > signin.LinkLife {
		t.Fatalf("got %s and %+v", res.Status, link)
	}
	in := p.request("GET", link.Path, "")
	in.Body.Close()
	if len(in.Cookies()) != 1 {
		t.Fatalf("following the link: %s", in.Status)
	}
	cookie := signin.Cookie + "=" + in.Cookies()[0].Value
	code, text := p.get("/api/v1/me", "", "Cookie", cookie)
	if code != http.StatusOK || !strings.Contains(text, `"by":"session"`) || !strings.Contains(text, "system:serviceaccount:"+p.a) {
		t.Errorf("the session is of %d %s", code, text)
	}
	for _, tc := range []struct {
		why     string
		headers []string
		says    string
	}{
		{"another page", []string{"Cookie", cookie}, "X-Portico"},
		{"our page, which must not prolong the session", []string{"Cookie", cookie, "X-Portico", "1"}, "a session makes no links"},
	} {
		res := p.request("POST", "/api/v1/links", "", tc.headers...)
		line, _ := bufio.NewReader(res.Body).ReadString('\n')
		res.Body.Close()
		if res.StatusCode != http.StatusForbidden || !strings.Contains(line, tc.says) {
			t.Errorf("%s: %s %s", tc.why, res.Status, line)
		}
	}
}

// A browser sends a certificate with the requests of every page: those of others are refused.
func TestForgedCertificate(t *testing.T) {
	p := start(t, nil)
	own, err := tls.X509KeyPair(p.cluster.Config.CertData, p.cluster.Config.KeyData)
	must(t, err)
	p.Client().Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{own}
	for _, tc := range []struct {
		why     string
		headers []string
		want    int
	}{
		{"no browser", nil, http.StatusCreated},
		{"our page", []string{"Origin", p.URL}, http.StatusCreated},
		{"another page", []string{"Origin", "https://evil.example"}, http.StatusForbidden},
		{"another site", []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
	} {
		res := p.request("POST", "/api/v1/links", "", tc.headers...)
		res.Body.Close()
		if res.StatusCode != tc.want {
			t.Errorf("%s: %s", tc.why, res.Status)
		}
	}
}

// A plan is made for whom a request comes from, and of as much as its handler takes.
func TestPlan(t *testing.T) {
	p := start(t, func(parts *httpapi.Parts) {
		parts.Plan = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, signin.From(r.Context()).Name, " ", n, " ", err)
		})
	})
	for _, token := range []string{p.user("get", p.a), ""} {
		req, err := http.NewRequest("POST", p.URL+"/plan", strings.NewReader(strings.Repeat("x", 2<<20)))
		must(t, err)
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := p.Client().Do(req)
		must(t, err)
		text, err := io.ReadAll(res.Body)
		must(t, err)
		res.Body.Close()
		if good := strings.HasPrefix(string(text), "system:serviceaccount:"+p.a) && strings.HasSuffix(string(text), " 2097152 <nil>"); good != (token != "") {
			t.Errorf("with token %t: %s %s", token != "", res.Status, text)
		}
	}
}

// Changes are told as they happen, to those who may hear of them.
func TestEvents(t *testing.T) {
	p := start(t, nil)
	ann := p.user("get", p.a)
	at := read[inventory.Fleet](p, "/api/v1/fleet", ann).Resume
	// What happens between the list and the stream is not lost.
	one := p.deploy(p.a, "one", "")
	p.deploy(p.b, "hidden", "")
	res := p.request("GET", "/api/v1/events?resume="+at, ann)
	defer res.Body.Close()
	in := bufio.NewScanner(res.Body)
	wait := func(kind, holds string) string {
		t.Helper()
		last := ""
		for in.Scan() {
			text := in.Text()
			if strings.Contains(text, "hidden") {
				t.Fatalf("ann hears %s", text)
			}
			if event, is := strings.CutPrefix(text, "event: "); is {
				last = event
			}
			if data, is := strings.CutPrefix(text, "data: "); is && last == kind && strings.Contains(data, holds) {
				return data
			}
		}
		t.Fatalf("the stream ended before %s %s: %v", kind, holds, in.Err())
		return ""
	}
	wait("begin", "{}")
	wait("cluster", `"name":"one"`)
	one.Status.Conditions = []metav1.Condition{{Type: kcm.ReadyCondition, Status: "True", Reason: "Succeeded", LastTransitionTime: metav1.Now(), ObservedGeneration: one.Generation}}
	must(t, p.kube.Status().Update(p.Context(), one))
	wait("cluster", `"ready":"True"`)
	p.deploy(p.b, "hidden-too", "")
	must(t, p.kube.Delete(p.Context(), one))
	wait("gone", fmt.Sprintf(`"key":"%s/one"`, p.a))
}

// A tree holds what its user may read, and no more.
func TestTree(t *testing.T) {
	p := start(t, nil)
	p.deploy(p.a, "one", "")
	admin := p.admin()
	p.eventually("the cluster is seen", func() bool { return read[inventory.Fleet](p, "/api/v1/fleet", admin).Total == 1 })
	tree := read[httpapi.Tree](p, "/api/v1/clusters/"+p.a+"/one/tree", admin)
	if tree.Root == nil || tree.Root.Name != "one" || !strings.Contains(tree.Why.Sentence, "one") {
		t.Errorf("got %+v", tree)
	}
	if code, text := p.get("/api/v1/clusters/"+p.a+"/one/tree", p.user("get", p.a)); code != http.StatusForbidden {
		t.Errorf("who may get the cluster and nothing else: %d %s", code, text)
	}
}

// Each route is described, and each that is described answers.
func TestDescription(t *testing.T) {
	p := start(t, nil)
	admin := p.admin()
	type operation struct {
		Responses map[string]any `json:"responses"`
		Security  []any          `json:"security"`
	}
	doc := read[struct {
		OpenAPI    string                          `json:"openapi"`
		Paths      map[string]map[string]operation `json:"paths"`
		Components struct {
			Schemas map[string]any `json:"schemas"`
		} `json:"components"`
	}](p, "/openapi.json", "")
	if doc.OpenAPI != "3.1.0" || len(doc.Paths) < 15 {
		t.Fatalf("%s with %d paths", doc.OpenAPI, len(doc.Paths))
	}
	_, text := p.get("/openapi.json", "")
	for _, part := range strings.Split(text, `"$ref": "`)[1:] {
		name := strings.TrimPrefix(part[:strings.IndexByte(part, '"')], "#/components/schemas/")
		if doc.Components.Schemas[name] == nil {
			t.Errorf("schema %s is referred to and not there", name)
		}
	}
	fill := strings.NewReplacer("{namespace}", p.a, "{name}", "one", "{id}", "ab", "{service}", "web", "{path}", "api/v1/query")
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if path == "/api/v1/events" {
				continue // it does not end; TestEvents
			}
			res := p.request(strings.ToUpper(method), fill.Replace(path), admin)
			line, _ := bufio.NewReader(res.Body).ReadString('\n')
			res.Body.Close()
			if strings.Contains(line, "there is nothing at") || res.StatusCode == http.StatusMethodNotAllowed || res.StatusCode >= 500 {
				t.Errorf("%s %s is described and does not answer: %s %s", method, path, res.Status, line)
			}
			open := op.Security != nil && len(op.Security) == 0
			res = p.request(strings.ToUpper(method), fill.Replace(path), "")
			res.Body.Close()
			// The link, whose token is missing here, answers 401 by itself.
			if closed := res.StatusCode == http.StatusUnauthorized; closed == open && path != signin.LinkPath && path != signin.OutPath {
				t.Errorf("%s %s: described as open %v, a stranger gets %s", method, path, open, res.Status)
			}
		}
	}
}
