package httpapi

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/rights"
)

// Bounds of a search of traces.
const (
	usualTraces = 20
	mostTraces  = 500
)

// Traces are what a search found, the newest first.
type Traces struct {
	Traces []Trace `json:"traces"`
	Coverage
}

// Trace is the spans of one trace, in the order of their start.
type Trace struct {
	ID string `json:"id"`
	// Start and Duration are those of all its spans together, Root is the first of them.
	Start    time.Time `json:"start"`
	Duration Seconds   `json:"duration"`
	Root     string    `json:"root"`
	Services []string  `json:"services"`
	Errors   int       `json:"errors"`
	Spans    []Span    `json:"spans"`
}

// OneTrace is a trace, and what it may lack.
type OneTrace struct {
	Trace
	Coverage
}

// Seconds is a duration.
type Seconds float64

// Span is one operation of a service.
type Span struct {
	ID            string            `json:"id"`
	Parent        string            `json:"parent,omitempty"`
	Service       string            `json:"service"`
	Operation     string            `json:"operation"`
	Tenant        store.Tenant      `json:"tenant"`
	Start         time.Time         `json:"start"`
	Duration      Seconds           `json:"duration"`
	Kind          string            `json:"kind,omitempty"`
	Status        string            `json:"status,omitempty"`
	StatusMessage string            `json:"statusMessage,omitempty"`
	Resource      map[string]string `json:"resource,omitempty"`
	Attributes    map[string]string `json:"attributes,omitempty"`
	Events        []SpanEvent       `json:"events,omitempty"`
}

// SpanEvent is something that happened during a span.
type SpanEvent struct {
	Time       time.Time         `json:"time"`
	Name       string            `json:"name"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Names are sorted names.
type Names struct {
	Names []string `json:"names"`
	Coverage
}

// traceOf is a trace as it is shown.
func traceOf(t store.Trace) Trace {
	out := Trace{ID: t.ID, Services: []string{}, Spans: make([]Span, 0, len(t.Spans))}
	var end time.Time
	seen := map[string]bool{}
	for i, s := range t.Spans {
		if i == 0 {
			out.Start, out.Root = s.Start.UTC(), s.Service+" "+s.Operation
		}
		if last := s.Start.Add(s.Duration); last.After(end) {
			end = last
		}
		if !seen[s.Service] {
			seen[s.Service] = true
			out.Services = append(out.Services, s.Service)
		}
		if s.Status == "ERROR" {
			out.Errors++
		}
		out.Spans = append(out.Spans, spanOfStore(s))
	}
	out.Duration = Seconds(end.Sub(out.Start).Seconds())
	if len(t.Spans) == 0 {
		out.Duration = 0
	}
	return out
}

func spanOfStore(s store.Span) Span {
	out := Span{
		s.ID, s.Parent, s.Service, s.Operation, s.Tenant, s.Start.UTC(), Seconds(s.Duration.Seconds()), s.Kind, s.Status, s.StatusMessage,
		s.Resource, s.Attributes, nil,
	}
	for _, e := range s.Events {
		out.Events = append(out.Events, SpanEvent{e.Time.UTC(), e.Name, e.Attributes})
	}
	return out
}

func (s *server) traces(w http.ResponseWriter, r *http.Request) error {
	if s.Traces == nil {
		return absent("there are no traces")
	}
	search, err := s.traceSearch(r.URL.Query())
	if err != nil {
		return err
	}
	release, err := take(r.Context(), s.searches)
	if err != nil {
		return err
	}
	defer release()
	found, cover, err := s.Traces.SearchTraces(r.Context(), rights.From(r.Context()), search)
	if err != nil {
		return err
	}
	answer := Traces{Traces: make([]Trace, 0, len(found)), Coverage: coverageOf(cover)}
	for _, t := range found {
		answer.Traces = append(answer.Traces, traceOf(t))
	}
	return write(w, answer)
}

func (s *server) traceSearch(query url.Values) (what store.TraceSearch, err error) {
	if what.Start, what.End, err = spanOf(query, s.Clock()); err != nil {
		return what, err
	}
	if what.Labels, err = matchersOf(query["label"]); err != nil {
		return what, err
	}
	if what.Limit, err = limitOf(query, usualTraces, mostTraces); err != nil {
		return what, err
	}
	for name, at := range map[string]*time.Duration{"least": &what.Least, "most": &what.Most} {
		text := query.Get(name)
		if text == "" {
			continue
		}
		if *at, err = time.ParseDuration(text); err != nil || *at < 0 {
			return what, fmt.Errorf("%w: %s %q: expected a duration such as 100ms", fleet.ErrInvalid, name, text)
		}
	}
	what.Service, what.Operation = query.Get("service"), query.Get("operation")
	return what, nil
}

var traceID = regexp.MustCompile(`^[0-9a-fA-F]{1,32}$`)

func (s *server) trace(w http.ResponseWriter, r *http.Request) error {
	if s.Traces == nil {
		return absent("there are no traces")
	}
	id := r.PathValue("id")
	if !traceID.MatchString(id) {
		return fmt.Errorf("%w: trace %q: expected up to 32 hexadecimal digits", fleet.ErrInvalid, id)
	}
	t, cover, err := s.Traces.Trace(r.Context(), rights.From(r.Context()), id)
	if err != nil {
		return err
	}
	return write(w, OneTrace{traceOf(t), coverageOf(cover)})
}

func (s *server) traceServices(w http.ResponseWriter, r *http.Request) error {
	if s.Traces == nil {
		return absent("there are no traces")
	}
	return named(w)(s.Traces.Services(r.Context(), rights.From(r.Context())))
}

func (s *server) traceOperations(w http.ResponseWriter, r *http.Request) error {
	if s.Traces == nil {
		return absent("there are no traces")
	}
	return named(w)(s.Traces.Operations(r.Context(), rights.From(r.Context()), r.PathValue("service")))
}

func named(w http.ResponseWriter) func([]string, query.Coverage, error) error {
	return func(names []string, cover query.Coverage, err error) error {
		if err != nil {
			return err
		}
		if names == nil {
			names = []string{}
		}
		return write(w, Names{names, coverageOf(cover)})
	}
}
