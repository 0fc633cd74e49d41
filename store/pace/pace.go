// Package pace bounds how long the body of a request may take.
//
//	reads   a request's length
//	writes  the deadline of its connection
//	never   reads the body
//
// It has one function, Hurry.
package pace

import (
	"net/http"
	"time"
)

// A sender has a while to begin, and has to manage some bytes a second from then on.
const (
	toBegin   = 10 * time.Second
	perSecond = 1 << 20
)

// Hurry bounds how long the body of a request may take, which has at most that many bytes: whoever
// holds a place of those that take bodies, and sends a byte a second, keeps others out. After that time
// reading the body fails.
func Hurry(w http.ResponseWriter, r *http.Request, most int64) {
	size := most
	if r.ContentLength >= 0 {
		size = min(size, r.ContentLength)
	}
	limit := toBegin + time.Duration(size)*time.Second/perSecond
	// The deadline of a connection is by the machine's clock, whatever time it is for others. Where there
	// is no connection, nobody is slow.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(limit))
}
