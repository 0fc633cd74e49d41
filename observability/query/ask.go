package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// each asks all regions at once, and returns what those that answered said, in the order of their
// names. A region that does not answer is noted. An answer that says that the question is wrong
// is the question's, not the region's: it ends the rest, and is returned.
func each[T any](ctx context.Context, q *question, ask func(context.Context, Region) (T, error)) ([]T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type said struct {
		value T
		err   error
	}
	all := make([]said, len(q.regions))
	var group sync.WaitGroup
	for i, r := range q.regions {
		group.Go(func() {
			all[i].value, all[i].err = one(ctx, q, r, ask)
			if errors.Is(all[i].err, fleet.ErrInvalid) {
				cancel()
			}
		})
	}
	group.Wait()
	var out []T
	for _, s := range all {
		switch {
		case errors.Is(s.err, fleet.ErrInvalid):
			return nil, s.err
		case s.err == nil:
			out = append(out, s.value)
		}
	}
	for i, s := range all {
		if s.err == nil {
			q.engine.health.up(q.regions[i].Name)
			continue
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		since := q.engine.health.down(q.regions[i].Name, q.engine.clock())
		q.cover.add(Missing{Region: q.regions[i].Name, Since: since, Why: s.err.Error()})
	}
	return out, nil
}

// one asks a region within its time. A store that does not look at its context is not waited for.
func one[T any](ctx context.Context, q *question, r Region, ask func(context.Context, Region) (T, error)) (T, error) {
	limit := q.engine.config.RegionTimeout
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type said struct {
		value T
		err   error
	}
	answer := make(chan said, 1)
	go func() {
		value, err := ask(bounded, r)
		answer <- said{value, err}
	}()
	var got said
	select {
	case got = <-answer:
		// What the store makes of the end of its time is less clear than that it was up.
		if got.err == nil || bounded.Err() == nil || errors.Is(got.err, fleet.ErrInvalid) {
			return got.value, got.err
		}
	case <-bounded.Done():
	}
	if ctx.Err() != nil {
		return got.value, ctx.Err()
	}
	return got.value, fmt.Errorf("it did not answer within %s", limit)
}

// budget counts what one question reads from all regions together.
type budget struct {
	mu              sync.Mutex
	most            store.Limits
	series, samples int
}

func newBudget(c Config) *budget {
	return &budget{most: store.Limits{Series: c.Series, Samples: c.Samples}}
}

// left is what a region may answer at most.
func (b *budget) left() store.Limits {
	b.mu.Lock()
	defer b.mu.Unlock()
	// At least one, since zero would mean the store's own limit.
	return store.Limits{Series: max(1, b.most.Series-b.series), Samples: max(1, b.most.Samples-b.samples)}
}

// spend takes an answer into account, and refuses the one with which it is too much.
func (b *budget) spend(a store.Answer) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.series += len(a.Series)
	for _, s := range a.Series {
		b.samples += len(s.Samples)
	}
	switch {
	case b.series > b.most.Series:
		return fmt.Errorf("%w: it reads more than %d series of all regions; ask for fewer", store.ErrTooMuch, b.most.Series)
	case b.samples > b.most.Samples:
		return fmt.Errorf("%w: it reads more than %d samples of all regions; ask for fewer series, a shorter range or a longer step", store.ErrTooMuch, b.most.Samples)
	}
	return nil
}

// cover collects the regions that did not answer to any part of a question.
type cover struct {
	mu      sync.Mutex
	missing []Missing
}

func (c *cover) add(m Missing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	same := func(x Missing) bool { return x.Region == m.Region }
	if !slices.ContainsFunc(c.missing, same) {
		c.missing = append(c.missing, m)
	}
}

func (c *cover) list() []Missing {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := slices.Clone(c.missing)
	slices.SortFunc(out, func(a, b Missing) int { return strings.Compare(a.Region, b.Region) })
	return out
}

// health remembers since when regions do not answer.
type health struct {
	mu    sync.Mutex
	since map[string]time.Time
}

func newHealth() *health { return &health{since: map[string]time.Time{}} }

// down notes that a region did not answer, and returns since when it does not.
func (h *health) down(region string, now time.Time) time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.since[region]; !known {
		h.since[region] = now
	}
	return h.since[region]
}

func (h *health) up(region string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.since, region)
}

// ErrBusy means that a tenant asks too many questions at once. Asking again later helps.
var ErrBusy = errors.New("too many questions at once")

// gate lets in so many questions of each tenant at once; the rest wait.
type gate struct {
	mu   sync.Mutex
	size int
	of   map[store.Tenant]*door
}

// door is one tenant's. It goes when nobody is behind it or before it.
type door struct {
	places chan struct{}
	users  int
}

func newGate(size int) *gate { return &gate{size: size, of: map[store.Tenant]*door{}} }

func (g *gate) enter(ctx context.Context, of store.Tenant) (leave func(), err error) {
	g.mu.Lock()
	d := g.of[of]
	if d == nil {
		d = &door{places: make(chan struct{}, g.size)}
		g.of[of] = d
	}
	d.users++
	g.mu.Unlock()
	gone := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if d.users--; d.users == 0 {
			delete(g.of, of)
		}
	}
	select {
	case d.places <- struct{}{}:
		return func() { <-d.places; gone() }, nil
	case <-ctx.Done():
		gone()
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, ctx.Err()
	}
	who := "everybody's scope"
	if of != "" {
		who = "tenant " + string(of)
	}
	return nil, fmt.Errorf("%w: %s has %d questions running, which is all it may; ask again when one of them is answered", ErrBusy, who, g.size)
}
