package query

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// Told is one thing that a follower is told; exactly one of its fields is set.
type Told struct {
	Record *store.Record
	// Skipped is how many records of a region were left out, since the follower takes them too slowly.
	Skipped int
	// Begun says that every region that can be followed now is.
	Begun bool
	// Missing is a region that is not followed, or not any more; it is tried again. Back is the name
	// of one that is followed again: what came meanwhile was not told.
	Missing *Missing
	Back    string
}

// A region that cannot be followed is tried again after a pause, which grows.
const (
	firstPause = time.Second
	mostPause  = 30 * time.Second
	// waiting is how many things may wait for the follower. What more there is waits in the stores,
	// which leave out what does not fit and say so.
	waiting = 16
)

// FollowLogs tells of records that match as they come to any region, in the order in which they come,
// until the context ends; Start, End, Newest and Limit of the search do not count. The last thing is an
// error.
func (e *Engine) FollowLogs(ctx context.Context, in store.Scope, what store.LogSearch) iter.Seq2[Told, error] {
	return func(yield func(Told, error) bool) {
		if err := in.Check(); err != nil {
			yield(Told{}, err)
			return
		}
		ctx, hangUp := context.WithCancel(ctx)
		defer hangUp()
		f := &following{engine: e, in: in, what: what, told: make(chan Told, waiting), started: make(chan struct{})}
		go f.begin(ctx)
		for {
			select {
			case t := <-f.told:
				if !yield(t, nil) {
					return
				}
			case <-ctx.Done():
				yield(Told{}, ctx.Err())
				return
			}
		}
	}
}

type following struct {
	engine *Engine
	in     store.Scope
	what   store.LogSearch
	told   chan Told
	// started is closed when it was said that all has begun: records come only after that.
	started chan struct{}
}

// begin follows all regions, and says when each is followed or known not to be.
func (f *following) begin(ctx context.Context) {
	q := &question{engine: f.engine, in: f.in, began: f.engine.clock(), cover: &cover{}}
	q.regions = q.usable(f.engine.regions())
	q.only(keepsLogs)
	for _, m := range q.cover.list() {
		f.tell(ctx, Told{Missing: &m})
	}
	settled := make([]chan struct{}, len(q.regions))
	for i, r := range q.regions {
		settled[i] = make(chan struct{})
		go f.region(ctx, r, settled[i])
	}
	limit := f.engine.config.RegionTimeout
	patience := time.NewTimer(limit)
	defer patience.Stop()
	over := false
	for i, r := range q.regions {
		if !over {
			select {
			case <-settled[i]:
				continue
			case <-patience.C:
				over = true
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-settled[i]:
		default:
			f.miss(ctx, r, fmt.Errorf("it did not answer within %s", limit))
		}
	}
	f.tell(ctx, Told{Begun: true})
	close(f.started)
}

func (f *following) tell(ctx context.Context, t Told) {
	select {
	case f.told <- t:
	case <-ctx.Done():
	}
}

func (f *following) miss(ctx context.Context, r Region, why error) {
	f.tell(ctx, Told{Missing: &Missing{Region: r.Name, Since: f.engine.clock(), Why: shown(f.in, fleet.Sentence(why)), Next: r.Next}})
}

// region follows one region for as long as the context lives. settled is closed when it is followed or
// known not to be.
func (f *following) region(ctx context.Context, r Region, settled chan struct{}) {
	own, found := r.searched(f.what.Labels)
	follower, can := r.Logs.(store.LogFollower)
	if !found || !can {
		if found {
			f.miss(ctx, r, errors.New("its store does not tell of records as they come: search it instead"))
		}
		close(settled)
		return
	}
	what := f.what
	what.Labels = own
	o := &followed{following: f, region: r, settled: settled}
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		began, err := o.follow(ctx, follower, what)
		if ctx.Err() != nil {
			return
		}
		if began {
			pause = firstPause
		}
		o.lost(ctx, err)
		if errors.Is(err, fleet.ErrInvalid) {
			return // the same question will be answered the same
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// followed is one region as it is followed.
type followed struct {
	*following
	region  Region
	settled chan struct{}
	begun   bool // it is, or was, known how it stands
	down    bool
}

// follow passes on what the region tells, until that ends. It says whether it began.
func (o *followed) follow(ctx context.Context, from store.LogFollower, what store.LogSearch) (began bool, err error) {
	for t, err := range from.FollowLogs(ctx, o.in, what) {
		switch {
		case err != nil:
			return began, err
		case t.Record != nil && !o.in.All() && t.Record.Tenant != o.in.Tenant():
			return began, fmt.Errorf("the store of region %s tells of records of another tenant than it was asked for; nothing of it is used", o.region.Name)
		case t.Record != nil:
			r := *t.Record
			r.Resource = o.region.placed(r.Resource)
			o.pass(ctx, Told{Record: &r})
		case t.Skipped > 0:
			o.pass(ctx, Told{Skipped: t.Skipped})
		default:
			began = true
			o.found(ctx)
		}
	}
	return began, errors.New("its store told of no end, and there is nothing more")
}

// pass tells of what came, once it was said that all has begun.
func (o *followed) pass(ctx context.Context, t Told) {
	select {
	case <-o.started:
		o.tell(ctx, t)
	case <-ctx.Done():
	}
}

// found notes that the region is followed.
func (o *followed) found(ctx context.Context) {
	if o.down {
		o.tell(ctx, Told{Back: o.region.Name})
	}
	o.down = false
	o.settle()
}

// lost notes that it is not, and says so once.
func (o *followed) lost(ctx context.Context, why error) {
	if !o.down {
		o.miss(ctx, o.region, why)
	}
	o.down = true
	o.settle()
}

func (o *followed) settle() {
	if !o.begun {
		o.begun = true
		close(o.settled)
	}
}
