package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/process"
)

// Program is a program to keep running.
type Program struct {
	// Spec says how it is started.
	Spec process.Spec
	// Variables are added to the Spec's environment. A running program that was started with
	// others is replaced, whereas the rest of the environment does not matter.
	Variables []string
	// Inputs are files that the program reads once, at its start: its own binary is always
	// among them. A running program whose inputs changed is replaced, not adopted.
	Inputs []string
	// Ready asks once whether the program serves. Nil means: as soon as it runs.
	Ready func(ctx context.Context) error
	// Grace is the time to end by itself when stopped.
	Grace time.Duration
}

// Phase is where a program stands.
type Phase string

// The phases of a program.
const (
	// Starting: it runs and does not serve yet.
	Starting Phase = "Starting"
	// Ready: it runs and serves.
	Ready Phase = "Ready"
	// Waiting: it ended and will be started again.
	Waiting Phase = "Waiting"
	// Stopped: it was stopped on purpose.
	Stopped Phase = "Stopped"
)

// State is what is known of a program.
type State struct {
	Name  string
	Phase Phase
	// PID is 0 unless the program runs.
	PID int
	// Since is when it was started or adopted.
	Since time.Time
	// Adopted says that it ran before its supervisor did.
	Adopted bool
	// Restarts counts how often it ended and was started again.
	Restarts int
	// Reason says why it is not Ready.
	Reason string
}

// Supervisor keeps programs of one table running. Its methods may be called concurrently.
type Supervisor struct {
	table process.Table
	clock fleet.Clock
	log   *slog.Logger

	mu   sync.Mutex
	kept []*kept // in the order of Keep
	over bool    // since Stop or Release
}

// New returns a supervisor of the programs in table.
func New(table process.Table, clock fleet.Clock, log *slog.Logger) *Supervisor {
	return &Supervisor{table: table, clock: clock, log: log}
}

// Keep starts or adopts p and keeps it running until Stop, whatever becomes of ctx. It does
// not wait until p serves: see Await. After Stop or Release it refuses: nobody would end p.
func (s *Supervisor) Keep(ctx context.Context, p Program) error {
	digest, err := digest(p)
	if err != nil {
		return fmt.Errorf("keeping %s: %w", p.Spec.Name, err)
	}
	p.Spec.Env = slices.Concat(p.Spec.Env, p.Variables, []string{digestVariable + "=" + digest})
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	k := &kept{
		program: p, digest: digest, table: s.table, clock: s.clock,
		log:   s.log.With("program", p.Spec.Name),
		end:   end,
		ended: make(chan struct{}),
		ready: make(chan struct{}),
		state: State{Name: p.Spec.Name, Phase: Starting},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		end()
		return fmt.Errorf("keeping %s: the plane is being stopped", p.Spec.Name)
	}
	s.kept = append(s.kept, k)
	go k.run(life)
	return nil
}

// Await returns when the kept program of that name has served once.
func (s *Supervisor) Await(ctx context.Context, name string) error {
	k := s.find(name)
	if k == nil {
		return fmt.Errorf("waiting for %s: it is not kept", name)
	}
	select {
	case <-k.ready:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for %s: %w: %s; its log is %s", name, context.Cause(ctx), k.snapshot().Reason, k.program.Spec.Log)
	}
}

func (s *Supervisor) find(name string) *kept {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kept {
		if k.program.Spec.Name == name {
			return k
		}
	}
	return nil
}

// Stop ends all programs, the one that was kept last first, and returns when they are gone.
func (s *Supervisor) Stop(ctx context.Context) error {
	s.mu.Lock()
	all := s.kept
	s.kept, s.over = nil, true
	s.mu.Unlock()
	for _, k := range slices.Backward(all) {
		k.end()
		<-k.ended
		if err := s.table.Stop(ctx, k.program.Spec.Name, k.program.Grace); err != nil {
			return err
		}
	}
	return nil
}

// Release lets go of all programs without ending them.
func (s *Supervisor) Release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.kept {
		k.end()
		<-k.ended
	}
	s.kept, s.over = nil, true
}

// States returns what is known of the programs, in the order in which they were kept. Those
// that claim to serve are asked whether they still do.
func (s *Supervisor) States(ctx context.Context) []State {
	s.mu.Lock()
	all := slices.Clone(s.kept)
	s.mu.Unlock()
	states := make([]State, len(all))
	var wg sync.WaitGroup
	for i, k := range all {
		wg.Go(func() { states[i] = k.ask(ctx) })
	}
	wg.Wait()
	return states
}
