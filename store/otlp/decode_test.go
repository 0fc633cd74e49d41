package otlp

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"portico.dev/portico/store/row"
)

var (
	arrival = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	rules   = Rules{Retention: 48 * time.Hour, Line: 64}
)

// decodeLog decodes a request with one record.
func decodeLog(t *testing.T, fill func(resource pcommon.Map, r plog.LogRecord)) *row.Batch {
	t.Helper()
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	fill(resource.Resource().Attributes(), resource.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
	data, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := Decode(Request{Signal: Logs, Format: Protobuf, Tenant: "a", Arrival: arrival, Body: data}, rules)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func TestLogTimes(t *testing.T) {
	at := func(d time.Duration) pcommon.Timestamp { return pcommon.NewTimestampFromTime(arrival.Add(d)) }
	for _, c := range []struct {
		name, why      string
		said, observed pcommon.Timestamp
		want           time.Duration // after arrival
		rejected       int
	}{
		{"Said", "The record's own time counts.", at(-time.Hour), at(-time.Minute), -time.Hour, 0},
		{"Observed", "Without one, when it was seen.", 0, at(-time.Minute), -time.Minute, 0},
		{"None", "Without any, when it came.", 0, 0, 0, 0},
		{"ALittleAhead", "A clock may be ahead.", at(time.Hour), 0, time.Hour, 0},
		{"FarAhead", "A clock that is wrong by years does not make days that nobody drops.", at(400 * 24 * time.Hour), 0, 0, 0},
		{"Max", "Nor does the greatest number.", 1<<64 - 1, 0, 0, 0},
		{"Old", "What would be dropped at once is not kept, and the sender is told.", at(-49 * time.Hour), 0, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			batch := decodeLog(t, func(_ pcommon.Map, r plog.LogRecord) {
				r.SetTimestamp(c.said)
				r.SetObservedTimestamp(c.observed)
			})
			if batch.Rejected != c.rejected {
				t.Fatalf("%s: %d rejected", c.why, batch.Rejected)
			}
			if c.rejected == 0 && batch.Logs[0].Time != arrival.Add(c.want).UnixNano() {
				t.Fatalf("%s: %s", c.why, time.Unix(0, batch.Logs[0].Time))
			}
		})
	}
}

func TestTenantIsNotTheSenders(t *testing.T) {
	batch := decodeLog(t, func(resource pcommon.Map, r plog.LogRecord) {
		resource.PutStr("tenant", "other")
		r.Attributes().PutStr("tenant", "other")
		r.Attributes().PutStr("tenant\x1fx\x1etenant", "other")
		r.Body().SetStr("x")
	})
	if got, _ := batch.Streams[0].Get("tenant"); got != "a" {
		t.Errorf("the resource's tenant is %q", got)
	}
	if got, ok := batch.Logs[0].Attributes.Get("tenant"); ok {
		t.Errorf("the record's tenant is %q", got)
	}
}

func TestLongLine(t *testing.T) {
	batch := decodeLog(t, func(_ pcommon.Map, r plog.LogRecord) { r.Body().SetStr(strings.Repeat("x", 1<<20)) })
	want := strings.Repeat("x", 64) + "…[cut, 1048576 bytes]"
	if diff := cmp.Diff(want, batch.Logs[0].Body); diff != "" {
		t.Fatal(diff)
	}
}

func TestFormatsAgree(t *testing.T) {
	body := `{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"web"}}]},"scopeLogs":[{"scope":{"name":"s"},
		"logRecords":[{"timeUnixNano":"1772625600000000000","severityText":"ERROR","body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}}]}},
		"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","attributes":[{"key":"n","value":{"boolValue":true}}]}]}]}]}`
	logs, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	data, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	if err != nil {
		t.Fatal(err)
	}
	var got []*row.Batch
	for _, r := range []Request{{Signal: Logs, Format: JSON, Body: []byte(body)}, {Signal: Logs, Format: Protobuf, Body: data}} {
		r.Tenant, r.Arrival = "a", arrival
		batch, err := Decode(r, rules)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, batch)
	}
	if diff := cmp.Diff(got[0], got[1]); diff != "" {
		t.Fatal(diff)
	}
	l := got[0].Logs[0]
	if l.Severity != 17 || l.Body != `{"a":1}` || len(l.Trace) != 16 || len(l.Span) != 8 {
		t.Fatalf("%+v", l)
	}
	if diff := cmp.Diff(map[string]string{"n": "true", "otel.scope.name": "s"}, l.Attributes.Map()); diff != "" {
		t.Fatal(diff)
	}
}

func TestSpansWithoutIDs(t *testing.T) {
	traces := ptrace.NewTraces()
	spans := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans()
	spans.AppendEmpty().SetName("none")
	good := spans.AppendEmpty()
	good.SetTraceID([16]byte{1})
	good.SetSpanID([8]byte{2})
	good.SetStartTimestamp(pcommon.NewTimestampFromTime(arrival))
	good.SetEndTimestamp(pcommon.NewTimestampFromTime(arrival.Add(-time.Hour)))
	data, err := (&ptrace.ProtoMarshaler{}).MarshalTraces(traces)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := Decode(Request{Signal: Traces, Format: Protobuf, Tenant: "a", Arrival: arrival, Body: data}, rules)
	if err != nil {
		t.Fatal(err)
	}
	if batch.Rejected != 1 || len(batch.Spans) != 1 || batch.Spans[0].Duration != 0 {
		t.Fatalf("%+v", batch)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(byte(Logs), byte(JSON), []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"}}]}]}]}`))
	f.Add(byte(Traces), byte(JSON), []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","events":[{"name":"e"}]}]}]}]}`))
	f.Add(byte(Logs), byte(Protobuf), []byte("\n\x14\x12\x12\x12\x10*\x03\n\x01x2\t\n\x06tenant\x12\x00"))
	f.Add(byte(Traces), byte(Protobuf), []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, signal, format byte, body []byte) {
		batch, err := Decode(Request{Signal: Signal(signal), Format: Format(format), Tenant: "a", Arrival: arrival, Body: body}, rules)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatal(err)
			}
			return
		}
		for _, s := range batch.Streams {
			if got, _ := s.Get("tenant"); got != "a" {
				t.Fatalf("tenant %q", got)
			}
		}
		for _, l := range batch.Logs {
			check(t, l.Time, l.Body, string(l.Attributes))
		}
		for _, s := range batch.Spans {
			check(t, s.Time, s.Operation, s.Service, s.Message, s.Events, string(s.Attributes))
		}
	})
}

func check(t *testing.T, at int64, texts ...string) {
	if at < arrival.Add(-rules.Retention).UnixNano() || at > arrival.Add(future).UnixNano() {
		t.Fatalf("time %d", at)
	}
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.IndexByte(text, 0) >= 0 {
			t.Fatalf("%q", text)
		}
	}
}
