package row

// Batch is the rows of one request. All of them are one tenant's.
type Batch struct {
	Tenant string
	// Streams are the attributes of the resources, each once. Rows point into it.
	Streams []Attributes
	Logs    []Log
	Spans   []Span
	// Names are the attributes that rows carry themselves, apart from their resource's.
	Names map[string]struct{}
	// Bytes is about how much memory the rows take.
	Bytes int
	// Rejected counts what was not kept, and Reason says why, for the sender.
	Rejected int
	Reason   string
}

// Rows is how many records and spans the batch has.
func (b *Batch) Rows() int { return len(b.Logs) + len(b.Spans) }

// Log is a log record.
type Log struct {
	// Time is in nanoseconds since 1970.
	Time       int64
	Stream     int32
	Severity   uint8
	Body       string
	Attributes Attributes
	// Trace and Span are ids as bytes; none where the record has none.
	Trace, Span string
}

// Span is an operation of a service.
type Span struct {
	// Time is when it began, in nanoseconds since 1970; Duration is in nanoseconds.
	Time, Duration     int64
	Stream             int32
	Trace, ID, Parent  string
	Service, Operation string
	Kind, Status       uint8
	Message            string
	Attributes         Attributes
	// Events is JSON: a list of wire.SpanEvent. It is empty where there are none.
	Events string
}

const nanosecondsOfDay = 24 * 60 * 60 * 1e9

// Day is a day of UTC, counted from 1970.
type Day int32

// DayOf is the day of a time in nanoseconds since 1970.
func DayOf(nanoseconds int64) Day {
	day := nanoseconds / nanosecondsOfDay
	if nanoseconds%nanosecondsOfDay < 0 {
		day--
	}
	return Day(day)
}

// Start is the first nanosecond of the day.
func (d Day) Start() int64 { return int64(d) * nanosecondsOfDay }
