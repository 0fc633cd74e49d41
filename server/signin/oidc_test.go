package signin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/server/signin"
	"portico.dev/portico/server/signin/signintest"
)

const annInOps = "oidc:ann@example.com [system:authenticated oidc:ops] session <nil>"

func TestOIDC(t *testing.T) {
	in := func(after time.Duration) int64 { return time.Now().Add(after).Unix() }
	for _, tc := range []struct {
		name, why string
		claims    map[string]any
		change    func(*signintest.Issuer)
		want      string
	}{
		{"Good", "Names carry the prefix.", nil, nil, "Signed in as oidc:ann@example.com"},
		{"Form", "Issuers differ in how they take a secret.", nil, (*signintest.Issuer).TakeForms, "Signed in as oidc:ann@example.com"},
		{"Unverified", "Anybody can write any address.", map[string]any{"email_verified": false}, nil, "has not verified"},
		{"Unsaid", "An issuer that does not say so has not verified it.", map[string]any{"email_verified": nil}, nil, "has not verified"},
		{"Nameless", "A user has a name.", map[string]any{"email": ""}, nil, `no claim "email"`},
		{"LongName", "A name is no novel.", map[string]any{"email": strings.Repeat("a", 300)}, nil, `no claim "email"`},
		{"OtherNonce", "A token of another sign-in is no use.", map[string]any{"nonce": "x"}, nil, "another sign-in"},
		{"NoNonce", "Nor is one that was not made for a sign-in here.", map[string]any{"nonce": ""}, nil, "another sign-in"},
		{"OtherAudience", "A token for another program is no use.", map[string]any{"aud": "grafana"}, nil, "audience"},
		{"SeveralAudiences", "One that several may use says who asked for it.", map[string]any{"aud": []string{"portico", "grafana"}}, nil, "issued to another program"},
		{"OtherParty", "And that has to be us.", map[string]any{"aud": []string{"portico", "grafana"}, "azp": "grafana"}, nil, "issued to another program"},
		{"OtherIssuer", "A token of another issuer is no use.", map[string]any{"iss": "https://evil.example"}, nil, "issued by a different provider"},
		{"Expired", "An old token is no use, and clocks may be why.", map[string]any{"exp": in(-2 * time.Minute)}, nil, "compare the clocks"},
		{"JustExpired", "Clocks differ a little.", map[string]any{"exp": in(-30 * time.Second)}, nil, "Signed in"},
		{"Future", "A token that is not good yet is of a clock that is wrong.", map[string]any{"nbf": in(time.Hour)}, nil, "before the nbf"},
		{"NearFuture", "Clocks differ a little.", map[string]any{"nbf": in(time.Minute)}, nil, "Signed in"},
		{"OtherKey", "A token that somebody else signed is no use.", nil, func(i *signintest.Issuer) { i.Sign(signintest.NewKey(t)) }, "failed to verify"},
		{"StrangeGroups", "Groups are names.", map[string]any{"groups": []any{1}}, nil, "expected a list of"},
		{"ManyGroups", "Each question about rights carries them all.", map[string]any{"groups": make([]string, 1001)}, nil, "at most 1000"},
		{"GroupsOfAnotherKind", "Groups are a list.", map[string]any{"groups": map[string]any{"a": 1}}, nil, "expected a list of"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			time := newClock()
			i := signintest.Start(t, time.Now)
			i.Claims(tc.claims)
			if tc.change != nil {
				tc.change(i)
			}
			h := open(t, time, i)
			_, said := h.do(t, "GET", signin.OIDCPath)
			if !strings.Contains(said, tc.want) {
				t.Errorf("%s got %q, want %q", tc.why, said, tc.want)
			}
			_, who := h.do(t, "GET", "/who")
			if in := who == annInOps; in != strings.HasPrefix(tc.want, "Signed in") {
				t.Errorf("%s the session is of %q", tc.why, who)
			}
		})
	}
}

// An issuer cannot make anybody a member of Kubernetes' own groups.
func TestOIDCPrefix(t *testing.T) {
	time := newClock()
	i := signintest.Start(t, time.Now)
	i.Claims(map[string]any{"groups": "system:masters"})
	h := open(t, time, i)
	h.do(t, "GET", signin.OIDCPath)
	if _, who := h.do(t, "GET", "/who"); !strings.Contains(who, "[system:authenticated oidc:system:masters]") {
		t.Errorf("the session is of %q", who)
	}
}

// An issuer that everybody may use can be narrowed down.
func TestOIDCRequired(t *testing.T) {
	time := newClock()
	i := signintest.Start(t, time.Now)
	h := openWith(t, time, i, func(_ *signin.Parts, c *signin.OIDCConfig) { c.Required = map[string]string{"hd": "example.com"} })
	for _, tc := range []struct {
		hd   any
		want string
	}{{nil, `claim "hd"`}, {"other.example", `claim "hd"`}, {[]string{"example.com"}, `claim "hd"`}, {"example.com", "Signed in"}} {
		i.Claims(map[string]any{"hd": tc.hd})
		if _, said := h.do(t, "GET", signin.OIDCPath); !strings.Contains(said, tc.want) {
			t.Errorf("hd %v: %q", tc.hd, said)
		}
	}
}

// back is the address to which the issuer sends a browser that begins to sign in.
func (h *house) back(t *testing.T) string {
	t.Helper()
	h.client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(req.URL.Path, signin.CallbackPath) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	res, said := h.do(t, "GET", signin.OIDCPath)
	back := strings.TrimPrefix(res.Header.Get("Location"), h.URL)
	if !strings.HasPrefix(back, signin.CallbackPath) {
		t.Fatalf("got %s %q", res.Status, said)
	}
	return back
}

// What comes back from the issuer has to come with the browser that went there, in time.
func TestOIDCOtherBrowser(t *testing.T) {
	time := newClock()
	h := open(t, time, signintest.Start(t, time.Now))
	back := h.back(t)
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
	back = h.back(t)
	time.pass(11 * 60e9)
	if res, said := h.do(t, "GET", back); res.StatusCode != http.StatusUnauthorized {
		t.Errorf("a sign-in that took too long: %s %q", res.Status, said)
	}
}

// A sign-in ends once, even for whoever has kept its cookie, and even where the issuer takes codes again.
func TestOIDCReplay(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		time := newClock()
		i := signintest.Start(t, time.Now)
		if lenient {
			i.Forget()
		}
		h := open(t, time, i)
		back := h.back(t)
		var kept []string
		for _, c := range h.client.Jar.Cookies(mustURL(t, h.URL)) {
			kept = append(kept, c.Name+"="+c.Value)
		}
		if res, said := h.do(t, "GET", back); res.StatusCode != http.StatusOK {
			t.Fatalf("the first time: %s %q", res.Status, said)
		}
		h.client = h.browser(t)
		if res, said := h.do(t, "GET", back, "Cookie", strings.Join(kept, "; ")); res.StatusCode != http.StatusUnauthorized || len(kept) != 1 {
			t.Errorf("the second time, with cookies %v: %s %q", kept, res.Status, said)
		}
	}
}

// The verifier of PKCE is that of the browser which began: a code that was caught elsewhere is no use.
func TestOIDCCaughtCode(t *testing.T) {
	time := newClock()
	h := open(t, time, signintest.Start(t, time.Now))
	caught := mustURL(t, h.back(t)).Query().Get("code")
	h.client = h.browser(t)
	own := mustURL(t, h.back(t)).Query()
	own.Set("code", caught)
	if res, said := h.do(t, "GET", signin.CallbackPath+"?"+own.Encode()); res.StatusCode != http.StatusUnauthorized || !strings.Contains(said, "invalid_grant") {
		t.Errorf("got %s %q", res.Status, said)
	}
}

// What the issuer says of its user's refusal is told, and so is what is wrong with our secret; the secret is not.
func TestOIDCRefused(t *testing.T) {
	time := newClock()
	i := signintest.Start(t, time.Now)
	secret, missing := "wrong", error(nil)
	h := openWith(t, time, i, func(_ *signin.Parts, c *signin.OIDCConfig) {
		c.Secret = func(context.Context) (string, error) { return secret, missing }
	})
	if res, said := h.do(t, "GET", signin.OIDCPath); res.StatusCode != http.StatusUnauthorized || !strings.Contains(said, "invalid_client wrong secret") {
		t.Errorf("a wrong secret: %s %q", res.Status, said)
	}
	secret, missing = "", errors.New("there is no Secret oidc")
	if res, said := h.do(t, "GET", signin.OIDCPath); res.StatusCode != http.StatusBadGateway || !strings.Contains(said, "there is no Secret oidc") {
		t.Errorf("no secret: %s %q", res.Status, said)
	}
	secret, missing = signintest.Secret, nil
	state := mustURL(t, h.back(t)).Query().Get("state")
	if res, said := h.do(t, "GET", signin.CallbackPath+"?error=access_denied&error_description=no&state="+state); res.StatusCode != http.StatusUnauthorized || !strings.Contains(said, "access_denied: no") {
		t.Errorf("the issuer's refusal: %s %q", res.Status, said)
	}
	if _, said := h.do(t, "GET", signin.CallbackPath+"?error=x&error_description=call+this+number"); strings.Contains(said, "number") {
		t.Errorf("somebody else's words are ours: %q", said)
	}
}

// An issuer that is down is said to be, asked again after a while and not by each, and breaks nothing else.
func TestOIDCDown(t *testing.T) {
	time := newClock()
	i := signintest.Start(t, time.Now)
	up := i.Config.Handler
	i.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/.well-known/openid-configuration" {
			asked(r, up)
		}
		http.Error(w, "down", http.StatusServiceUnavailable)
	})
	h := open(t, time, i)
	for range 5 {
		if res, said := h.do(t, "GET", signin.OIDCPath); res.StatusCode != http.StatusBadGateway || !strings.Contains(said, "does not answer") || !strings.Contains(said, "portico link create") {
			t.Errorf("got %s %q", res.Status, said)
		}
	}
	if i.Asked() != 1 {
		t.Errorf("asked %d times at once", i.Asked())
	}
	path, _, err := h.door.Link(signin.Identity{Name: "bob"})
	if err != nil {
		t.Fatal(err)
	}
	if _, said := h.do(t, "GET", path); !strings.Contains(said, "Signed in as bob") {
		t.Errorf("a link: %q", said)
	}
	i.Config.Handler = up
	time.pass(6e9)
	if _, said := h.do(t, "GET", signin.OIDCPath); !strings.Contains(said, "Signed in as oidc:ann") {
		t.Errorf("when it is up again: %q", said)
	}
	time.pass(2 * 3600e9)
	if _, said := h.do(t, "GET", signin.OIDCPath); !strings.Contains(said, "Signed in as oidc:ann") || i.Asked() != 3 {
		t.Errorf("hours later: %q, asked %d times", said, i.Asked())
	}
}

// asked counts a question, whose answer nobody gets.
func asked(r *http.Request, by http.Handler) { by.ServeHTTP(nobody{}, r) }

type nobody struct{}

func (nobody) Header() http.Header         { return http.Header{} }
func (nobody) Write(b []byte) (int, error) { return len(b), nil }
func (nobody) WriteHeader(int)             {}

// Where we have another name for browsers, the sign-in is under that name from its beginning: the
// issuer sends browsers back to it. A proxy that hides the name is no reason to go round in circles.
func TestOIDCExternal(t *testing.T) {
	time := newClock()
	i := signintest.Start(t, time.Now)
	h := openWith(t, time, i, func(p *signin.Parts, c *signin.OIDCConfig) {
		c.External = "https://portico.example.com/"
	})
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, _ := h.do(t, "GET", signin.OIDCPath)
	if res.Header.Get("Location") != "https://portico.example.com/signin/oidc?moved" || len(res.Cookies()) > 0 {
		t.Errorf("under our own address: %s %s", res.Status, res.Header.Get("Location"))
	}
	for _, hidden := range [][]string{{"Host", "portico.example.com"}, nil} {
		res, _ := h.do(t, "GET", signin.OIDCPath+"?moved", hidden...)
		if at := res.Header.Get("Location"); !strings.HasPrefix(at, i.URL+"/authorize?") || !strings.Contains(at, "redirect_uri=https%3A%2F%2Fportico.example.com%2Fsignin%2Foidc%2Fcallback") {
			t.Errorf("under the external name: %s %s", res.Status, at)
		}
	}
}

func TestOIDCConfig(t *testing.T) {
	good := signin.OIDCConfig{Issuer: "https://i", ClientID: "portico", External: "https://p", Clock: time.Now}
	for _, tc := range []struct {
		name   string
		change func(*signin.OIDCConfig)
	}{
		{"PlainIssuer", func(c *signin.OIDCConfig) { c.Issuer = "http://i" }},
		{"NoClient", func(c *signin.OIDCConfig) { c.ClientID = "" }},
		{"PlainPage", func(c *signin.OIDCConfig) { c.External = "http://p" }},
		{"Kubernetes' own names", func(c *signin.OIDCConfig) { c.UserPrefix = "system:" }},
		{"Half of them", func(c *signin.OIDCConfig) { c.GroupsPrefix = "sys" }},
		{"Names of the plane's programs", func(c *signin.OIDCConfig) { c.UserPrefix = "portico:x:" }},
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

// Whatever a browser brings back, it signs nobody in without the issuer's word.
func FuzzCallback(f *testing.F) {
	time := newClock()
	f.Add("eyJzIjoiYSIsIm4iOiJiIiwidiI6ImMiLCJlIjoiMjA5OS0wMS0wMVQwMDowMDowMFoifQ", "state=a&code=b")
	f.Add("", "state=&code=")
	f.Add("e30", "state=%00&error=x&error_description=y")
	// Nobody listens there.
	oidc, err := signin.NewOIDC(signin.OIDCConfig{Issuer: "https://127.0.0.1:1", ClientID: "portico", External: "https://p", Clock: time.Now, HTTP: func() (*http.Client, error) {
		return nil, errors.New("there is no network")
	}})
	if err != nil {
		f.Fatal(err)
	}
	door := signin.New(signin.Parts{OIDC: oidc, Clock: time.Now})
	f.Fuzz(func(t *testing.T, cookie, query string) {
		r := httptest.NewRequest("GET", "https://p"+signin.CallbackPath, nil)
		r.URL.RawQuery = query
		r.Header.Set("Cookie", "__Host-portico-oidc="+cookie)
		answer := httptest.NewRecorder()
		door.Callback(answer, r)
		if answer.Code != http.StatusUnauthorized && answer.Code != http.StatusBadGateway || strings.Contains(answer.Header().Get("Set-Cookie"), signin.Cookie+"=") {
			t.Errorf("got %d %s %v", answer.Code, answer.Body, answer.Header())
		}
	})
}

// A host is ours if it is written as one of ours, with or without a port, and in no other case.
func FuzzGuard(f *testing.F) {
	for _, host := range []string{"127.0.0.1:7451", "[::1]:7451", "localhost.", "evil.example", "127.0.0.1.evil", "[127.0.0.1]:1", "::1"} {
		f.Add(host)
	}
	guarded := signin.Guard([]string{"127.0.0.1", "::1", "localhost"}, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	f.Fuzz(func(t *testing.T, host string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		answer := httptest.NewRecorder()
		guarded.ServeHTTP(answer, r)
		if answer.Code != http.StatusOK {
			return
		}
		rest := strings.ToLower(host)
		for _, ours := range []string{"127.0.0.1", "localhost", "[::1]", "::1", "[127.0.0.1]", "[localhost]"} {
			if after, is := strings.CutPrefix(rest, ours); is && (after == "" || after == "." || strings.HasPrefix(after, ":") || strings.HasPrefix(after, ".:")) {
				return
			}
		}
		t.Errorf("%q is taken for ours", host)
	})
}
