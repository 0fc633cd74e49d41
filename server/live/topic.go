package live

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
)

// Event is a change of a row of a model.
type Event struct {
	// ID says where in the topic it is; Publish gives it.
	ID string
	// Kind is what happened, in one word.
	Kind string
	// Place is the namespace whose readers may hear of it.
	Place string
	// Data is JSON on one line.
	Data []byte
}

// Topic is a stream of events. It is safe for concurrent use.
type Topic struct {
	// epoch tells the events of this topic from those of one before a restart.
	epoch string
	keep  int

	mu        sync.Mutex
	last      uint64
	kept      []Event // a ring once it is full, the oldest at last%keep
	listeners map[*Listener]struct{}
}

// NewTopic returns a topic that keeps that many events for who comes back. The epoch is unlike
// that of any other topic which a client could have listened to, and holds no "-".
func NewTopic(epoch string, keep int) *Topic {
	return &Topic{epoch: epoch, keep: keep, listeners: map[*Listener]struct{}{}}
}

// Listener receives events.
type Listener struct {
	// Events ends with the listener: when it was closed, or was too slow.
	Events <-chan Event
	// Missed says that events since the asked one are lost: what the listener knows is old.
	Missed bool
	// Began is the id after which the events begin.
	Began string

	events chan Event
	topic  *Topic
	slow   bool
}

// Position is the id of the last event: a reader who asks for it before it reads misses nothing.
func (t *Topic) Position() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.id(t.last)
}

func (t *Topic) id(n uint64) string { return t.epoch + "-" + strconv.FormatUint(n, 10) }

// Publish gives an event to all who listen. It never waits: who has no room left is dropped.
func (t *Topic) Publish(e Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	e.ID = t.id(t.last)
	if len(t.kept) < t.keep {
		t.kept = append(t.kept, e)
	} else {
		t.kept[(t.last-1)%uint64(t.keep)] = e
	}
	for l := range t.listeners {
		select {
		case l.events <- e:
		default:
			l.slow = true
			t.drop(l)
		}
	}
}

// Listen returns a listener that gets what comes after an event; after none, what comes from now
// on. At most room events wait for it.
func (t *Topic) Listen(after string, room int) *Listener {
	t.mu.Lock()
	defer t.mu.Unlock()
	from, missed := t.last, false
	if after != "" {
		var err error
		if from, err = t.parse(after); err != nil || from > t.last || t.last-from > uint64(len(t.kept)) {
			from, missed = t.last, true
		}
	}
	backlog := t.since(from)
	l := &Listener{events: make(chan Event, room+len(backlog)), Missed: missed, Began: t.id(from), topic: t}
	l.Events = l.events
	for _, e := range backlog {
		l.events <- e
	}
	t.listeners[l] = struct{}{}
	return l
}

// since are the kept events after a number, the oldest first.
func (t *Topic) since(from uint64) []Event {
	var out []Event
	for n := from + 1; n <= t.last; n++ {
		out = append(out, t.kept[(n-1)%uint64(t.keep)])
	}
	return out
}

func (t *Topic) parse(id string) (uint64, error) {
	number, ours := strings.CutPrefix(id, t.epoch+"-")
	if !ours {
		return 0, fmt.Errorf("event %.40q is of another time", id)
	}
	return strconv.ParseUint(number, 10, 64)
}

// Listening counts who listens.
func (t *Topic) Listening() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.listeners)
}

func (t *Topic) drop(l *Listener) {
	if _, listens := t.listeners[l]; listens {
		delete(t.listeners, l)
		close(l.events)
	}
}

// Close ends the listener. It may be called again.
func (l *Listener) Close() {
	l.topic.mu.Lock()
	defer l.topic.mu.Unlock()
	l.topic.drop(l)
}

// Slow says whether the listener ended because it was too slow.
func (l *Listener) Slow() bool {
	l.topic.mu.Lock()
	defer l.topic.mu.Unlock()
	return l.slow
}
