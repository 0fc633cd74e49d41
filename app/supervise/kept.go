package supervise

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/process"
)

// kept is one program that is kept running, by the goroutine run.
type kept struct {
	program Program
	digest  string
	table   process.Table
	clock   fleet.Clock
	log     *slog.Logger

	end   func()        // ends run, not the program
	ended chan struct{} // closed when run has returned
	ready chan struct{} // closed when the program serves for the first time
	once  sync.Once

	mu    sync.Mutex
	state State
}

// run keeps the program running until life ends.
func (k *kept) run(life context.Context) {
	defer close(k.ended)
	var delay time.Duration
	for restarts := 0; ; restarts++ {
		began := k.clock()
		err := k.live(life, restarts)
		if life.Err() != nil {
			k.set(func(s *State) { s.Phase, s.PID, s.Reason = Stopped, 0, "" })
			return
		}
		delay = backoff(delay, k.clock().Sub(began))
		reason := "it ended"
		if err != nil {
			reason = err.Error()
		}
		k.log.Warn("program ended, starting it again", "reason", reason, "delay", delay)
		k.set(func(s *State) { s.Phase, s.PID, s.Reason = Waiting, 0, reason })
		if !sleep(life, delay) {
			return
		}
	}
}

// live starts or adopts the program and returns when it has ended.
func (k *kept) live(life context.Context, restarts int) error {
	p, adopted, err := k.start(life)
	if err != nil {
		return err
	}
	k.log.Info("program runs", "pid", p.PID, "adopted", adopted)
	k.set(func(s *State) {
		*s = State{Name: s.Name, Phase: Starting, PID: p.PID, Since: k.clock(), Adopted: adopted, Restarts: restarts}
	})
	probing, stop := context.WithCancel(life)
	defer stop()
	go k.awaitReady(probing)
	return k.table.Wait(life, p)
}

// start returns the running program, and whether it ran before. One that was started from
// other inputs is stopped first.
func (k *kept) start(life context.Context) (process.Process, bool, error) {
	name := k.program.Spec.Name
	running, found, err := k.table.Find(name)
	if err != nil {
		return process.Process{}, false, err
	}
	if found && k.same(running) {
		return running, true, nil
	}
	if found {
		k.log.Info("replacing a program that was started from other inputs", "pid", running.PID)
		if err := k.table.Stop(life, name, k.program.Grace); err != nil {
			return process.Process{}, false, err
		}
	}
	p, err := k.table.Start(k.program.Spec)
	return p, false, err
}

func (k *kept) same(p process.Process) bool {
	env, err := k.table.Environ(p)
	return err == nil && slices.Contains(env, digestVariable+"="+k.digest)
}

// awaitReady asks until the program serves. It asks often at first, since a start is what a
// user waits for, and stops asking once it has an answer.
func (k *kept) awaitReady(ctx context.Context) {
	const least, most = 20 * time.Millisecond, time.Second
	for delay := least; ; delay = min(delay*5/4, most) {
		err := k.probe(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			k.set(func(s *State) { s.Phase, s.Reason = Ready, "" })
			k.once.Do(func() { close(k.ready) })
			return
		}
		k.set(func(s *State) { s.Reason = err.Error() })
		if !sleep(ctx, delay) {
			return
		}
	}
}

func (k *kept) probe(ctx context.Context) error {
	if k.program.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return k.program.Ready(ctx)
}

// ask is the state, with the claim to be ready checked.
func (k *kept) ask(ctx context.Context) State {
	s := k.snapshot()
	if s.Phase != Ready {
		return s
	}
	if err := k.probe(ctx); err != nil {
		s.Phase, s.Reason = Starting, err.Error()
	}
	return s
}

func (k *kept) snapshot() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

func (k *kept) set(change func(*State)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.state)
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
