package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/fleet"
	"portico.dev/portico/state/engine"
	inmemory "portico.dev/portico/state/engines/memory"
)

// scripted is a program whose fate a test decides.
type scripted struct {
	lacks, trouble atomic.Pointer[error]
	running, known bool
	// began has a value for each attempt to have it serve.
	began chan struct{}
	// goOn lets an attempt end.
	goOn chan struct{}
}

func newScripted() *scripted {
	return &scripted{began: make(chan struct{}, 10), goOn: make(chan struct{})}
}

func said(p *atomic.Pointer[error]) error {
	if err := p.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *scripted) missing() error                           { return said(&s.lacks) }
func (s *scripted) runs() (bool, error)                      { return s.running, nil }
func (s *scripted) everServed(context.Context) (bool, error) { return s.known, nil }
func (s *scripted) serve(ctx context.Context) error {
	s.began <- struct{}{}
	select {
	case <-s.goOn:
		return said(&s.trouble)
	case <-ctx.Done():
		return ctx.Err()
	}
}

var one = engine.Ref{Set: types.NamespacedName{Namespace: "n", Name: "one"}, Target: engine.Target{Cluster: types.NamespacedName{Namespace: "n", Name: "c"}}}

// started runs an engine on demand until the test ends.
func started(t *testing.T, program *scripted) *onDemand {
	t.Helper()
	world := inmemory.NewWorld()
	world.AddCluster(one.Target)
	d := newOnDemand(inmemory.New(world, time.Now), program, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the engine ended with %v", err)
		}
	})
	return d
}

func heard(t *testing.T, d *onDemand) engine.Ref {
	t.Helper()
	select {
	case ref := <-d.Changes():
		return ref
	case <-time.After(10 * time.Second):
		t.Fatal("nobody is told of anything")
		return engine.Ref{}
	}
}

func TestOnDemand(t *testing.T) {
	program := newScripted()
	d := started(t, program)
	select {
	case <-program.began:
		t.Fatal("the program is started although nobody asked for it")
	case <-time.After(50 * time.Millisecond):
	}
	_, err := d.Apply(t.Context(), engine.Set{Ref: one})
	if !errors.Is(err, fleet.ErrNotYet) || fleet.Sentence(err) != "the engine memory is being started" {
		t.Fatalf("Apply = %v; want that the engine is being started", err)
	}
	<-program.began
	program.goOn <- struct{}{}
	if ref := heard(t, d); ref != one {
		t.Errorf("told of %v; want the set that waited", ref)
	}
	if _, err := d.Apply(t.Context(), engine.Set{Ref: one}); err != nil {
		t.Errorf("Apply = %v although the program serves", err)
	}
}

// A program that does not come up says why, once, and is tried again.
func TestOnDemandTrouble(t *testing.T) {
	program := newScripted()
	d := started(t, program)
	trouble := errors.New("the port is taken")
	program.trouble.Store(&trouble)
	if _, err := d.Apply(t.Context(), engine.Set{Ref: one}); err == nil {
		t.Fatal("Apply hands the set over although nothing runs")
	}
	<-program.began
	program.goOn <- struct{}{}
	heard(t, d)
	if _, err := d.Apply(t.Context(), engine.Set{Ref: one}); !errors.Is(err, fleet.ErrNotYet) || !strings.Contains(err.Error(), trouble.Error()) {
		t.Errorf("Apply = %v; want what keeps the program from serving", err)
	}
	program.trouble.Store(nil)
	<-program.began
	program.goOn <- struct{}{}
	heard(t, d)
	if _, err := d.Apply(t.Context(), engine.Set{Ref: one}); err != nil {
		t.Errorf("Apply = %v although the program serves", err)
	}
}

// That a program was not built is the user's to mend; who asks afterwards has it started.
func TestOnDemandMissing(t *testing.T) {
	program := newScripted()
	d := started(t, program)
	missing := fmt.Errorf("%w: it is not built", fleet.ErrInvalid)
	program.lacks.Store(&missing)
	for range 2 {
		if _, err := d.Apply(t.Context(), engine.Set{Ref: one}); !errors.Is(err, fleet.ErrInvalid) {
			t.Fatalf("Apply = %v; want that the user has to act", err)
		}
	}
	program.lacks.Store(nil)
	if _, err := d.Apply(t.Context(), engine.Set{Ref: one}); !errors.Is(err, fleet.ErrNotYet) {
		t.Fatalf("Apply = %v; want that the engine is being started", err)
	}
	<-program.began
}

// A set that goes does not have a program started that has never been there, and is not taken for
// gone while the program comes up.
func TestOnDemandRemoval(t *testing.T) {
	never := newScripted()
	if report, err := started(t, never).Remove(t.Context(), engine.Removal{Ref: one}); err != nil || !report.Gone {
		t.Errorf("Remove = %+v, %v where the engine was never used; want it gone", report, err)
	}
	if len(never.began) > 0 {
		t.Error("the program is started to remove what was never there")
	}

	program := newScripted()
	program.known = true
	d := started(t, program)
	if report, err := d.Remove(t.Context(), engine.Removal{Ref: one}); err != nil || report.Gone {
		t.Errorf("Remove = %+v, %v while the program is being started; want it not gone yet", report, err)
	}
	<-program.began
	program.goOn <- struct{}{}
	heard(t, d)
	if report, err := d.Remove(t.Context(), engine.Removal{Ref: one}); err != nil {
		t.Errorf("Remove = %+v, %v although the program serves", report, err)
	}
}

// After a crash of the plane its program still runs: sets are handed over at once.
func TestOnDemandAdopts(t *testing.T) {
	program := newScripted()
	program.running = true
	d := started(t, program)
	<-program.began
	if _, err := d.Apply(t.Context(), engine.Set{Ref: one}); err != nil {
		t.Errorf("Apply = %v although the program runs", err)
	}
	program.goOn <- struct{}{}
}

// A program that is found running and cannot be had serve says why to the sets that were handed
// over, and is tried again when one asks: nothing hangs in silence.
func TestOnDemandAdoptsTrouble(t *testing.T) {
	program := newScripted()
	program.running = true
	d := started(t, program)
	<-program.began
	if _, err := d.Apply(t.Context(), engine.Set{Ref: one}); err != nil {
		t.Errorf("Apply = %v although the program runs", err)
	}
	trouble := fmt.Errorf("%w: its definitions were taken away", fleet.ErrInvalid)
	program.trouble.Store(&trouble)
	program.goOn <- struct{}{}
	if ref := heard(t, d); ref != one {
		t.Errorf("told of %v; want the set that was handed over", ref)
	}
	if _, err := d.Apply(t.Context(), engine.Set{Ref: one}); err == nil || !strings.Contains(err.Error(), "taken away") {
		t.Errorf("Apply = %v; want what keeps the program from serving", err)
	}
	<-program.began
	if report, err := d.Remove(t.Context(), engine.Removal{Ref: one}); err != nil || report.Gone {
		t.Errorf("Remove = %+v, %v while the program does not serve; want it not gone", report, err)
	}
	program.trouble.Store(nil)
	program.goOn <- struct{}{}
	if ref := heard(t, d); ref != one {
		t.Errorf("told of %v; want the set that waits", ref)
	}
	if _, err := d.Apply(t.Context(), engine.Set{Ref: one}); err != nil {
		t.Errorf("Apply = %v although the program serves", err)
	}
}

// The program does not know its own version, so it is told; it has to be that of its module.
func TestAddonControllerVersion(t *testing.T) {
	mod, err := os.ReadFile(filepath.Join("..", "engines", "sveltos", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "github.com/projectsveltos/addon-controller " + addonControllerVersion; !strings.Contains(string(mod), want) {
		t.Errorf("engines/sveltos/go.mod does not require %s", want)
	}
}
