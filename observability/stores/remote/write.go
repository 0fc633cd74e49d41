package remote

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// batch is how many samples one request of remote write carries at most.
const batch = 50_000

// Write sends samples as the tenant's. Where it is more than one request and a later one fails,
// the earlier ones were kept: sending all again does no harm.
func (a *API) Write(ctx context.Context, of store.Tenant, series []store.Series, more url.Values) error {
	if t, err := store.ParseTenant(string(of)); err != nil || t != of {
		return fmt.Errorf("%w: a write needs the name of a tenant, and has %q", fleet.ErrInvalid, of)
	}
	address, err := url.Parse(a.config.Write)
	if err != nil {
		return err
	}
	query := address.Query()
	for k, v := range more {
		query[k] = v
	}
	address.RawQuery = query.Encode()
	for len(series) > 0 {
		var request prompb.WriteRequest
		samples := 0
		for len(series) > 0 && (samples == 0 || samples+len(series[0].Samples) <= batch) {
			request.Timeseries = append(request.Timeseries, encoded(of, series[0]))
			samples += max(1, len(series[0].Samples))
			series = series[1:]
		}
		if err := a.send(ctx, address.String(), &request); err != nil {
			return fmt.Errorf("writing %d series: %w", len(request.Timeseries), err)
		}
	}
	return nil
}

func encoded(of store.Tenant, s store.Series) prompb.TimeSeries {
	set := labels.NewBuilder(s.Labels).Set(store.TenantLabel, string(of)).Labels()
	out := prompb.TimeSeries{
		Labels:  make([]prompb.Label, 0, set.Len()),
		Samples: make([]prompb.Sample, len(s.Samples)),
	}
	set.Range(func(l labels.Label) {
		out.Labels = append(out.Labels, prompb.Label{Name: l.Name, Value: l.Value})
	})
	for i, sample := range s.Samples {
		out.Samples[i] = prompb.Sample{Timestamp: sample.At, Value: sample.Value}
	}
	return out
}

func (a *API) send(ctx context.Context, address string, request *prompb.WriteRequest) error {
	body, err := request.Marshal()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(snappy.Encode(nil, body)))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "snappy")
	req.Header.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	resp, err := a.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
