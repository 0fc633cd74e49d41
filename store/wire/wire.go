package wire

import "time"

// TenantHeader says whose data a request is about: a tenant, or * for everybody's in a search.
const TenantHeader = "X-Portico-Tenant"

// ContentType is that of a search's answer.
const ContentType = "application/x-ndjson"

// Line is one line of the answer to a search. Exactly one of its fields is there. Empty lines between
// them show that a connection lives.
type Line struct {
	Record *Record `json:"record,omitempty"`
	End    *End    `json:"end,omitempty"`
	// Begin is the first line for who follows: what is acknowledged from then on comes.
	Begin *struct{} `json:"begin,omitempty"`
	// Skipped is how many records were left out here, since who follows takes them too slowly.
	Skipped int `json:"skipped,omitempty"`
	// Error says why the answer ends before its end.
	Error string `json:"error,omitempty"`
}

// Record is a log record.
type Record struct {
	Time       time.Time         `json:"time"`
	Tenant     string            `json:"tenant"`
	Severity   int               `json:"severity,omitempty"`
	Body       string            `json:"body"`
	Resource   map[string]string `json:"resource,omitempty"`
	Attributes map[string]string `json:"attributes,omitempty"`
	// TraceID and SpanID are in hexadecimal digits.
	TraceID string `json:"traceId,omitempty"`
	SpanID  string `json:"spanId,omitempty"`
}

// End is the last line of an answer that is whole.
type End struct {
	// Records is how many there were before it.
	Records int `json:"records"`
	// Limited says that there may be more than the limit allowed.
	Limited bool `json:"limited,omitempty"`
}

// Names is the answer to <prefix>/select/portico/names: the sorted names of attributes that records
// and their resources have in a time range. The arguments start and end are those of a search.
type Names struct {
	Names []string `json:"names"`
}

// SpanEvent is something that happened during a span.
type SpanEvent struct {
	// Time is in nanoseconds since 1970.
	Time       int64             `json:"time"`
	Name       string            `json:"name"`
	Attributes map[string]string `json:"attributes,omitempty"`
}

// Failure is the body of an answer that is not 200.
type Failure struct {
	Error string `json:"error"`
}
