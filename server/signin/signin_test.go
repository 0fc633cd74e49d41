package signin_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"portico.dev/portico/server/signin"
	"portico.dev/portico/server/signin/signintest"
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

func open(t *testing.T, time *clock, issuer *signintest.Issuer) *house {
	t.Helper()
	return openWith(t, time, issuer, nil)
}

// openWith is open with parts changed, and with a configuration of the issuer changed.
func openWith(t *testing.T, time *clock, issuer *signintest.Issuer, change func(*signin.Parts, *signin.OIDCConfig)) *house {
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
	var provider signin.OIDCConfig
	if issuer != nil {
		provider = signin.OIDCConfig{
			Issuer: issuer.URL, ClientID: signintest.Client, Secret: func(context.Context) (string, error) { return signintest.Secret, nil }, External: h.URL,
			HTTP: func() (*http.Client, error) { return issuer.Client(), nil }, Random: rand.Reader, Clock: time.Now,
		}
	}
	if change != nil {
		change(&parts, &provider)
	}
	if issuer != nil {
		var err error
		if parts.OIDC, err = signin.NewOIDC(provider); err != nil {
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
		if headers[i] == "Host" {
			req.Host = headers[i+1]
		}
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
	if res.StatusCode != http.StatusOK || !strings.Contains(said, "Signed in as ann") || !strings.Contains(said, "/openapi.json") || res.Header.Get("Refresh") != "" || res.Header.Get("Referrer-Policy") != "no-referrer" {
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

// What is not our user's own doing does not use a link up.
func TestLinkNotFollowed(t *testing.T) {
	h := openWith(t, newClock(), nil, func(p *signin.Parts, _ *signin.OIDCConfig) { p.External = "https://portico.example.com" })
	path, _, err := h.door.Link(signin.Identity{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, why string
		headers   []string
		code      int
	}{
		{"Prefetch", "A browser looks ahead.", []string{"Sec-Purpose", "prefetch;prerender"}, http.StatusMethodNotAllowed},
		{"OtherPage", "A page has our user work as somebody else.", []string{"Sec-Fetch-Site", "cross-site"}, http.StatusForbidden},
		{"OtherPort", "So does a page of our host.", []string{"Sec-Fetch-Site", "same-site"}, http.StatusForbidden},
		{"Proxy", "Who comes through a proxy may be anywhere.", []string{"X-Forwarded-For", "192.0.2.1"}, http.StatusForbidden},
		{"External", "So may who uses the external name.", []string{"Host", "portico.example.com"}, http.StatusForbidden},
	} {
		if res, said := h.do(t, "GET", path, tc.headers...); res.StatusCode != tc.code || len(res.Cookies()) > 0 {
			t.Errorf("%s: %s got %s %q", tc.name, tc.why, res.Status, said)
		}
	}
	for _, tc := range []struct {
		why, peer string
		code      int
	}{
		{"Another machine.", "192.0.2.1:4000", http.StatusForbidden},
		{"No address at all.", "@", http.StatusForbidden},
		{"This machine, under the address that the plane listens on.", "10.0.0.5:4000", http.StatusOK},
	} {
		r := httptest.NewRequest("GET", "https://10.0.0.5:7451"+path, nil)
		r.RemoteAddr = tc.peer
		r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.ParseIP("10.0.0.5"), Port: 7451})))
		answer := httptest.NewRecorder()
		if h.door.Follow(answer, r); answer.Code != tc.code {
			t.Errorf("%s: %d %s", tc.why, answer.Code, answer.Body)
		}
	}
}

// Links work anywhere where that is configured.
func TestLinkAnywhere(t *testing.T) {
	h := openWith(t, newClock(), nil, func(p *signin.Parts, _ *signin.OIDCConfig) { p.LinksAnywhere, p.Home = true, "/" })
	path, _, err := h.door.Link(signin.Identity{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", path, nil)
	answer := httptest.NewRecorder()
	if h.door.Follow(answer, r); answer.Code != http.StatusOK || answer.Header().Get("Refresh") != "0; url=/" {
		t.Errorf("got %d %s %v", answer.Code, answer.Body, answer.Header())
	}
}

// A person in a browser sees who he is, by whatever name, and a way out that works without a script.
func TestScreen(t *testing.T) {
	h := open(t, newClock(), nil)
	path, _, err := h.door.Link(signin.Identity{Name: `<script>alert(1)</script>`})
	if err != nil {
		t.Fatal(err)
	}
	res, said := h.do(t, "GET", path, "Accept", "text/html,*/*")
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") || strings.Contains(said, "<script") || !strings.Contains(said, "&lt;script") || !strings.Contains(said, `action="/signout"`) {
		t.Errorf("got %v\n%s", res.Header, said)
	}
	if policy := res.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("the policy is %q", policy)
	}
	if res, said := h.do(t, "POST", signin.OutPath, "Accept", "text/html", "Sec-Fetch-Site", "same-origin"); res.StatusCode != http.StatusOK || !strings.Contains(said, "Signed out") {
		t.Errorf("signing out: %s %s", res.Status, said)
	}
	if _, who := h.do(t, "GET", "/who"); !strings.Contains(who, "sign in") {
		t.Errorf("after signing out the session is of %q", who)
	}
}

// Requests have to name us. What a name of somebody else leads to is not us.
func TestGuard(t *testing.T) {
	guarded := signin.Guard([]string{"127.0.0.1", "localhost", "::1", "portico.example.com"}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "in") }))
	for host, in := range map[string]bool{
		"127.0.0.1:7451": true, "127.0.0.1": true, "localhost:9999": true, "LOCALHOST": true, "localhost.:7451": true, "[::1]:7451": true, "[::1]": true,
		"portico.example.com": true, "portico.example.com:443": true,
		"evil.example": false, "evil.example:7451": false, "127.0.0.1.evil.example:7451": false, "localhost.evil.example": false, "": false,
		"127.0.0.1@evil.example": false, "127.0.0.1:7451:7451": false, "[::2]:7451": false, "evil-portico.example.com": false,
	} {
		r := httptest.NewRequest("GET", "/healthz", nil)
		r.Host = host
		answer := httptest.NewRecorder()
		guarded.ServeHTTP(answer, r)
		if (answer.Code == http.StatusOK) != in || !in && (answer.Code != http.StatusMisdirectedRequest || !strings.Contains(answer.Body.String(), `{"error":"`)) {
			t.Errorf("host %q: %d %s", host, answer.Code, answer.Body)
		}
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

// Who asks for many puts nobody else out.
func TestSecretsShared(t *testing.T) {
	c := newClock()
	s := signin.NewSecrets(signin.SecretsConfig{Clock: c.Now, Random: rand.Reader, Life: time.Hour, Most: 10})
	ann, _, err := s.Issue(signin.Identity{Name: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		c.pass(time.Second)
		if _, _, err := s.Issue(signin.Identity{Name: "mallory"}); err != nil {
			t.Fatal(err)
		}
	}
	if who, ok := s.Look(ann); !ok || who.Name != "ann" {
		t.Error("ann's secret was forgotten")
	}
}

// What cannot be a token is not asked about.
func TestNoToken(t *testing.T) {
	h := open(t, newClock(), nil)
	for _, given := range []string{"Basic YTpi", "Bearer", "Bearer ", "Bearer " + strings.Repeat("x", 65<<10)} {
		if _, who := h.do(t, "GET", "/who", "Authorization", given); !strings.Contains(who, "expected Bearer and a token") {
			t.Errorf("%.20q: %s", given, who)
		}
	}
	if _, who := h.do(t, "GET", "/who", "Authorization", "bearer x"); !strings.Contains(who, "there is no API server") {
		t.Errorf("the scheme has no case: %s", who)
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
		{"OtherPort", "A page on another port of this host has its requests sent with the cookie.", "POST", []string{"Sec-Fetch-Site", "same-site", "X-Portico", "1"}, false},
		{"OurForm", "A form of ours has no header; its browser says where it is, and may hide its origin.", "POST", []string{"Sec-Fetch-Site", "same-origin", "Origin", "null"}, true},
		{"TypedIn", "An address that was typed in asks for nothing to be changed.", "POST", []string{"Sec-Fetch-Site", "none"}, false},
		{"OtherReads", "Another page reads nothing, but a stream of events would go on for ever.", "GET", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}, false},
		{"OtherReadsUnsaid", "An older browser says the origin alone.", "GET", []string{"Origin", "https://evil.example"}, false},
		{"OtherShows", "A picture of another page is no question of our user.", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"}, false},
		{"OtherFrames", "Nor is a frame in another page.", "GET", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, false},
		{"Followed", "Our user follows a link to us, and sees the answer himself.", "GET", []string{"Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, true},
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

func mustURL(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
