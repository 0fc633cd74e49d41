package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/store"
)

// ahead is how many records a region may have found that are not wanted yet.
const ahead = 16

// hit is a record, or why there are no more.
type hit struct {
	record store.Record
	err    error
}

// stream is what a region finds, in the order of the search.
type stream struct {
	region Region
	// found is closed after the last record.
	found <-chan hit
	stop  context.CancelFunc
	// head is the next record; nil while it is on its way.
	head *store.Record
	// left is how much longer the region is waited for. It does not count while others are.
	left time.Duration
	// bytes are those of its records in the answer.
	bytes int
}

// merging is a search on its way: what the regions still find, and what of it is the answer.
type merging struct {
	q    *question
	live []*stream
	out  []store.Record
	// from is the region of each record of out.
	from []*stream
	// bytes are those of the answer, guests those of its records from guests.
	bytes, guests int
	// wrong is what the first region said that takes the question for a wrong one; answered says that
	// another one does not.
	wrong    error
	answered bool
}

// merge searches all regions at once, and reads of each only what the answer needs. Half of a
// region's records are none: one that breaks off before the answer is whole is left out of it.
func (q *question) merge(ctx context.Context, what store.LogSearch) ([]store.Record, error) {
	m := &merging{q: q}
	for _, r := range q.regions {
		own, found := r.searched(what.Labels)
		if !found {
			q.cover.excludes()
			continue
		}
		search := what
		search.Labels = own
		m.live = append(m.live, q.follow(ctx, r, search))
	}
	all := slices.Clone(m.live)
	defer func() {
		for _, s := range all {
			s.stop()
		}
	}()
	for len(m.live) > 0 && len(m.out) < what.Limit {
		if err := m.fill(ctx); err != nil {
			return nil, err
		}
		if err := m.take(what.Newest); err != nil {
			return nil, err
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	for _, s := range m.live {
		m.whole(s)
	}
	if m.wrong != nil && !m.answered {
		return nil, m.wrong
	}
	return m.out, nil
}

// follow has a region search, as far as somebody takes what it finds.
func (q *question) follow(ctx context.Context, r Region, what store.LogSearch) *stream {
	ctx, stop := context.WithCancel(ctx)
	found := make(chan hit, ahead)
	go func() {
		defer close(found)
		for record, err := range r.Logs.SearchLogs(ctx, q.in, what) {
			if err == nil && !q.in.All() && record.Tenant != q.in.Tenant() {
				record, err = store.Record{}, fmt.Errorf("the store of region %s answers with records of another tenant than it was asked for; nothing of it is used", r.Name)
			}
			select {
			case found <- hit{record, err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				return
			}
		}
	}()
	return &stream{region: r, found: found, stop: stop, left: q.patience(r)}
}

// fill waits until every region has its next record, has none any more, or was waited for long enough.
func (m *merging) fill(ctx context.Context) error {
	for {
		// A search that is over ends the streams too, which is not that they are whole.
		if ctx.Err() != nil {
			return ctx.Err()
		}
		waiting := slices.DeleteFunc(slices.Clone(m.live), func(s *stream) bool { return s.head != nil })
		if len(waiting) == 0 {
			return nil
		}
		s, began := waiting[0], m.q.engine.clock()
		patience := time.NewTimer(s.left)
		select {
		case h, more := <-s.found:
			patience.Stop()
			if err := m.came(s, h, more); err != nil {
				return err
			}
		case <-ctx.Done():
			patience.Stop()
			return ctx.Err()
		case <-patience.C:
			s.left = 0
		}
		waited := m.q.engine.clock().Sub(began)
		for _, other := range waiting {
			other.left = max(other.left-waited, 0)
			if other.left == 0 && other.head == nil && slices.Contains(m.live, other) {
				if err := m.late(other); err != nil {
					return err
				}
			}
		}
	}
}

// came takes what a region said.
func (m *merging) came(s *stream, h hit, more bool) error {
	if m.q.guest(s.region) {
		h.err = overdrawn(h.err)
	}
	switch {
	case !more:
		m.whole(s)
	case errors.Is(h.err, store.ErrTooMuch):
		return h.err
	case h.err != nil:
		if errors.Is(h.err, fleet.ErrInvalid) && m.wrong == nil {
			m.wrong = h.err
		}
		m.drop(s, h.err)
	default:
		h.record.Resource = s.region.placed(h.record.Resource)
		s.head = &h.record
	}
	return nil
}

// late leaves out a region that was waited for long enough, unless it has something by now: it may have
// come while others were looked at.
func (m *merging) late(s *stream) error {
	select {
	case h, more := <-s.found:
		return m.came(s, h, more)
	default:
	}
	m.drop(s, fmt.Errorf("it did not answer within %s", m.q.patience(s.region)))
	return nil
}

// whole says that a region has answered.
func (m *merging) whole(s *stream) {
	m.answered = true
	m.q.has(s.region)
	m.over(s)
}

// over says that nothing more comes of a region.
func (m *merging) over(s *stream) {
	// Who goes through the live ones meanwhile goes on with those that were.
	m.live = slices.DeleteFunc(slices.Clone(m.live), func(o *stream) bool { return o == s })
}

// drop takes a region out of the answer.
func (m *merging) drop(s *stream, why error) {
	s.stop()
	m.q.lacks(s.region, why)
	m.over(s)
	if m.q.guest(s.region) {
		m.guests -= s.bytes
	}
	out, from := m.out[:0], m.from[:0]
	m.bytes = 0
	for i, of := range m.from {
		if of != s {
			out, from = append(out, m.out[i]), append(from, of)
			m.bytes += size(m.out[i])
		}
	}
	m.out, m.from = out, from
}

// take moves the first of the next records into the answer. Of two of one time it is that of the
// region that comes first by its name.
func (m *merging) take(newest bool) error {
	if len(m.live) == 0 {
		return nil
	}
	first := slices.MinFunc(m.live, func(a, b *stream) int {
		if newest {
			return b.head.Time.Compare(a.head.Time)
		}
		return a.head.Time.Compare(b.head.Time)
	})
	most, more := m.q.engine.config.Bytes, size(*first.head)
	if m.q.guest(first.region) {
		switch {
		case first.bytes+more > most/guestPart:
			m.drop(first, fmt.Errorf("its answer is too big for a region that a tenant runs: it has more than %d MiB", most/guestPart>>20))
			return nil
		case m.guests+more > most/guestsPart:
			m.drop(first, fmt.Errorf("the answer has no room for more records of regions that tenants run: those have %d MiB together", most/guestsPart>>20))
			return nil
		}
		m.guests += more
	}
	m.out, m.from = append(m.out, *first.head), append(m.from, first)
	m.bytes, first.bytes = m.bytes+more, first.bytes+more
	first.head = nil
	if m.bytes > most {
		return fmt.Errorf("%w: the answer has more than %d MiB; ask for less time, or for fewer records", store.ErrTooMuch, most>>20)
	}
	return nil
}

// size is about what a record takes.
func size(r store.Record) int {
	n := len(r.Body)
	for _, set := range []map[string]string{r.Resource, r.Attributes} {
		for k, v := range set {
			n += len(k) + len(v)
		}
	}
	return n
}
