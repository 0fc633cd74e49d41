package keep

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"portico.dev/portico/store/row"
	"portico.dev/portico/store/tables"
)

// run brings rows to the tables until the keeper is closed.
func (k *Keeper) run() {
	defer close(k.stopped)
	ctx := context.Background()
	tick := time.NewTicker(maxAge)
	defer tick.Stop()
	var looked time.Time
	for {
		select {
		case <-k.wake:
		case <-tick.C:
		case <-k.stop:
			k.end(ctx)
			return
		}
		err := k.flush(ctx)
		k.retain(ctx, &looked)
		if err != nil && !k.pause() {
			k.end(ctx)
			return
		}
	}
}

// pause lets time pass after a transaction that failed. It returns false when the keeper is closed.
func (k *Keeper) pause() bool {
	select {
	case <-time.After(500 * time.Millisecond):
		return true
	case <-k.stop:
		return false
	}
}

// end is the last thing that the keeper does. What cannot be written stays in the journal.
func (k *Keeper) end(ctx context.Context) {
	err := k.journal.Close()
	err = errors.Join(err, k.flush(ctx), os.WriteFile(k.closed(), nil, 0o600))
	k.open.Lock()
	defer k.open.Unlock()
	if err = errors.Join(err, k.tables.Close()); err != nil {
		k.world.Log.Error("closing", "error", err)
	}
}

// flush writes what is held in one transaction, and tells the searches that wait for it.
func (k *Keeper) flush(ctx context.Context) error {
	k.mu.Lock()
	waiters := k.waiters
	k.waiters = nil
	k.mu.Unlock()
	err := k.writeHeld(ctx)
	for _, w := range waiters {
		w <- err
	}
	if err != nil {
		k.stats.failures.Add(1)
		k.world.Log.Error("writing rows to the database; they are in the journal, and it is tried again", "error", err)
	}
	return err
}

func (k *Keeper) writeHeld(ctx context.Context) error {
	if err := k.repair(ctx); err != nil {
		return err
	}
	h := k.take()
	if len(h.batches) == 0 {
		return nil
	}
	err := k.tables.Append(ctx, h.after(k.tables.Applied()), h.through())
	if err != nil {
		k.giveBack(h)
		k.broken.CompareAndSwap(false, errors.Is(err, tables.ErrBroken))
		if errors.Is(err, tables.ErrFull) {
			why := err.Error()
			k.full.Store(&why)
		}
		return err
	}
	k.full.Store(nil)
	k.settle(h)
	if err := k.journal.Forget(h.through()); err != nil {
		return err
	}
	k.measure(ctx)
	return nil
}

// repair opens a broken database again. It may then have the rows of a transaction that ended with an
// error: Applied says so.
func (k *Keeper) repair(ctx context.Context) error {
	if !k.broken.Load() {
		return nil
	}
	k.open.Lock()
	defer k.open.Unlock()
	k.world.Log.Warn("the database is opened again")
	if err := k.tables.Close(); err != nil {
		k.world.Log.Warn("closing the broken database", "error", err)
	}
	t, err := tables.Open(ctx, k.cfg.tablesConfig())
	if err != nil {
		return fmt.Errorf("opening the database again: %w", err)
	}
	k.tables = t
	k.broken.Store(false)
	return nil
}

// retain drops what is too old or too much.
func (k *Keeper) retain(ctx context.Context, looked *time.Time) {
	if k.tables.Unfreed() && !k.drop(ctx, func() (bool, error) { return true, k.tables.Checkpoint(ctx) }) {
		// As long as nobody knows what the last drop freed nothing more is dropped.
		return
	}
	now := k.world.Clock()
	if now.Sub(*looked) >= retentionPeriod {
		*looked = now
		oldest := row.DayOf(now.Add(-k.cfg.Retention).UnixNano())
		k.drop(ctx, func() (bool, error) { return k.tables.DropBefore(ctx, oldest) })
		if errors.Is(k.hasRoom(), ErrFull) {
			// Nobody writes now, and so nothing else would bring what was committed to its smaller form.
			k.checkpoint(ctx)
		}
	}
	if !k.tooMuch() {
		return
	}
	// What was committed takes more room before a checkpoint than after it.
	if !k.checkpoint(ctx) {
		return
	}
	for k.tooMuch() {
		if !k.drop(ctx, func() (bool, error) { return k.tables.DropOldest(ctx) }) {
			return
		}
	}
}

// checkpoint says whether what is known of the room is true now.
func (k *Keeper) checkpoint(ctx context.Context) bool {
	err := k.tables.Checkpoint(ctx)
	k.measure(ctx)
	if err != nil {
		k.broken.CompareAndSwap(false, errors.Is(err, tables.ErrBroken))
		k.world.Log.Warn("making room is tried again", "error", err)
	}
	return err == nil
}

func (k *Keeper) tooMuch() bool {
	return k.cfg.RetentionBytes > 0 && k.stats.used.Load() > k.cfg.RetentionBytes
}

// drop drops something, and says whether there is less now.
func (k *Keeper) drop(ctx context.Context, how func() (bool, error)) bool {
	dropped, err := how()
	if err != nil {
		k.broken.CompareAndSwap(false, errors.Is(err, tables.ErrBroken))
		k.world.Log.Error("enforcing the retention", "error", err)
	}
	if dropped {
		k.stats.drops.Add(1)
		k.measure(ctx)
	}
	return dropped && err == nil
}
