package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/steps"
	"portico.dev/portico/app/supervise"
	"portico.dev/portico/clusters/local/guest"
)

// lockVariable names the descriptor on which a plane inherits the folder's lock.
const lockVariable = "PORTICO_LOCK"

// startWithin is the time that a start may take. A plane that has not come up by then waits for
// something that will not happen, and its log says what.
const startWithin = 3 * time.Minute

// stopWithin is the time that the plane gets to stop all its programs.
const stopWithin = time.Minute

// Serve is the plane's own process. It ends when ctx does, and then stops the other programs;
// when a part of it fails it ends and leaves them running, for its successor to adopt.
func (e *embedded) Serve(ctx context.Context) error {
	lock, err := e.takeLock()
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := folder.Sign(lock, os.Getpid()); err != nil {
		return err
	}
	if err := e.folder.SetVersion(folder.Version{Layout: folder.Layout, Portico: e.env.Version}); err != nil {
		return err
	}
	socket, err := listenSocket(e.folder)
	if err != nil {
		return err
	}
	defer socket.Close()
	log := slog.New(slog.NewTextHandler(e.env.Err, nil))
	p := &plane{
		embedded: e, log: log, began: e.env.Now(), journal: newJournal(),
		supervisor: supervise.New(e.table, e.env.Now, log), lent: newLentAccess(e.lentKubeconfig),
	}
	return p.serve(ctx, func(context.Context) error { return serveSocket(socket, p.status, p.journal) })
}

func (p *plane) serve(ctx context.Context, answer func(context.Context) error) error {
	// The parts end after the programs that need them, hence not with ctx.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	whole, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	p.fail, p.stores, p.feed, p.directory, p.costs = fail, p.newStores(), p.newFeed(), p.newDirectory(), p.newCosts()
	p.run(life, answer)
	p.run(life, p.boundLogs)
	err := p.start(whole, life, p.steps())
	if err == nil {
		<-whole.Done()
		err = context.Cause(whole)
	}
	if ctx.Err() == nil {
		p.supervisor.Release()
		return err
	}
	p.log.Info("stopping")
	stopping, cancel := context.WithTimeout(life, stopWithin)
	defer cancel()
	return p.supervisor.Stop(stopping)
}

// boundLogs keeps the logs of all programs small, those inside machines included.
func (p *plane) boundLogs(ctx context.Context) error {
	machines := filepath.Join(p.folder.Machines(), "*", guest.LogDir)
	return supervise.Rotate(ctx, p.log, p.cfg.Logs.MaxSize.Value(), p.folder.Logs(), machines)
}

// lifeKey carries the context for what a step leaves running.
type lifeKey struct{}

// life is the context for what a step leaves running: that of a step ends with the start.
func life(ctx context.Context) context.Context { return ctx.Value(lifeKey{}).(context.Context) }

// start does the steps. What they leave running lives as long as living; a part of it that fails
// ends ctx, and with it the start.
func (p *plane) start(ctx, living context.Context, all []steps.Step) error {
	began := p.env.Now()
	stuck := ""
	report := func(e steps.Event) {
		p.log.Info("start", "step", e.Step, "phase", e.Phase, "at", e.At, "took", e.Took, "error", e.Error)
		p.journal.add(e)
		if e.Phase == steps.Failed && stuck == "" {
			stuck = e.Step + ": " + e.Error
		}
	}
	tooLong := fmt.Errorf("not done within %s", startWithin)
	limited, cancel := context.WithTimeoutCause(ctx, startWithin, tooLong)
	defer cancel()
	err := steps.Run(context.WithValue(limited, lifeKey{}, living), all, p.env.Now, report)
	if errors.Is(err, tooLong) && stuck != "" {
		err = errors.New(stuck) // what was waited for says more
	}
	took := p.env.Now().Sub(began)
	last := steps.Event{Step: wholeStart, Phase: steps.Done, At: took, Took: took}
	if err != nil {
		last.Phase, last.Error = steps.Failed, err.Error()
	}
	report(last)
	p.journal.end()
	return err
}

// takeLock takes over the lock that our starter took, or takes it.
func (e *embedded) takeLock() (*os.File, error) {
	text := e.env.Getenv(lockVariable)
	if text == "" {
		return e.folder.Lock()
	}
	fd, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %q is no descriptor", lockVariable, text)
	}
	unix.CloseOnExec(fd) // or every program that we start would hold the folder
	lock := os.NewFile(uintptr(fd), "lock")
	if lock == nil {
		return nil, errors.New("the inherited lock is not open")
	}
	return lock, nil
}
