package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// settle is the least time between two looks at the sizes.
const settle = 30 * time.Second

// Rotate bounds the *.log files in the folders of dirs, which are patterns, until ctx ends: one
// that grows beyond most bytes is copied to NAME.log.1 and emptied. The programs hold their logs
// open for appending, so a file cannot be replaced under them; what is written between copying
// and emptying is lost. The kernel tells when something is written, so silent logs cost nothing.
//
// A log that cannot be rotated is said once and tried again: it is no reason for anything else
// to end. Only if the kernel will tell nothing Rotate returns an error of its own.
func Rotate(ctx context.Context, log *slog.Logger, most int64, dirs ...string) error {
	return rotateEvery(ctx, settle, log, most, dirs)
}

func rotateEvery(ctx context.Context, settle time.Duration, log *slog.Logger, most int64, dirs []string) error {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return fmt.Errorf("watching the logs: %w", err)
	}
	events := os.NewFile(uintptr(fd), "inotify")
	defer context.AfterFunc(ctx, func() { events.Close() })()
	defer events.Close()
	buffer, before := make([]byte, 64<<10), ""
	for {
		err := errors.Join(watch(fd, dirs), rotateAll(dirs, most))
		if said := fmt.Sprint(err); err != nil && said != before {
			log.Warn("a log is not bounded", "reason", err)
			before = said
		}
		if _, err := events.Read(buffer); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("watching the logs: %w", err)
		}
		if !sleep(ctx, settle) {
			return ctx.Err()
		}
	}
}

// watch has the kernel tell what is written in the folders, and which folders come that match.
// Those above come first: what is made below one after its watch began is told.
func watch(fd int, dirs []string) error {
	var errs []error
	for _, pattern := range dirs {
		for _, at := range levels(pattern) {
			what := uint32(unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_ONLYDIR)
			if at == pattern {
				what |= unix.IN_MODIFY
			}
			found, err := filepath.Glob(at)
			errs = append(errs, err)
			for _, dir := range found {
				_, err := unix.InotifyAddWatch(fd, dir, what)
				if err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR) {
					errs = append(errs, fmt.Errorf("watching %s: %w", dir, err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// levels are a pattern of folders and those above it, from the one that holds the first folder
// without a fixed name: /a/b/*/c has /a, /a/b, /a/b/*, /a/b/*/c.
func levels(pattern string) []string {
	all := []string{pattern}
	for at := pattern; strings.Contains(at, "*"); {
		at = filepath.Dir(at)
		all = append(all, at)
		if !strings.Contains(at, "*") {
			all = append(all, filepath.Dir(at)) // at itself may not be there yet
		}
	}
	slices.Reverse(all)
	return all
}

func rotateAll(dirs []string, most int64) error {
	var errs []error
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.log"))
		errs = append(errs, err)
		for _, file := range files {
			info, err := os.Lstat(file)
			if err != nil || !info.Mode().IsRegular() || info.Size() <= most {
				continue // gone since, or small
			}
			if err := rotate(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, fmt.Errorf("rotating %s: %w", file, err))
			}
		}
	}
	return errors.Join(errs...)
}

// rotate empties the file even if it could not be copied: on a full disk that is what helps.
func rotate(file string) error {
	from, err := os.OpenFile(file, os.O_RDWR|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenFile(file+".1", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return errors.Join(err, from.Truncate(0))
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, from.Truncate(0), to.Close())
}
