package steps

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"portico.dev/portico/fleet"
)

// Step is one piece of a start.
type Step struct {
	// Name is what the user sees, and what other steps need.
	Name string
	// Needs are the steps that have to be done before.
	Needs []string
	// Do does it. It ends when its context does.
	Do func(ctx context.Context) error
}

// Phase is where a step stands.
type Phase string

// The phases of a step.
const (
	Began  Phase = "Began"
	Done   Phase = "Done"
	Failed Phase = "Failed"
)

// Event tells that a step began or ended.
type Event struct {
	Step  string `json:"step"`
	Phase Phase  `json:"phase"`
	// At is the time since the run began, Took that since the step began.
	At   time.Duration `json:"at"`
	Took time.Duration `json:"took,omitempty"`
	// Error says why a step failed.
	Error string `json:"error,omitempty"`
}

// Reporter gets the events of a run, one at a time.
type Reporter func(Event)

// Run does all steps and returns the first error, or nil when all are done.
func Run(ctx context.Context, all []Step, clock fleet.Clock, report Reporter) error {
	if err := check(all); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &run{began: clock(), clock: clock, report: report, done: map[string]chan struct{}{}}
	for _, s := range all {
		r.done[s.Name] = make(chan struct{})
	}
	var wg sync.WaitGroup
	for _, s := range all {
		wg.Go(func() {
			if err := r.step(ctx, s); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

type run struct {
	began  time.Time
	clock  fleet.Clock
	done   map[string]chan struct{}
	mu     sync.Mutex // one event at a time
	report Reporter
}

func (r *run) step(ctx context.Context, s Step) error {
	for _, need := range s.Needs {
		select {
		case <-r.done[need]:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	began := r.clock()
	r.tell(Event{Step: s.Name, Phase: Began, At: began.Sub(r.began)})
	err := s.Do(ctx)
	now := r.clock()
	e := Event{Step: s.Name, Phase: Done, At: now.Sub(r.began), Took: now.Sub(began)}
	if err != nil {
		e.Phase, e.Error = Failed, err.Error()
		r.tell(e)
		return fmt.Errorf("%s: %w", s.Name, err)
	}
	r.tell(e)
	close(r.done[s.Name])
	return nil
}

func (r *run) tell(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report(e)
}

// check refuses a list with a need that no earlier step fulfils: so a list is its own
// topological order, and no circle can exist.
func check(all []Step) error {
	var before []string
	for _, s := range all {
		for _, need := range s.Needs {
			if !slices.Contains(before, need) {
				return fmt.Errorf("step %q needs %q, which is not among the steps before it: %s", s.Name, need, strings.Join(before, ", "))
			}
		}
		before = append(before, s.Name)
	}
	return nil
}
