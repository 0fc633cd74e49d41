package otlp

import (
	"encoding/json"
	"math"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"portico.dev/portico/store/row"
	"portico.dev/portico/store/wire"
)

const (
	maxOperation = 1024
	maxMessage   = 8 << 10
	maxEvents    = 128
)

func (d *decoder) traces(traces ptrace.Traces) {
	d.batch.Spans = make([]row.Span, 0, traces.SpanCount())
	for _, resource := range traces.ResourceSpans().All() {
		stream := d.stream(resource.Resource())
		service, _ := d.batch.Streams[stream].Get("service.name")
		from := row.Span{Stream: stream, Service: service}
		for _, scope := range resource.ScopeSpans().All() {
			for _, span := range scope.Spans().All() {
				d.span(from, scope.Scope().Name(), span)
			}
		}
	}
}

func (d *decoder) span(s row.Span, scope string, from ptrace.Span) {
	if from.TraceID().IsEmpty() || from.SpanID().IsEmpty() {
		d.batch.Rejected++
		d.batch.Reason = "a span without trace id or span id"
		return
	}
	at, ok := d.at(from.StartTimestamp(), from.EndTimestamp())
	if !ok {
		return
	}
	d.attributes(from.Attributes())
	if scope != "" {
		d.add("otel.scope.name", scope)
	}
	trace, id := from.TraceID(), from.SpanID()
	s.Time, s.Duration = at, duration(from)
	s.Trace, s.ID = string(trace[:]), string(id[:])
	if parent := from.ParentSpanID(); !parent.IsEmpty() {
		s.Parent = string(parent[:])
	}
	s.Operation = row.Clean(from.Name(), maxOperation)
	s.Kind = kind(from.Kind())
	s.Status = status(from.Status().Code())
	s.Message = row.Clean(from.Status().Message(), maxMessage)
	s.Attributes = d.build.Text()
	s.Events = events(from.Events())
	d.batch.Bytes += 2*rowBytes + len(s.Operation) + len(s.Message) + len(s.Attributes) + len(s.Events)
	d.batch.Spans = append(d.batch.Spans, s)
}

func duration(s ptrace.Span) int64 {
	start, end := s.StartTimestamp(), s.EndTimestamp()
	if end <= start || start == 0 || uint64(end-start) > math.MaxInt64 {
		return 0
	}
	return int64(end - start)
}

func kind(k ptrace.SpanKind) uint8 {
	if k < ptrace.SpanKindUnspecified || k > ptrace.SpanKindConsumer {
		return uint8(ptrace.SpanKindUnspecified)
	}
	return uint8(k)
}

func status(c ptrace.StatusCode) uint8 {
	if c < ptrace.StatusCodeUnset || c > ptrace.StatusCodeError {
		return uint8(ptrace.StatusCodeUnset)
	}
	return uint8(c)
}

// events are the first events of a span, as JSON.
func events(of ptrace.SpanEventSlice) string {
	if of.Len() == 0 {
		return ""
	}
	list := make([]wire.SpanEvent, 0, min(of.Len(), maxEvents))
	for i := range min(of.Len(), maxEvents) {
		e := of.At(i)
		var b row.Builder
		for name, value := range e.Attributes().All() {
			b.Add(name, text(value))
		}
		at := int64(math.MaxInt64)
		if uint64(e.Timestamp()) < math.MaxInt64 {
			at = int64(e.Timestamp())
		}
		list = append(list, wire.SpanEvent{Time: at, Name: row.Clean(e.Name(), maxOperation), Attributes: b.Text().Map()})
	}
	// Strings and numbers: it cannot fail.
	data, _ := json.Marshal(list)
	return string(data)
}
