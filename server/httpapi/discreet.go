package httpapi

import (
	"io"
	"net/http"

	"portico.dev/portico/observability/query"
)

// discreet keeps out of the errors of those who are mounted where the parts of the plane are reached.
type discreet struct {
	http.ResponseWriter
	held    []byte
	holding bool
}

// mostHeld is how much of an error is kept: more is no sentence.
const mostHeld = 64 << 10

// discreetly serves somebody who may not know where the plane's parts are reached, unless he may.
func (s *server) discreetly(h http.Handler, w http.ResponseWriter, r *http.Request) {
	if s.runs(r) {
		h.ServeHTTP(w, r)
		return
	}
	d := &discreet{ResponseWriter: w}
	h.ServeHTTP(d, r)
	if d.holding {
		_, _ = io.WriteString(w, query.WithoutAddresses(string(d.held))) // who hung up does not want it any more
	}
}

// Unwrap lets http.ResponseController through.
func (d *discreet) Unwrap() http.ResponseWriter { return d.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (d *discreet) WriteHeader(code int) {
	if code >= http.StatusInternalServerError {
		d.holding = true
		d.Header().Del("Content-Length")
	}
	d.ResponseWriter.WriteHeader(code)
}

// Write implements io.Writer.
func (d *discreet) Write(text []byte) (int, error) {
	if !d.holding {
		return d.ResponseWriter.Write(text)
	}
	d.held = append(d.held, text[:min(len(text), max(mostHeld-len(d.held), 0))]...)
	return len(text), nil
}
