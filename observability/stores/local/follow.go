package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
	"time"

	"portico.dev/portico/observability/store"
)

// silence is how long a stream may say nothing at all. A store on which nothing comes shows every ten
// seconds that it lives.
const silence = 45 * time.Second

// FollowLogs implements store.LogFollower.
func (s *Store) FollowLogs(ctx context.Context, in store.Scope, what store.LogSearch) iter.Seq2[store.Followed, error] {
	return func(yield func(store.Followed, error) bool) {
		what.Start, what.End, what.Limit = time.Time{}, time.Time{}, 0
		args, err := logArgs(what)
		if err != nil {
			yield(store.Followed{}, err)
			return
		}
		ctx, hangUp := context.WithCancel(ctx)
		defer hangUp()
		resp, err := s.get(ctx, in, s.config.LogsOut+"/select/portico/logs/tail", args)
		if err != nil {
			yield(store.Followed{}, err)
			return
		}
		defer resp.Body.Close()
		from := &heard{from: resp.Body, timer: time.AfterFunc(silence, hangUp)}
		defer from.timer.Stop()
		for lines := json.NewDecoder(from); ; {
			told, err := nextTold(lines, in)
			if err != nil && from.silent.Load() {
				err = fmt.Errorf("following: the store says nothing for %s; see whether it runs", silence)
			}
			if !yield(told, err) || err != nil {
				return
			}
		}
	}
}

// heard hangs up on a stream that falls silent. While nobody reads, it does not count.
type heard struct {
	from   io.Reader
	timer  *time.Timer
	silent atomic.Bool
}

func (h *heard) Read(p []byte) (int, error) {
	h.timer.Reset(silence)
	n, err := h.from.Read(p)
	if !h.timer.Stop() && err != nil {
		h.silent.Store(true)
	}
	return n, err
}

// nextTold reads a line. A stream has no end but an error.
func nextTold(lines *json.Decoder, in store.Scope) (store.Followed, error) {
	var l line
	err := lines.Decode(&l)
	switch {
	case errors.Is(err, io.EOF):
		return store.Followed{}, errors.New("following: the store broke off")
	case err != nil:
		return store.Followed{}, fmt.Errorf("following: %w", err)
	case l.Error != "":
		return store.Followed{}, fmt.Errorf("following: %s", l.Error)
	case l.Record == nil:
		return store.Followed{Skipped: l.Skipped}, nil
	}
	r := l.record()
	if !in.All() && r.Tenant != in.Tenant() {
		return store.Followed{}, fmt.Errorf("the store told a follower of tenant %q of a record of somebody else", in.Tenant())
	}
	return store.Followed{Record: &r}, nil
}
