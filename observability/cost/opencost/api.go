package opencost

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

// Source gives facts. It is safe for concurrent use.
type Source interface {
	// Facts returns what is known of the scope's clusters in a window, and of nobody else's. An
	// error of kind fleet.ErrInvalid says that the question is wrong or too big.
	Facts(ctx context.Context, in store.Scope, over window.Window) (cost.Facts, error)
}

// SourceFunc is a Source that is a function.
type SourceFunc func(ctx context.Context, in store.Scope, over window.Window) (cost.Facts, error)

// Facts calls the function.
func (f SourceFunc) Facts(ctx context.Context, in store.Scope, over window.Window) (cost.Facts, error) {
	return f(ctx, in, over)
}

// ErrDenied means that who asks may not see costs.
var ErrDenied = errors.New("denied")

// API is what the handlers need. All fields have to be there.
type API struct {
	Source Source
	// Access says whose costs a request may see. ErrDenied becomes the answer 403.
	Access func(*http.Request) (store.Scope, error)
	// Terms returns the prices in force, and what is shared where a request does not say so. An error
	// of kind fleet.ErrNotYet says that they are not known yet.
	Terms func() (cost.Terms, error)
	Clock fleet.Clock
}

// Handler serves /allocation, /allocation/compute and /assets.
func (a API) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /allocation", a.serve(a.allocation))
	mux.HandleFunc("GET /allocation/compute", a.serve(a.allocation))
	mux.HandleFunc("GET /assets", a.serve(a.assets))
	return mux
}

// response is OpenCost's envelope.
type response struct {
	Code    int    `json:"code"`
	Status  string `json:"status"`
	Data    any    `json:"data"`
	Message string `json:"message,omitempty"`
	Warning string `json:"warning,omitempty"`
	// Currency is what amounts are in; OpenCost does not say it.
	Currency string `json:"currency,omitempty"`
}

// found is what a handler found, with notes for a person.
type found struct {
	data     any
	currency string
	notes    []string
}

// asker is a request whose scope is known.
type asker struct {
	ctx   context.Context
	in    store.Scope
	query query
}

func (a API) serve(answer func(asker) (found, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var f found
		in, err := a.Access(r)
		if err == nil {
			err = in.Check()
		}
		if err == nil {
			f, err = answer(asker{r.Context(), in, query{values: r.URL.Query()}})
		}
		out := response{Code: http.StatusOK, Status: "success", Data: f.data, Warning: strings.Join(f.notes, "; "), Currency: f.currency}
		if err != nil {
			out = response{Code: code(err), Status: "error", Message: err.Error()}
		}
		body, err := json.Marshal(out)
		if err != nil {
			out.Code = http.StatusInternalServerError
			body = []byte(`{"code":500,"status":"error","data":null,"message":"writing the answer"}`)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(out.Code)
		// Whoever went away does not read the answer, and nobody is left to tell.
		_, _ = w.Write(body)
	}
}

func code(err error) int {
	switch {
	case errors.Is(err, ErrDenied):
		return http.StatusForbidden
	case errors.Is(err, fleet.ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, fleet.ErrNotYet):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func (a API) facts(of asker, over window.Window) (cost.Facts, error) {
	f, err := a.Source.Facts(of.ctx, of.in, over)
	if err != nil {
		return f, fmt.Errorf("reading the facts of %s: %w", over, err)
	}
	return f.Of(of.in), nil
}

// terms are those for a scope. A fixed amount is borne by all tenants: how much of it is one tenant's,
// the facts of that tenant alone do not tell.
func (a API) terms(in store.Scope) (cost.Terms, error) {
	t, err := a.Terms()
	if len(t.Shares.Fixed) > 0 && !in.All() {
		t.Shares.Fixed = nil
		t.Notes = append(slices.Clip(t.Notes), "fixed amounts, which all tenants share, are left out")
	}
	return t, err
}

func (a API) allocation(of asker) (found, error) {
	terms, err := a.terms(of.in)
	if err != nil {
		return found{}, err
	}
	ask, err := of.query.allocation(a.Clock(), terms)
	if err != nil {
		return found{}, err
	}
	facts, err := a.facts(of, ask.question.Window)
	if err != nil {
		return found{}, err
	}
	var answers []cost.Answer
	for _, w := range ask.steps {
		q := ask.question
		q.Window = w
		one, err := cost.Compute(facts, terms.Book, q)
		if err != nil {
			return found{}, err
		}
		// Assets are not asked for, and there may be many steps.
		one.Assets = nil
		answers = append(answers, one)
	}
	all := cost.Accumulate(answers)
	if ask.accumulate {
		answers = []cost.Answer{all}
	}
	sets := make([]map[string]allocationJSON, len(answers))
	for i, one := range answers {
		sets[i] = setOf(one)
	}
	return found{sets, terms.Book.Currency(), slices.Concat(terms.Notes, all.Notes, of.query.ignored())}, nil
}

func (a API) assets(of asker) (found, error) {
	terms, err := a.terms(of.in)
	if err != nil {
		return found{}, err
	}
	ask, err := of.query.assets(a.Clock())
	if err != nil {
		return found{}, err
	}
	facts, err := a.facts(of, ask.over)
	if err != nil {
		return found{}, err
	}
	answer, err := cost.Compute(facts, terms.Book, cost.Question{Window: ask.over, By: []cost.Property{cost.ByCluster}})
	if err != nil {
		return found{}, err
	}
	// Two lives of one node have one name, and are one asset here.
	answer = cost.Accumulate([]cost.Answer{answer})
	return found{assetsOf(answer, ask.by), terms.Book.Currency(), slices.Concat(terms.Notes, answer.Notes, of.query.ignored())}, nil
}
