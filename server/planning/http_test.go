package planning_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/server/planning"
	"portico.dev/portico/server/signin"
	"portico.dev/portico/state/engine"
)

// slow are charts that nobody gets before open is closed.
type slow struct {
	planning.Sources
	asked, open chan struct{}
}

func (s slow) Chart(ctx context.Context, from engine.Source) (*helm.Chart, error) {
	s.asked <- struct{}{}
	<-s.open
	return s.Sources.Chart(ctx, from)
}

// posted asks for a plan as a user.
func posted(server *httptest.Server, user string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodPost, server.URL+"/plan?diff=true", body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User", user)
	res, err := server.Client().Do(req)
	if err == nil {
		res.Body.Close()
	}
	return res, err
}

// served answers for users whom a header names.
func served(t *testing.T, p *planning.Planner) *httptest.Server {
	t.Helper()
	handler := planning.Handler(func(*http.Request) (*planning.Planner, error) { return p, nil })
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r.WithContext(signin.With(r.Context(), signin.Identity{
			Name: r.Header.Get("User"), Extra: map[string][]string{"authentication.kubernetes.io/credential-id": {rand.Text()}},
		})))
	}))
	t.Cleanup(server.Close)
	return server
}

// Two plans are made at a time, one of each user, and whoever comes then is told when to come again.
func TestAtOnce(t *testing.T) {
	p := planner(t, cluster())
	charts := slow{p.Sources, make(chan struct{}, 8), make(chan struct{})}
	p.Sources = charts
	server := served(t, p)
	ask := func(user string) (*http.Response, error) {
		return posted(server, user, strings.NewReader(fmt.Sprintf(manifest, "web", "web-1")))
	}
	done := make(chan string, 2)
	for _, user := range []string{"ann", "bob"} {
		go func() {
			res, err := ask(user)
			if err != nil {
				done <- err.Error()
				return
			}
			done <- res.Status
		}()
		<-charts.asked
		// A second plan of the same user is one too many, also while there is a place.
		res, err := ask(user)
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
			t.Errorf("the second plan of %s gets %s with Retry-After %q; want 429 with a time", user, res.Status, res.Header.Get("Retry-After"))
		}
	}
	res, err := ask("eve")
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the third gets %s with Retry-After %q; want 429 with a time", res.Status, res.Header.Get("Retry-After"))
	}
	close(charts.open)
	for range 2 {
		if status := <-done; status != "200 OK" {
			t.Errorf("one of the two gets %s", status)
		}
	}
	if res, err = ask("eve"); err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Errorf("when they are made, the next gets %s", res.Status)
	}
}

// Whoever sends manifests slowly has no place of a plan meanwhile.
func TestSlowBody(t *testing.T) {
	server := served(t, planner(t, cluster()))
	var ends []func()
	done := make(chan error, 8)
	for i := range cap(done) {
		body, end := io.Pipe()
		ends = append(ends, func() { end.Close() })
		go func() {
			_, err := posted(server, fmt.Sprint("slow-", i%4), body)
			done <- err
		}()
		if _, err := io.WriteString(end, "# ."); err != nil { // it is on its way
			t.Fatal(err)
		}
	}
	res, err := posted(server, "ann", strings.NewReader(fmt.Sprintf(manifest, "web", "web-1")))
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Errorf("beside %d that send slowly, a plan gets %s", cap(done), res.Status)
	}
	for _, end := range ends {
		end()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// body is one that tells whether anybody has read it.
type body struct {
	io.Reader
	read bool
}

func (b *body) Read(into []byte) (int, error) {
	b.read = true
	return b.Reader.Read(into)
}

// Whoever the API server does not know has nothing read of what he sends, and gets its answer.
func TestUnknownToken(t *testing.T) {
	handler := planning.Handler(func(*http.Request) (*planning.Planner, error) {
		return nil, fmt.Errorf("asking: %w", apierrors.NewUnauthorized("no such token"))
	})
	sent, got := &body{Reader: strings.NewReader("a: [")}, httptest.NewRecorder()
	handler.ServeHTTP(got, httptest.NewRequest(http.MethodPost, "/plan", sent))
	if got.Code != http.StatusUnauthorized || sent.read {
		t.Errorf("got %d, the body was read: %t", got.Code, sent.read)
	}
}

// A plan ends when its time is over, also while nothing is read from the server.
func TestTimeIsOver(t *testing.T) {
	p := planner(t, cluster())
	m, err := planning.Parse(p.Kube.Scheme(), "test", home, fmt.Appendf(nil, manifest, "web", "web-1"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Plan(ctx, m, planning.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}
