package otlp

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// wrapped puts a message around each of the ones before: a field of that number holds it.
func wrapped(inner []byte, numbers ...byte) []byte {
	for _, n := range numbers {
		head := binary.AppendUvarint([]byte{n<<3 | 2}, uint64(len(inner)))
		inner = append(head, inner...)
	}
	return inner
}

// deep is a log whose body is that many lists in each other.
func deep(levels int) []byte {
	// From the inside out: each level takes a few bytes more, so they are written backwards.
	var reversed []byte
	size := 0
	put := func(b ...byte) {
		slices.Reverse(b)
		reversed = append(reversed, b...)
		size += len(b)
	}
	field := func(n byte) { put(binary.AppendUvarint([]byte{n<<3 | 2}, uint64(size))...) }
	for range levels {
		field(1)
		field(5)
	}
	for _, n := range []byte{5, 2, 2, 1} {
		field(n)
	}
	slices.Reverse(reversed)
	return reversed
}

func TestBounds(t *testing.T) {
	empty := func(n int) []byte { return wrapped(slices.Repeat([]byte{2<<3 | 2, 0}, n), 2, 1) }
	nested := func(n int) []byte {
		return []byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":` + strings.Repeat(`{"arrayValue":{"values":[`, n) +
			strings.Repeat(`]}}`, n) + `}]}]}]}`)
	}
	for _, c := range []struct {
		name, why string
		format    Format
		body      []byte
		want      error
	}{
		{"Values", "Values may lie in each other.", Protobuf, deep(80), nil},
		{"TooDeep", "Who decodes it recurses: a million levels end the program, in 9 MB.", Protobuf, deep(1_000_000), errTooDeep},
		{"Records", "As many as a collector sends.", Protobuf, empty(100_000), nil},
		{"TooMany", "Two bytes each, they would take gigabytes.", Protobuf, empty(16_000_000), errTooMany},
		{"JSON", "The same in JSON.", JSON, nested(60), nil},
		{"JSONTooDeep", "The same in JSON.", JSON, nested(300_000), errTooDeep},
		{"JSONTooMany", "The same in JSON.", JSON, []byte(`{"resourceLogs":[` + strings.Repeat(`{},`, mostParts) + `{}]}`), errTooMany},
		{"Braces", "What stands in a text counts for nothing.", JSON,
			[]byte(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"` + strings.Repeat(`{[\"`, 1000) + `"}}]}]}]}`), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(Request{Signal: Logs, Format: c.format, Tenant: "a", Arrival: arrival, Body: c.body}, rules)
			if !errors.Is(err, c.want) || (c.want != nil && !errors.Is(err, ErrInvalid)) {
				t.Errorf("Decode = %.200v, want %v: %s", err, c.want, c.why)
			}
		})
	}
}

// TestBoundsSeeAll guards against a field in which messages may be, and which the walk does not know.
func TestBoundsSeeAll(t *testing.T) {
	logs := plog.NewLogs()
	resource := logs.ResourceLogs().AppendEmpty()
	resource.Resource().Attributes().PutEmptySlice("resource").AppendEmpty().SetStr("a")
	in := resource.ScopeLogs().AppendEmpty()
	in.Scope().Attributes().PutEmptySlice("scope").AppendEmpty().SetStr("a")
	record := in.LogRecords().AppendEmpty()
	record.Body().SetEmptyMap().PutEmptyMap("a").PutEmptySlice("b").AppendEmpty().SetStr("a")
	record.Attributes().PutEmptySlice("record").AppendEmpty().SetStr("a")
	body, err := (&plog.ProtoMarshaler{}).MarshalLogs(logs)
	if err != nil {
		t.Fatal(err)
	}
	// Request, resource and scope logs, record; resource, scope; three attributes with a list of one
	// value: key, value, list, value; the body: value, map, key, value, map, key, value, list, value.
	if got, want := partsOf(t, body, logsMessage), 3+2+3*4+9; got != want {
		t.Errorf("%d messages were seen in logs, want %d", got, want)
	}

	traces := ptrace.NewTraces()
	span := traces.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.Attributes().PutStr("a", "b")
	span.Events().AppendEmpty().Attributes().PutStr("a", "b")
	span.Links().AppendEmpty().Attributes().PutStr("a", "b")
	if body, err = (&ptrace.ProtoMarshaler{}).MarshalTraces(traces); err != nil {
		t.Fatal(err)
	}
	// Resource and scope spans, span; resource, scope, status; event, link; three attributes of two.
	if got, want := partsOf(t, body, tracesMessage), 3+3+2+3*2; got != want {
		t.Errorf("%d messages were seen in traces, want %d", got, want)
	}
}

// partsOf counts the messages that the walk sees below the root.
func partsOf(t *testing.T, body []byte, root message) int {
	t.Helper()
	var count func(b []byte, kind message) int
	count = func(b []byte, kind message) (n int) {
		for len(b) > 0 {
			f, err := fieldAt(b)
			if err != nil {
				t.Fatal(err)
			}
			if inner, known := nested[kind][f.number]; known && f.delimited {
				n += 1 + count(b[f.head:f.head+f.size], inner)
			}
			b = b[f.head+f.size:]
		}
		return n
	}
	if err := boundedProtobuf(body, root); err != nil {
		t.Fatal(err)
	}
	return count(body, root)
}
