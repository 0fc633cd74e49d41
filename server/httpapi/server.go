package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/alert"
	"portico.dev/portico/observability/cost/budget"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/explain"
	"portico.dev/portico/server/inventory/feed"
	"portico.dev/portico/server/openapi"
	"portico.dev/portico/server/places"
	"portico.dev/portico/server/rights"
	"portico.dev/portico/server/signin"
)

// Bounds of a request.
const (
	// mostTime is how long an answer may take, streams of events excepted. It is less than the
	// time in which a server wants to have read a request.
	mostTime = 45 * time.Second
	// mostBody bounds what a request may hold; a plan bounds its manifests itself.
	mostBody = 1 << 20
	// mostSearches is how many searches of logs and traces are made at a time, hisSearches how many of them
	// by one user.
	mostSearches = 16
	hisSearches  = 4
	// mostStreams is how many streams of events there may be, mostTails how many streams of logs: each of
	// these is one in every region, whose stores have 64.
	mostStreams = 500
	hisStreams  = 50
	mostTails   = 48
	hisTails    = 8
	retryAfter  = "5"
)

// Trees reads what bears on an object.
type Trees interface {
	Read(ctx context.Context, of explain.Ref) (explain.Snapshot, error)
}

// Parts are what the API is made of. What is nil is answered with 404 and the reason.
type Parts struct {
	Door  *signin.Door
	Judge *rights.Judge
	Feed  *feed.Feed
	// Trees reads with the rights of a user.
	Trees func(signin.Identity) (Trees, error)

	Logs   Logger
	Traces Tracer
	Alerts Alerter
	// AlertRules reads the report of the rules, with the rights of a user.
	AlertRules func(context.Context, signin.Identity) (alert.Report, error)
	// Kept says whether telemetry of a kind is kept anywhere; nil that it always is. Its error says what
	// has to happen, and becomes the answer 503 of all that is about the kind.
	Kept func(Kind) error
	// Budgets judges the budgets of a scope.
	Budgets func(context.Context, store.Scope) ([]budget.Judgement, error)
	// Metrics and Cost serve below MetricsPath and CostPath, which they do not see: Prometheus'
	// HTTP API, and OpenCost's.
	Metrics, Cost http.Handler
	// Plan serves POST /plan, and bounds what it reads and how long that takes. Whom a request
	// comes from is in its context: signin.From. Page serves what nobody else does.
	Plan, Page http.Handler

	Clock   fleet.Clock
	Log     *slog.Logger
	Version string
}

// Where others hang.
const (
	MetricsPath = "/metrics-api"
	CostPath    = "/cost-api"
)

// TenantHeader names the tenant whose telemetry a request is about, as the value tenant of its query
// does: for clients that cannot add one.
const TenantHeader = "X-Portico-Tenant"

type server struct {
	Parts
	searches, streams, tails *places.Places
	description              []byte
}

// New returns the API.
func New(p Parts) (http.Handler, error) {
	s := &server{
		Parts:    p,
		searches: places.New("searches", mostSearches, hisSearches), streams: places.New("streams", mostStreams, hisStreams), tails: places.New("streams of logs", mostTails, hisTails),
	}
	mux := http.NewServeMux()
	routes := s.routes()
	for _, r := range routes {
		mux.Handle(r.Method+" "+r.Path, r.handler)
	}
	if p.Page != nil {
		mux.Handle("/", p.Page)
	} else {
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			refuse(w, http.StatusNotFound, fmt.Errorf("there is nothing at %s %s; what there is: /openapi.json", r.Method, r.URL.Path))
		})
	}
	var err error
	s.description, err = json.MarshalIndent(openapi.Document(openapi.Info{
		Title: "Portico", Version: p.Version, Text: "One place to define, run and watch Kubernetes clusters: the fleet, what it says, and what it costs.",
	}, described(routes)), "", "  ")
	return unhurried(secured(mux), pieceTime), err
}

// secured says with each answer what a browser must not do with it.
func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Frame-Options", "DENY")
		h.ServeHTTP(w, r)
	})
}

// answerer answers a request, or says in an error why it does not.
type answerer func(http.ResponseWriter, *http.Request) error

// known answers requests of people who are known.
func (s *server) known(h answerer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), mostTime)
		defer cancel()
		s.answer(w, r.WithContext(ctx), bounded(h))
	})
}

// endless is known for answers that take as long as their client wants.
func (s *server) endless(h answerer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.answer(w, r, h) })
}

// bounded bounds what a request may hold.
func bounded(h answerer) answerer {
	return func(w http.ResponseWriter, r *http.Request) error {
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		return h(w, r)
	}
}

func (s *server) answer(w http.ResponseWriter, r *http.Request, h answerer) {
	who, _, err := s.Door.Identify(r)
	if err == nil {
		w.Header().Set("Cache-Control", "no-store")
		r = r.WithContext(signin.With(r.Context(), who))
		err = h(w, r)
	}
	if err != nil {
		s.fail(w, r, err)
	}
}

// scoped is known for what is about telemetry: the context says whose.
func (s *server) scoped(h answerer) http.Handler {
	return s.known(func(w http.ResponseWriter, r *http.Request) error {
		scope, err := s.Judge.Scope(r.Context(), signin.From(r.Context()), asked(r))
		if err != nil {
			return err
		}
		return h(w, r.WithContext(rights.With(r.Context(), scope)))
	})
}

// kept is an answerer about a kind of telemetry, once that is kept anywhere. It goes into scoped: whose
// telemetry is asked for is judged first.
func (s *server) kept(what Kind, h answerer) answerer {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.Kept != nil {
			if err := s.Kept(what); err != nil {
				return unkeptError{err}
			}
		}
		return h(w, r)
	}
}

// mount is somebody else's handler: where it hangs, what it is about, and what is said where it is not there.
type mount struct {
	handler       http.Handler
	path, missing string
	about         Kind
}

// mounted hands requests over.
func (s *server) mounted(m mount) http.Handler {
	return s.scoped(s.kept(m.about, func(w http.ResponseWriter, r *http.Request) error {
		if m.handler == nil {
			return absent(m.missing)
		}
		// Who it was is nobody's concern behind this line.
		r.Header.Del("Authorization")
		r.Header.Del("Cookie")
		s.discreetly(http.StripPrefix(m.path, m.handler), w, r)
		return nil
	}))
}

// unkeptError says that telemetry of a kind is kept nowhere at present.
type unkeptError struct{ why error }

func (e unkeptError) Error() string { return fleet.Sentence(e.why) }

// absentError is about a part that this plane does not have.
type absentError string

func (e absentError) Error() string {
	return string(e) + " on this plane; see docs/observability of Portico how to have it"
}

func absent(what string) error { return absentError(what) }

// fail answers with an error.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := codeOf(err)
	switch {
	case code == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case code == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", retryAfter)
	case errors.As(err, new(unkeptError)):
		w.Header().Set("Retry-After", retryAfter)
	case code >= http.StatusInternalServerError && r.Context().Err() == nil:
		s.Log.Error("a request was not answered", "method", r.Method, "path", r.URL.Path, "user", signin.From(r.Context()).Name, "error", err)
	}
	if code >= http.StatusInternalServerError && !s.runs(r) {
		err = errors.New(query.WithoutAddresses(err.Error()))
	}
	refuse(w, code, err)
}

// runs says whether a request is of somebody who may know where the plane's parts are reached: who sees
// everything.
func (s *server) runs(r *http.Request) bool {
	who := signin.From(r.Context())
	if who.Name == "" {
		return false
	}
	// The request's own time may be over, which is what it is about.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), time.Second)
	defer cancel()
	all, err := s.Judge.Everything(ctx, who)
	return err == nil && all
}

// codeOf is the status of an answer with an error.
func codeOf(err error) int {
	var (
		missing absentError
		unkept  unkeptError
		large   *http.MaxBytesError
		status  apierrors.APIStatus
	)
	switch {
	case errors.Is(err, signin.ErrUnknown):
		return http.StatusUnauthorized
	case errors.Is(err, signin.ErrForged), errors.Is(err, rights.ErrNotYours):
		return http.StatusForbidden
	case errors.As(err, &unkept):
		return http.StatusServiceUnavailable
	case errors.As(err, &missing), errors.Is(err, fleet.ErrNotYet):
		return http.StatusNotFound
	case errors.Is(err, places.ErrTaken), errors.Is(err, query.ErrBusy):
		return http.StatusTooManyRequests
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge
	case errors.Is(err, store.ErrTooMuch):
		return http.StatusUnprocessableEntity
	case errors.Is(err, fleet.ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, query.ErrNobody):
		return http.StatusBadGateway
	case errors.Is(err, feed.ErrReading):
		return http.StatusServiceUnavailable
	case errors.Is(err, context.DeadlineExceeded):
		return http.StatusGatewayTimeout
	case errors.As(err, &status):
		// The management API server refused us, or the user by whom we asked it.
		if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) {
			return int(status.Status().Code)
		}
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func refuse(w http.ResponseWriter, code int, err error) {
	text := err.Error()
	for _, kind := range []error{fleet.ErrInvalid, fleet.ErrNotYet} {
		text = strings.TrimPrefix(text, kind.Error()+": ") // the status says it
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(openapi.Error{Error: text}) // who hung up does not want it any more
}

func write(w http.ResponseWriter, answer any) error {
	text, err := json.Marshal(answer)
	if err != nil {
		return fmt.Errorf("writing the answer: %w", err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n')) // as above
	return nil
}

// take takes a place for whoever a request comes from, for as long as the returned function is not called.
func take(ctx context.Context, of *places.Places) (release func(), err error) {
	// The name alone: each token of an account has an id of its own, and would be another user.
	release, err = of.Take(signin.From(ctx).Name)
	if err != nil {
		err = fmt.Errorf("%w: try again in %s seconds", err, retryAfter)
	}
	return release, err
}
