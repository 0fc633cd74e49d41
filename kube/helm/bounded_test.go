package helm

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
)

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// After a cancellation nothing is written any more, however fast the server is: a release that
// is left as after a crash must not be called failed.
func TestBoundedAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("over")
	cancel(over)
	sent := 0
	b := bounded{ctx: ctx, next: transport(func(*http.Request) (*http.Response, error) {
		sent++
		return &http.Response{Body: http.NoBody}, nil
	})}
	for range 100 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, "https://example.org", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.RoundTrip(r); !errors.Is(err, over) {
			t.Fatalf("a request after the end says %v, want why it ended", err)
		}
	}
	if sent > 0 {
		t.Errorf("%d requests were sent after the end", sent)
	}
}
