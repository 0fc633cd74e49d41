package app

import (
	"context"
	"errors"
	"sync"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/cost/metrics"
	"portico.dev/portico/observability/fleetmetrics"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/httpapi"
)

// spentEvery is how often costs are computed for metrics: they change with what runs, and are read from
// all samples of a quarter of an hour.
const spentEvery = 5 * time.Minute

// spent is what runs now costs, computed when somebody asks and it is not too old.
type spent struct {
	*plane
	source *metrics.Source

	mu   sync.Mutex
	busy bool
	due  time.Time
	last []fleetmetrics.Cost
}

func (p *plane) newSpent() (*spent, error) {
	regions, err := p.telemetry()
	if err != nil {
		return nil, err
	}
	return &spent{plane: p, source: metrics.New(query.Whole{Engine: regions}, p.env.Now, metrics.Options{})}, nil
}

// hourly is what each namespace costs in an hour, as it was computed last. Who asks does not wait for the
// next time, which begins then.
func (s *spent) hourly() []fleetmetrics.Cost {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.env.Now(); !s.busy && !now.Before(s.due) && s.kept(httpapi.CostKind) == nil {
		s.busy = true
		go s.refresh(now)
	}
	return s.last
}

// refresh computes anew. An error leaves what was known before; what is empty is looked at again soon.
func (s *spent) refresh(now time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	all, err := s.compute(ctx, now)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = false
	if err != nil {
		s.log.Warn("what the fleet costs is not told", "reason", err)
		s.due = now.Add(spentEvery)
		return
	}
	if s.last = all; len(all) > 0 {
		s.due = now.Add(spentEvery)
	}
}

func (s *spent) compute(ctx context.Context, now time.Time) ([]fleetmetrics.Cost, error) {
	terms, _, err := s.costs.terms()
	if errors.Is(err, fleet.ErrNotYet) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	q := fleetmetrics.CostQuestion(now, terms)
	facts, err := s.source.Facts(ctx, store.Everybody(), q.Window)
	if err != nil {
		return nil, err
	}
	return fleetmetrics.CostsOf(facts, terms.Book, q)
}
