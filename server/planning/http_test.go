package planning_test

import (
	"context"
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

// Two plans are made at a time, and whoever comes then is told when to come again.
func TestAtOnce(t *testing.T) {
	p := planner(t, cluster())
	charts := slow{p.Sources, make(chan struct{}, 8), make(chan struct{})}
	p.Sources = charts
	server := httptest.NewServer(planning.Handler(func(*http.Request) (*planning.Planner, error) { return p, nil }))
	defer server.Close()
	ask := func() (*http.Response, error) {
		return server.Client().Post(server.URL+"/plan?diff=true", "", strings.NewReader(fmt.Sprintf(manifest, "web", "web-1")))
	}
	done := make(chan string, 2)
	for range 2 {
		go func() {
			res, err := ask()
			if err != nil {
				done <- err.Error()
				return
			}
			res.Body.Close()
			done <- res.Status
		}()
		<-charts.asked
	}
	res, err := ask()
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" {
		t.Errorf("the third gets %s with Retry-After %q; want 429 with a time", res.Status, res.Header.Get("Retry-After"))
	}
	close(charts.open)
	for range 2 {
		if status := <-done; status != "200 OK" {
			t.Errorf("one of the two gets %s", status)
		}
	}
	if res, err = ask(); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("when they are made, the next gets %s", res.Status)
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
