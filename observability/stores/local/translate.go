package local

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"portico.dev/portico/observability/store"
)

// What follows is a trace in Jaeger's words.
type (
	jaegerTrace struct {
		TraceID   string                   `json:"traceID"`
		Spans     []jaegerSpan             `json:"spans"`
		Processes map[string]jaegerProcess `json:"processes"`
	}
	jaegerSpan struct {
		SpanID        string            `json:"spanID"`
		OperationName string            `json:"operationName"`
		References    []jaegerReference `json:"references"`
		// StartTime and Duration are in microseconds.
		StartTime int64       `json:"startTime"`
		Duration  int64       `json:"duration"`
		Tags      []jaegerTag `json:"tags"`
		Logs      []jaegerLog `json:"logs"`
		ProcessID string      `json:"processID"`
	}
	jaegerReference struct {
		RefType string `json:"refType"`
		SpanID  string `json:"spanID"`
	}
	jaegerTag struct {
		Key   string `json:"key"`
		Value any    `json:"value"`
	}
	jaegerLog struct {
		Timestamp int64       `json:"timestamp"`
		Fields    []jaegerTag `json:"fields"`
	}
	jaegerProcess struct {
		ServiceName string      `json:"serviceName"`
		Tags        []jaegerTag `json:"tags"`
	}
)

// The tags by which Jaeger says what OpenTelemetry has fields for.
const (
	kindTag    = "span.kind"
	statusTag  = "otel.status_code"
	messageTag = "otel.status_description"
	errorTag   = "error"
)

func fromJaeger(in store.Scope, traces []jaegerTrace) ([]store.Trace, error) {
	out := make([]store.Trace, 0, len(traces))
	for _, t := range traces {
		trace := store.Trace{ID: t.TraceID}
		for _, s := range t.Spans {
			span := fromSpan(s, t.Processes[s.ProcessID])
			if !in.All() && span.Tenant != in.Tenant() {
				return nil, fmt.Errorf("the store answered a search of tenant %q with a span of somebody else", in.Tenant())
			}
			trace.Spans = append(trace.Spans, span)
		}
		slices.SortStableFunc(trace.Spans, func(a, b store.Span) int { return a.Start.Compare(b.Start) })
		out = append(out, trace)
	}
	return out, nil
}

func fromSpan(s jaegerSpan, p jaegerProcess) store.Span {
	resource, attributes := texts(p.Tags), texts(s.Tags)
	out := store.Span{
		ID: s.SpanID, Service: p.ServiceName, Operation: s.OperationName, Tenant: store.Tenant(resource[store.TenantLabel]),
		Start: time.UnixMicro(s.StartTime).UTC(), Duration: time.Duration(s.Duration) * time.Microsecond,
		Kind: strings.ToUpper(attributes[kindTag]), Status: attributes[statusTag], StatusMessage: attributes[messageTag],
		Resource: resource, Attributes: attributes,
	}
	for _, name := range []string{kindTag, statusTag, messageTag} {
		delete(attributes, name)
	}
	if out.Status == "ERROR" {
		delete(attributes, errorTag)
	}
	for _, r := range s.References {
		if r.RefType == "CHILD_OF" {
			out.Parent = r.SpanID
			break
		}
	}
	for _, l := range s.Logs {
		event := store.SpanEvent{Time: time.UnixMicro(l.Timestamp).UTC(), Attributes: texts(l.Fields)}
		event.Name = event.Attributes["event"]
		delete(event.Attributes, "event")
		out.Events = append(out.Events, event)
	}
	return out
}

func texts(tags []jaegerTag) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[t.Key] = fmt.Sprint(t.Value)
	}
	return out
}
