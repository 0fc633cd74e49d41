package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// settle is the least time between two looks at the sizes.
const settle = 30 * time.Second

// Rotate bounds the *.log files in dir until ctx ends: one that grows beyond most bytes is
// copied to NAME.log.1 and emptied. The programs hold their logs open for appending, so a
// file cannot be replaced under them; what is written between copying and emptying is lost.
// The kernel tells when something is written, so silent logs cost nothing.
func Rotate(ctx context.Context, dir string, most int64) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer context.AfterFunc(ctx, func() { events.Close() })()
	defer events.Close()
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_MODIFY|unix.IN_ONLYDIR); err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	buffer := make([]byte, 64<<10)
	for {
		if err := rotateAll(dir, most); err != nil {
			return err
		}
		if _, err := events.Read(buffer); err != nil {
			return ctx.Err()
		}
		if !sleep(ctx, settle) {
			return ctx.Err()
		}
	}
}

func rotateAll(dir string, most int64) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		return err
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil || info.Size() <= most {
			continue // gone since, or small
		}
		if err := rotate(file); err != nil {
			return fmt.Errorf("rotating %s: %w", file, err)
		}
	}
	return nil
}

func rotate(file string) error {
	from, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(file+".1", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, from.Truncate(0), to.Close())
}
