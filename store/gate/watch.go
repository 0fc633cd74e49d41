package gate

import (
	"context"
	"fmt"
	"time"
)

// between is how long after one look at the store comes the next, as long as the journal holds something; again
// how long after one that found no store.
const (
	between = 5 * time.Second
	again   = time.Second
)

// mark says that all entries up to a sequence number were in the journal at that time.
type mark struct {
	sequence uint64
	at       time.Time
}

// watched is what the loop knows of the store. Nobody else uses it.
type watched struct {
	// known is the process that has been given all that the journal holds; since says from when on.
	// It is nil where there is no such process.
	known *process
	since time.Time
	// marks are in the order of time; forgotten is the last sequence number that the journal need not hold.
	marks     []mark
	forgotten uint64
}

// watch looks at the store until the context ends. It rests while there is nothing that could be lost.
func (g *Gate) watch(ctx context.Context) {
	defer close(g.stopped)
	var w watched
	for {
		if w.known != nil && w.forgotten == g.last.Load() {
			select {
			case <-g.woken:
			case <-ctx.Done():
				return
			}
		}
		if err := g.look(ctx, &w); err != nil && ctx.Err() == nil {
			g.complain(err)
		}
		rest := between
		if w.known == nil {
			rest = again
		}
		select {
		case <-time.After(rest):
		case <-g.broken:
			w.known = nil
			time.Sleep(again / 10) // it is given the time to come back
		case <-ctx.Done():
			return
		}
	}
}

// look finds out whether the store is still the same process. Another one is sent everything, as soon as it is old
// enough to be told from the next one; the same one has had what is older than the window for long enough.
func (g *Gate) look(ctx context.Context, w *watched) error {
	began := g.world.Clock()
	found, err := g.store.look(ctx)
	if err != nil {
		if died(err) {
			w.known = nil
		}
		return fmt.Errorf("looking at VictoriaMetrics: %w", err)
	}
	if found.young() {
		w.known = nil
		return nil
	}
	if w.known == nil || !found.after(*w.known) {
		w.known = nil
		select {
		case <-g.broken: // what follows makes up for it
		default:
		}
		if err := g.replay(ctx); err != nil {
			return err
		}
		w.since = g.world.Clock()
	}
	w.known = &found
	w.marks = append(w.marks, mark{sequence: g.last.Load(), at: g.world.Clock()})
	if began.Sub(w.since) < g.cfg.Window {
		return nil
	}
	for len(w.marks) > 0 && began.Sub(w.marks[0].at) >= g.cfg.Window {
		w.forgotten, w.marks = w.marks[0].sequence, w.marks[1:]
	}
	return g.journal.Forget(w.forgotten)
}

// replay sends all that the journal holds. A write that was passed on before it and is appended after
// it would be missing from both: round tells those that were under way.
func (g *Gate) replay(ctx context.Context) error {
	g.round.Add(1)
	sent, began := 0, g.world.Clock()
	err := g.journal.Each(func(_ uint64, data []byte) error {
		e, err := unmarshal(data)
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		a, err := g.store.send(ctx, e)
		switch {
		case err != nil:
			return fmt.Errorf("sending to VictoriaMetrics again: %w", err)
		case a.status/100 == 4 && a.status != 429:
			// It took it before; since then it has become too old, for instance.
			g.world.Log.Warn("VictoriaMetrics refuses what it took before", "status", a.status, "answer", string(a.body))
		case !a.taken():
			return fmt.Errorf("sending to VictoriaMetrics again: status %d: %s", a.status, a.body)
		}
		sent++
		return nil
	})
	if sent > 0 {
		g.resent.Add(int64(sent))
		g.world.Log.Info("VictoriaMetrics was started anew, and was sent again what it may have lost", "writes", sent, "took", g.world.Clock().Sub(began), "error", err)
	}
	return err
}

// complain says once that the store does not answer, and not each time.
func (g *Gate) complain(err error) {
	if text := err.Error(); text != g.said {
		g.said = text
		g.world.Log.Warn("watching VictoriaMetrics", "error", err)
	}
}
