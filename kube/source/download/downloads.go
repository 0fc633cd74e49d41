package download

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/fleet"
	"portico.dev/portico/kube/source/store"
)

const (
	// atOnce is how many places are asked at the same time: one slow server must not hold up others.
	atOnce = 8
	// settling is how long after the start what nobody has asked for yet is kept.
	settling = 10 * time.Minute
)

// Config is what downloads need from outside.
type Config struct {
	// Store keeps copies over a restart; nil keeps them in memory alone.
	Store *store.Store
	Clock fleet.Clock
	// Ring tells somebody that what is known of a place that they want has changed.
	Ring func(types.NamespacedName)
	// Log is told what could not be kept.
	Log func(error)
}

// Downloads are the copies that somebody wants. It is safe for concurrent use. Nothing is fetched
// before Start.
type Downloads struct {
	config Config
	shelf  shelf
	wake   chan struct{}

	mu     sync.Mutex
	places map[Place]*place
	// busy counts the places that are being asked.
	busy int
}

// place is one that somebody wants.
type place struct {
	at          Place
	credentials Credentials
	// askers are those who want it, each with an interval.
	askers map[types.NamespacedName]time.Duration
	record record
	busy   bool
	// digest is of the credentials; hurry says that the place is asked at once, since they are new.
	digest [sha256.Size]byte
	hurry  bool
}

// New returns downloads of which nobody wants any.
func New(config Config) *Downloads {
	return &Downloads{config: config, shelf: shelf{config.Store}, wake: make(chan struct{}, 1), places: map[Place]*place{}}
}

// Want says that somebody wants the content of a place from now on, and returns what is known of
// it. It asks nobody: what is not known is fetched in the background, and Ring tells of it. Wanting
// the same again costs nothing, with other credentials it is fetched anew.
func (d *Downloads) Want(who types.NamespacedName, wish Wish) Copy {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.places[wish.Place]
	if p == nil {
		p = &place{at: wish.Place, askers: map[types.NamespacedName]time.Duration{}, digest: wish.Credentials.digest(), record: d.shelf.load(wish.Place)}
		d.places[wish.Place] = p
	}
	if digest := wish.Credentials.digest(); digest != p.digest {
		p.digest, p.hurry = digest, true
	}
	p.credentials, p.askers[who] = wish.Credentials, max(cmp.Or(wish.Interval, fleet.UsualInterval), fleet.LeastInterval)
	d.nudge()
	return p.record.copy()
}

// Keep says that these are all the places that somebody wants. What nobody wants any more is
// forgotten, with its files.
func (d *Downloads) Keep(who types.NamespacedName, places ...Place) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for at, p := range d.places {
		if _, wants := p.askers[who]; !wants || slices.Contains(places, at) {
			continue
		}
		delete(p.askers, who)
		if len(p.askers) == 0 && !p.busy {
			d.forget(at)
		}
	}
}

// forget is called with the lock held.
func (d *Downloads) forget(at Place) {
	delete(d.places, at)
	if err := d.shelf.forget(at); err != nil {
		d.config.Log(err)
	}
}

// Start fetches what is wanted when it is due, until ctx ends.
func (d *Downloads) Start(ctx context.Context) error {
	settled := time.NewTimer(settling)
	defer settled.Stop()
	for {
		left := time.Hour
		if next, some := d.begin(ctx); some {
			left = max(next.Sub(d.config.Clock()), 0)
		}
		due := time.NewTimer(left)
		select {
		case <-ctx.Done():
			due.Stop()
			return nil
		case <-settled.C:
			d.sweep()
		case <-d.wake:
		case <-due.C:
		}
		due.Stop()
	}
}

func (d *Downloads) nudge() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// begin starts all attempts that are due, and returns when the next one is.
func (d *Downloads) begin(ctx context.Context) (next time.Time, some bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.config.Clock()
	for _, p := range d.places {
		if p.busy || len(p.askers) == 0 {
			continue
		}
		due := p.due()
		switch {
		case due.After(now):
			if !some || due.Before(next) {
				next, some = due, true
			}
		case d.busy < atOnce: // the others begin when one of these has ended
			p.busy, p.hurry, d.busy = true, false, d.busy+1
			go d.attempt(ctx, p, Wish{Place: p.at, Credentials: p.credentials})
		}
	}
	return next, some
}

// due is when a place is asked next. What has never been there is asked for sooner than what has,
// though never sooner than the interval allows after the first few attempts.
func (p *place) due() time.Time {
	interval := slices.Min(slices.Collect(maps.Values(p.askers)))
	switch r := p.record; {
	case p.hurry, r.Tried.IsZero():
		return time.Time{}
	case r.Failures > 0 && r.files == nil:
		return r.Tried.Add(min(interval, fleet.LeastInterval<<min(r.Failures-1, 10)))
	}
	return p.record.Tried.Add(interval)
}

// attempt asks a place, keeps what has come of it, and tells those who want it.
func (d *Downloads) attempt(ctx context.Context, p *place, wish Wish) {
	d.mu.Lock()
	was := p.record
	d.mu.Unlock()
	asked := was.validators
	if was.files == nil {
		asked = validators{}
	}
	got, err := fetch(ctx, wish, asked)
	now := was
	if ctx.Err() == nil { // or we are ending, which says nothing about the place
		now = was.after(got, err, d.config.Clock())
		if now, err = d.shelf.save(ctx, p.at, now); err != nil && !errors.Is(err, context.Canceled) {
			d.config.Log(err)
		}
	}
	d.mu.Lock()
	p.record, p.busy, d.busy = now, false, d.busy-1
	told := slices.Collect(maps.Keys(p.askers))
	if len(told) == 0 {
		d.forget(p.at)
	}
	d.mu.Unlock()
	d.nudge()
	if !same(was, now) {
		for _, who := range told {
			d.config.Ring(who)
		}
	}
}

// same says whether nobody need hear of an attempt. That the content was confirmed tells nobody
// anything.
func same(was, now record) bool {
	return was.Tried.IsZero() == now.Tried.IsZero() && was.Problem == now.Problem && was.Missing == now.Missing &&
		was.Revision == now.Revision && maps.Equal(was.files, now.files)
}

// sweep removes what is kept of places that nobody has asked for since the start: whoever did has
// gone while nobody was looking.
func (d *Downloads) sweep() {
	if d.config.Store == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	wanted := map[store.Key]bool{}
	for at := range d.places {
		wanted[at.key()] = true
	}
	keys, err := d.config.Store.Keys(Kind)
	for _, key := range keys {
		if !wanted[key] {
			err = errors.Join(err, d.config.Store.RemoveAll(key))
		}
	}
	if err != nil {
		d.config.Log(err)
	}
}
