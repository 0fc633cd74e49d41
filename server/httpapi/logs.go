package httpapi

import (
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/rights"
)

// linesMedia is a JSON object a line.
const linesMedia = "application/x-ndjson"

// Bounds of a search of logs.
const (
	usualRecords = 200
	mostRecords  = 10_000
	mostAnswer   = 64 << 20
	// flushEvery is after how many lines a client gets what there is.
	flushEvery = 100
)

// LogRecord is a record of a log.
type LogRecord struct {
	Time       time.Time         `json:"time"`
	Tenant     store.Tenant      `json:"tenant"`
	Severity   string            `json:"severity,omitempty"`
	Body       string            `json:"body"`
	Resource   map[string]string `json:"resource,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	TraceID    string            `json:"traceId,omitempty"`
	SpanID     string            `json:"spanId,omitempty"`
}

// LogLine is a line of an answer: a record, or what is to say at its end.
type LogLine struct {
	*LogRecord
	// Error says why the search did not come to its end; such a line is the last.
	Error string `json:"error,omitempty"`
}

// Logs is an answer in one piece.
type Logs struct {
	Records []LogRecord `json:"records"`
	Error   string      `json:"error,omitempty"`
}

func (s *server) logs(w http.ResponseWriter, r *http.Request) error {
	if s.Logs == nil {
		return absent("there are no logs")
	}
	search, err := s.logSearch(r)
	if err != nil {
		return err
	}
	release, err := take(s.searches, "searches")
	if err != nil {
		return err
	}
	defer release()
	next, stop := iter.Pull2(s.Logs.SearchLogs(r.Context(), rights.From(r.Context()), search))
	defer stop()
	// An error that comes before the first record can still be the status of the answer.
	record, err, more := next()
	if err != nil {
		return err
	}
	found := func(yield func(store.Record, error) bool) {
		for ; more; record, err, more = next() {
			if !yield(record, err) {
				return
			}
		}
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		return wholeLogs(w, found)
	}
	return streamLogs(w, found)
}

func (s *server) logSearch(r *http.Request) (what store.LogSearch, err error) {
	query := r.URL.Query()
	if what.Start, what.End, err = spanOf(query, s.Clock()); err != nil {
		return what, err
	}
	if what.Labels, err = matchersOf(query["label"]); err != nil {
		return what, err
	}
	if what.Limit, err = limitOf(query, usualRecords, mostRecords); err != nil {
		return what, err
	}
	if what.Severity, err = severityOf(query.Get("severity")); err != nil {
		return what, err
	}
	switch order := query.Get("order"); order {
	case "", "newest":
		what.Newest = true
	case "oldest":
	default:
		return what, fmt.Errorf("%w: order %q: expected newest or oldest", fleet.ErrInvalid, order)
	}
	what.Text = query["text"]
	return what, nil
}

func recordOf(r store.Record) *LogRecord {
	return &LogRecord{r.Time.UTC(), r.Tenant, SeverityWord(r.Severity), r.Body, r.Resource, r.Attributes, r.TraceID, r.SpanID}
}

// tooLarge is said where an answer was cut off.
var tooLarge = fmt.Sprintf("the answer has more than %d MiB: ask for less time, or for fewer records", mostAnswer>>20)

// streamLogs writes a record a line, as they come.
func streamLogs(w http.ResponseWriter, found iter.Seq2[store.Record, error]) error {
	w.Header().Set("Content-Type", linesMedia)
	out := &counted{w: w}
	encoder, control, n := json.NewEncoder(out), http.NewResponseController(w), 0
	for record, err := range found {
		line := LogLine{LogRecord: recordOf(record)}
		switch {
		case err != nil:
			line = LogLine{Error: err.Error()}
		case out.n > mostAnswer:
			line = LogLine{Error: tooLarge}
		}
		if encoder.Encode(line) != nil || line.Error != "" {
			return nil // who hung up does not want more
		}
		if n++; n%flushEvery == 0 {
			_ = control.Flush() // a client that is gone is seen with the next line
		}
	}
	return nil
}

type counted struct {
	w http.ResponseWriter
	n int
}

func (c *counted) Write(b []byte) (int, error) {
	c.n += len(b)
	return c.w.Write(b)
}

func wholeLogs(w http.ResponseWriter, found iter.Seq2[store.Record, error]) error {
	answer, size := Logs{Records: []LogRecord{}}, 0
	for record, err := range found {
		if err != nil {
			answer.Error = err.Error()
			break
		}
		if size += len(record.Body); size > mostAnswer {
			answer.Error = tooLarge
			break
		}
		answer.Records = append(answer.Records, *recordOf(record))
	}
	return write(w, answer)
}
