package victoria

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/observability/store"
	"portico.dev/portico/observability/stores/remote"
	"portico.dev/portico/observability/tenant"
)

// Store keeps metrics in a VictoriaMetrics.
type Store struct{ remote.Finder }

var _ store.Metrics = (*Store)(nil)

// New returns a store. It does not connect. The error is of kind fleet.ErrInvalid.
func New(c remote.Config) (*Store, error) {
	api, err := remote.New(c)
	if err != nil {
		return nil, err
	}
	return &Store{remote.Finder{API: api, Within: within}}, nil
}

// Write implements store.Metrics. The label of the tenant is in the samples and in the address:
// VictoriaMetrics lets the address win.
func (s *Store) Write(ctx context.Context, of store.Tenant, series []store.Series) error {
	return s.API.Write(ctx, of, series, url.Values{"extra_label": {store.TenantLabel + "=" + string(of)}})
}

// Query implements store.Metrics.
func (s *Store) Query(ctx context.Context, in store.Scope, expr parser.Expr, on store.Range, at store.Limits) (store.Answer, error) {
	scoped, err := tenant.Enforce(in, expr)
	if err != nil {
		return store.Answer{}, err
	}
	params := within(in)
	// The grid is the asker's: VictoriaMetrics moves it to fit its cache unless it is told not to,
	// and hides the newest samples.
	params.Set("nocache", "1")
	params.Set("latency_offset", "1ms")
	if on.Step == 0 {
		// Of an instant, the step is for how long a sample counts.
		params.Set("step", lookback.String())
	}
	unnamed, labelled := dropsName(scoped), asLabel(scoped)
	out, err := s.API.Query(ctx, asMetricsQL(scoped), on, at, params)
	switch {
	case err != nil:
		return store.Answer{}, err
	case labelled:
		named(out.Series)
	case unnamed:
		withoutName(out.Series)
	}
	return out, nil
}

// Select implements store.Metrics.
func (s *Store) Select(ctx context.Context, in store.Scope, matchers []*labels.Matcher, on store.Range, at store.Limits) (store.Answer, error) {
	if err := in.Check(); err != nil {
		return store.Answer{}, err
	}
	form := within(in)
	form.Set("match[]", remote.Selector(tenant.Matchers(in, matchers)))
	form.Set("start", remote.Time(on.Start))
	form.Set("end", remote.Time(on.End))
	// Without it, samples of one series come in pieces and in no order.
	form.Set("reduce_mem_usage", "0")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.API.At("/api/v1/export"), strings.NewReader(form.Encode()))
	if err != nil {
		return store.Answer{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.API.Do(req)
	if err != nil {
		return store.Answer{}, err
	}
	defer resp.Body.Close()
	series, err := remote.Lines(resp.Body, at)
	if err != nil {
		return store.Answer{}, err
	}
	out := store.Answer{Series: ended(series)}
	return out, remote.ForeignSeries(in, out.Series)
}

// within is the scope as a parameter of VictoriaMetrics, beside the matchers in the selectors.
func within(in store.Scope) url.Values {
	out := url.Values{}
	if !in.All() {
		out.Set("extra_filters[]", remote.Selector(tenant.Matchers(in, nil)))
	}
	return out
}

// lookback is for how long a sample counts as the current one, as in Prometheus.
const lookback = 5 * time.Minute
