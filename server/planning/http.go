package planning

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"portico.dev/portico/fleet"
	"portico.dev/portico/server/places"
	"portico.dev/portico/server/signin"
)

// mostBytes bounds the manifests of a request.
const mostBytes = 16 << 20

// Bounds of what all who ask may have at a time: a plan takes a processor and a copy of the fleet, and
// manifests that wait for one take memory.
const (
	mostPlans = 2
	mostTime  = time.Minute
	// mostRead is how many requests may be read at a time, and hisRead how many of one user. Whoever
	// sends slowly takes one of these, and not the place of somebody's plan.
	mostRead = 16
	hisRead  = 4
	// hisPlans is how many of the plans are one user's.
	hisPlans = 1
	// retryAfter is what is said to whoever comes when that many are made, in seconds.
	retryAfter = "10"
)

// Handler answers POST /plan: the body are manifests in YAML or JSON, the answer is a plan.Plan as
// JSON. The query may hold namespace (of objects that name none), delete=true and diff=true.
// Planners returns a planner with the rights of whoever asks, and makes sure of who that is: nothing
// of the body is read before. What it returns as an error of kind fleet.ErrInvalid is answered with
// 401. Two plans are made at a time, one of each user; whoever comes then is answered with 429. Who a
// user is stands in the context: signin.From.
func Handler(planners func(*http.Request) (*Planner, error)) http.Handler {
	h := &handler{
		planners: planners,
		reading:  places.New("requests", mostRead, hisRead), making: places.New("plans", mostPlans, hisPlans),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /plan", h.serve)
	return mux
}

type handler struct {
	planners        func(*http.Request) (*Planner, error)
	reading, making *places.Places
}

func (h *handler) serve(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), mostTime)
	defer cancel()
	r = r.WithContext(ctx)
	p, err := h.planners(r)
	if err != nil {
		refuse(w, codeOf(err, http.StatusUnauthorized), err)
		return
	}
	user := signin.From(ctx).Name // each token of an account has an id of its own, and would be another user
	leave, err := h.reading.Take(user)
	if err != nil {
		later(w, err)
		return
	}
	defer leave()
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBytes))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Errorf("reading the manifests: %w: send %d MiB at most", err, mostBytes>>20))
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, fmt.Errorf("reading the manifests: %w", err))
		return
	}
	release, err := h.making.Take(user)
	if err != nil {
		later(w, err)
		return
	}
	defer release()
	answer(w, r, asked{p, text})
}

// later answers whoever finds no place.
func later(w http.ResponseWriter, err error) {
	w.Header().Set("Retry-After", retryAfter)
	refuse(w, http.StatusTooManyRequests, fmt.Errorf("%w: try again in %s seconds", err, retryAfter))
}

// asked is a question: by whom it is answered, and the manifests.
type asked struct {
	*Planner
	manifests []byte
}

func answer(w http.ResponseWriter, r *http.Request, p asked) {
	query := r.URL.Query()
	namespace := query.Get("namespace")
	if namespace == "" {
		namespace = p.Adapter.Home
	}
	m, err := Parse(p.Kube.Scheme(), "the request", namespace, p.manifests)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	made, err := p.Plan(r.Context(), m, Options{Delete: query.Get("delete") == "true", Diffs: query.Get("diff") == "true"})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		refuse(w, http.StatusServiceUnavailable, fmt.Errorf("the plan was not ready within %s: plan fewer objects at once, or without diff: %w", mostTime, err))
	case err != nil:
		refuse(w, codeOf(err, http.StatusBadRequest), err)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(made) // who hung up does not want it any more
	}
}

// codeOf is the status of an answer with an error: the API server's own if it is the API server's,
// and invalid for what the asker has to change.
func codeOf(err error, invalid int) int {
	var status apierrors.APIStatus
	switch {
	case errors.As(err, &status) && status.Status().Code != 0:
		return int(status.Status().Code)
	case errors.Is(err, fleet.ErrInvalid):
		return invalid
	}
	return http.StatusInternalServerError
}

// refuse answers with the error as JSON.
func refuse(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) // as above
}
