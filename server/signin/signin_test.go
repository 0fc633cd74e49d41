package signin_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/fleet"
	"portico.dev/portico/server/signin"
)

// clock can be turned.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Now()} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// nobodysTokens stands where no request has a token; what a real API server says of tokens is
// tested in package httpapi.
type nobodysTokens struct{}

func (nobodysTokens) Create(context.Context, *authenticationv1.TokenReview, metav1.CreateOptions) (*authenticationv1.TokenReview, error) {
	return nil, errors.New("there is no API server")
}

// house is a door with a page behind it.
type house struct {
	*httptest.Server
	door   *signin.Door
	time   *clock
	client *http.Client
}

func open(t *testing.T, time *clock, issuer *issuer) *house {
	t.Helper()
	h := &house{time: time}
	mux := http.NewServeMux()
	h.Server = httptest.NewTLSServer(mux)
	t.Cleanup(h.Close)
	parts := signin.Parts{
		Links:    signin.NewSecrets(signin.SecretsConfig{Clock: time.Now, Random: rand.Reader, Life: signin.LinkLife, Most: 10}),
		Sessions: signin.NewSecrets(signin.SecretsConfig{Clock: time.Now, Random: rand.Reader, Life: signin.SessionLife, Most: 10}),
		Reviews:  nobodysTokens{}, Clock: time.Now,
	}
	if issuer != nil {
		var err error
		parts.OIDC, err = signin.NewOIDC(signin.OIDCConfig{
			Issuer: issuer.URL, ClientID: "portico", ClientSecret: "s", External: h.URL, HTTP: issuer.Client(), Random: rand.Reader, Clock: time.Now,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	h.door = signin.New(parts)
	mux.HandleFunc("GET "+signin.LinkPath, h.door.Follow)
	mux.HandleFunc("GET "+signin.OIDCPath, h.door.Start)
	mux.HandleFunc("GET "+signin.CallbackPath, h.door.Callback)
	mux.HandleFunc("POST "+signin.OutPath, h.door.Leave)
	mux.HandleFunc("/who", func(w http.ResponseWriter, r *http.Request) {
		who, how, err := h.door.Identify(r)
		fmt.Fprintf(w, "%s %v %s %v", who.Name, who.Groups, how, err)
	})
	h.client = h.browser(t)
	return h
}

// browser is a new one. It knows the certificates of all test servers: httptest has but one.
func (h *house) browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: h.Client().Transport, Jar: jar}
}

// do returns the answer and what it says.
func (h *house) do(t *testing.T, method, path string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, h.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := h.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var text strings.Builder
	buf := make([]byte, 4096)
	for {
		n, err := res.Body.Read(buf)
		text.Write(buf[:n])
		if err != nil {
			return res, text.String()
		}
	}
}

// A link signs in once, and not for long; the cookie is for our page alone, and ends.
func TestLink(t *testing.T) {
	h := open(t, newClock(), nil)
	ann := signin.Identity{Name: "ann", Groups: []string{"ops"}}
	path, expires, err := h.door.Link(ann)
	if err != nil {
		t.Fatal(err)
	}
	if life := expires.Sub(h.time.Now()); life > 15*time.Minute {
		t.Errorf("a link lives for %s", life)
	}
	if res, _ := h.do(t, "HEAD", path); res.StatusCode != http.StatusMethodNotAllowed || len(res.Cookies()) > 0 {
		t.Errorf("a preview of the link: %s", res.Status)
	}
	res, said := h.do(t, "GET", path)
	if res.StatusCode != http.StatusOK || !strings.Contains(said, "Signed in as ann") || res.Header.Get("Refresh") != "0; url=/" || res.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("following the link: %s %q %v", res.Status, said, res.Header)
	}
	cookie := res.Header.Get("Set-Cookie")
	for _, wanted := range []string{"__Host-portico=", "Path=/", "Max-Age=43200", "HttpOnly", "Secure", "SameSite=Strict"} {
		if !strings.Contains(cookie, wanted) {
			t.Errorf("the cookie %q lacks %s", cookie, wanted)
		}
	}
	if _, who := h.do(t, "GET", "/who"); who != "ann [ops] session <nil>" {
		t.Errorf("the session is of %q", who)
	}
	if res, said := h.do(t, "GET", path); res.StatusCode != http.StatusUnauthorized || !strings.Contains(said, "used already") {
		t.Errorf("the same link again: %s %q", res.Status, said)
	}
	h.time.pass(signin.SessionLife)
	if _, who := h.do(t, "GET", "/who"); !strings.Contains(who, "session has ended") {
		t.Errorf("after its life the session is of %q", who)
	}
}

func TestLinkTooOld(t *testing.T) {
	h := open(t, newClock(), nil)
	path, _, err := h.door.Link(signin.Identity{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	h.time.pass(signin.LinkLife)
	if res, _ := h.do(t, "GET", path); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("an old link: %s", res.Status)
	}
	if res, _ := h.do(t, "GET", signin.LinkPath+"?token="); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("no token: %s", res.Status)
	}
}

// Of all who follow one link at once, one is let in.
func TestTakeOnce(t *testing.T) {
	s := signin.NewSecrets(signin.SecretsConfig{Clock: time.Now, Random: rand.Reader, Life: time.Hour, Most: 10})
	secret, _, err := s.Issue(signin.Identity{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	if len(secret) != 43 {
		t.Errorf("a secret of %d letters does not have 256 bits", len(secret))
	}
	var in sync.Map
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			if _, ok := s.Take(secret); ok {
				in.Store(i, true)
			}
		})
	}
	group.Wait()
	n := 0
	in.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d were let in", n)
	}
}

// There are never more secrets than may be; the oldest is forgotten.
func TestSecretsBounded(t *testing.T) {
	c := newClock()
	s := signin.NewSecrets(signin.SecretsConfig{Clock: c.Now, Random: rand.Reader, Life: time.Hour, Most: 3})
	var all []string
	for range 4 {
		secret, _, err := s.Issue(signin.Identity{Name: "ann"})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, secret)
		c.pass(time.Second)
	}
	for i, secret := range all {
		if _, ok := s.Look(secret); ok != (i > 0) {
			t.Errorf("secret %d: known %v", i, ok)
		}
	}
}

// Another page cannot use the cookie of our user to change something.
func TestForged(t *testing.T) {
	h := open(t, newClock(), nil)
	path, _, err := h.door.Link(signin.Identity{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	h.do(t, "GET", path)
	for _, tc := range []struct {
		name, why, method string
		headers           []string
		in                bool
	}{
		{"Read", "Reading changes nothing.", "GET", nil, true},
		{"Bare", "A form of another page sends no header of its own.", "POST", nil, false},
		{"Header", "Another page may not set the header.", "POST", []string{"X-Portico", "1"}, true},
		{"OwnOrigin", "Our page names itself.", "DELETE", []string{"Origin", h.URL}, true},
		{"OtherOrigin", "Another page has to name itself, whatever else it sends.", "POST", []string{"Origin", "https://evil.example", "X-Portico", "1"}, false},
		{"NullOrigin", "A page without a name is not ours.", "POST", []string{"Origin", "null", "X-Portico", "1"}, false},
		{"PlainOrigin", "A page that came without TLS is not ours.", "POST", []string{"Origin", strings.Replace(h.URL, "https", "http", 1)}, false},
		{"OtherSite", "The browser says that another site asks.", "POST", []string{"Sec-Fetch-Site", "cross-site", "X-Portico", "1"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, who := h.do(t, tc.method, "/who", tc.headers...)
			if in := strings.HasSuffix(who, "<nil>"); in != tc.in {
				t.Errorf("%s got %q", tc.why, who)
			}
		})
	}
	if res, _ := h.do(t, "POST", signin.OutPath); res.StatusCode != http.StatusForbidden {
		t.Errorf("another page signs our user out: %s", res.Status)
	}
	if res, _ := h.do(t, "POST", signin.OutPath, "X-Portico", "1"); res.StatusCode != http.StatusNoContent {
		t.Errorf("signing out: %s", res.Status)
	}
	if _, who := h.do(t, "GET", "/who"); !strings.Contains(who, "sign in") {
		t.Errorf("after signing out the session is of %q", who)
	}
}

// A session's cookie does not outlive the session on the server, even where the browser keeps it.
func TestSignedOutCookie(t *testing.T) {
	h := open(t, newClock(), nil)
	path, _, err := h.door.Link(signin.Identity{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	res, _ := h.do(t, "GET", path)
	kept := res.Cookies()[0]
	h.do(t, "POST", signin.OutPath, "X-Portico", "1")
	if _, who := h.do(t, "GET", "/who", "Cookie", kept.Name+"="+kept.Value); !strings.Contains(who, "session has ended") {
		t.Errorf("the old cookie is of %q", who)
	}
}

func TestOIDC(t *testing.T) {
	for _, tc := range []struct {
		name, why string
		claims    map[string]any
		change    func(*issuer)
		want      string
	}{
		{"Good", "Names carry the prefix.", nil, nil, "Signed in as oidc:ann@example.com"},
		{"Unverified", "Anybody can write any address.", map[string]any{"email_verified": false}, nil, "has not verified"},
		{"Unsaid", "An issuer that does not say so has not verified it.", map[string]any{"email_verified": nil}, nil, "has not verified"},
		{"Nameless", "A user has a name.", map[string]any{"email": ""}, nil, `no claim "email"`},
		{"OtherNonce", "A token of another sign-in is no use.", map[string]any{"nonce": "x"}, nil, "another sign-in"},
		{"OtherAudience", "A token for another program is no use.", map[string]any{"aud": "grafana"}, nil, "audience"},
		{"OtherIssuer", "A token of another issuer is no use.", map[string]any{"iss": "https://evil.example"}, nil, "issued by a different provider"},
		{"Expired", "An old token is no use.", map[string]any{"exp": 1000}, nil, "expired"},
		{"OtherKey", "A token that somebody else signed is no use.", nil, func(i *issuer) { i.signer = otherKey(t) }, "failed to verify"},
		{"StrangeGroups", "Groups are names.", map[string]any{"groups": []any{1}}, nil, "expected a list of names"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			time := newClock()
			i := newIssuer(t, time.Now)
			i.claims = tc.claims
			if tc.change != nil {
				tc.change(i)
			}
			h := open(t, time, i)
			_, said := h.do(t, "GET", signin.OIDCPath)
			if !strings.Contains(said, tc.want) {
				t.Errorf("%s got %q, want %q", tc.why, said, tc.want)
			}
			_, who := h.do(t, "GET", "/who")
			if in := who == "oidc:ann@example.com [system:authenticated oidc:ops] session <nil>"; in != (tc.name == "Good") {
				t.Errorf("%s the session is of %q", tc.why, who)
			}
		})
	}
}

func otherKey(t *testing.T) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// An issuer cannot make anybody a member of Kubernetes' own groups.
func TestOIDCPrefix(t *testing.T) {
	time := newClock()
	i := newIssuer(t, time.Now)
	i.claims = map[string]any{"groups": "system:masters"}
	h := open(t, time, i)
	h.do(t, "GET", signin.OIDCPath)
	if _, who := h.do(t, "GET", "/who"); !strings.Contains(who, "[system:authenticated oidc:system:masters]") {
		t.Errorf("the session is of %q", who)
	}
}

// What comes back from the issuer has to come with the browser that went there, in time.
func TestOIDCOtherBrowser(t *testing.T) {
	time := newClock()
	i := newIssuer(t, time.Now)
	h := open(t, time, i)
	h.client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.Path, signin.CallbackPath) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	res, _ := h.do(t, "GET", signin.OIDCPath)
	back := strings.TrimPrefix(res.Header.Get("Location"), h.URL)
	mine := h.client
	h.client = h.browser(t)
	if res, said := h.do(t, "GET", back); res.StatusCode != http.StatusUnauthorized || !strings.Contains(said, "no sign-in under way") {
		t.Errorf("the link of somebody's sign-in in another browser: %s %q", res.Status, said)
	}
	h.client = mine
	if res, said := h.do(t, "GET", signin.CallbackPath+"?code=code-0&state=wrong"); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong state: %s %q", res.Status, said)
	}
	if res, said := h.do(t, "GET", back); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("after a wrong state the sign-in is over: %s %q", res.Status, said)
	}
}

// An issuer that is down is said to be, and is asked again.
func TestOIDCDown(t *testing.T) {
	time := newClock()
	i := newIssuer(t, time.Now)
	h := open(t, time, i)
	i.Config.Handler = http.NotFoundHandler()
	i.Close()
	if res, said := h.do(t, "GET", signin.OIDCPath); res.StatusCode != http.StatusBadGateway || !strings.Contains(said, "does not answer") {
		t.Errorf("got %s %q", res.Status, said)
	}
}

func TestOIDCConfig(t *testing.T) {
	good := signin.OIDCConfig{Issuer: "https://i", ClientID: "portico", External: "https://p"}
	for _, tc := range []struct {
		name   string
		change func(*signin.OIDCConfig)
	}{
		{"PlainIssuer", func(c *signin.OIDCConfig) { c.Issuer = "http://i" }},
		{"NoClient", func(c *signin.OIDCConfig) { c.ClientID = "" }},
		{"PlainPage", func(c *signin.OIDCConfig) { c.External = "http://p" }},
		{"Kubernetes' own names", func(c *signin.OIDCConfig) { c.Prefix = "system:" }},
	} {
		c := good
		tc.change(&c)
		if _, err := signin.NewOIDC(c); !errors.Is(err, fleet.ErrInvalid) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if _, err := signin.NewOIDC(good); err != nil {
		t.Error(err)
	}
}

// Two users are never taken for one.
func TestIdentityKey(t *testing.T) {
	all := []signin.Identity{
		{Name: "a"}, {Name: "a", UID: "b"}, {Name: "a", Groups: []string{"b"}}, {Name: "a", Groups: []string{"b", "c"}}, {Name: "a", Groups: []string{`b"1"c`}},
		{Name: "a", Extra: map[string][]string{"b": {"c"}}}, {Name: "a", Extra: map[string][]string{"b": {}, "c": {}}}, {Name: `a""`},
	}
	seen := map[string]int{}
	for i, who := range all {
		if other, twice := seen[who.Key()]; twice {
			t.Errorf("identities %d and %d have one key %s", other, i, who.Key())
		}
		seen[who.Key()] = i
	}
	if a, b := (signin.Identity{Groups: []string{"x", "y"}}).Key(), (signin.Identity{Groups: []string{"y", "x"}}).Key(); a != b {
		t.Errorf("the order of groups tells users apart: %s and %s", a, b)
	}
}
