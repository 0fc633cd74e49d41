package keep

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"portico.dev/portico/store/journal"
	"portico.dev/portico/store/otlp"
	"portico.dev/portico/store/row"
	"portico.dev/portico/store/tables"
)

// ErrFull means that there is no room for more: what was sent was not kept, and may be sent again.
var ErrFull = errors.New("the store is full")

// ErrBusy means that more comes than the store can keep up with: it may be sent again a little later.
var ErrBusy = errors.New("the store is busy")

// Config is what the keeper needs to know.
type Config struct {
	// Dir is the folder of everything that is kept.
	Dir string
	// Retention is how old a row may become. RetentionBytes is how much room the rows may take before
	// the oldest are dropped; 0 does not bound it.
	Retention      time.Duration
	RetentionBytes int64
	// QuotaBytes is from when on writes are refused; 0 is never. ReserveBytes is how much room on the
	// disk is left to others: with less than this writes are refused.
	QuotaBytes, ReserveBytes int64
	// MemoryBytes is about how much memory all of it may use.
	MemoryBytes int64
	Threads     int
	// LineBytes is how much of a record's body is kept.
	LineBytes int
	// BodyBytes is how big a request may be, uncompressed.
	BodyBytes int64
	PartRows  int64
}

// World is what the keeper uses of the machine.
type World struct {
	Clock func() time.Time
	Log   *slog.Logger
}

const (
	// Rows are brought to the tables when they are so old, even if nobody asks and they are few.
	maxAge = 5 * time.Second
	// A write waits so long for the tables to catch up.
	maxWait = 10 * time.Second
	// The retention by time is looked at so often.
	retentionPeriod = time.Minute
)

// Keeper keeps rows. Its methods are safe for concurrent use.
type Keeper struct {
	cfg     Config
	world   World
	rules   otlp.Rules
	journal *journal.Journal
	decodes chan struct{} // a place for each request that may be decoded at a time

	open   sync.RWMutex // held while the tables are used; the writer takes it to open them again
	tables *tables.Tables

	mu      sync.Mutex
	held    held
	pending int64         // bytes of rows that are not in the tables yet
	room    chan struct{} // closed when pending became less
	waiters []chan error  // searches that wait until what is held is in the tables

	wake    chan struct{}
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
	stats   stats
	full    atomic.Pointer[string] // why the last transaction found no room
	broken  atomic.Bool

	followers *followers
	unheard   *unheard
}

// held is rows on their way to the tables.
type held struct {
	batches []*row.Batch
	// sequences are the journal's numbers of the batches.
	sequences []uint64
	bytes     int64
}

func (h held) through() uint64 { return h.sequences[len(h.sequences)-1] }

// after returns the batches whose numbers are greater than that of what the tables have.
func (h held) after(applied uint64) []*row.Batch {
	for i, sequence := range h.sequences {
		if sequence > applied {
			return h.batches[i:]
		}
	}
	return nil
}

// flushBytes is with how many bytes of rows a transaction begins; maxPending how many may wait.
func (c Config) flushBytes() int64 { return max(4<<20, c.MemoryBytes/16) }
func (c Config) maxPending() int64 { return 3 * c.flushBytes() }

// tablesConfig leaves to the database about half of the memory.
func (c Config) tablesConfig() tables.Config {
	return tables.Config{
		Dir:         filepath.Join(c.Dir, "tables"),
		MemoryBytes: max(64<<20, c.MemoryBytes/2),
		Threads:     c.Threads,
		PartRows:    c.PartRows,
	}
}

// Open opens what is in the folder, and brings to the tables what only the journal has.
func Open(ctx context.Context, cfg Config, world World) (*Keeper, error) {
	t, err := tables.Open(ctx, cfg.tablesConfig())
	if err != nil {
		return nil, err
	}
	k := &Keeper{
		cfg:     cfg,
		world:   world,
		rules:   otlp.Rules{Retention: cfg.Retention, Line: cfg.LineBytes},
		tables:  t,
		decodes: make(chan struct{}, cfg.Threads+1),
		room:    make(chan struct{}),
		wake:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),

		followers: newFollowers(),
		unheard:   newUnheard(),
	}
	applied := t.Applied()
	k.journal, err = journal.Open(filepath.Join(cfg.Dir, "journal"), func(sequence uint64, data []byte) error {
		return k.replay(ctx, applied, sequence, data)
	})
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	k.journal.Skip(applied)
	k.unheard.loaded(world.Clock(), k.closed())
	k.measure(ctx)
	go k.run()
	return k, nil
}

// replay takes an entry of the journal as if it had just arrived.
func (k *Keeper) replay(ctx context.Context, applied, sequence uint64, data []byte) error {
	r, err := parseEntry(data)
	if err == nil {
		k.unheard.load(r)
	}
	if sequence <= applied {
		return nil
	}
	batch, err := k.decodeEntry(data)
	if err != nil {
		// It was decoded before it was acknowledged, so this is a version that reads it otherwise.
		k.world.Log.Error("an entry of the journal cannot be read and is left out", "entry", sequence, "error", err)
		return nil
	}
	k.hold(batch, sequence)
	k.pending += int64(batch.Bytes)
	if k.held.bytes < k.cfg.flushBytes() {
		return nil
	}
	h := k.take()
	if err := k.tables.Append(ctx, h.batches, h.through()); err != nil {
		return err
	}
	k.settle(h)
	return nil
}

// Write keeps the rows of a request, and returns once they would survive the death of the machine.
func (k *Keeper) Write(ctx context.Context, r Request) (Result, error) {
	if k.unheard.repeats(r) {
		return Result{}, nil
	}
	select {
	case k.decodes <- struct{}{}:
	case <-ctx.Done():
		return Result{}, ctx.Err()
	}
	batch, err := k.decode(r)
	<-k.decodes
	if err != nil {
		return Result{}, err
	}
	result := Result{Rejected: batch.Rejected, Reason: batch.Reason}
	k.stats.rejected.Add(int64(batch.Rejected))
	if batch.Rows() == 0 {
		return result, nil
	}
	if err := k.hasRoom(); err != nil {
		return Result{}, err
	}
	if err := k.reserve(ctx, int64(batch.Bytes)); err != nil {
		return Result{}, err
	}
	err = k.journal.Append(ctx, r.entry(), func(sequence uint64) { k.hold(batch, sequence) })
	if err != nil {
		k.release(int64(batch.Bytes))
	}
	switch {
	case errors.Is(err, journal.ErrFull):
		return Result{}, fmt.Errorf("%w: %w", ErrFull, err)
	case err != nil:
		return Result{}, err
	}
	k.stats.written(batch)
	k.tell(batch)
	if ctx.Err() != nil {
		k.unheard.add(r)
	}
	return result, nil
}

// hold takes rows that are in the journal. The journal calls it in the order of its entries.
func (k *Keeper) hold(batch *row.Batch, sequence uint64) {
	k.mu.Lock()
	k.held.batches = append(k.held.batches, batch)
	k.held.bytes += int64(batch.Bytes)
	k.held.sequences = append(k.held.sequences, sequence)
	begin := k.held.bytes >= k.cfg.flushBytes()
	k.mu.Unlock()
	if begin {
		k.poke()
	}
}

func (k *Keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// take returns what is held, which then is nobody's but the caller's.
func (k *Keeper) take() held {
	k.mu.Lock()
	defer k.mu.Unlock()
	h := k.held
	k.held = held{}
	return h
}

// giveBack holds again what could not be written, before what came since.
func (k *Keeper) giveBack(h held) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held.batches = append(h.batches, k.held.batches...)
	k.held.bytes += h.bytes
	k.held.sequences = append(h.sequences, k.held.sequences...)
}

// settle is called when rows are in the tables.
func (k *Keeper) settle(h held) {
	k.release(h.bytes)
	k.stats.flushes.Add(1)
}

// reserve waits until there is memory for so many bytes of rows.
func (k *Keeper) reserve(ctx context.Context, bytes int64) error {
	deadline := time.NewTimer(maxWait)
	defer deadline.Stop()
	for {
		k.mu.Lock()
		if k.pending == 0 || k.pending+bytes <= k.cfg.maxPending() {
			k.pending += bytes
			k.mu.Unlock()
			return nil
		}
		room := k.room
		k.mu.Unlock()
		k.poke()
		select {
		case <-room:
		case <-deadline.C:
			if why := k.full.Load(); why != nil {
				return fmt.Errorf("%w: %s", ErrFull, *why)
			}
			return fmt.Errorf("%w: more arrives than can be written", ErrBusy)
		case <-ctx.Done():
			return ctx.Err()
		case <-k.stop:
			return journal.ErrClosed
		}
	}
}

func (k *Keeper) release(bytes int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending -= bytes
	close(k.room)
	k.room = make(chan struct{})
}

// Read calls ask with the tables, which then have all that was acknowledged before, as far as there
// is room for it. ask must not keep the tables.
func (k *Keeper) Read(ctx context.Context, ask func(*tables.Tables) error) error {
	if err := k.catchUp(ctx); err != nil {
		return err
	}
	k.open.RLock()
	defer k.open.RUnlock()
	err := ask(k.tables)
	if errors.Is(err, tables.ErrBroken) {
		k.broken.Store(true)
		k.poke()
	}
	return err
}

// catchUp waits until what is held is in the tables, or could not be written.
func (k *Keeper) catchUp(ctx context.Context) error {
	k.mu.Lock()
	if k.pending == 0 {
		k.mu.Unlock()
		return nil
	}
	written := make(chan error, 1)
	k.waiters = append(k.waiters, written)
	k.mu.Unlock()
	k.poke()
	select {
	case err := <-written:
		if err != nil {
			k.world.Log.Warn("a search answers without the newest rows", "error", err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-k.stop:
		return journal.ErrClosed
	}
}

// Close brings what is held to the tables and closes them.
func (k *Keeper) Close() error {
	k.Dismiss()
	k.once.Do(func() { close(k.stop) })
	<-k.stopped
	return nil
}
