package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"time"

	"portico.dev/portico/fleet"
	"portico.dev/portico/observability/query"
	"portico.dev/portico/observability/store"
	"portico.dev/portico/server/live"
	"portico.dev/portico/server/rights"
	"portico.dev/portico/server/signin"
)

// LogFollower follows the logs of all regions: a query.Engine.
type LogFollower interface {
	FollowLogs(ctx context.Context, in store.Scope, what store.LogSearch) iter.Seq2[query.Told, error]
}

// The events of a stream of logs. Their data are a LogRecord, Skipped, a query.Missing and Back; that of
// the first and the last one are {} and {"why": a sentence}.
const (
	beginEvent   = "begin"
	recordEvent  = "record"
	skippedEvent = "skipped"
	missingEvent = "missing"
	backEvent    = "back"
	warningEvent = "warning"
)

// Skipped says that records came faster than the client takes them.
type Skipped struct {
	Records int `json:"records"`
}

// Back says that a region that was missing is followed again. What came meanwhile is not told.
type Back struct {
	Region string `json:"region"`
}

// Warning says what the records of the past lack.
type Warning struct {
	Warning string `json:"warning"`
}

// asked is the tenant that a request is about, by its query or its header; empty if it names none.
func asked(r *http.Request) string {
	return firstOf(r.URL.Query().Get("tenant"), r.Header.Get(TenantHeader))
}

// followLogs streams log records as they come. With start, those of the past come first.
func (s *server) followLogs(w http.ResponseWriter, r *http.Request) error {
	who := signin.From(r.Context())
	scope, err := s.Judge.Scope(r.Context(), who, asked(r))
	if err != nil {
		return err
	}
	r = r.WithContext(rights.With(r.Context(), scope))
	return s.kept(LogsKind, s.followScope)(w, r)
}

func (s *server) followScope(w http.ResponseWriter, r *http.Request) error {
	follower, can := s.Logs.(LogFollower)
	if !can {
		return absent("logs cannot be followed")
	}
	search, err := s.logSearch(r)
	if err != nil {
		return err
	}
	if end := r.URL.Query().Get("end"); end != "" {
		return fmt.Errorf("%w: end %q: what is followed has no end; search instead", fleet.ErrInvalid, end)
	}
	release, err := take(r.Context(), s.tails)
	if err != nil {
		return err
	}
	defer release()
	ctx, hangUp := context.WithCancel(r.Context())
	defer hangUp()
	told := make(chan query.Told)
	go func() {
		for t, err := range follower.FollowLogs(ctx, rights.From(ctx), search) {
			if err != nil {
				return
			}
			select {
			case told <- t:
			case <-ctx.Done():
				return
			}
		}
	}()
	f := &logStream{server: s, asked: r, search: search, out: live.NewWriter(w, streamPatience)}
	if err := f.pass(ctx, told); err != nil {
		why := fleet.Sentence(err)
		if !s.runs(r) {
			why = query.WithoutAddresses(why)
		}
		f.out.End(why)
	}
	return nil
}

// logStream is one client that follows.
type logStream struct {
	*server
	asked  *http.Request
	search store.LogSearch
	out    *live.Writer
	// past are digests of the records of the past that were told: of those that were written meanwhile the
	// stores tell once more.
	past map[[sha256.Size]byte]bool
}

// pass tells the client what there is to tell, until it is gone or may listen no more.
func (f *logStream) pass(ctx context.Context, told <-chan query.Told) error {
	beat := time.NewTicker(streamBeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-beat.C:
			if err = f.still(ctx); err == nil {
				err = f.out.Comment()
			}
		case t := <-told:
			err = f.tell(ctx, t)
		}
		if err != nil {
			return err
		}
	}
}

// still says whether the client may still see what it sees: its session, its rights and the tenant's
// clusters may have changed.
func (f *logStream) still(ctx context.Context) error {
	who, _, err := f.Door.Identify(f.asked)
	if err != nil {
		return err
	}
	scope, err := f.Judge.Scope(ctx, who, asked(f.asked))
	if err == nil && scope != rights.From(ctx) {
		err = fmt.Errorf("%w: %s sees something else now; follow again", rights.ErrNotYours, who.Name)
	}
	return err
}

func (f *logStream) tell(ctx context.Context, t query.Told) error {
	switch {
	case t.Begun:
		return f.begin(ctx)
	case t.Missing != nil:
		return f.event(missingEvent, t.Missing)
	case t.Back != "":
		return f.event(backEvent, Back{t.Back})
	case t.Skipped > 0:
		return f.event(skippedEvent, Skipped{t.Skipped})
	}
	text, err := json.Marshal(recordOf(*t.Record))
	if err != nil {
		return err
	}
	if key := sha256.Sum256(text); f.past[key] {
		delete(f.past, key)
		return nil
	}
	return f.out.Event(live.Event{Kind: recordEvent, Data: text})
}

// begin tells of the past, now that nothing of the present is missed: the oldest of it first.
func (f *logStream) begin(ctx context.Context) error {
	if err := f.event(beginEvent, struct{}{}); err != nil || f.asked.URL.Query().Get("start") == "" {
		return err
	}
	release, err := take(ctx, f.searches)
	if err != nil {
		return err
	}
	search := f.search
	search.Newest, search.End = true, f.Clock().Add(time.Second)
	found, cover, err := f.Logs.SearchLogs(ctx, rights.From(ctx), search)
	release()
	if err != nil {
		return err
	}
	for _, w := range cover.Warnings {
		if err := f.event(warningEvent, Warning{w}); err != nil {
			return err
		}
	}
	f.past = make(map[[sha256.Size]byte]bool, len(found))
	for _, r := range slices.Backward(found) {
		text, err := json.Marshal(recordOf(r))
		if err != nil {
			return err
		}
		f.past[sha256.Sum256(text)] = true
		if err := f.out.Event(live.Event{Kind: recordEvent, Data: text}); err != nil {
			return err
		}
	}
	return nil
}

func (f *logStream) event(kind string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return f.out.Event(live.Event{Kind: kind, Data: text})
}
