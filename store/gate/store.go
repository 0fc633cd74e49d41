package gate

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// sendTime bounds how long the store may take for a write, lookTime for its figures.
	sendTime, lookTime = 60 * time.Second, 10 * time.Second
	// mostAnswer is how much of an answer to a write is passed on.
	mostAnswer = 64 << 10
)

// store is VictoriaMetrics.
type store struct {
	url, user, password string
	client              *http.Client
}

// answer is what the store said to a write.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) taken() bool { return a.status/100 == 2 }

// send writes to the store. The context is not that of the sender: one that hangs up must not look like
// a store that died.
func (s store) send(ctx context.Context, e entry) (answer, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(e.Body))
	if err != nil {
		return answer{}, err
	}
	// Not by joining texts: a path may have a "?" in it, and what stands behind that is the sender's.
	r.URL.Path, r.URL.RawQuery = r.URL.Path+e.Path, e.Query
	for i, name := range passed {
		if e.Headers[i] != "" {
			r.Header.Set(name, e.Headers[i])
		}
	}
	return s.do(r)
}

func (s store) do(r *http.Request) (answer, error) {
	if s.user != "" {
		r.SetBasicAuth(s.user, s.password)
	}
	response, err := s.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, mostAnswer))
	if err != nil {
		return answer{}, err
	}
	return answer{status: response.StatusCode, header: response.Header, body: body}, nil
}

// died says whether an error may mean that the process of the store has ended. One that is slow has not.
func died(err error) bool {
	var timeout net.Error
	return err != nil && !(errors.As(err, &timeout) && timeout.Timeout())
}

// process is what tells one process of the store from another: when it began, in whole seconds, and how
// much time of the processor it has taken.
type process struct {
	began, took float64
	// at is when it said so, by its own clock.
	at time.Time
}

// young says that another process may have begun in the same second, or may still do so.
func (p process) young() bool { return p.at.Sub(time.Unix(int64(p.began), 0)) < 2*time.Second }

// after says whether p can be what before has become.
func (p process) after(before process) bool { return p.began == before.began && p.took >= before.took }

// look asks the store which process it is.
func (s store) look(ctx context.Context) (process, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/metrics", nil)
	if err != nil {
		return process{}, err
	}
	if s.user != "" {
		r.SetBasicAuth(s.user, s.password)
	}
	response, err := s.client.Do(r)
	if err != nil {
		return process{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return process{}, fmt.Errorf("asking VictoriaMetrics for its metrics: %s", response.Status)
	}
	p, err := readProcess(response.Body)
	if err != nil {
		return process{}, err
	}
	if p.at, err = http.ParseTime(response.Header.Get("Date")); err != nil {
		return process{}, fmt.Errorf("reading the time of VictoriaMetrics: %w", err)
	}
	return p, nil
}

// readProcess finds the process in VictoriaMetrics' own metrics.
func readProcess(from io.Reader) (process, error) {
	p := process{began: -1, took: -1}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if !bytes.HasPrefix(lines.Bytes(), []byte("process_")) {
			continue
		}
		name, text, _ := strings.Cut(lines.Text(), " ")
		to := map[string]*float64{"process_start_time_seconds": &p.began, "process_cpu_seconds_total": &p.took}[name]
		if to == nil {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return process{}, fmt.Errorf("reading VictoriaMetrics' metric %s: %w", name, err)
		}
		*to = n
	}
	if err := lines.Err(); err != nil {
		return process{}, fmt.Errorf("reading VictoriaMetrics' metrics: %w", err)
	}
	if p.began < 0 || p.took < 0 {
		return process{}, errors.New("reading VictoriaMetrics' metrics: expected process_start_time_seconds and process_cpu_seconds_total")
	}
	return p, nil
}
