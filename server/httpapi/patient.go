package httpapi

import (
	"net/http"
	"time"
)

// Bounds of how slowly an answer may be taken: each piece of it within the time, so that whoever takes
// nothing holds nothing for long. A line of 100 KiB/s is fast enough.
const (
	pieceTime  = 10 * time.Second
	pieceBytes = 256 << 10
)

// patient writes answers piece by piece, each within its time.
type patient struct {
	http.ResponseWriter
	control *http.ResponseController
	time    time.Duration
	failed  error
}

// unhurried gives each piece of an answer its time, and no more. Streams of events set the time of each event
// themselves.
func unhurried(h http.Handler, each time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &patient{ResponseWriter: w, control: http.NewResponseController(w), time: each}
		p.renew() // the connection may have the deadline of the answer before
		h.ServeHTTP(p, r)
		p.renew() // what the server still has to send, also where nothing was written
	})
}

// Unwrap lets http.ResponseController through.
func (p *patient) Unwrap() http.ResponseWriter { return p.ResponseWriter }

func (p *patient) renew() {
	// The network knows no clock but the real one; a recorder of tests has no deadlines.
	_ = p.control.SetWriteDeadline(time.Now().Add(p.time))
}

// Write implements io.Writer.
func (p *patient) Write(text []byte) (int, error) {
	written := 0
	for p.failed == nil {
		piece := text[written:min(len(text), written+pieceBytes)]
		p.renew()
		n, err := p.ResponseWriter.Write(piece)
		written, p.failed = written+n, err
		if written >= len(text) {
			break
		}
	}
	return written, p.failed
}
