package httpapi

import (
	"context"

	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
)

// Kind is what telemetry is about.
type Kind string

// The kinds. Metrics, Logs, Traces and Cost are kept by regions, Alerts by the plane.
const (
	MetricsKind Kind = "metrics"
	LogsKind    Kind = "logs"
	TracesKind  Kind = "traces"
	CostKind    Kind = "cost"
	AlertsKind  Kind = "alerts"
)

// Logger searches the logs of all regions: a query.Engine.
type Logger interface {
	SearchLogs(ctx context.Context, in store.Scope, what store.LogSearch) ([]store.Record, query.Coverage, error)
}

// Tracer searches the traces of all regions, likewise.
type Tracer interface {
	SearchTraces(ctx context.Context, in store.Scope, what store.TraceSearch) ([]store.Trace, query.Coverage, error)
	Trace(ctx context.Context, in store.Scope, id string) (store.Trace, query.Coverage, error)
	Services(ctx context.Context, in store.Scope) ([]string, query.Coverage, error)
	Operations(ctx context.Context, in store.Scope, service string) ([]string, query.Coverage, error)
}

// Coverage says what an answer lacks, in the words of the metrics API.
type Coverage struct {
	// Partial says that regions did not answer; Missing are those.
	Partial bool            `json:"partial,omitempty"`
	Missing []query.Missing `json:"missing,omitempty"`
	// Warnings say it for a person.
	Warnings []string `json:"warnings,omitempty"`
}

func coverageOf(c query.Coverage) Coverage { return Coverage{c.Partial(), c.Missing, c.Warnings} }
