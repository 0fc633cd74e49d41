package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/steps"
	"portico.dev/portico/cli"
)

// The paths on the plane's socket.
const (
	statusPath   = "/v1/status"
	progressPath = "/v1/progress"
)

// listenSocket listens on the folder's socket. The caller holds the folder's lock, so a socket
// that is there is a dead plane's.
func listenSocket(f folder.Folder) (net.Listener, error) {
	if err := os.Remove(f.Socket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("removing the old socket: %w", err)
	}
	var l net.Listener
	err := throughDescriptor(f.Socket(), func(path string) (err error) {
		l, err = net.Listen("unix", path)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", f.Socket(), err)
	}
	return l, nil
}

// throughDescriptor calls with a short path to the same file: a unix socket's path must fit
// into 108 bytes, and data folders can be anywhere.
func throughDescriptor(path string, call func(string) error) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return call(fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
}

// serveSocket answers the command line until l is closed.
func serveSocket(l net.Listener, status func(context.Context) cli.Status, j *journal) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+statusPath, func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(status(r.Context())) // an error means that whoever asked is gone
	})
	mux.HandleFunc("GET "+progressPath, func(w http.ResponseWriter, r *http.Request) { j.stream(w, r) })
	err := (&http.Server{Handler: mux}).Serve(l)
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// stream writes the events as lines of JSON while they come.
func (j *journal) stream(w http.ResponseWriter, r *http.Request) {
	out, flush := json.NewEncoder(w), http.NewResponseController(w)
	for n, more := 0, true; more; {
		var events []steps.Event
		events, more = j.since(r.Context(), n)
		n += len(events)
		for _, e := range events {
			if err := out.Encode(e); err != nil {
				return
			}
		}
		if err := flush.Flush(); err != nil {
			return
		}
	}
}

// socketClient speaks to the folder's plane.
type socketClient struct{ http *http.Client }

func dialSocket(f folder.Folder) socketClient {
	dial := func(ctx context.Context, _, _ string) (c net.Conn, err error) {
		err = throughDescriptor(f.Socket(), func(path string) (err error) {
			c, err = (&net.Dialer{}).DialContext(ctx, "unix", path)
			return err
		})
		return c, err
	}
	return socketClient{&http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

func (c socketClient) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://plane"+path, nil)
	if err != nil {
		return nil, err
	}
	return c.http.Do(req)
}

// answerWithin bounds a question to the plane: one that is stopped or hangs never answers.
const answerWithin = 5 * time.Second

var errNoAnswer = fmt.Errorf("it gives no answer within %s", answerWithin)

// status asks the plane how it stands.
func (c socketClient) status(ctx context.Context) (st cli.Status, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, answerWithin, errNoAnswer)
	defer cancel()
	defer func() {
		if errors.Is(context.Cause(ctx), errNoAnswer) {
			err = errNoAnswer
		}
	}()
	r, err := c.get(ctx, statusPath)
	if err != nil {
		return st, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return st, fmt.Errorf("asking the plane for its status: %s", r.Status)
	}
	return st, json.NewDecoder(r.Body).Decode(&st)
}

// progress calls for each event of the start and returns when the start is over. It returns
// an error when the plane does not answer, or no longer.
func (c socketClient) progress(ctx context.Context, each func(steps.Event)) error {
	r, err := c.get(ctx, progressPath)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	for in := json.NewDecoder(r.Body); ; {
		var e steps.Event
		if err := in.Decode(&e); err != nil {
			return err
		}
		each(e)
		if e.Step == wholeStart && e.Phase != steps.Began {
			return nil
		}
	}
}
