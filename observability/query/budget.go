package query

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"portico.dev/portico/observability/store"
)

// budget counts what is read for one question: from all regions together, or from one of them.
type budget struct {
	// of says what it is the budget of, in a message.
	of string
	// within is a greater budget out of which this one is; nil for none.
	within *budget

	mu              sync.Mutex
	most            store.Limits
	series, samples int
}

func newBudget(c Config) *budget {
	return &budget{of: "all regions", most: store.Limits{Series: c.Series, Samples: c.Samples}}
}

// left is what a region may answer at most.
func (b *budget) left() store.Limits {
	b.mu.Lock()
	defer b.mu.Unlock()
	// At least one, since zero would mean the store's own limit.
	out := store.Limits{Series: max(1, b.most.Series-b.series), Samples: max(1, b.most.Samples-b.samples)}
	if b.within != nil {
		more := b.within.left()
		out.Series, out.Samples = min(out.Series, more.Series), min(out.Samples, more.Samples)
	}
	return out
}

// spend takes an answer into account, and refuses the one with which it is too much.
func (b *budget) spend(a store.Answer) error {
	series, samples := len(a.Series), 0
	for _, s := range a.Series {
		samples += len(s.Samples)
	}
	return b.take(series, samples)
}

func (b *budget) take(series, samples int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.series+series > b.most.Series:
		return fmt.Errorf("%w: it reads more than %d series of %s; ask for fewer", store.ErrTooMuch, b.most.Series, b.of)
	case b.samples+samples > b.most.Samples:
		return fmt.Errorf("%w: it reads more than %d samples of %s; ask for fewer series, a shorter range or a longer step", store.ErrTooMuch, b.most.Samples, b.of)
	}
	if b.within != nil {
		if err := b.within.take(series, samples); err != nil {
			return err
		}
	}
	b.series, b.samples = b.series+series, b.samples+samples
	return nil
}

// What a guest, a region that others than those who run the plane can fill as they like, has of what a
// question of everybody's scope may cost: each of them these parts, and all together the half, beside what
// the other regions have. One that takes more is left out; the question goes on.
const (
	guestPart     = 8
	guestTimePart = 4
	guestsPart    = 2
)

// guest says whether a region is one for this question. Who asks about one tenant alone asks that
// tenant's own regions as he does all others: what they make of his question harms nobody else.
func (q *question) guest(r Region) bool { return r.Guest && q.in.All() }

// purse is the budget out of which a region's answers are.
func (q *question) purse(r Region) *budget {
	if !q.guest(r) {
		return q.budget
	}
	q.guests.mu.Lock()
	defer q.guests.mu.Unlock()
	c := q.engine.config
	if q.guests.all == nil {
		most := store.Limits{Series: c.Series / guestsPart, Samples: c.Samples / guestsPart}
		q.guests.all, q.guests.each = &budget{of: "all regions of tenants", most: most}, map[string]*budget{}
	}
	if q.guests.each[r.Name] == nil {
		most := store.Limits{Series: c.Series / guestPart, Samples: c.Samples / guestPart}
		q.guests.each[r.Name] = &budget{of: "one region of a tenant", within: q.guests.all, most: most}
	}
	return q.guests.each[r.Name]
}

// guests are the budgets of the guests of one question.
type guests struct {
	mu   sync.Mutex
	all  *budget
	each map[string]*budget
}

// samples is how many the engine may hold for the question: what it may read from all regions, guests among
// them.
func (q *question) samples() int {
	most := q.engine.config.Samples
	for _, r := range q.regions {
		if q.guest(r) {
			return most + most/guestsPart
		}
	}
	return most
}

// patience is how long a region may take to answer.
func (q *question) patience(r Region) time.Duration {
	if q.guest(r) {
		return q.engine.config.RegionTimeout / guestTimePart
	}
	return q.engine.config.RegionTimeout
}

// overdrawn is an error of a guest: that its answer is too big is not that the question is.
func overdrawn(err error) error {
	if !errors.Is(err, store.ErrTooMuch) {
		return err
	}
	text := strings.TrimPrefix(err.Error(), store.ErrTooMuch.Error()+": ")
	return fmt.Errorf("its answer is too big for a region that a tenant runs: %s", text)
}
