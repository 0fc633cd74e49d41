package store

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"portico.dev/portico/fleet"
)

// TenantLabel is the label of metrics, and the attribute of logs and of the resources of traces,
// that says whose they are. It is k0rdent's.
const TenantLabel = "tenant"

// Platform is the tenant of everything that names none.
const Platform = Tenant(fleet.PlatformTenant)

// Plane is the tenant of what the management plane tells of itself: its programs, its stores, the
// regions, what became of the rules. Clusters without a label share Platform, and each of them may read and write
// there; what operators go by must be out of their reach. So no cluster can be of this tenant, and only those
// who may see all tenants see it.
const Plane = Tenant(fleet.PlaneTenant)

// Tenant owns telemetry. It is the value of a Kubernetes label, and so needs no quoting in any query language.
type Tenant string

var tenant = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$`)

// ParseTenant returns the tenant of that name; Platform for an empty one. The error is of kind
// fleet.ErrInvalid.
func ParseTenant(name string) (Tenant, error) {
	switch {
	case name == "":
		return Platform, nil
	case !tenant.MatchString(name):
		return "", fmt.Errorf("%w: tenant %q: expected at most 63 letters, digits, '-', '_' and '.', which begin and end with a letter or a digit", fleet.ErrInvalid, name)
	}
	return Tenant(name), nil
}

// Scope is whose data a question is about: one tenant's, or everybody's. The zero value is nobody's.
type Scope struct {
	tenant Tenant
	all    bool
}

// Of is the scope of one tenant.
func Of(t Tenant) Scope { return Scope{tenant: t} }

// Everybody is the scope of those who may see all tenants.
func Everybody() Scope { return Scope{all: true} }

// All says whether the scope is everybody's.
func (s Scope) All() bool { return s.all }

// Tenant is whose data it is; empty for everybody's, and for nobody's.
func (s Scope) Tenant() Tenant { return s.tenant }

// Check refuses the zero value: a question without a scope is a mistake of the program.
func (s Scope) Check() error {
	if !s.all && s.tenant == "" {
		return fmt.Errorf("%w: a question to a store has no scope", fleet.ErrInvalid)
	}
	return nil
}

// Range is a time range with a grid: Start, Start+Step, and so on until End, which counts. An
// instant has End equal to Start and Step 0.
type Range struct {
	Start, End time.Time
	Step       time.Duration
}

// Limits bound what one question may cost. Zero of any means the store's own limit.
type Limits struct {
	// Series and Samples are how many may be read. What exceeds them is refused by an error that
	// wraps ErrTooMuch, never cut short in silence.
	Series, Samples int
	// Records bound the answer of a search of logs or traces.
	Records int
}

// ErrTooMuch means that a question would cost more than it may.
var ErrTooMuch = fmt.Errorf("%w: the question is too big", fleet.ErrInvalid)

// ErrFull means that a store has no room: what was sent was not kept, and may be sent again.
var ErrFull = fmt.Errorf("the store is full")

// Series is a metric with its samples, in the order of time.
type Series struct {
	Labels  labels.Labels
	Samples []Sample
}

// Sample is a value at a time. At is in milliseconds since 1970.
type Sample struct {
	At    int64
	Value float64
}

// Answer is what series there are, and what the store wants to say about them.
type Answer struct {
	Series []Series
	// Warnings say for a person what is not as it seems: data that is missing, or estimated.
	Warnings []string
}

// Metrics keeps metrics. All methods are safe for concurrent use.
type Metrics interface {
	// Write keeps samples as the tenant's; a label TenantLabel among theirs is replaced. What was
	// acknowledged survives the death of the store, but for the last seconds where the store's
	// documentation says so. Of two samples of one series and time one counts. Out-of-order
	// samples are kept as far back as the store is set up to take them.
	Write(ctx context.Context, of Tenant, series []Series) error

	// Query evaluates an expression on the grid. Its selectors see the scope's series alone.
	Query(ctx context.Context, in Scope, expr parser.Expr, on Range, at Limits) (Answer, error)

	// Select returns raw samples of the series that match, with Start <= time <= End.
	Select(ctx context.Context, in Scope, matchers []*labels.Matcher, on Range, at Limits) (Answer, error)

	// Series returns the label sets of the series that match one of the selectors and have
	// samples in the range, sorted. LabelValues returns the sorted values of a label among them;
	// LabelNames the sorted names. No selector means all series.
	Series(ctx context.Context, in Scope, selectors [][]*labels.Matcher, on Range, at Limits) ([]labels.Labels, error)
	LabelNames(ctx context.Context, in Scope, selectors [][]*labels.Matcher, on Range) ([]string, error)
	LabelValues(ctx context.Context, in Scope, name string, selectors [][]*labels.Matcher, on Range) ([]string, error)
}

// Logs keeps log records. All methods are safe for concurrent use.
type Logs interface {
	// WriteLogs keeps records as the tenant's; an attribute TenantLabel of a resource is replaced.
	// It returns once they survive the death of the store; ErrFull says that none were kept.
	WriteLogs(ctx context.Context, of Tenant, logs plog.Logs) error

	// SearchLogs returns the records that match, in the order of the search. The sequence ends
	// with the first error.
	SearchLogs(ctx context.Context, in Scope, what LogSearch) iter.Seq2[Record, error]
}

// LogFollower is a store of logs that tells of records as they come.
type LogFollower interface {
	// FollowLogs tells of records that match once they survive the death of the store, until the
	// context ends; Start, End, Newest and Limit of the search do not count. First of all it yields
	// the zero value: what is written from then on is told. Whoever takes records too slowly is told
	// how many were left out, and holds up no write. The sequence ends with the first error.
	FollowLogs(ctx context.Context, in Scope, what LogSearch) iter.Seq2[Followed, error]
}

// Followed is a record that came, or how many were left out.
type Followed struct {
	// Record is nil where Skipped counts records that the follower does not get, and at the beginning.
	Record  *Record
	Skipped int
}

// LogSearch says which records are wanted.
type LogSearch struct {
	// Start and End bound the time of a record; End does not count.
	Start, End time.Time
	// Labels have to match among the attributes of a record and of its resource: cluster,
	// namespace, pod, container, and so on, in OpenTelemetry's names.
	Labels []*labels.Matcher
	// Text has to be in the body, each of them, without regard to case.
	Text []string
	// Severity is the least severity number, as OpenTelemetry counts them; 0 is any.
	Severity int
	// Newest says that the newest come first.
	Newest bool
	// Limit bounds how many are returned; 0 is the store's limit.
	Limit int
}

// Record is a log record.
type Record struct {
	Time       time.Time
	Tenant     Tenant
	Severity   int
	Body       string
	Resource   map[string]string
	Attributes map[string]string
	TraceID    string
	SpanID     string
}

// Traces keeps spans. All methods are safe for concurrent use.
type Traces interface {
	// WriteTraces keeps spans as the tenant's, as Logs.WriteLogs does with records.
	WriteTraces(ctx context.Context, of Tenant, spans ptrace.Traces) error

	// SearchTraces returns traces of which a span matches, the newest first. Of a trace, spans of
	// other tenants are left out.
	SearchTraces(ctx context.Context, in Scope, what TraceSearch) ([]Trace, error)

	// Trace returns one trace by its id in hexadecimal digits. It returns fleet.ErrNotYet where
	// the scope has no span of it.
	Trace(ctx context.Context, in Scope, id string) (Trace, error)

	// Services and Operations are the sorted names of the services, and of the operations of one.
	Services(ctx context.Context, in Scope) ([]string, error)
	Operations(ctx context.Context, in Scope, service string) ([]string, error)
}

// TraceSearch says which traces are wanted.
type TraceSearch struct {
	Start, End         time.Time
	Service, Operation string
	// Labels have to be among the attributes of a span or of its resource.
	Labels []*labels.Matcher
	// Least and Most bound the duration of a span; zero of either does not.
	Least, Most time.Duration
	Limit       int
}

// Trace is the spans of one trace, in the order of their start.
type Trace struct {
	ID    string
	Spans []Span
}

// Span is one operation of a service.
type Span struct {
	ID, Parent         string
	Service, Operation string
	Tenant             Tenant
	Start              time.Time
	Duration           time.Duration
	// Kind and Status are OpenTelemetry's words, such as SERVER and ERROR.
	Kind, Status  string
	StatusMessage string
	Resource      map[string]string
	Attributes    map[string]string
	Events        []SpanEvent
}

// SpanEvent is something that happened during a span.
type SpanEvent struct {
	Time       time.Time
	Name       string
	Attributes map[string]string
}
