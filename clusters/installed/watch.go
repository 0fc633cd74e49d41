package installed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// settle is how long the folder has to tell of everything that is copied at once.
const settle = 500 * time.Millisecond

// Watch calls changed whenever programs may have come or gone, until ctx ends: whoever did not
// find a version looks again.
func (p *Programs) Watch(ctx context.Context, changed func()) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watching %s: %w", p.folder, err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer events.Close()
	defer context.AfterFunc(ctx, func() { events.Close() })()
	// A copy has come when it is closed, anything else when it has its name.
	const kinds = unix.IN_CLOSE_WRITE | unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_DELETE
	if _, err := unix.InotifyAddWatch(fd, p.folder, kinds|unix.IN_ONLYDIR); err != nil {
		return fmt.Errorf("watching %s: %w", p.folder, err)
	}
	for buffer := make([]byte, 16<<10); ; {
		if _, err := events.Read(buffer); errors.Is(err, os.ErrClosed) {
			return nil
		} else if err != nil {
			return fmt.Errorf("watching %s: %w", p.folder, err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(settle):
		}
		changed()
	}
}
