package app

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/cli"
	"portico.dev/portico/config"
)

// answering is a folder that is held, by a plane that answers with st.
func answering(t *testing.T, st cli.Status) *embedded {
	t.Helper()
	c := config.Default(0, func(string) string { return "" })
	c.Data = t.TempDir()
	e := newEmbedded(Env{Now: time.Now}, c)
	lock, err := e.folder.Lock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	l, err := listenSocket(e.folder)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		_ = serveSocket(l, func(context.Context) cli.Status { return st }, newJournal()) // ends with l
	}()
	return e
}

func TestUpAgain(t *testing.T) {
	const here, elsewhere = "https://127.0.0.1:7443", "https://127.0.0.1:9443"
	tests := []struct {
		name, why string
		plane     cli.Status
		detach    bool
		wantError bool
	}{
		{"Ready", "What was asked for is there: a script goes on.", cli.Status{Ready: true, Server: here}, true, false},
		{"Starting", "It may yet fail, and whoever asks would not hear of it.", cli.Status{Server: here}, true, true},
		{"Elsewhere", "Another address was asked for.", cli.Status{Ready: true, Server: elsewhere}, true, true},
		{"Foreground", "Interrupting this command would not stop that plane.", cli.Status{Ready: true, Server: here}, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var talk strings.Builder
			err := answering(t, tt.plane).Up(t.Context(), cli.UpOptions{Detach: tt.detach, Talk: &talk})
			said := talk.String()
			if err != nil {
				said = err.Error()
			}
			if (err != nil) != tt.wantError || !strings.Contains(said, "runs already") || !strings.Contains(said, "portico status") {
				t.Errorf("%s\nUp = %v, saying %q; want an error: %v, and what to do", tt.why, err, talk.String(), tt.wantError)
			}
		})
	}
}

// The version says that a folder is portico's, so nothing else may come before it.
func TestClaimVersionFirst(t *testing.T) {
	c := config.Default(0, func(string) string { return "" })
	c.Data = t.TempDir()
	e := newEmbedded(Env{Now: time.Now, Version: "v1"}, c)
	if err := e.claim(); err != nil {
		t.Fatal(err)
	}
	if v, ours, err := e.folder.Version(); err != nil || !ours || v.Portico != "v1" {
		t.Errorf("version = %+v, %v, %v; want that of the program", v, ours, err)
	}
	if err := e.Reset(t.Context(), io.Discard); err != nil {
		t.Errorf("Reset of a folder that was only claimed = %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	e := newEmbedded(Env{Environ: []string{"PATH=/bin", "AWS_SECRET_ACCESS_KEY=x", "PORTICO_LOCK=3", "KUBECONFIG=y", "https_proxy=http://p", "PATHS=z"}}, config.Config{})
	if got := strings.Join(e.environment(), " "); got != "PATH=/bin https_proxy=http://p" {
		t.Errorf("environment = %q; want what programs need, and nothing secret", got)
	}
}
