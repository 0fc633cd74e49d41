package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/process"
)

// Keep starts the plane's process again whenever it ends. One that is stopped on purpose ends
// its keeper first, so an end that a keeper sees is an accident.
func (e *embedded) Keep(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(e.env.Err, nil))
	const least, most, steady = 100 * time.Millisecond, 30 * time.Second, time.Minute
	for delay := least; ; {
		began := e.env.Now()
		if p, running, err := e.table.Find(planeProgram); err != nil {
			return err
		} else if running {
			log.Info("watching", "pid", p.PID)
			if err := e.table.Wait(ctx, p); err != nil {
				return ignoreEnd(ctx, err)
			}
			log.Warn("the plane ended", "pid", p.PID)
		}
		if e.env.Now().Sub(began) > steady {
			delay = least
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
		delay = min(2*delay, most)
		lock, err := e.folder.Lock()
		if err != nil {
			log.Warn("not starting the plane", "reason", err) // most likely somebody else does
			continue
		}
		if _, err := e.startPlane(lock, successorVariable+"=1"); err != nil {
			log.Error("the plane does not start", "reason", err)
		}
	}
}

// successorVariable tells a plane that its keeper has started it.
const successorVariable = "PORTICO_SUCCESSOR"

// startPlane starts the plane's process and hands the folder's lock down to it.
func (e *embedded) startPlane(lock *os.File, more ...string) (process.Process, error) {
	defer lock.Close()
	spec := e.spec(planeProgram, e.env.Executable, "plane", "--config", e.folder.Config())
	spec.Files = []*os.File{lock}
	spec.Env = append(append(spec.Env, lockVariable+"=3"), more...)
	p, err := e.table.Start(spec)
	if err != nil {
		return p, err
	}
	return p, folder.Sign(lock, p.PID)
}

// ignoreEnd is err, or nil if it only says that ctx ended.
func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return nil
	}
	return err
}
