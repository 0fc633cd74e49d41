package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// WriteLogs implements store.Logs.
func (s *Store) WriteLogs(ctx context.Context, of store.Tenant, logs plog.Logs) error {
	body, err := plogotlp.NewExportRequestFromLogs(logs).MarshalProto()
	if err != nil {
		return fmt.Errorf("encoding logs: %w", err)
	}
	return s.insert(ctx, s.config.LogsIn+"/insert/opentelemetry/v1/logs", of, body)
}

// SearchLogs implements store.Logs.
func (s *Store) SearchLogs(ctx context.Context, in store.Scope, what store.LogSearch) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		args, err := logArgs(what)
		if err != nil {
			yield(store.Record{}, err)
			return
		}
		resp, err := s.get(ctx, in, s.config.LogsOut+"/select/portico/logs", args)
		if err != nil {
			yield(store.Record{}, err)
			return
		}
		defer resp.Body.Close()
		lines := json.NewDecoder(resp.Body)
		for {
			record, err := nextRecord(lines)
			if errors.Is(err, errEnd) {
				return
			}
			if err == nil && !in.All() && record.Tenant != in.Tenant() {
				err = fmt.Errorf("the store answered a search of tenant %q with a record of somebody else", in.Tenant())
				record = store.Record{}
			}
			if !yield(record, err) || err != nil {
				return
			}
		}
	}
}

func logArgs(what store.LogSearch) (url.Values, error) {
	args := url.Values{"text": what.Text, "order": {"oldest"}}
	if what.Newest {
		args.Set("order", "newest")
	}
	if !what.Start.IsZero() {
		args.Set("start", strconv.FormatInt(what.Start.UnixNano(), 10))
	}
	if !what.End.IsZero() {
		args.Set("end", strconv.FormatInt(what.End.UnixNano(), 10))
	}
	for _, m := range what.Labels {
		if m.Name == "" || strings.ContainsAny(m.Name, "=!") {
			return nil, fmt.Errorf("%w: logs cannot be searched by a label with the name %q: expected one without = and ! in it", fleet.ErrInvalid, m.Name)
		}
		args.Add("label", m.Name+m.Type.String()+m.Value)
	}
	if what.Severity > 0 {
		args.Set("severity", strconv.Itoa(what.Severity))
	}
	if what.Limit > 0 {
		args.Set("limit", strconv.Itoa(what.Limit))
	}
	return args, nil
}

// line is one line of the answer: a record, the end, why there is no end, or a word to those who follow.
type line struct {
	Record *struct {
		Time       time.Time         `json:"time"`
		Tenant     string            `json:"tenant"`
		Severity   int               `json:"severity"`
		Body       string            `json:"body"`
		Resource   map[string]string `json:"resource"`
		Attributes map[string]string `json:"attributes"`
		TraceID    string            `json:"traceId"`
		SpanID     string            `json:"spanId"`
	} `json:"record"`
	End   *struct{} `json:"end"`
	Error string    `json:"error"`
	// Begin and Skipped are said to those who follow.
	Begin   *struct{} `json:"begin"`
	Skipped int       `json:"skipped"`
}

var errEnd = errors.New("the answer is whole")

// nextRecord reads a line. An answer that stops without its last line was cut off.
func nextRecord(lines *json.Decoder) (store.Record, error) {
	var l line
	err := lines.Decode(&l)
	switch {
	case errors.Is(err, io.EOF):
		return store.Record{}, errors.New("reading the answer to a search: it ends before it is whole; ask again")
	case err != nil:
		return store.Record{}, fmt.Errorf("reading the answer to a search: %w", err)
	case l.Error != "":
		return store.Record{}, fmt.Errorf("searching: %s", l.Error)
	case l.Record == nil:
		return store.Record{}, errEnd
	}
	return l.record(), nil
}

func (l line) record() store.Record {
	r := l.Record
	return store.Record{
		Time: r.Time, Tenant: store.Tenant(r.Tenant), Severity: r.Severity, Body: r.Body,
		Resource: r.Resource, Attributes: r.Attributes, TraceID: r.TraceID, SpanID: r.SpanID,
	}
}
