package live

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Stream says how a topic is served to one client.
type Stream struct {
	Topic *Topic
	// Heard says whether the client may hear of an event now. An error ends the stream.
	Heard func(context.Context, Event) (bool, error)
	// Still says, with each heartbeat, whether the client may listen at all.
	Still func(context.Context) error
	// Room is how many events may wait for the client, Beat how often an idle stream shows that
	// it lives, Patience how long the client may take to receive one.
	Room           int
	Beat, Patience time.Duration
}

// Serve speaks server-sent events until the client hangs up, is too slow, or may listen no more. The
// header Last-Event-ID, or the value resume of the query, is the event after which it goes on. An
// event "reset" says that events are lost, and that the client has to read the model again; "end"
// says in a sentence why the stream ends.
func (s Stream) Serve(w http.ResponseWriter, r *http.Request) {
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.URL.Query().Get("resume")
	}
	l := s.Topic.Listen(after, s.Room)
	defer l.Close()
	out := NewWriter(w, s.Patience)
	kind := "begin"
	if l.Missed {
		kind = "reset"
	}
	if out.Event(Event{ID: l.Began, Kind: kind, Data: []byte("{}")}) != nil {
		return
	}
	s.pass(r.Context(), l, out)
}

func (s Stream) pass(ctx context.Context, l *Listener, out *Writer) {
	beat := time.NewTicker(s.Beat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			if err = s.Still(ctx); err == nil {
				err = out.Comment()
			}
		case e, more := <-l.Events:
			if !more {
				out.End("the client took events too slowly and was dropped: connect again, the stream goes on after the last event")
				return
			}
			var heard bool
			if heard, err = s.Heard(ctx, e); err == nil && heard {
				err = out.Event(e)
			}
		}
		if err != nil {
			out.End(err.Error())
			return
		}
	}
}

// Writer writes server-sent events to a client, each within bounded time.
type Writer struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration
}

// NewWriter begins a stream of events. Patience is how long the client may take to receive one.
func NewWriter(w http.ResponseWriter, patience time.Duration) *Writer {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	out := &Writer{w: w, control: http.NewResponseController(w), patience: patience}
	// A server that bounds the time of an answer must not end a stream by it.
	_ = out.control.SetReadDeadline(time.Time{}) // a recorder of tests has none
	return out
}

// Event writes an event. Its data has no line breaks.
func (w *Writer) Event(e Event) error {
	id := ""
	if e.ID != "" {
		id = "id: " + e.ID + "\n"
	}
	return w.write(fmt.Sprintf("%sevent: %s\ndata: %s\n\n", id, e.Kind, e.Data))
}

// Comment shows that an idle stream lives.
func (w *Writer) Comment() error { return w.write(": still here\n\n") }

// End says why a stream ends, to a client that may not be there any more.
func (w *Writer) End(why string) {
	text, err := json.Marshal(map[string]string{"why": why})
	if err != nil {
		return // text can always be written
	}
	_ = w.Event(Event{Kind: "end", Data: text})
}

func (w *Writer) write(text string) error {
	// The network knows no clock but the real one; a recorder of tests has no deadlines.
	_ = w.control.SetWriteDeadline(time.Now().Add(w.patience))
	if _, err := w.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("the client does not receive: %w", err)
	}
	return w.control.Flush()
}
