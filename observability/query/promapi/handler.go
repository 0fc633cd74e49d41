package promapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/prometheus/prometheus/model/labels"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/query/engine"
	"portico.dev/portico/observability/store"
)

// Who says whose data a request may see. An error refuses it; its text is shown to the asker.
type Who func(*http.Request) (store.Scope, error)

// longest is how many bytes of a request's body are read.
const longest = 1 << 20

// New returns a handler for the paths below /api/v1/ of Prometheus, and for /federate.
func New(e *query.Engine, who Who, clock fleet.Clock) http.Handler {
	h := &handler{engine: e, who: who, clock: clock}
	mux := http.NewServeMux()
	for path, serve := range map[string]func(request) (answer, error){
		"/api/v1/query":        h.query,
		"/api/v1/query_range":  h.queryRange,
		"/api/v1/series":       h.series,
		"/api/v1/labels":       h.labelNames,
		"/api/v1/format_query": h.format,
	} {
		mux.HandleFunc("GET "+path, h.scoped(serve))
		mux.HandleFunc("POST "+path, h.scoped(serve))
	}
	mux.HandleFunc("GET /api/v1/label/{name}/values", h.scoped(h.labelValues))
	mux.HandleFunc("GET /api/v1/metadata", h.scoped(h.metadata))
	mux.HandleFunc("GET /api/v1/status/buildinfo", h.scoped(h.buildinfo))
	mux.HandleFunc("/", h.scoped(h.refused))
	return mux
}

type handler struct {
	engine *query.Engine
	who    Who
	clock  fleet.Clock
}

// request is one that was let in, with the parameters of its address and its body.
type request struct {
	*http.Request
	scope store.Scope
}

// errForbidden refuses what is not served to anybody.
var errForbidden = errors.New("not served")

func (h *handler) scoped(serve func(request) (answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		scope, err := h.who(r)
		if err == nil {
			err = scope.Check()
		}
		if err != nil {
			refuse(w, http.StatusForbidden, "forbidden", err)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, longest)
		if err := r.ParseForm(); err != nil {
			refuse(w, http.StatusBadRequest, "bad_data", fmt.Errorf("reading the parameters: %w", err))
			return
		}
		a, err := serve(request{Request: r, scope: scope})
		if err != nil {
			status, kind := statusOf(err)
			refuse(w, status, kind, err)
			return
		}
		a.write(w)
	}
}

// statusOf says how Prometheus would answer an error.
func statusOf(err error) (status int, kind string) {
	switch {
	case errors.Is(err, errForbidden):
		return http.StatusForbidden, "forbidden"
	case errors.Is(err, store.ErrTooMuch):
		return http.StatusUnprocessableEntity, "execution"
	case errors.Is(err, fleet.ErrInvalid):
		return http.StatusBadRequest, "bad_data"
	case errors.Is(err, query.ErrBusy):
		return http.StatusTooManyRequests, "unavailable"
	case errors.Is(err, context.Canceled):
		return 499, "canceled"
	case errors.Is(err, query.ErrNobody):
		return http.StatusBadGateway, "unavailable"
	}
	return http.StatusInternalServerError, "internal"
}

func (h *handler) query(r request) (answer, error) {
	at, err := timeOf(r, "time", h.clock())
	if err != nil {
		return answer{}, err
	}
	return h.evaluate(r, store.Range{Start: at, End: at})
}

func (h *handler) queryRange(r request) (answer, error) {
	on, err := rangeOf(r, store.Range{})
	if err != nil {
		return answer{}, err
	}
	if on.Step, err = stepOf(r.Form.Get("step")); err != nil {
		return answer{}, err
	}
	return h.evaluate(r, on)
}

func (h *handler) evaluate(r request, on store.Range) (answer, error) {
	expr, err := engine.Parse(r.Form.Get("query"))
	if err != nil {
		return answer{}, err
	}
	ctx, cancel, err := within(r)
	if err != nil {
		return answer{}, err
	}
	defer cancel()
	got, err := h.engine.Query(ctx, r.scope, expr, on)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			err = fmt.Errorf("%w: it took longer than the %s that it asked for", store.ErrTooMuch, r.Form.Get("timeout"))
		}
		return answer{}, err
	}
	return answer{coverage: got.Coverage, data: resultOf(got, on)}, nil
}

// selectors reads the match[] parameters, all of them.
func selectors(r request) ([][]*labels.Matcher, error) {
	return engine.ParseSelectors(r.Form["match[]"])
}

// discovered is the range of questions about series and labels that name none, as Prometheus'
// clients expect it: what is there now, and was there some hours ago.
func (h *handler) discovered(r request) (store.Range, [][]*labels.Matcher, error) {
	now := h.clock()
	on, err := rangeOf(r, store.Range{Start: now.Add(-recent), End: now})
	if err != nil {
		return on, nil, err
	}
	matchers, err := selectors(r)
	return on, matchers, err
}

func (h *handler) series(r request) (answer, error) {
	on, matchers, err := h.discovered(r)
	if err != nil {
		return answer{}, err
	}
	if len(matchers) == 0 {
		return answer{}, fmt.Errorf("%w: no match[] parameter: name the series that are wanted", fleet.ErrInvalid)
	}
	sets, coverage, err := h.engine.Series(r.Context(), r.scope, matchers, on)
	if err != nil {
		return answer{}, err
	}
	sets, coverage, err = cut(r, sets, coverage)
	return answer{coverage: coverage, data: setsOf(sets)}, err
}

func (h *handler) labelNames(r request) (answer, error) {
	on, matchers, err := h.discovered(r)
	if err != nil {
		return answer{}, err
	}
	names, coverage, err := h.engine.LabelNames(r.Context(), r.scope, matchers, on)
	if err != nil {
		return answer{}, err
	}
	names, coverage, err = cut(r, names, coverage)
	return answer{coverage: coverage, data: wordsOf(names)}, err
}

func (h *handler) labelValues(r request) (answer, error) {
	on, matchers, err := h.discovered(r)
	if err != nil {
		return answer{}, err
	}
	values, coverage, err := h.engine.LabelValues(r.Context(), r.scope, r.PathValue("name"), matchers, on)
	if err != nil {
		return answer{}, err
	}
	values, coverage, err = cut(r, values, coverage)
	return answer{coverage: coverage, data: wordsOf(values)}, err
}

// cut leaves as many as the parameter limit wants, and says so.
func cut[T any](r request, all []T, c query.Coverage) ([]T, query.Coverage, error) {
	text := r.Form.Get("limit")
	if text == "" {
		return all, c, nil
	}
	limit, err := strconv.Atoi(text)
	switch {
	case err != nil || limit < 0:
		return nil, c, fmt.Errorf("%w: the parameter limit is %q, expected a number that is not negative", fleet.ErrInvalid, text)
	case limit == 0 || len(all) <= limit:
		return all, c, nil
	}
	c.Warnings = append(c.Warnings, "results truncated due to limit")
	return all[:limit], c, nil
}

// metadata answers with nothing: what a metric means is kept by the stores without a tenant, so
// that even the names in it would tell of others' metrics.
func (h *handler) metadata(request) (answer, error) {
	return answer{data: func(b []byte) []byte { return append(b, "{}"...) }}, nil
}

func (h *handler) buildinfo(request) (answer, error) {
	return answer{data: func(b []byte) []byte {
		return append(b, `{"version":"3.0.0","application":"Portico"}`...)
	}}, nil
}

func (h *handler) format(r request) (answer, error) {
	expr, err := engine.Parse(r.Form.Get("query"))
	if err != nil {
		return answer{}, err
	}
	return answer{data: func(b []byte) []byte { return quoted(b, expr.Pretty(0)) }}, nil
}

func (h *handler) refused(r request) (answer, error) {
	return answer{}, fmt.Errorf("%w: %s %s; the query API serves query, query_range, series, labels, label values and metadata", errForbidden, r.Method, r.URL.Path)
}
