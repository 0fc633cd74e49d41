package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// each asks all regions at once, and returns what those that answered said, in the order of their
// names. A region that does not answer is noted. That a question is too big is the question's, and
// ends the rest; that it is wrong is, where every region says so: what others answer is no wrong
// question, and one that says so then is not what it has to be.
func each[T any](ctx context.Context, q *question, ask func(context.Context, Region) (T, error)) ([]T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	values, errs := make([]T, len(q.regions)), make([]error, len(q.regions))
	var group sync.WaitGroup
	for i, r := range q.regions {
		group.Go(func() {
			values[i], errs[i] = one(ctx, q, r, ask)
			if q.guest(r) {
				errs[i] = overdrawn(errs[i])
			}
			if errors.Is(errs[i], store.ErrTooMuch) {
				cancel()
			}
		})
	}
	group.Wait()
	if err := q.fault(ctx, errs); err != nil {
		return nil, err
	}
	var out []T
	for i, err := range errs {
		switch {
		case err == nil:
			q.has(q.regions[i])
			out = append(out, values[i])
		case errors.Is(err, errExcluded):
			q.cover.excludes()
		default:
			q.lacks(q.regions[i], err)
		}
	}
	return out, nil
}

// fault is the error of the question itself, by what the regions said; nil if it has none.
func (q *question) fault(ctx context.Context, said []error) error {
	var wrong error
	answered := false
	for _, err := range said {
		switch {
		case errors.Is(err, store.ErrTooMuch):
			return err
		case errors.Is(err, fleet.ErrInvalid) && wrong == nil:
			wrong = err
		case err == nil:
			answered = true
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if answered {
		return nil
	}
	return wrong
}

// has notes that a region answered.
func (q *question) has(r Region) {
	q.engine.health.up(r.Name)
	q.cover.mu.Lock()
	defer q.cover.mu.Unlock()
	q.cover.answered = true
}

// lacks notes that a region did not answer.
func (q *question) lacks(r Region, why error) {
	q.cover.mu.Lock()
	q.cover.failed = true
	q.cover.mu.Unlock()
	since := q.engine.health.down(r.Name, q.engine.clock())
	q.cover.add(Missing{Region: r.Name, Since: since, Why: shown(q.in, why.Error()), Next: r.Next}, why.Error())
}

// errExcluded means that a question is about other regions: this one was not asked, and so nothing is
// known of how it is doing.
var errExcluded = errors.New("the question is about other regions")

// one asks a region within its time. A store that does not look at its context is not waited for.
func one[T any](ctx context.Context, q *question, r Region, ask func(context.Context, Region) (T, error)) (T, error) {
	limit := q.patience(r)
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

// cover collects the regions that did not answer to any part of a question.
type cover struct {
	mu      sync.Mutex
	missing []Missing
	// whole says of each missing region why, for those who run the plane.
	whole map[string]string
	// answered, failed and excluded say that a region was asked and did, was asked and did not, and was
	// not asked, since the question is about others.
	answered, failed, excluded bool
}

func (c *cover) excludes() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.excluded = true
}

// unanswered says whether no region that the question is about has answered.
func (c *cover) unanswered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.answered && (c.failed || !c.excluded)
}

// add notes a missing region. Whole is why it is, for those who run the plane.
func (c *cover) add(m Missing, whole string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	same := func(x Missing) bool { return x.Region == m.Region }
	if slices.ContainsFunc(c.missing, same) {
		return
	}
	c.missing = append(c.missing, m)
	if c.whole == nil {
		c.whole = map[string]string{}
	}
	c.whole[m.Region] = whole
}

// nobody is an error that says of each region why it does not answer.
func (c *cover) nobody() error {
	told := c.list()
	full := slices.Clone(told)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, m := range full {
		full[i].Why = c.whole[m.Region]
	}
	return nobodyError{reasons(told), reasons(full)}
}

func reasons(missing []Missing) string {
	var out []string
	for _, m := range missing[:min(len(missing), 3)] {
		out = append(out, m.reason())
	}
	if more := len(missing) - len(out); more > 0 {
		out = append(out, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(out, "; ")
}

// nobodyError is ErrNobody with the reasons: as who asks may see them, and as a log may.
type nobodyError struct{ told, full string }

func (e nobodyError) Error() string { return ErrNobody.Error() + ": " + e.told }
func (e nobodyError) Unwrap() error { return ErrNobody }

// LogValue implements slog.LogValuer: a log is read by those who run the plane.
func (e nobodyError) LogValue() slog.Value {
	return slog.StringValue(ErrNobody.Error() + ": " + e.full)
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

// only forgets what is not among the known.
func (h *health) only(known map[string]bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key := range h.since {
		if !known[key] {
			delete(h.since, key)
		}
	}
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
