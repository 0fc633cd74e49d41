package app

import (
	"context"
	"sync"

	"portico.dev/portico/app/steps"
)

// journal holds what a start did so far, for any number of readers.
type journal struct {
	mu     sync.Mutex
	events []steps.Event
	closed bool
	news   chan struct{} // closed and replaced with each change
}

func newJournal() *journal { return &journal{news: make(chan struct{})} }

// add appends an event.
func (j *journal) add(e steps.Event) {
	j.change(func() { j.events = append(j.events, e) })
}

// end says that nothing more will come.
func (j *journal) end() {
	j.change(func() { j.closed = true })
}

func (j *journal) change(what func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	what()
	close(j.news)
	j.news = make(chan struct{})
}

// since returns the events after the first n, waiting for one if there is none yet; more is
// false when nothing more will come.
func (j *journal) since(ctx context.Context, n int) (events []steps.Event, more bool) {
	for {
		j.mu.Lock()
		events, closed, news := j.events[n:], j.closed, j.news
		j.mu.Unlock()
		if len(events) > 0 || closed {
			return events, !closed
		}
		select {
		case <-news:
		case <-ctx.Done():
			return nil, false
		}
	}
}

// over says whether nothing more will come.
func (j *journal) over() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.closed
}
