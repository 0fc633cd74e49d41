package prometheus

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/stores/remote"
	"portico.dev/portico/observability/tenant"
)

// Store keeps metrics in a Prometheus.
type Store struct{ remote.Finder }

var _ store.Metrics = (*Store)(nil)

// New returns a store. It does not connect. The error is of kind fleet.ErrInvalid.
func New(c remote.Config) (*Store, error) {
	api, err := remote.New(c)
	if err != nil {
		return nil, err
	}
	return &Store{remote.Finder{API: api}}, nil
}

// Write implements store.Metrics.
func (s *Store) Write(ctx context.Context, of store.Tenant, series []store.Series) error {
	return s.API.Write(ctx, of, series, nil)
}

// Query implements store.Metrics.
func (s *Store) Query(ctx context.Context, in store.Scope, expr parser.Expr, on store.Range, at store.Limits) (store.Answer, error) {
	scoped, err := tenant.Enforce(in, expr)
	if err != nil {
		return store.Answer{}, err
	}
	return s.API.Query(ctx, scoped.String(), on, at, nil)
}

// Select implements store.Metrics.
func (s *Store) Select(ctx context.Context, in store.Scope, matchers []*labels.Matcher, on store.Range, at store.Limits) (store.Answer, error) {
	if err := in.Check(); err != nil {
		return store.Answer{}, err
	}
	wanted, err := asMatchers(tenant.Matchers(in, matchers))
	if err != nil {
		return store.Answer{}, err
	}
	got, err := s.read(ctx, &prompb.ReadRequest{
		Queries: []*prompb.Query{{
			StartTimestampMs: on.Start.UnixMilli(), EndTimestampMs: on.End.UnixMilli(), Matchers: wanted,
		}},
		AcceptedResponseTypes: []prompb.ReadRequest_ResponseType{prompb.ReadRequest_SAMPLES},
	}, at)
	if err != nil {
		return store.Answer{}, err
	}
	out, err := fromRead(got, at)
	if err != nil {
		return store.Answer{}, err
	}
	return out, remote.ForeignSeries(in, out.Series)
}

// perSample and perSeries are what a sample and the labels of a series may take in an answer of
// remote read: an answer that is longer than the limits allow is not read to its end.
const (
	perSample = 32
	perSeries = 64 << 10
	unbounded = 1 << 30
)

func (s *Store) read(ctx context.Context, request *prompb.ReadRequest, at store.Limits) (*prompb.ReadResponse, error) {
	body, err := request.Marshal()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.API.At("/api/v1/read"), bytes.NewReader(snappy.Encode(nil, body)))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("X-Prometheus-Remote-Read-Version", "0.1.0")
	resp, err := s.API.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	most := longest(at)
	packed, err := io.ReadAll(io.LimitReader(resp.Body, int64(most)+1))
	if err != nil {
		return nil, fmt.Errorf("reading samples: %w", err)
	}
	size, err := snappy.DecodedLen(packed)
	switch {
	case len(packed) > most || err == nil && size > most:
		return nil, fmt.Errorf("%w: the answer has more than %d bytes; ask for fewer series or a shorter range", store.ErrTooMuch, most)
	case err != nil:
		return nil, fmt.Errorf("reading samples: %w", err)
	}
	plain, err := snappy.Decode(nil, packed)
	if err != nil {
		return nil, fmt.Errorf("reading samples: %w", err)
	}
	var out prompb.ReadResponse
	if err := out.Unmarshal(plain); err != nil {
		return nil, fmt.Errorf("reading samples: %w", err)
	}
	return &out, nil
}

// longest is how many bytes an answer may have.
func longest(at store.Limits) int {
	if at.Samples == 0 {
		return unbounded
	}
	series := at.Series
	if series == 0 || series > at.Samples {
		series = at.Samples
	}
	return min(unbounded, at.Samples*perSample+series*perSeries)
}
