package serve

import (
	"encoding/hex"
	"fmt"
	"net/http"

	"portico.dev/portico/store/row"
	"portico.dev/portico/store/tables"
	"portico.dev/portico/store/wire"
)

// What follows is a trace in Jaeger's words.
type (
	jaegerTrace struct {
		TraceID   string                   `json:"traceID"`
		Spans     []jaegerSpan             `json:"spans"`
		Processes map[string]jaegerProcess `json:"processes"`
		Warnings  []string                 `json:"warnings"`
	}
	jaegerSpan struct {
		TraceID    string            `json:"traceID"`
		SpanID     string            `json:"spanID"`
		Operation  string            `json:"operationName"`
		References []jaegerReference `json:"references"`
		// StartTime and Duration are in microseconds.
		StartTime int64       `json:"startTime"`
		Duration  int64       `json:"duration"`
		Tags      []jaegerTag `json:"tags"`
		Logs      []jaegerLog `json:"logs"`
		ProcessID string      `json:"processID"`
		Warnings  []string    `json:"warnings"`
	}
	jaegerReference struct {
		Kind    string `json:"refType"`
		TraceID string `json:"traceID"`
		SpanID  string `json:"spanID"`
	}
	jaegerTag struct {
		Key   string `json:"key"`
		Type  string `json:"type"`
		Value any    `json:"value"`
	}
	jaegerLog struct {
		Timestamp int64       `json:"timestamp"`
		Fields    []jaegerTag `json:"fields"`
	}
	jaegerProcess struct {
		Service string      `json:"serviceName"`
		Tags    []jaegerTag `json:"tags"`
	}
)

// kinds are Jaeger's words for the kinds of OpenTelemetry.
var kinds = []string{"", "internal", "server", "client", "producer", "consumer"}

var statuses = []string{"", "OK", "ERROR"}

func replyTraces(w http.ResponseWriter, traces []tables.Trace) {
	list := make([]jaegerTrace, len(traces))
	for i, t := range traces {
		list[i] = toJaeger(t)
	}
	replyList(w, list)
}

func toJaeger(t tables.Trace) jaegerTrace {
	j := jaegerTrace{TraceID: hex.EncodeToString([]byte(t.ID)), Processes: map[string]jaegerProcess{}}
	processes := map[row.Attributes]string{}
	for _, s := range t.Spans {
		process, known := processes[s.Resource]
		if !known {
			process = fmt.Sprintf("p%d", len(processes)+1)
			processes[s.Resource] = process
			j.Processes[process] = jaegerProcess{Service: s.Service, Tags: tagsOf(s.Resource)}
		}
		j.Spans = append(j.Spans, spanToJaeger(s, process))
	}
	return j
}

func spanToJaeger(s tables.Span, process string) jaegerSpan {
	trace := hex.EncodeToString([]byte(s.Trace))
	j := jaegerSpan{
		TraceID: trace, SpanID: hex.EncodeToString([]byte(s.ID)), Operation: s.Operation, ProcessID: process,
		StartTime: s.Time / 1000, Duration: s.Duration / 1000,
		References: []jaegerReference{}, Tags: tagsOf(s.Attributes), Logs: []jaegerLog{},
	}
	if s.Parent != "" {
		j.References = append(j.References, jaegerReference{"CHILD_OF", trace, hex.EncodeToString([]byte(s.Parent))})
	}
	if kind := kinds[s.Kind]; kind != "" {
		j.Tags = append(j.Tags, stringTag("span.kind", kind))
	}
	if status := statuses[s.Status]; status != "" {
		j.Tags = append(j.Tags, stringTag("otel.status_code", status))
		if status == "ERROR" {
			j.Tags = append(j.Tags, jaegerTag{"error", "bool", true})
		}
	}
	if s.Message != "" {
		j.Tags = append(j.Tags, stringTag("otel.status_description", s.Message))
	}
	for _, e := range s.Events {
		j.Logs = append(j.Logs, eventToJaeger(e))
	}
	return j
}

func eventToJaeger(e wire.SpanEvent) jaegerLog {
	l := jaegerLog{Timestamp: e.Time / 1000, Fields: []jaegerTag{stringTag("event", e.Name)}}
	for name, value := range e.Attributes {
		l.Fields = append(l.Fields, stringTag(name, value))
	}
	return l
}

func tagsOf(attributes row.Attributes) []jaegerTag {
	tags := []jaegerTag{}
	for name, value := range attributes.All() {
		if name != "service.name" {
			tags = append(tags, stringTag(name, value))
		}
	}
	return tags
}

func stringTag(key, value string) jaegerTag { return jaegerTag{key, "string", value} }
