package live_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"portico.dev/portico/server/live"
)

func publish(t *live.Topic, from, to int) {
	for i := from; i <= to; i++ {
		t.Publish(live.Event{Kind: "cluster", Place: "a", Data: fmt.Appendf(nil, "%d", i)})
	}
}

// taken are the data of events that wait.
func taken(l *live.Listener) string {
	var out []string
	for {
		select {
		case e, more := <-l.Events:
			if !more {
				return strings.Join(append(out, "end"), " ")
			}
			out = append(out, string(e.Data))
		default:
			return strings.Join(out, " ")
		}
	}
}

func TestResume(t *testing.T) {
	topic := live.NewTopic("e", 4)
	publish(topic, 1, 2)
	at := topic.Position()
	publish(topic, 3, 5)
	for _, tc := range []struct {
		name, why, after string
		missed           bool
		want             string
	}{
		{"Now", "Who names no event gets what comes.", "", false, ""},
		{"Position", "Who read at a position misses nothing.", at, false, "3 4 5"},
		{"Oldest", "What is kept is from the second on.", "e-1", false, "2 3 4 5"},
		{"Last", "Who has all gets nothing twice.", "e-5", false, ""},
		{"TooOld", "What is not kept is lost, and said to be.", "e-0", true, ""},
		{"Future", "An event that never was is of no use.", "e-9", true, ""},
		{"Other", "Events of another time are lost.", "f-3", true, ""},
		{"Junk", "So is what is no id.", "e-x", true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			l := topic.Listen(tc.after, 2)
			defer l.Close()
			if got := taken(l); got != tc.want || l.Missed != tc.missed {
				t.Errorf("%s got %q, missed %v", tc.why, got, l.Missed)
			}
		})
	}
	if n := topic.Listening(); n != 0 {
		t.Errorf("%d still listen", n)
	}
}

// One who is too slow is dropped, keeps what waited for him, and holds up nobody.
func TestSlow(t *testing.T) {
	topic := live.NewTopic("e", 100)
	slow, quick := topic.Listen("", 3), topic.Listen("", 50)
	defer quick.Close()
	publish(topic, 1, 10)
	if got := taken(slow); got != "1 2 3 end" || !slow.Slow() {
		t.Errorf("the slow one got %q", got)
	}
	if got := taken(quick); got != "1 2 3 4 5 6 7 8 9 10" {
		t.Errorf("the quick one got %q", got)
	}
	again := topic.Listen("e-3", 50)
	defer again.Close()
	if got := taken(again); got != "4 5 6 7 8 9 10" {
		t.Errorf("the slow one came back and got %q", got)
	}
	slow.Close() // once more does no harm
}

// server serves a topic until the test ends.
func server(t *testing.T, s live.Stream) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(s.Serve))
	t.Cleanup(srv.Close)
	return srv
}

// lines returns a function that reads the next line of an open stream.
func lines(t *testing.T, url, last string) func() string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if got := res.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Fatalf("it is %s, %s", res.Status, got)
	}
	in := bufio.NewScanner(res.Body)
	return func() string {
		for in.Scan() {
			if text := in.Text(); text != "" {
				return text
			}
		}
		return "EOF"
	}
}

func TestServe(t *testing.T) {
	topic := live.NewTopic("e", 10)
	publish(topic, 1, 3)
	stream := live.Stream{
		Topic: topic, Room: 10, Beat: time.Hour, Patience: time.Second,
		Heard: func(_ context.Context, e live.Event) (bool, error) { return string(e.Data) != "3", nil },
		Still: func(context.Context) error { return nil },
	}
	next := lines(t, server(t, stream).URL, "e-1")
	publish(topic, 4, 4)
	for _, want := range []string{"id: e-1", "event: begin", "data: {}", "id: e-2", "event: cluster", "data: 2", "id: e-4", "event: cluster", "data: 4"} {
		if got := next(); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestServeReset(t *testing.T) {
	stream := live.Stream{
		Topic: live.NewTopic("new", 10), Room: 10, Beat: time.Hour, Patience: time.Second,
		Heard: func(context.Context, live.Event) (bool, error) { return true, nil }, Still: func(context.Context) error { return nil },
	}
	next := lines(t, server(t, stream).URL+"?resume=old-7", "")
	if next() != "id: new-0" || next() != "event: reset" {
		t.Error("a client of the time before a restart is not told to begin again")
	}
}

// A stream ends, with a word, for who may listen no more.
func TestServeNoMore(t *testing.T) {
	stream := live.Stream{
		Topic: live.NewTopic("e", 10), Room: 10, Beat: 10 * time.Millisecond, Patience: time.Second,
		Heard: func(context.Context, live.Event) (bool, error) { return true, nil },
		Still: func(context.Context) error { return errors.New(`the "session" has ended`) },
	}
	next := lines(t, server(t, stream).URL, "")
	for _, want := range []string{"id: e-0", "event: begin", "data: {}", "event: end", `data: {"why":"the \"session\" has ended"}`, "EOF"} {
		if got := next(); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// A client that does not read is dropped, and with it all that waits for it.
func TestServeSlow(t *testing.T) {
	topic := live.NewTopic("e", 10)
	stream := live.Stream{
		Topic: topic, Room: 10, Beat: time.Hour, Patience: 200 * time.Millisecond,
		Heard: func(context.Context, live.Event) (bool, error) { return true, nil }, Still: func(context.Context) error { return nil },
	}
	next := lines(t, server(t, stream).URL, "")
	next()
	big := []byte(`"` + strings.Repeat("x", 4<<20) + `"`)
	deadline := time.Now().Add(15 * time.Second)
	for topic.Listening() > 0 {
		if time.Now().After(deadline) {
			t.Fatal("it still listens")
		}
		topic.Publish(live.Event{Kind: "cluster", Data: big})
		time.Sleep(20 * time.Millisecond)
	}
}
