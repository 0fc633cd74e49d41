package query

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/prometheus/promql/parser"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// Whole is all regions, for those who ask as if they were one store. What an answer lacks is among
// its warnings, and the limits are the engine's. That no region answers, and that too many ask, are of kind
// fleet.ErrNotYet: both pass by themselves.
type Whole struct{ Engine *Engine }

// Query evaluates an expression on the grid.
func (w Whole) Query(ctx context.Context, in store.Scope, expr parser.Expr, on store.Range, _ store.Limits) (store.Answer, error) {
	got, err := w.Engine.Query(ctx, in, expr, on)
	switch {
	case errors.Is(err, ErrNobody), errors.Is(err, ErrBusy):
		return store.Answer{}, fmt.Errorf("%w: %w", fleet.ErrNotYet, err)
	case err != nil:
		return store.Answer{}, err
	}
	return store.Answer{Series: got.Series, Warnings: got.Warnings}, nil
}
