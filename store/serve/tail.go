package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"portico.dev/portico/store/keep"
	"portico.dev/portico/store/wire"
)

const (
	// tailBeat is how often a stream on which nothing comes shows that it lives, tailPatience how long its
	// client may take to receive what there is.
	tailBeat     = 10 * time.Second
	tailPatience = 10 * time.Second
)

// EndTails ends the answers that have no end by themselves.
func (h *Handler) EndTails() { h.keeper.Dismiss() }

// tail streams the records that match as they are acknowledged, until the client hangs up.
func (h *Handler) tail(w http.ResponseWriter, r *http.Request, user User) {
	q, err := ask(w, r, user)
	if err != nil {
		fail(w, h.status(err), err)
		return
	}
	s, err := parseSearch(q.args, h.clock(), h.cfg.Records)
	if err != nil {
		fail(w, h.status(err), err)
		return
	}
	s.In = q.in
	f, err := h.keeper.Follow(s)
	if err != nil {
		fail(w, h.status(err), err)
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", wire.ContentType)
	out := &tailing{w: w, control: http.NewResponseController(w), clock: h.clock}
	// A server that bounds the time of a request must not end this one by it.
	_ = out.control.SetReadDeadline(time.Time{})
	if out.write(wire.Line{Begin: &struct{}{}}) == nil {
		h.pass(r.Context(), f, out)
	}
}

// pass hands on what arrives until nobody reads it any more, or the store ends.
func (h *Handler) pass(ctx context.Context, f *keep.Follower, out *tailing) {
	for {
		waiting, stop := context.WithTimeout(ctx, tailBeat)
		arrived, err := f.Next(waiting)
		stop()
		switch {
		case err == nil:
			err = out.arrived(arrived)
		case errors.Is(err, context.DeadlineExceeded):
			err = out.beat()
		default:
			_ = out.write(wire.Line{Error: err.Error()}) // nobody may be there any more
		}
		if err != nil {
			return
		}
	}
}

// tailing writes lines within bounded time.
type tailing struct {
	w       http.ResponseWriter
	control *http.ResponseController
	clock   func() time.Time
}

func (t *tailing) arrived(a keep.Arrived) error {
	lines := make([]wire.Line, 0, len(a.Records)+1)
	for i := range a.Records {
		lines = append(lines, wire.Line{Record: &a.Records[i]})
	}
	if a.Skipped > 0 {
		lines = append(lines, wire.Line{Skipped: a.Skipped})
	}
	return t.write(lines...)
}

func (t *tailing) write(lines ...wire.Line) error {
	t.hurry()
	encoder := json.NewEncoder(t.w)
	encoder.SetEscapeHTML(false)
	for _, line := range lines {
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return t.control.Flush()
}

func (t *tailing) beat() error {
	t.hurry()
	if _, err := t.w.Write([]byte("\n")); err != nil {
		return err
	}
	return t.control.Flush()
}

// hurry bounds the next write. A recorder of tests has no deadlines.
func (t *tailing) hurry() { _ = t.control.SetWriteDeadline(t.clock().Add(tailPatience)) }
