package download

import (
	"context"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/source/store"
)

const rules = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: rules}\n"

// site is a web server whose answers a test chooses.
type site struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  []*http.Request
}

func newSite(t *testing.T, make func(http.Handler) *httptest.Server) *site {
	t.Helper()
	s := &site{}
	s.Server = make(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.asked = append(s.asked, r)
		answer := s.answer
		s.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) answers(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = h
}

func (s *site) requests() []*http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

// text serves a text with an ETag.
func text(body, tag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, body)
	}
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// trial is downloads at work, with a clock that the test turns.
type trial struct {
	*testing.T
	*Downloads
	store *store.Store
	rung  chan types.NamespacedName

	mu  sync.Mutex
	now time.Time
}

var team = types.NamespacedName{Namespace: "team", Name: "set"}

func newTrial(t *testing.T) *trial {
	t.Helper()
	kept, err := store.New(t.TempDir(), "http://artifacts")
	if err != nil {
		t.Fatal(err)
	}
	x := &trial{T: t, store: kept, now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	x.start()
	return x
}

// start begins anew with what is in the store.
func (x *trial) start() (stop func()) {
	x.rung = make(chan types.NamespacedName, 100)
	rung := x.rung
	x.Downloads = New(Config{
		Store: x.store, Clock: x.clock, Ring: func(who types.NamespacedName) { rung <- who }, Log: func(err error) { x.Error(err) },
	})
	ctx, cancel := context.WithCancel(x.Context())
	ended := make(chan error, 1)
	go func(d *Downloads) { ended <- d.Start(ctx) }(x.Downloads)
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	x.Cleanup(stop)
	return stop
}

func (x *trial) clock() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.now
}

// later lets time go by, and has the downloads notice.
func (x *trial) later(d time.Duration) {
	x.mu.Lock()
	x.now = x.now.Add(d)
	x.mu.Unlock()
	x.nudge()
}

// until asks again at each ring until the copy is as wanted.
func (x *trial) until(what string, wish Wish, so func(Copy) bool) Copy {
	x.Helper()
	over := time.After(10 * time.Second)
	for {
		got := x.Want(team, wish)
		if so(got) {
			return got
		}
		select {
		case <-x.rung:
		case <-over:
			x.Fatalf("%s did not happen; known is %+v", what, got)
		}
	}
}

// calm says whether nobody is asked, once everything has settled.
func (x *trial) calm(s *site, requests int, why string) {
	x.Helper()
	time.Sleep(100 * time.Millisecond)
	if now := len(s.requests()); now != requests {
		x.Errorf("%s: %d requests, want %d", why, now, requests)
	}
}

func holds(body string) func(Copy) bool {
	return func(c Copy) bool { return c.Files["content.yaml"] == body && c.Problem == "" }
}

func at(url string) Wish { return Wish{Place: Place{URL: url, Trusted: true}, Interval: time.Minute} }

// A place is asked once in its interval, conditionally; a failure keeps what is there, and so does
// a restart.
func TestRefresh(t *testing.T) {
	s := newSite(t, httptest.NewServer)
	s.answers(text(rules, `"1"`))
	x := newTrial(t)
	wish := at(s.URL + "/rules.yaml")
	if got := x.Want(team, wish); got.Tried || got.Files != nil {
		t.Errorf("nothing was fetched, and known is %+v", got)
	}
	first := x.until("the first content", wish, holds(rules))
	for range 10 {
		x.Want(types.NamespacedName{Namespace: "other", Name: "set"}, Wish{Place: wish.Place, Interval: time.Hour})
	}
	x.later(59 * time.Second)
	x.calm(s, 1, "the interval is not over, however many want it")
	x.later(time.Second)
	x.calm(s, 2, "the shortest interval is over")
	if asked := s.requests()[1]; asked.Header.Get("If-None-Match") != `"1"` {
		t.Errorf("it was asked without a condition: %v", asked.Header)
	}
	if again := x.Want(team, wish); !again.At.After(first.At) || !holds(rules)(again) {
		t.Errorf("nothing has changed, and known is %+v", again)
	}

	s.answers(text(rules+"data: {a: b}\n", `"2"`))
	x.later(time.Minute)
	changed := x.until("the change", wish, holds(rules+"data: {a: b}\n"))

	s.answers(status(http.StatusBadGateway))
	x.later(time.Minute)
	failed := x.until("the failure", wish, func(c Copy) bool { return strings.Contains(c.Problem, "502 Bad Gateway") })
	if failed.Files["content.yaml"] != changed.Files["content.yaml"] || !failed.At.Equal(changed.At) {
		t.Errorf("the failure took away what was there: %+v", failed)
	}
	for len(x.rung) > 0 {
		<-x.rung
	}
	x.later(time.Minute)
	x.calm(s, 5, "a failed refresh is tried at the interval")
	if len(x.rung) > 0 {
		t.Error("the same failure was told twice")
	}
}

// A restart knows what was known, and asks nobody before it is due.
func TestRestart(t *testing.T) {
	s := newSite(t, httptest.NewServer)
	s.answers(text(rules, `"1"`))
	x := newTrial(t)
	stop := x.start()
	wish := at(s.URL)
	x.until("the content", wish, holds(rules))
	stop()
	x.start()
	if got := x.Want(team, wish); !holds(rules)(got) {
		t.Errorf("after the restart, known is %+v", got)
	}
	x.calm(s, 1, "it was asked a moment ago")
	x.later(time.Minute)
	x.calm(s, 2, "the interval is over")
	if s.requests()[1].Header.Get("If-None-Match") == "" {
		t.Error("the restart forgot the server's tag")
	}
	x.Keep(team)
	files, err := fs.Glob(dirOf(t, x.store), "download/*/*/*")
	if err != nil || len(files) > 0 {
		t.Errorf("nobody wants it any more, and there are still %v (%v)", files, err)
	}
}

// dirOf lists a store through its own means: only what it holds of downloads counts.
func dirOf(t *testing.T, s *store.Store) fs.FS {
	t.Helper()
	keys, err := s.Keys(Kind)
	if err != nil {
		t.Fatal(err)
	}
	found := listed{}
	for _, k := range keys {
		files, err := s.Files(k)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, files...)
	}
	return found
}

// listed are names without content.
type listed []string

func (l listed) Open(string) (fs.File, error) { return nil, fs.ErrNotExist }

// Glob implements fs.GlobFS.
func (l listed) Glob(pattern string) ([]string, error) {
	var out []string
	for _, name := range l {
		if ok, err := filepath.Match(pattern, name); ok || err != nil {
			out = append(out, name)
		}
	}
	return out, nil
}

// What nobody has asked for since the start goes, with all its files.
func TestSweep(t *testing.T) {
	s := newSite(t, httptest.NewServer)
	s.answers(text(rules, `"1"`))
	x := newTrial(t)
	stop := x.start()
	x.until("one", at(s.URL+"/one"), holds(rules))
	x.until("two", at(s.URL+"/two"), holds(rules))
	stop()
	x.start()
	x.Want(team, at(s.URL+"/one"))
	x.sweep()
	keys, err := x.store.Keys(Kind)
	if err != nil || len(keys) != 1 || keys[0].Name != at(s.URL+"/one").id() {
		t.Errorf("left are %v (%v)", keys, err)
	}
}

// What was never there is tried sooner than the interval says, and not without a pause.
func TestFirstFailures(t *testing.T) {
	s := newSite(t, httptest.NewServer)
	s.answers(status(http.StatusNotFound))
	x := newTrial(t)
	wish := at(s.URL)
	wish.Interval = time.Hour
	got := x.until("the failure", wish, func(c Copy) bool { return c.Missing })
	if !strings.Contains(got.Problem, "correct the URL") {
		t.Errorf("the problem does not say what to do: %q", got.Problem)
	}
	x.later(fleet.LeastInterval - time.Second)
	x.calm(s, 1, "too early")
	x.later(time.Second)
	x.calm(s, 2, "the first pause is over")
	x.later(fleet.LeastInterval)
	x.calm(s, 2, "the second pause is longer")
	s.answers(text(rules, `"1"`))
	x.later(fleet.LeastInterval)
	x.until("the content", wish, holds(rules))
	s.answers(status(http.StatusInternalServerError))
	x.later(time.Hour)
	x.calm(s, 4, "the interval is over")
	x.later(59 * time.Minute)
	x.calm(s, 4, "what is there is refreshed at the interval, failed or not")
}

// Credentials reach the server in the way that their keys say, and new ones are tried at once.
func TestCredentials(t *testing.T) {
	s := newSite(t, httptest.NewTLSServer)
	s.answers(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if r.Header.Get("Authorization") != "Bearer t0k3n" && (user != "me" || password != "pass") {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, rules)
	})
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	for _, tc := range []struct {
		name, why, problem string
		with               Credentials
	}{
		{"Token", "as Sveltos documents it, with the editor's line end", "", Credentials{"token": "t0k3n\n", "caFile": ca}},
		{"Basic", "the other way", "", Credentials{"username": "me", "password": "pass", "ca.crt": ca}},
		{"Wrong", "the server says no", "correct the credentials", Credentials{"token": "guess", "caFile": ca}},
		{"Authority", "nobody vouches for the server", "key caFile of the Secret", Credentials{"token": "t0k3n"}},
		{"BadAuthority", "what is no certificate vouches for nobody", "holds no certificate in PEM form", Credentials{"caFile": "no"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			x := newTrial(t)
			wish := at(s.URL)
			wish.Secret, wish.Credentials = types.NamespacedName{Namespace: "team", Name: "s"}, tc.with
			got := x.until(tc.why, wish, func(c Copy) bool { return c.Tried })
			if tc.problem == "" && !holds(rules)(got) || !strings.Contains(got.Problem, tc.problem) {
				t.Errorf("%s: known is %+v", tc.why, got)
			}
			wish.Credentials = Credentials{"token": "t0k3n", "caFile": ca}
			x.until("the content with other credentials, though no time has passed", wish, holds(rules))
		})
	}
}

// What cannot be manifests is refused, and so is what is too much.
func TestContent(t *testing.T) {
	s := newSite(t, httptest.NewServer)
	for _, tc := range []struct{ name, body, problem string }{
		{"empty", " \n", "empty"},
		{"page", "<!DOCTYPE html><html/>", "a web page"},
		{"archive", "\x1f\x8b\x08\x00\x00", "an archive"},
		{"large", strings.Repeat("# comment\n", most/10+1), "more than 8 MiB"},
	} {
		s.answers(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, tc.body) })
		got, err := fetch(t.Context(), at(s.URL), validators{})
		if err == nil || !strings.Contains(words(err), tc.problem) {
			t.Errorf("%s: %v %v", tc.name, got.files != nil, err)
		}
	}
	s.answers(status(http.StatusNotModified))
	if _, err := fetch(t.Context(), at(s.URL), validators{}); err == nil {
		t.Error("nothing has changed since never")
	}
	loop := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusFound) }
	s.answers(loop)
	if _, err := fetch(t.Context(), at(s.URL), validators{}); err == nil || !strings.Contains(words(err), "more than 5 times") {
		t.Errorf("a loop of redirects: %v", err)
	}
	s.Close()
	if _, err := fetch(t.Context(), at(s.URL), validators{}); err == nil || !strings.Contains(words(err), "connection refused: look whether") {
		t.Errorf("nobody listens: %v", err)
	}
}
