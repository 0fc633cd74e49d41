package controlplane

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// together runs parts that live and die together: the end of one is the end of all.
type together struct {
	parent context.Context // ends when the process is told to stop
	ctx    context.Context // ends with the parent, and with the first part that ends
	cancel context.CancelCauseFunc
}

func newTogether(parent context.Context) *together {
	ctx, cancel := context.WithCancelCause(parent)
	return &together{parent: parent, ctx: ctx, cancel: cancel}
}

// start runs a part, and returns a channel that closes when it has ended.
func (t *together) start(name string, run func(context.Context) error) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		err := run(t.ctx)
		if err == nil {
			err = errors.New("ended without an error")
		}
		t.cancel(fmt.Errorf("%s: %w", name, err))
	}()
	return ended
}

// stop ends all parts because of err.
func (t *together) stop(err error) error {
	t.cancel(err)
	return t.reason()
}

// wait returns when all was told to end and last has ended, or has had its time.
func (t *together) wait(last <-chan struct{}) error {
	<-t.ctx.Done()
	select {
	case <-last:
	case <-time.After(stopWithin):
	}
	return t.reason()
}

// reason is nil if the process was told to stop.
func (t *together) reason() error {
	if t.parent.Err() != nil {
		return nil
	}
	return context.Cause(t.ctx)
}
