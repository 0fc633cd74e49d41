package otlp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Bounds of a request, beside its bytes. Who decodes OTLP follows its values by recursion and gives
// each message, though it may be two bytes long, a place of some 170: without these, a request of
// a few KiB, compressed, would end the program or take gigabytes.
const (
	// deepest is how deep messages, or JSON's objects and lists, may lie in each other. That is room
	// for some eighty values in each other.
	deepest = 250
	// mostParts is how many messages, or objects and lists, a request may have. A line of a log with
	// ten attributes has 22.
	mostParts = 400_000
)

var (
	errTooDeep = fmt.Errorf("values lie in each other more than %d levels deep", deepest)
	errTooMany = fmt.Errorf("there are more than %d records, attributes and values: send fewer in a request", mostParts)
	errCut     = errors.New("a field is longer than what it is in")
)

// bounded returns an error for a request that must not be decoded. It takes no memory that grows with
// the request.
func bounded(r Request) error {
	if r.Format == JSON {
		return boundedJSON(r.Body)
	}
	root := logsMessage
	if r.Signal == Traces {
		root = tracesMessage
	}
	return boundedProtobuf(r.Body, root)
}

// message is a kind of OTLP's messages.
type message byte

const (
	leaf message = iota
	logsMessage
	resourceLogs
	scopeLogs
	logRecord
	tracesMessage
	resourceSpans
	scopeSpans
	span
	spanEvent
	spanLink
	resource
	scope
	keyValue
	anyValue
	arrayValue
	keyValueList
)

// nested says which fields of a message are messages in which others may be (opentelemetry-proto 1.7,
// logs.proto, trace.proto, resource.proto and common.proto).
var nested = map[message]map[uint64]message{
	logsMessage:   {1: resourceLogs},
	resourceLogs:  {1: resource, 2: scopeLogs},
	scopeLogs:     {1: scope, 2: logRecord},
	logRecord:     {5: anyValue, 6: keyValue},
	tracesMessage: {1: resourceSpans},
	resourceSpans: {1: resource, 2: scopeSpans},
	scopeSpans:    {1: scope, 2: span},
	span:          {9: keyValue, 11: spanEvent, 13: spanLink, 15: leaf},
	spanEvent:     {3: keyValue},
	spanLink:      {4: keyValue},
	resource:      {1: keyValue, 3: leaf},
	scope:         {3: keyValue},
	keyValue:      {2: anyValue},
	anyValue:      {5: arrayValue, 6: keyValueList},
	arrayValue:    {1: anyValue},
	keyValueList:  {1: keyValue},
}

// frame is a message that the walk is in.
type frame struct {
	kind message
	end  int
}

// boundedProtobuf walks through the messages of a body.
func boundedProtobuf(body []byte, root message) error {
	within := make([]frame, 1, deepest)
	within[0] = frame{root, len(body)}
	parts := 0
	for at := 0; ; {
		for len(within) > 0 && at == within[len(within)-1].end {
			within = within[:len(within)-1]
		}
		if len(within) == 0 {
			return nil
		}
		in := within[len(within)-1]
		f, err := fieldAt(body[at:in.end])
		if err != nil {
			return err
		}
		kind, known := nested[in.kind][f.number]
		if !known || !f.delimited {
			at += f.head + f.size
			continue
		}
		if parts++; parts > mostParts {
			return errTooMany
		}
		if len(within) == deepest {
			return errTooDeep
		}
		at += f.head
		within = append(within, frame{kind, at + f.size})
	}
}

// field is one of protobuf's: its number, the bytes of its tag and length, and those of its content.
type field struct {
	number     uint64
	head, size int
	delimited  bool
}

// fieldAt reads the field at the beginning of b.
func fieldAt(b []byte) (field, error) {
	tag, n := binary.Uvarint(b)
	if n <= 0 {
		return field{}, errCut
	}
	f := field{number: tag >> 3, head: n}
	switch tag & 7 {
	case 0:
		_, f.size = binary.Uvarint(b[n:])
		if f.size <= 0 {
			return field{}, errCut
		}
	case 1:
		f.size = 8
	case 2:
		size, m := binary.Uvarint(b[n:])
		if m <= 0 || size > uint64(len(b)-n-m) {
			return field{}, errCut
		}
		f.head, f.size, f.delimited = n+m, int(size), true
	case 5:
		f.size = 4
	default:
		return field{}, fmt.Errorf("field %d has the wire type %d, which OTLP does not use", f.number, tag&7)
	}
	if f.head+f.size > len(b) {
		return field{}, errCut
	}
	return f, nil
}

// boundedJSON counts objects and lists outside of texts. Whether it is JSON is not its to say.
func boundedJSON(body []byte) error {
	depth, parts := 0, 0
	for at, text := 0, false; at < len(body); at++ {
		switch c := body[at]; {
		case text && c == '\\':
			at++
		case c == '"':
			text = !text
		case text:
		case c == '{' || c == '[':
			depth++
			parts++
		case c == '}' || c == ']':
			depth--
		}
		if depth > deepest {
			return errTooDeep
		}
		if parts > mostParts {
			return errTooMany
		}
	}
	return nil
}
