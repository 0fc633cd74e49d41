package gate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

var errInvalid = errors.New("invalid write")

// passed are the headers of a write that say how to read its body.
var passed = []string{"Content-Type", "Content-Encoding", "X-Prometheus-Remote-Write-Version"}

// entry is a write, as it is sent to the store now and perhaps later again.
type entry struct {
	// Path and Query are those of the request.
	Path, Query string
	// Headers has a value for each of passed.
	Headers []string
	Body    []byte
	// marshalled is all of it as it stands in the journal.
	marshalled []byte
}

// Paths are VictoriaMetrics' for writes, those that a plane's vmauth lets tenants go. OTLP is none of them, since
// VictoriaMetrics follows values within values until it dies, nor a Pushgateway's, whose path becomes labels.
func Paths() []string {
	var out []string
	for _, path := range []string{"write", "push", "import", "import/csv", "import/prometheus"} {
		out = append(out, "/api/v1/"+path, "/prometheus/api/v1/"+path)
	}
	return out
}

// newEntry reads a write. A sample without a time gets that of its arrival from the store, and would get
// another one when it is sent again: so it gets it here.
func newEntry(r *http.Request, tenant string, now time.Time) (entry, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return entry{}, fmt.Errorf("%w: reading the query: %w", errInvalid, err)
	}
	path := strings.TrimPrefix(r.URL.Path, "/prometheus")
	switch {
	case path == "/api/v1/import/prometheus" && query.Get("timestamp") == "":
		query.Set("timestamp", strconv.FormatInt(now.UnixMilli(), 10))
	case path == "/api/v1/import/csv" && !strings.Contains(query.Get("format"), ":time:"):
		return entry{}, fmt.Errorf("%w: format: expected a column with the time, such as 1:time:unix_ms", errInvalid)
	}
	if tenant != "" {
		query.Set("extra_label", "tenant="+tenant)
	}
	e := entry{Path: r.URL.Path, Query: query.Encode()}
	for _, name := range passed {
		e.Headers = append(e.Headers, r.Header.Get(name))
	}
	if err := e.read(r); err != nil {
		return entry{}, fmt.Errorf("%w: reading the body: %w", errInvalid, err)
	}
	return e, nil
}

// read reads the body behind the head, so that both can be kept as they are.
func (e *entry) read(r *http.Request) error {
	head := e.head()
	data := bytes.NewBuffer(make([]byte, 0, len(head)+int(max(r.ContentLength, 0))+bytes.MinRead))
	data.Write(head)
	if _, err := data.ReadFrom(r.Body); err != nil {
		return err
	}
	e.marshalled = data.Bytes()
	e.Body = e.marshalled[len(head):]
	return nil
}

// head is what stands before the body: each text with its length before it.
func (e *entry) head() []byte {
	var data []byte
	for _, text := range append([]string{e.Path, e.Query}, e.Headers...) {
		data = binary.AppendUvarint(data, uint64(len(text)))
		data = append(data, text...)
	}
	return data
}

// unmarshal reads what newEntry marshalled. The body is part of the data.
func unmarshal(data []byte) (entry, error) {
	whole := data
	var texts []string
	for range 2 + len(passed) {
		n, read := binary.Uvarint(data)
		if read <= 0 || n > uint64(len(data)-read) {
			return entry{}, errors.New("an entry of the journal of metrics: expected a length and a text")
		}
		texts = append(texts, string(data[read:read+int(n)]))
		data = data[read+int(n):]
	}
	return entry{Path: texts[0], Query: texts[1], Headers: texts[2:], Body: data, marshalled: whole}, nil
}
