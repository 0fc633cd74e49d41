package local

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// WriteTraces implements store.Traces.
func (s *Store) WriteTraces(ctx context.Context, of store.Tenant, spans ptrace.Traces) error {
	body, err := ptraceotlp.NewExportRequestFromTraces(spans).MarshalProto()
	if err != nil {
		return fmt.Errorf("encoding spans: %w", err)
	}
	return s.insert(ctx, s.config.TracesIn+"/insert/opentelemetry/v1/traces", of, body)
}

// SearchTraces implements store.Traces.
func (s *Store) SearchTraces(ctx context.Context, in store.Scope, what store.TraceSearch) ([]store.Trace, error) {
	args, err := traceArgs(what)
	if err != nil {
		return nil, err
	}
	found, err := asked[jaegerTrace](ctx, s, in, "/traces", args)
	if err != nil {
		return nil, err
	}
	return fromJaeger(in, found)
}

// Trace implements store.Traces.
func (s *Store) Trace(ctx context.Context, in store.Scope, id string) (store.Trace, error) {
	if id == "" || strings.Trim(strings.ToLower(id), "0123456789abcdef") != "" {
		return store.Trace{}, fmt.Errorf("%w: the trace id %q: expected hexadecimal digits", fleet.ErrInvalid, id)
	}
	found, err := asked[jaegerTrace](ctx, s, in, "/traces/"+id, nil)
	if err != nil {
		return store.Trace{}, err
	}
	traces, err := fromJaeger(in, found)
	switch {
	case err != nil:
		return store.Trace{}, err
	case len(traces) == 0 || len(traces[0].Spans) == 0:
		return store.Trace{}, fmt.Errorf("%w: no span of trace %s is known", fleet.ErrNotYet, id)
	}
	return traces[0], nil
}

// Services implements store.Traces.
func (s *Store) Services(ctx context.Context, in store.Scope) ([]string, error) {
	out, err := asked[string](ctx, s, in, "/services", nil)
	slices.Sort(out)
	return out, err
}

// Operations implements store.Traces.
func (s *Store) Operations(ctx context.Context, in store.Scope, service string) ([]string, error) {
	out, err := asked[string](ctx, s, in, "/services/"+url.PathEscape(service)+"/operations", nil)
	slices.Sort(out)
	return out, err
}

// asked asks Jaeger's API for a list.
func asked[T any](ctx context.Context, s *Store, in store.Scope, path string, args url.Values) ([]T, error) {
	resp, err := s.get(ctx, in, s.config.TracesOut+"/select/jaeger/api"+path, args)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var out struct {
		Data []T `json:"data"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
		return nil, fmt.Errorf("reading traces: %w", err)
	}
	return out.Data, nil
}

func traceArgs(what store.TraceSearch) (url.Values, error) {
	args := url.Values{}
	set := func(name, value string, wanted bool) {
		if wanted {
			args.Set(name, value)
		}
	}
	set("service", what.Service, what.Service != "")
	set("operation", what.Operation, what.Operation != "")
	set("start", strconv.FormatInt(what.Start.UnixMicro(), 10), !what.Start.IsZero())
	// Jaeger's end counts, and ours does not.
	set("end", strconv.FormatInt(what.End.UnixMicro()-1, 10), !what.End.IsZero())
	set("minDuration", what.Least.String(), what.Least > 0)
	set("maxDuration", what.Most.String(), what.Most > 0)
	set("limit", strconv.Itoa(what.Limit), what.Limit > 0)
	tags := map[string]string{}
	for _, m := range what.Labels {
		if m.Type != labels.MatchEqual {
			return nil, fmt.Errorf("%w: traces are searched by labels that are equal to a value, and not by %s", fleet.ErrInvalid, m)
		}
		if value, twice := tags[m.Name]; twice && value != m.Value {
			return nil, fmt.Errorf("%w: the label %s of a search of traces has two values", fleet.ErrInvalid, m.Name)
		}
		tags[m.Name] = m.Value
	}
	if len(tags) > 0 {
		text, err := json.Marshal(tags)
		if err != nil {
			return nil, err
		}
		args.Set("tags", string(text))
	}
	return args, nil
}
