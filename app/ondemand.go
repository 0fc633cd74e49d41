package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/fleet"
	"portico.dev/portico/state/engine"
)

// onDemand is an engine that needs a program, which is started when the first set asks for it.
// Until it serves, sets are told to wait; then they are told that their report is another one. A
// plane that finds the program running takes it over, and no set notices.
type onDemand struct {
	engine.Engine
	program enginesProgram
	log     *slog.Logger
	notices *engine.Notices
	asked   chan struct{}

	mu sync.Mutex
	// open says that sets are handed to the engine, as long as there is no trouble; served that
	// the program has all that it needs.
	open, served bool
	// trouble is why the program could not be started when it was tried last. One that was found
	// running may meet it, too.
	trouble error
	// waiting are the sets that have asked before the program served.
	waiting map[engine.Ref]bool
}

// enginesProgram is the program of an engine.
type enginesProgram interface {
	// missing is why the program cannot be started before somebody has done something; nil if it
	// can. It is of kind fleet.ErrInvalid.
	missing() error
	// runs says whether it runs already.
	runs() (bool, error)
	// everServed says whether the kinds of the engine were ever served. It has left nothing
	// anywhere otherwise.
	everServed(ctx context.Context) (bool, error)
	// serve starts it with all that it needs, and returns when it serves. It can be called again
	// after an error.
	serve(ctx context.Context) error
}

func newOnDemand(e engine.Engine, program enginesProgram, log *slog.Logger) *onDemand {
	return &onDemand{
		Engine: e, program: program, log: log.With("engine", e.Name()),
		notices: engine.NewNotices(), asked: make(chan struct{}, 1), waiting: map[engine.Ref]bool{},
	}
}

// Apply implements engine.Engine.
func (d *onDemand) Apply(ctx context.Context, set engine.Set) (engine.Report, error) {
	if err := d.ask(set.Ref); err != nil {
		return engine.Report{}, err
	}
	return d.Engine.Apply(ctx, set)
}

// Remove implements engine.Engine. While the program is being started nothing is gone, which is
// no error: fleet.ErrNotYet would mean that the target has no address.
func (d *onDemand) Remove(ctx context.Context, what engine.Removal) (engine.Report, error) {
	if !d.isOpen() {
		if ever, err := d.program.everServed(ctx); err != nil || !ever {
			return engine.Report{Gone: err == nil}, err
		}
	}
	switch err := d.ask(what.Ref); {
	case errors.Is(err, fleet.ErrNotYet):
		return engine.Report{}, nil
	case err != nil:
		return engine.Report{}, err
	}
	return d.Engine.Remove(ctx, what)
}

// Forget implements engine.Engine.
func (d *onDemand) Forget(set types.NamespacedName) {
	d.mu.Lock()
	maps.DeleteFunc(d.waiting, func(ref engine.Ref, _ bool) bool { return ref.Set == set })
	d.mu.Unlock()
	d.Engine.Forget(set)
}

// Changes implements engine.Engine.
func (d *onDemand) Changes() <-chan engine.Ref { return d.notices.C() }

// Start implements engine.Engine.
func (d *onDemand) Start(ctx context.Context) error {
	go d.notices.Deliver(ctx)
	running, err := d.program.runs()
	if err != nil {
		return fmt.Errorf("looking for the program of the engine %s: %w", d.Name(), err)
	}
	if running {
		d.adopt()
	} else if !await(ctx, d.asked, nil) {
		return nil
	}
	if !d.bring(ctx) {
		return nil
	}
	d.admit()
	go d.forward(ctx)
	return d.Engine.Start(ctx)
}

// bring has the program serve, and tries until it does or ctx ends. What nobody but the user can
// mend is tried again when a set asks, all else by the clock.
func (d *onDemand) bring(ctx context.Context) bool {
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		err := d.program.serve(ctx)
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		d.fail(err)
		var asked <-chan struct{} = d.asked
		var due <-chan time.Time
		if !errors.Is(err, fleet.ErrInvalid) {
			asked, due = nil, time.After(pause)
		}
		if !await(ctx, asked, due) {
			return false
		}
	}
}

// await returns when one of both channels has something, or false when ctx ends.
func await(ctx context.Context, asked <-chan struct{}, due <-chan time.Time) bool {
	select {
	case <-asked:
		return true
	case <-due:
		return true
	case <-ctx.Done():
		return false
	}
}

// ask has the program started for a set, and says what keeps the set from being handed over; nil
// if nothing does.
func (d *onDemand) ask(ref engine.Ref) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.served {
		return nil
	}
	if !d.open {
		if err := d.program.missing(); err != nil {
			return err
		}
	}
	d.waiting[ref] = true
	if d.open && d.trouble == nil {
		return nil
	}
	select {
	case d.asked <- struct{}{}:
	default:
	}
	if d.trouble != nil {
		return fmt.Errorf("%w: the engine %s is being started: %s", fleet.ErrNotYet, d.Name(), fleet.Sentence(d.trouble))
	}
	return fmt.Errorf("%w: the engine %s is being started", fleet.ErrNotYet, d.Name())
}

func (d *onDemand) isOpen() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.open
}

// adopt hands sets to the engine although it is not known yet whether the program, which runs, has
// all that it needs.
func (d *onDemand) adopt() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open = true
	d.ring()
}

// admit hands sets to the engine from now on, those that wait first.
func (d *onDemand) admit() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open, d.served, d.trouble = true, true, nil
	d.ring()
	clear(d.waiting)
}

// fail records why the program does not serve, and tells those that wait if that is news.
func (d *onDemand) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.trouble != nil && d.trouble.Error() == err.Error() {
		return
	}
	d.log.Warn("the program of an engine does not serve yet", "reason", err)
	d.trouble = err
	d.ring()
}

func (d *onDemand) ring() {
	for ref := range d.waiting {
		d.notices.Add(ref)
	}
}

// forward passes on what the engine tells.
func (d *onDemand) forward(ctx context.Context) {
	for {
		select {
		case ref := <-d.Engine.Changes():
			d.notices.Add(ref)
		case <-ctx.Done():
			return
		}
	}
}
