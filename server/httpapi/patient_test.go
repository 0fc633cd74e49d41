package httpapi

import (
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/server/inventory/feed"
	"portico.dev/portico/server/live"
)

// wrote tells how writing an answer of that many bytes ended.
func wrote(size int, ended chan<- error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, strings.Repeat("x", size))
		ended <- err
	})
}

// dialled is a connection on which a question was asked.
func dialled(t *testing.T, to *httptest.Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", to.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	// What the kernel takes for a reader must not be all of the answer.
	if err := c.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	return c
}

// Who takes an answer slowly gets all of it, and who does not take it is let go.
func TestUnhurried(t *testing.T) {
	const size, each = 32 << 20, 500 * time.Millisecond
	ended := make(chan error, 1)
	server := httptest.NewServer(unhurried(wrote(size, ended), each))
	defer server.Close()
	slow, began := dialled(t, server), time.Now()
	got := 0
	for buffer := make([]byte, 1<<20); ; {
		n, err := io.ReadFull(slow, buffer)
		if got += n; err != nil {
			break
		}
		time.Sleep(each / 10)
	}
	if err := <-ended; err != nil || got < size || time.Since(began) < 2*each {
		t.Errorf("%v: %d bytes came in %s", err, got, time.Since(began))
	}
	dialled(t, server)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("all was written to somebody who takes nothing")
		}
	case <-time.After(20 * each):
		t.Error("an answer waits for somebody who does not take it")
	}
}

// A connection that is used again has no deadline of the answer before.
func TestUnhurriedAgain(t *testing.T) {
	const each = 100 * time.Millisecond
	server := httptest.NewServer(unhurried(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			time.Sleep(3 * each) // and answers nothing
		}
	}), each))
	defer server.Close()
	for _, path := range []string{"/", "/slow", "/slow"} {
		res, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		time.Sleep(2 * each)
	}
}

// So it is with all that the API serves.
func TestAllIsUnhurried(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	h, err := New(Parts{Feed: feed.New(live.NewTopic("test", 10), slog.New(slog.DiscardHandler)), Page: wrote(64<<20, ended), Log: slog.New(slog.DiscardHandler), Clock: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	dialled(t, server)
	select {
	case err := <-ended:
		if err == nil {
			t.Error("all was written to somebody who takes nothing")
		}
	case <-time.After(pieceTime + 10*time.Second):
		t.Error("an answer waits for somebody who does not take it")
	}
}
