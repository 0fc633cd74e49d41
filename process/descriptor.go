package process

import (
	"context"
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// descriptor stands for one process, whatever becomes of its number (pidfd_open(2)).
type descriptor struct {
	fd   int
	file *os.File // of fd: its Fd method would make it block
}

// open returns the descriptor of p, nil if p has ended.
func (t Table) open(p Process) (*descriptor, error) {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// Linux before 5.10 does not take this as a flag of the call above.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	d := &descriptor{fd: fd, file: os.NewFile(uintptr(fd), "pidfd")}
	if !t.Alive(p) { // the number was given to another process before we opened it
		d.close()
		return nil, nil
	}
	return d, nil
}

func (d *descriptor) close() { d.file.Close() }

// signal sends s; a process that has ended has got it.
func (d *descriptor) signal(s unix.Signal) error {
	err := unix.PidfdSendSignal(d.fd, s, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

// await returns when the process has ended, or with ctx's error. The runtime's poller waits:
// an idle wait costs neither a thread nor a look at the clock.
func (d *descriptor) await(ctx context.Context) error {
	conn, err := d.file.SyscallConn()
	if err != nil {
		return err
	}
	if err := d.file.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	// The deadline must not come after we have returned: it would end the next wait.
	ended := make(chan struct{})
	giveUp := context.AfterFunc(ctx, func() {
		_ = d.file.SetReadDeadline(time.Unix(1, 0))
		close(ended)
	})
	defer func() {
		if !giveUp() {
			<-ended
		}
	}()
	var failed error
	err = conn.Read(func(fd uintptr) bool {
		var n int
		n, failed = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		if errors.Is(failed, unix.EINTR) {
			failed = nil
		}
		return n > 0 || failed != nil
	})
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ctx.Err()
	}
	return errors.Join(err, failed)
}
