package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
)

// ErrFull means that the disk has no room, or the quota is used up. What was to be appended was not.
var ErrFull = errors.New("no room on the disk")

// ErrClosed means that the journal was closed.
var ErrClosed = errors.New("the journal is closed")

const (
	segmentBytes = 16 << 20
	// Entries that wait are written together, at most so many bytes at once.
	groupBytes = 8 << 20
	maxEntry   = 256 << 20
)

// Journal is a folder of segments. Its methods are safe for concurrent use.
type Journal struct {
	dir     string
	segment int64 // from how many bytes on another one is begun
	waiting chan *entry
	done    chan struct{}
	stop    chan struct{}
	once    sync.Once
	bytes   atomic.Int64

	mu       sync.Mutex
	segments []segment // the last one is written to

	// Only the goroutine that writes uses what follows.
	file   *os.File
	offset int64
	next   uint64
	buffer []byte
}

// segment is a file; it holds the entries from first on, up to the first one of the next segment.
type segment struct {
	path  string
	first uint64
	bytes int64
}

type entry struct {
	data []byte
	kept func(sequence uint64)
	err  chan error
}

// Replay is given each entry in the order of sequence numbers. The data is valid until it returns.
type Replay func(sequence uint64, data []byte) error

// Open opens the journal in the folder, makes it where it is missing, and replays what it holds. A half
// written entry at the end is cut off: it was never acknowledged.
func Open(dir string, replay Replay) (*Journal, error) {
	return OpenWith(dir, segmentBytes, replay)
}

// OpenWith is Open with segments of another size: what is forgotten goes by whole segments.
func OpenWith(dir string, segment int64, replay Replay) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the journal's folder: %w", err)
	}
	j := &Journal{dir: dir, segment: segment, waiting: make(chan *entry, 256), done: make(chan struct{}), stop: make(chan struct{}), next: 1}
	if err := j.load(replay); err != nil {
		return nil, err
	}
	if err := j.rotate(); err != nil {
		return nil, err
	}
	go j.run()
	return j, nil
}

// Append keeps data, and returns once it is safe. kept is called before, with the entry's sequence
// number: for one entry after the other, in the order of the numbers. The data is not kept
// where it returns an error, except for ErrClosed: then it may be.
func (j *Journal) Append(ctx context.Context, data []byte, kept func(sequence uint64)) error {
	if len(data) > maxEntry {
		return fmt.Errorf("an entry of %d bytes: expected at most %d", len(data), maxEntry)
	}
	e := &entry{data: data, kept: kept, err: make(chan error, 1)}
	select {
	case j.waiting <- e:
	case <-j.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-e.err:
		return err
	case <-j.done:
		return ErrClosed
	}
}

// Bytes is how much room the segments take.
func (j *Journal) Bytes() int64 { return j.bytes.Load() }

// Skip makes sure that the next entry's number is greater than this one. It is called before the first
// Append, with the last number whose rows the database has.
func (j *Journal) Skip(sequence uint64) {
	if j.next <= sequence {
		j.next = sequence + 1
		j.segments[len(j.segments)-1].first = j.next
	}
}

// Forget removes the segments of which all entries are at or before the sequence number.
func (j *Journal) Forget(sequence uint64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	for len(j.segments) > 1 && j.segments[1].first <= sequence+1 {
		if err := os.Remove(j.segments[0].path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("removing a segment of the journal: %w", err)
		}
		j.bytes.Add(-j.segments[0].bytes)
		j.segments = j.segments[1:]
	}
	return nil
}

// Each is given every entry that was kept before the call and is not forgotten, while the journal goes on.
func (j *Journal) Each(see Replay) error {
	j.mu.Lock()
	segments := slices.Clone(j.segments)
	j.mu.Unlock()
	for _, s := range segments {
		if err := s.each(see); err != nil {
			return fmt.Errorf("reading the journal's segment %s: %w", s.path, err)
		}
	}
	return nil
}

// Close ends the journal. Entries that wait are refused.
func (j *Journal) Close() error {
	j.once.Do(func() { close(j.stop) })
	<-j.done
	return j.file.Close()
}

func (j *Journal) run() {
	defer close(j.done)
	for {
		select {
		case e := <-j.waiting:
			j.commit(j.group(e))
		case <-j.stop:
			return
		}
	}
}

// group is the first entry and what waits behind it.
func (j *Journal) group(first *entry) []*entry {
	group, size := []*entry{first}, len(first.data)
	for size < groupBytes {
		select {
		case e := <-j.waiting:
			group, size = append(group, e), size+len(e.data)
		default:
			return group
		}
	}
	return group
}

func (j *Journal) commit(group []*entry) {
	err := j.write(group)
	for _, e := range group {
		if err == nil {
			e.kept(j.next)
			j.next++
		}
		e.err <- err
	}
}

func (j *Journal) write(group []*entry) error {
	if j.offset >= j.segment {
		if err := j.rotate(); err != nil {
			return err
		}
	}
	j.buffer = j.buffer[:0]
	for i, e := range group {
		j.buffer = appendEntry(j.buffer, j.next+uint64(i), e.data)
	}
	_, err := j.file.WriteAt(j.buffer, j.offset)
	if err == nil {
		err = syscall.Fdatasync(int(j.file.Fd()))
	}
	if err != nil {
		return j.takeBack(err)
	}
	j.grow(int64(len(j.buffer)))
	if cap(j.buffer) > 2*groupBytes {
		j.buffer = nil
	}
	return nil
}

func (j *Journal) grow(by int64) {
	j.offset += by
	j.bytes.Add(by)
	j.mu.Lock()
	j.segments[len(j.segments)-1].bytes = j.offset
	j.mu.Unlock()
}

// takeBack cuts off what was half written. After a failed sync nobody knows what the disk has, and so
// the next entries go to a file of their own.
func (j *Journal) takeBack(cause error) error {
	if err := j.file.Truncate(j.offset); err != nil {
		cause = errors.Join(cause, err)
	}
	if err := j.rotate(); err != nil {
		cause = errors.Join(cause, err)
	}
	return failure("writing the journal", cause)
}

func (j *Journal) rotate() error {
	if j.file != nil && j.offset == 0 && j.segments[len(j.segments)-1].first == j.next {
		return nil
	}
	path := filepath.Join(j.dir, segmentName(j.next))
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return failure("making a segment of the journal", err)
	}
	if err := syncFolder(j.dir); err != nil {
		return failure("making a segment of the journal", errors.Join(err, file.Close()))
	}
	if j.file != nil {
		// What it holds is synced.
		_ = j.file.Close()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.segments); n > 0 && j.segments[n-1].first == j.next {
		// It held nothing that was acknowledged, and has the same name.
		j.segments = j.segments[:n-1]
	}
	j.segments = append(j.segments, segment{path: path, first: j.next})
	j.file, j.offset = file, 0
	return nil
}

func failure(doing string, err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("%s: %w: %w", doing, ErrFull, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
