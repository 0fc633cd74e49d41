package otlp

import (
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"portico.dev/portico/store/row"
)

// ErrInvalid means that a body is not what it says it is; sending it again does not help.
var ErrInvalid = errors.New("invalid")

// Signal says what a request carries.
type Signal byte

// The signals that the store keeps.
const (
	Logs Signal = iota + 1
	Traces
)

// Format says how a body is written.
type Format byte

// The formats of OTLP over HTTP.
const (
	Protobuf Format = iota + 1
	JSON
)

// Request is an OTLP request, uncompressed.
type Request struct {
	Signal Signal
	Format Format
	Tenant string
	// Arrival is when it came: the time of what has none.
	Arrival time.Time
	Body    []byte
}

// Rules bound what is kept.
type Rules struct {
	// Retention is how old a row may be when it arrives.
	Retention time.Duration
	// Line is how many bytes of a record's body are kept.
	Line int
}

// TenantName is the attribute that says whose a resource is. What a sender says there is replaced.
const TenantName = "tenant"

// future is how far a sender's clock may be ahead. What is later gets the time of arrival, and keeps
// what it said in sentName.
const (
	future   = 24 * time.Hour
	sentName = "portico.time"
)

// Decode returns the rows of a request. The error wraps ErrInvalid.
func Decode(r Request, rules Rules) (*row.Batch, error) {
	if err := bounded(r); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	d := decoder{rules: rules, arrival: r.Arrival, batch: &row.Batch{Tenant: r.Tenant, Names: map[string]struct{}{}}}
	switch r.Signal {
	case Logs:
		logs, err := unmarshalLogs(r)
		if err != nil {
			return nil, fmt.Errorf("%w: reading logs: %w", ErrInvalid, err)
		}
		d.logs(logs)
	case Traces:
		traces, err := unmarshalTraces(r)
		if err != nil {
			return nil, fmt.Errorf("%w: reading traces: %w", ErrInvalid, err)
		}
		d.traces(traces)
	default:
		return nil, fmt.Errorf("%w: signal %d", ErrInvalid, r.Signal)
	}
	return d.batch, nil
}

func unmarshalLogs(r Request) (plog.Logs, error) {
	if r.Format == JSON {
		return (&plog.JSONUnmarshaler{}).UnmarshalLogs(r.Body)
	}
	return (&plog.ProtoUnmarshaler{}).UnmarshalLogs(r.Body)
}

func unmarshalTraces(r Request) (ptrace.Traces, error) {
	if r.Format == JSON {
		return (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(r.Body)
	}
	return (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(r.Body)
}

type decoder struct {
	rules   Rules
	arrival time.Time
	batch   *row.Batch
	build   row.Builder
	last    string
}

// stream keeps the attributes of a resource and returns its place.
func (d *decoder) stream(resource pcommon.Resource) int32 {
	for name, value := range resource.Attributes().All() {
		d.build.Add(name, text(value))
	}
	d.build.Add(TenantName, d.batch.Tenant)
	attributes := d.build.Text()
	d.batch.Streams = append(d.batch.Streams, attributes)
	d.batch.Bytes += len(attributes)
	return int32(len(d.batch.Streams) - 1)
}

// attributes returns a row's own attributes. A tenant among them is left out: nothing that a sender
// says about it counts.
func (d *decoder) attributes(of pcommon.Map) {
	for name, value := range of.All() {
		if name == TenantName {
			continue
		}
		d.add(name, text(value))
	}
}

func (d *decoder) add(name, value string) {
	name = row.Clean(name, 256)
	// Rows of one request mostly carry the same names one after the other.
	if name != d.last {
		d.batch.Names[name] = struct{}{}
		d.last = name
	}
	d.build.Add(name, value)
}

func text(v pcommon.Value) string {
	if v.Type() == pcommon.ValueTypeStr {
		return v.Str()
	}
	return v.AsString()
}

// at decides a row's time out of what the sender says. It returns false for what is older than the
// retention: it would be dropped at once.
func (d *decoder) at(said ...pcommon.Timestamp) (int64, bool) {
	at := d.arrival.UnixNano()
	for _, t := range said {
		if t == 0 {
			continue
		}
		if uint64(t) > uint64(d.arrival.Add(future).UnixNano()) {
			d.add(sentName, t.AsTime().Format(time.RFC3339Nano))
			return at, true
		}
		at = int64(t)
		break
	}
	if at < d.arrival.Add(-d.rules.Retention).UnixNano() {
		d.batch.Rejected++
		d.batch.Reason = fmt.Sprintf("older than the store's retention of %s", d.rules.Retention)
		return 0, false
	}
	return at, true
}

// rowBytes is about what a row takes in memory beside its texts.
const rowBytes = 160

func (d *decoder) logs(logs plog.Logs) {
	d.batch.Logs = make([]row.Log, 0, logs.LogRecordCount())
	for _, resource := range logs.ResourceLogs().All() {
		stream := d.stream(resource.Resource())
		for _, scope := range resource.ScopeLogs().All() {
			for _, record := range scope.LogRecords().All() {
				d.log(stream, scope.Scope().Name(), record)
			}
		}
	}
}

func (d *decoder) log(stream int32, scope string, r plog.LogRecord) {
	at, ok := d.at(r.Timestamp(), r.ObservedTimestamp())
	if !ok {
		return
	}
	d.attributes(r.Attributes())
	if scope != "" {
		d.add("otel.scope.name", scope)
	}
	l := row.Log{
		Time:       at,
		Stream:     stream,
		Severity:   severity(r),
		Body:       row.Body(text(r.Body()), d.rules.Line),
		Attributes: d.build.Text(),
	}
	if id := r.TraceID(); !id.IsEmpty() {
		l.Trace = string(id[:])
	}
	if id := r.SpanID(); !id.IsEmpty() {
		l.Span = string(id[:])
	}
	d.batch.Bytes += rowBytes + len(l.Body) + len(l.Attributes)
	d.batch.Logs = append(d.batch.Logs, l)
}

// severity is the number of OpenTelemetry, 1 to 24, or 0 where there is none.
func severity(r plog.LogRecord) uint8 {
	if n := r.SeverityNumber(); n >= 1 && n <= 24 {
		return uint8(n)
	}
	return severityOf[r.SeverityText()]
}
