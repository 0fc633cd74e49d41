package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// What exporters see of the answers of a store: 401 alone is another one.
func TestAwaitCredentials(t *testing.T) {
	answers := []int{401, 401, 200, 400, 403, 429, 503, 401}
	asked := 0
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answers[asked])
		asked++
	}))
	defer store.Close()
	core, said := observer.New(zap.InfoLevel)
	await := &awaiting{log: zap.New(core)}
	wrap, err := await.GetHTTPRoundTripper(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	trips, err := wrap(t.Context(), http.DefaultTransport)
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: trips}
	for i, want := range []int{503, 503, 200, 400, 403, 429, 503, 503} {
		answer, err := client.Post(store.URL+"/v1/logs", "text/plain", strings.NewReader("line"))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("answer %d of the store, %d, is passed on as %d, want %d", i, answers[i], answer.StatusCode, want)
		}
	}
	var levels []string
	for _, e := range said.All() {
		levels = append(levels, e.Level.String())
	}
	// When it begins, when it ends, when it begins again.
	if got := strings.Join(levels, " "); got != "warn info warn" {
		t.Errorf("it says %q: %v", got, said.All())
	}
	store.Close()
	if _, err := client.Get(store.URL); err == nil {
		t.Error("a store that is away answers")
	}
}
