package planning

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"portico.dev/portico/fleet"
)

// mostBytes bounds the manifests of a request.
const mostBytes = 16 << 20

// Handler answers POST /plan: the body are manifests in YAML or JSON, the answer is a plan.Plan as
// JSON. The query may hold namespace (of objects that name none), delete=true and diff=true.
// Planners returns a planner with the rights of whoever asks; what it returns as an error of kind
// fleet.ErrInvalid is answered with 401.
func Handler(planners func(*http.Request) (*Planner, error)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /plan", func(w http.ResponseWriter, r *http.Request) {
		p, err := planners(r)
		if err != nil {
			refuse(w, http.StatusUnauthorized, err)
			return
		}
		answer(w, r, p)
	})
	return mux
}

func answer(w http.ResponseWriter, r *http.Request, p *Planner) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBytes))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Errorf("reading the manifests: %w: send %d MiB at most", err, mostBytes>>20))
		return
	}
	query := r.URL.Query()
	namespace := query.Get("namespace")
	if namespace == "" {
		namespace = p.Adapter.Home
	}
	m, err := Parse(p.Kube.Scheme(), "the request", namespace, text)
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	made, err := p.Plan(r.Context(), m, Options{Delete: query.Get("delete") == "true", Diffs: query.Get("diff") == "true"})
	var status apierrors.APIStatus
	switch {
	case errors.As(err, &status) && status.Status().Code != 0:
		refuse(w, int(status.Status().Code), err)
	case errors.Is(err, fleet.ErrInvalid):
		refuse(w, http.StatusBadRequest, err)
	case err != nil:
		refuse(w, http.StatusInternalServerError, err)
	default:
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(made) // who hung up does not want it any more
	}
}

// refuse answers with the error as JSON.
func refuse(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()}) // as above
}
