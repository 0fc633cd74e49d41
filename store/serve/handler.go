package serve

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"portico.dev/portico/store/gate"
	"portico.dev/portico/store/keep"
	"portico.dev/portico/store/otlp"
	"portico.dev/portico/store/tables"
	"portico.dev/portico/store/wire"
)

// Prefixes are what stands before the paths, each served beside the bare path. VMAuth takes them off.
type Prefixes struct {
	LogsIn    []string `yaml:"logsIn"`
	LogsOut   []string `yaml:"logsOut"`
	TracesIn  []string `yaml:"tracesIn"`
	TracesOut []string `yaml:"tracesOut"`
}

// DefaultPrefixes are those of KOF, audit logs among them.
func DefaultPrefixes() Prefixes {
	return Prefixes{LogsIn: []string{"/vli", "/vlai"}, LogsOut: []string{"/vls", "/vlas"}, TracesIn: []string{"/vti"}, TracesOut: []string{"/vts"}}
}

// Config is what the handler needs to know.
type Config struct {
	Prefixes Prefixes
	Users    Users
	// BodyBytes is how big a request may be as it is sent.
	BodyBytes int64
	// Requests is how many writes, and Searches how many searches, are worked on at a time.
	Requests, Searches int
	// SearchTime bounds a search; Records its answer.
	SearchTime time.Duration
	Records    int
	// FullStatus answers a write for which there is no room.
	FullStatus int
	// Metrics takes writes of metrics; nil where there is no store of metrics behind this one.
	Metrics Metrics
}

// Metrics takes writes of metrics.
type Metrics interface {
	// Write answers a write, which is the tenant's; where there is none, the request says whose it is.
	Write(w http.ResponseWriter, r *http.Request, tenant string)
	// WriteMetrics adds figures to those of the store.
	WriteMetrics(w io.Writer)
}

// Handler serves a keeper.
type Handler struct {
	cfg      Config
	keeper   *keep.Keeper
	clock    func() time.Time
	log      *slog.Logger
	writes   chan struct{}
	searches chan struct{}
	mux      *http.ServeMux
	metrics  metrics
}

// New returns a handler.
func New(cfg Config, keeper *keep.Keeper, world keep.World) *Handler {
	h := &Handler{
		cfg: cfg, keeper: keeper, clock: world.Clock, log: world.Log,
		writes:   make(chan struct{}, cfg.Requests),
		searches: make(chan struct{}, cfg.Searches),
		mux:      http.NewServeMux(),
	}
	p := cfg.Prefixes
	h.serve("POST", p.LogsIn, "/insert/opentelemetry/v1/logs", h.write(otlp.Logs))
	h.serve("POST", p.TracesIn, "/insert/opentelemetry/v1/traces", h.write(otlp.Traces))
	for _, method := range []string{"GET", "POST"} {
		h.serve(method, p.LogsOut, "/select/portico/logs", h.search(h.searchLogs))
		h.serve(method, p.LogsOut, "/select/portico/logs/tail", h.tail)
		h.serve(method, p.LogsOut, "/select/portico/names", h.search(h.names))
	}
	h.serve("GET", p.TracesOut, "/select/jaeger/api/services", h.search(h.services))
	h.serve("GET", p.TracesOut, "/select/jaeger/api/services/{service}/operations", h.search(h.operationNames))
	h.serve("GET", p.TracesOut, "/select/jaeger/api/operations", h.search(h.operations))
	h.serve("GET", p.TracesOut, "/select/jaeger/api/traces", h.search(h.searchTraces))
	h.serve("GET", p.TracesOut, "/select/jaeger/api/traces/{id}", h.search(h.trace))
	h.serve("GET", p.TracesOut, "/select/jaeger/api/dependencies", h.search(h.dependencies))
	if cfg.Metrics != nil {
		for _, path := range gate.Paths() {
			h.serve("POST", nil, path, func(w http.ResponseWriter, r *http.Request, user User) { cfg.Metrics.Write(w, r, user.Tenant) })
		}
	}
	h.mux.HandleFunc("GET /health", h.health)
	h.mux.HandleFunc("GET /metrics", h.authorised(h.serveMetrics))
	return h
}

// action is a request of a user.
type action func(w http.ResponseWriter, r *http.Request, user User)

func (h *Handler) serve(method string, prefixes []string, path string, do action) {
	seen := map[string]bool{}
	for _, prefix := range append([]string{""}, prefixes...) {
		prefix = strings.TrimSuffix(prefix, "/")
		if !seen[prefix] {
			seen[prefix] = true
			h.mux.HandleFunc(method+" "+prefix+path, h.authorised(do))
		}
	}
}

// ServeHTTP serves a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

func (h *Handler) authorised(do action) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, ok := h.cfg.Users.Find(r)
		if !ok {
			w.Header().Set("WWW-Authenticate", `Basic realm="portico-store"`)
			fail(w, http.StatusUnauthorized, errors.New("expected the name and password, or the token, of a user of this store"))
			return
		}
		do(w, r, user)
	}
}

// health answers as long as the store runs. That it is full is no reason to restart it.
func (h *Handler) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("OK\n"))
}

// status is the answer to an error.
func (h *Handler) status(err error) int {
	var tooBig *http.MaxBytesError
	switch {
	case errors.Is(err, keep.ErrFull):
		return h.cfg.FullStatus
	case errors.Is(err, keep.ErrTooBig), errors.As(err, &tooBig):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, otlp.ErrInvalid), errors.Is(err, errScope), errors.Is(err, errArgument):
		return http.StatusBadRequest
	case errors.Is(err, errForbidden):
		return http.StatusForbidden
	case errors.Is(err, tables.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, tables.ErrTooMuch):
		return http.StatusUnprocessableEntity
	}
	return http.StatusServiceUnavailable
}

func fail(w http.ResponseWriter, status int, err error) {
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	reply(w, status, wire.Failure{Error: err.Error()})
}

func reply(w http.ResponseWriter, status int, what any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The one who asked may be gone.
	_ = json.NewEncoder(w).Encode(what)
}
