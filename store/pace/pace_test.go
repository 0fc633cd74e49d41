package pace

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// clocked says when the deadline is, and lets no time pass.
type clocked struct {
	http.ResponseWriter
	deadline time.Time
}

func (c *clocked) SetReadDeadline(t time.Time) error {
	c.deadline = t
	return http.NewResponseController(c.ResponseWriter).SetReadDeadline(time.Now())
}

// TestHurry sends a byte, and nothing more: when the time is over, reading ends with an error.
func TestHurry(t *testing.T) {
	for _, c := range []struct {
		why    string
		length string
		want   time.Duration
	}{
		{"A short one has the time to begin.", "1024", 10 * time.Second},
		{"One that has no length may have the greatest.", "", 42 * time.Second},
		{"One that says it is longer has no more time.", "999999999", 42 * time.Second},
	} {
		failed := make(chan error, 1)
		var deadline time.Time
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			began := &clocked{ResponseWriter: w}
			Hurry(began, r, 32<<20)
			deadline = began.deadline
			_, err := io.ReadAll(r.Body)
			failed <- err
		}))
		connection, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		head := "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n"
		if c.length != "" {
			head = "Content-Length: " + c.length + "\r\n\r\na"
		}
		if _, err := io.WriteString(connection, "POST / HTTP/1.1\r\nHost: a\r\n"+head); err != nil {
			t.Fatal(err)
		}
		if err := <-failed; err == nil {
			t.Errorf("the body was read to its end: %s", c.why)
		}
		if left := time.Until(deadline); left > c.want+time.Second || left < c.want-5*time.Second {
			t.Errorf("the deadline is in %s, want %s: %s", left, c.want, c.why)
		}
		connection.Close()
		server.Close()
	}
}
