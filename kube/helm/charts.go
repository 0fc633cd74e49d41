package helm

import (
	"container/list"
	"context"
	"fmt"
	"sync"

	"portico.dev/portico/fleet"
)

// Charts keeps charts by digest, so that each is fetched and read once. Its memory is
// bounded: the chart that was not asked for the longest goes first. It is safe for
// concurrent use.
type Charts struct {
	limit int

	mu    sync.Mutex
	size  int
	order *list.List // of *loading, the latest used first
	by    map[string]*list.Element
}

type loading struct {
	digest string
	done   chan struct{}
	chart  *Chart
	err    error
}

// NewCharts returns an empty cache that keeps at most limit bytes of charts.
func NewCharts(limit int) *Charts {
	return &Charts{limit: limit, order: list.New(), by: map[string]*list.Element{}}
}

// Get returns the chart with this digest ("sha256:…"). If it is not there, fetch is asked
// for the archive, once for all who wait for it. An archive that has another digest is
// refused. A failure is not kept: the next call fetches again.
func (c *Charts) Get(ctx context.Context, digest string, fetch func(context.Context) ([]byte, error)) (*Chart, error) {
	l, first := c.enter(digest)
	if first {
		chart, err := load(ctx, digest, fetch)
		c.leave(l, chart, err)
	}
	select {
	case <-l.done:
		return l.chart, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for chart %s: %w", digest, ctx.Err())
	}
}

// Made returns the chart that make has made for this id before, or makes it now, once for all
// who wait for it. The id has to stand for all that the chart is made of. A failure is not kept.
func (c *Charts) Made(ctx context.Context, id string, make func(context.Context) (*Chart, error)) (*Chart, error) {
	l, first := c.enter("made " + id)
	if first {
		chart, err := make(ctx)
		c.leave(l, chart, err)
	}
	select {
	case <-l.done:
		return l.chart, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for chart %s: %w", id, ctx.Err())
	}
}

func (c *Charts) enter(digest string) (l *loading, first bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.by[digest]; ok {
		c.order.MoveToFront(e)
		return e.Value.(*loading), false
	}
	l = &loading{digest: digest, done: make(chan struct{})}
	c.by[digest] = c.order.PushFront(l)
	return l, true
}

func (c *Charts) leave(l *loading, chart *Chart, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer close(l.done)
	l.chart, l.err = chart, err
	if err != nil {
		c.order.Remove(c.by[l.digest])
		delete(c.by, l.digest)
		return
	}
	c.size += l.chart.size
	for e := c.order.Back(); e != nil && c.size > c.limit; {
		old, before := e.Value.(*loading), e.Prev()
		// What is still being loaded has no size yet, and somebody waits for it.
		if old.chart != nil && old != l {
			c.order.Remove(e)
			delete(c.by, old.digest)
			c.size -= old.chart.size
		}
		e = before
	}
}

func load(ctx context.Context, digest string, fetch func(context.Context) ([]byte, error)) (*Chart, error) {
	archive, err := fetch(ctx)
	if err != nil {
		return nil, fmt.Errorf("fetching chart %s: %w", digest, err)
	}
	chart, err := Load(archive)
	if err != nil {
		return nil, err
	}
	if chart.digest != digest {
		return nil, fmt.Errorf("reading chart %s: %w: the archive has digest %s: fetch its source again", digest, fleet.ErrInvalid, chart.digest)
	}
	return chart, nil
}
