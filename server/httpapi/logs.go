package httpapi

import (
	"encoding/json"
	"fmt"
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

// LogLine is a line of an answer: a record, or, as the last one, what the records lack.
type LogLine struct {
	*LogRecord
	Coverage
}

// Logs is an answer in one piece.
type Logs struct {
	Records []LogRecord `json:"records"`
	Coverage
}

func (s *server) logs(w http.ResponseWriter, r *http.Request) error {
	if s.Logs == nil {
		return absent("there are no logs")
	}
	search, err := s.logSearch(r)
	if err != nil {
		return err
	}
	release, err := take(r.Context(), s.searches)
	if err != nil {
		return err
	}
	defer release()
	found, cover, err := s.Logs.SearchLogs(r.Context(), rights.From(r.Context()), search)
	if err != nil {
		return err
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		answer := Logs{Records: make([]LogRecord, 0, len(found)), Coverage: coverageOf(cover)}
		for _, record := range found {
			answer.Records = append(answer.Records, *recordOf(record))
		}
		return write(w, answer)
	}
	writeLines(w, found, coverageOf(cover))
	return nil
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

// writeLines writes a record a line, and what they lack at the end.
func writeLines(w http.ResponseWriter, found []store.Record, cover Coverage) {
	w.Header().Set("Content-Type", linesMedia)
	encoder := json.NewEncoder(w)
	for _, record := range found {
		if encoder.Encode(LogLine{LogRecord: recordOf(record)}) != nil {
			return // who hung up does not want more
		}
	}
	if len(cover.Warnings) > 0 {
		_ = encoder.Encode(LogLine{Coverage: cover}) // as above
	}
}
