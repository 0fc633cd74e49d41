package gate

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"portico.dev/portico/store/journal"
	"portico.dev/portico/store/pace"
)

const (
	// segment is how much of the journal is forgotten at once, and so about what is sent again without need.
	segment = 4 << 20
	// The store closes a connection that has been idle for a minute; one that is used again must not be one that it is closing.
	idleTime = 30 * time.Second
	// mostRounds is how often a write is passed on at most.
	mostRounds = 3
)

// errBusy says that a write has to be sent again.
var errBusy = errors.New("send it again")

// Config is what the gate needs to know.
type Config struct {
	// URL is VictoriaMetrics' address; User and Password are what it is asked by, if any; TLS is how.
	URL, User, Password string
	TLS                 *tls.Config
	// Dir is the journal's folder.
	Dir string
	// Window is how long a process of VictoriaMetrics has had a write when it is surely on its disk.
	Window time.Duration
	// Bytes is how big the journal may become before writes are refused, of which a quarter in a Window
	// is any one tenant's share; Body how big one write may be.
	Bytes, Body int64
	// Requests is how many writes are worked on at a time.
	Requests int
}

// World is what the gate has of the world.
type World struct {
	Clock func() time.Time
	Log   *slog.Logger
}

// Gate takes writes for VictoriaMetrics.
type Gate struct {
	cfg     Config
	world   World
	store   store
	journal *journal.Journal
	places  chan struct{}
	shares  shares

	// last is the journal's last sequence number; round counts how often the store was sent everything.
	last, round atomic.Uint64
	// woken tells the one who watches that there is something to watch over, broken that the store broke off.
	woken, broken chan struct{}
	stop          context.CancelFunc
	stopped       chan struct{}
	said          string // by complain

	writes, refused, resent atomic.Int64
}

// Open opens the journal and begins to watch the store, which need not run yet.
func Open(cfg Config, world World) (*Gate, error) {
	g := &Gate{
		cfg: cfg, world: world, places: make(chan struct{}, cfg.Requests),
		shares: shares{most: cfg.Bytes / 4, window: cfg.Window},
		woken:  make(chan struct{}, 1), broken: make(chan struct{}, 1), stopped: make(chan struct{}),
		store: store{
			url: strings.TrimSuffix(cfg.URL, "/"), user: cfg.User, password: cfg.Password,
			client: &http.Client{Transport: &http.Transport{
				TLSClientConfig: cfg.TLS, IdleConnTimeout: idleTime, MaxIdleConnsPerHost: cfg.Requests, DisableCompression: true,
			}},
		},
	}
	var err error
	g.journal, err = journal.OpenWith(cfg.Dir, segment, func(sequence uint64, _ []byte) error {
		g.last.Store(sequence)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("opening the journal of metrics: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	g.stop = stop
	go g.watch(ctx)
	return g, nil
}

// Close ends the gate. What the journal holds is sent again when it is opened next.
func (g *Gate) Close() error {
	g.stop()
	<-g.stopped
	return g.journal.Close()
}

// Write passes a write on for a tenant, or for whom the request names where there is none.
func (g *Gate) Write(w http.ResponseWriter, r *http.Request, tenant string) {
	g.writes.Add(1)
	// The place bounds how many bodies are in memory.
	select {
	case g.places <- struct{}{}:
		defer func() { <-g.places }()
	case <-r.Context().Done():
		return
	}
	pace.Hurry(w, r, g.cfg.Body)
	r.Body = http.MaxBytesReader(w, r.Body, g.cfg.Body)
	a, err := g.take(r, tenant)
	if err != nil {
		g.refuse(w, err)
		return
	}
	for name, values := range a.header {
		if name == "Content-Type" || strings.HasPrefix(name, "X-Prometheus-") {
			w.Header()[name] = values
		}
	}
	w.WriteHeader(a.status)
	// The one who sent it may be gone.
	_, _ = w.Write(a.body)
}

// take passes a write on, and returns the store's answer once it holds.
func (g *Gate) take(r *http.Request, tenant string) (answer, error) {
	if r.ContentLength > g.cfg.Body {
		return answer{}, &http.MaxBytesError{Limit: g.cfg.Body}
	}
	if g.journal.Bytes() > g.cfg.Bytes {
		return answer{}, fmt.Errorf("%w: the journal of metrics has %d bytes, of at most %d", errBusy, g.journal.Bytes(), g.cfg.Bytes)
	}
	e, err := newEntry(r, tenant, g.world.Clock())
	if err != nil {
		return answer{}, err
	}
	if err := g.shares.spend(tenantOf(e), int64(len(e.marshalled)), g.world.Clock()); err != nil {
		return answer{}, err
	}
	round := g.round.Load()
	a, err := g.pass(r.Context(), e)
	if err != nil || !a.taken() || len(e.Body) == 0 {
		return a, err
	}
	// Not the sender's context: what is half done is brought to its end.
	if err := g.journal.Append(context.WithoutCancel(r.Context()), e.marshalled, g.kept); err != nil {
		return answer{}, fmt.Errorf("%w: %w", errBusy, err)
	}
	// The store may have been sent everything between the two: this write it has not.
	for range mostRounds {
		now := g.round.Load()
		if now == round {
			return a, nil
		}
		round = now
		if a, err = g.pass(r.Context(), e); err != nil || !a.taken() {
			return a, err
		}
	}
	return answer{}, fmt.Errorf("%w: VictoriaMetrics is started anew again and again", errBusy)
}

// pass sends a write to the store, and has it looked at where it does not answer.
func (g *Gate) pass(ctx context.Context, e entry) (answer, error) {
	a, err := g.store.send(ctx, e)
	if err == nil {
		return a, nil
	}
	if died(err) {
		tell(g.broken)
	}
	return answer{}, fmt.Errorf("%w: VictoriaMetrics does not answer: %w", errBusy, err)
}

func (g *Gate) kept(sequence uint64) {
	g.last.Store(sequence)
	tell(g.woken)
}

// tell leaves a note, if there is none.
func tell(whom chan struct{}) {
	select {
	case whom <- struct{}{}:
	default:
	}
}

func (g *Gate) refuse(w http.ResponseWriter, err error) {
	g.refused.Add(1)
	var tooBig *http.MaxBytesError
	status := http.StatusServiceUnavailable
	switch {
	case errors.As(err, &tooBig):
		status = http.StatusRequestEntityTooLarge
	case errors.Is(err, errInvalid):
		status = http.StatusBadRequest
	default:
		w.Header().Set("Retry-After", "1")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// The one who sent it may be gone.
	_ = json.NewEncoder(w).Encode(map[string]string{"error": err.Error()})
}

// WriteMetrics writes the gate's figures in Prometheus's text format.
func (g *Gate) WriteMetrics(w io.Writer) {
	for _, m := range []struct {
		name, kind, help string
		value            int64
	}{
		{"writes_total", "counter", "Writes of metrics.", g.writes.Load()},
		{"writes_refused_total", "counter", "Writes of metrics that were not acknowledged and have to be sent again, or were wrong.", g.refused.Load()},
		{"writes_resent_total", "counter", "Writes that VictoriaMetrics was sent again after it was started anew.", g.resent.Load()},
		{"journal_bytes", "gauge", "Room that the journal of metrics takes.", g.journal.Bytes()},
	} {
		// What is lost here is asked for again.
		_, _ = fmt.Fprintf(w, "# HELP portico_store_gate_%s %s\n# TYPE portico_store_gate_%s %s\nportico_store_gate_%s %d\n", m.name, m.help, m.name, m.kind, m.name, m.value)
	}
}
