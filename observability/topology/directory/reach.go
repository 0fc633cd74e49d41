package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"portico.dev/portico/kube/outward"
)

// reach is how far the plane goes for a region, and how much it tells of what it meets there.
type reach int

const (
	// abroad is for regions of those who do not run the plane: by an address of this computer or of its link,
	// where clouds keep credentials of machines, they would reach what trusts the plane, not them. Of what
	// refuses a request, whoever it is, no more is told than a store of metrics says about a question.
	abroad reach = iota
	// anywhere is for regions of those who run the plane.
	anywhere
)

var errNear = errors.New("the address is one of this computer or of its link, which regions outside of the management plane's own namespaces may not name")

// connected sets how a transport connects.
func (r reach) connected(t *http.Transport, timeout time.Duration) {
	plain := &net.Dialer{Timeout: timeout, KeepAlive: 30 * time.Second}
	t.Proxy, t.DialContext = http.ProxyFromEnvironment, plain.DialContext
	if r == anywhere {
		return
	}
	outward.Judged(t, plain, func(_, address string, _ syscall.RawConn) error { return checkFar(address) })
}

// checkFar refuses addresses that lead to this computer or stay on its link.
func checkFar(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connecting to %q: %w", address, err)
	}
	ip := at.Addr().Unmap().WithZone("")
	if ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast() || ip.IsMulticast() {
		return errNear
	}
	return nil
}

// mostSaid is how much of a refusal is read.
const mostSaid = 4 << 10

// mostAnswered is how much of an answer is read: of lists of words nobody counts the samples.
const mostAnswered = 64 << 20

// tailPath ends the paths at which a store tells of records as they come.
const tailPath = "/logs/tail"

// limited is a body of which so much is read.
type limited struct {
	io.ReadCloser
	left int64
}

func (l *limited) Read(into []byte) (int, error) {
	if l.left <= 0 {
		return 0, fmt.Errorf("the answer has more than %d MiB: ask for less", mostAnswered>>20)
	}
	n, err := l.ReadCloser.Read(into[:min(int64(len(into)), l.left)])
	l.left -= int64(n)
	return n, err
}

// told returns an answer as it may be told of.
func (r reach) told(resp *http.Response) *http.Response {
	if r == anywhere {
		return resp
	}
	if resp.StatusCode/100 == 2 {
		// What is told as it comes has no end, and is not kept.
		if !strings.HasSuffix(resp.Request.URL.Path, tailPath) {
			resp.Body = &limited{resp.Body, mostAnswered}
		}
		return resp
	}
	var said struct {
		Status string `json:"status"`
		Kind   string `json:"errorType,omitempty"`
		Error  string `json:"error"`
	}
	text, _ := io.ReadAll(io.LimitReader(resp.Body, mostSaid)) // what cannot be read says nothing
	_ = resp.Body.Close()
	var kept []byte
	if json.Unmarshal(text, &said) == nil && said.Status == "error" {
		kept, _ = json.Marshal(said) // texts can always be written
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(kept)), int64(len(kept))
	return resp
}

// toldError leaves out of an error the words of what is no store.
func (r reach) toldError(err error) error {
	if r == abroad && strings.Contains(err.Error(), "malformed HTTP") {
		return errors.New("what answers there does not speak HTTP")
	}
	return err
}
