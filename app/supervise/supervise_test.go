package supervise_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico.dev/portico/app/supervise"
	"portico.dev/portico/process"
)

func setUp(t *testing.T) (process.Table, func() *supervise.Supervisor) {
	t.Helper()
	table := process.Table{Owner: t.TempDir()}
	t.Cleanup(func() {
		left, err := table.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range left {
			if err := table.Stop(context.Background(), p.Name, 0); err != nil {
				t.Error(err)
			}
		}
	})
	return table, func() *supervise.Supervisor { return supervise.New(table, time.Now, slog.New(slog.DiscardHandler)) }
}

func program(name string, script ...string) supervise.Program {
	return supervise.Program{Spec: process.Spec{Name: name, Path: "/bin/sh", Args: []string{"-c", strings.Join(append(script, "exec sleep 300"), "; ")}}}
}

// keep gives the program a minute to become ready: far more than it needs.
func keep(t *testing.T, s *supervise.Supervisor, p supervise.Program) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := errors.Join(s.Keep(ctx, p), s.Await(ctx, p.Spec.Name)); err != nil {
		t.Fatal(err)
	}
}

func state(t *testing.T, s *supervise.Supervisor, name string) supervise.State {
	t.Helper()
	for _, st := range s.States(context.Background()) {
		if st.Name == name {
			return st
		}
	}
	t.Fatalf("no state of %s", name)
	return supervise.State{}
}

func TestKilledProgramComesBack(t *testing.T) {
	table, start := setUp(t)
	s := start()
	defer s.Release()
	started := make(chan struct{}, 100)
	p := program("a")
	p.Ready = func(context.Context) error { started <- struct{}{}; return nil }
	keep(t, s, p)
	<-started
	before := state(t, s, "a")
	<-started // States asked
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-started // asked because it was started again
	after, ok, err := table.Find("a")
	if err != nil || !ok || after.PID == before.PID {
		t.Errorf("after kill -9 of %d the table has %+v, %v, %v; want another process", before.PID, after, ok, err)
	}
	if got := state(t, s, "a"); got.Restarts != 1 {
		t.Errorf("restarts = %d; want 1", got.Restarts)
	}
}

func TestAdoptedBySuccessor(t *testing.T) {
	_, start := setUp(t)
	first := start()
	keep(t, first, program("a"))
	pid := state(t, first, "a").PID
	first.Release()

	second := start()
	defer second.Release()
	keep(t, second, program("a"))
	if got := state(t, second, "a"); got.PID != pid || !got.Adopted {
		t.Errorf("state = %+v; want the adopted process %d", got, pid)
	}
}

func TestReplacedWhenInputsChange(t *testing.T) {
	_, start := setUp(t)
	input := filepath.Join(t.TempDir(), "config")
	p := program("a")
	p.Inputs = []string{input}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(input, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	first := start()
	keep(t, first, p)
	pid := state(t, first, "a").PID
	first.Release()

	write("another")
	second := start()
	defer second.Release()
	keep(t, second, p)
	if got := state(t, second, "a"); got.PID == pid || got.Adopted {
		t.Errorf("state = %+v; want a new process instead of %d, whose configuration is another", got, pid)
	}
}

func TestStopEndsLastFirst(t *testing.T) {
	table, start := setUp(t)
	s := start()
	log := filepath.Join(t.TempDir(), "order")
	for _, name := range []string{"a", "b"} {
		p := program(name)
		p.Spec.Args = []string{"-c", "trap 'echo " + name + " >> " + log + "; exit' TERM; : > " + log + "." + name + "; while :; do sleep 0.05; done"}
		p.Grace = time.Minute
		p.Ready = func(context.Context) error { _, err := os.Stat(log + "." + name); return err }
		keep(t, s, p)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if left, err := table.List(); err != nil || len(left) != 0 {
		t.Errorf("left = %+v, %v; want none", left, err)
	}
	if b, err := os.ReadFile(log); err != nil || string(b) != "b\na\n" {
		t.Errorf("order = %q, %v; want b before a", b, err)
	}
}

func TestNotReadySaysWhy(t *testing.T) {
	_, start := setUp(t)
	s := start()
	defer s.Release()
	p := program("a")
	asked := make(chan struct{}, 1)
	p.Ready = func(context.Context) error {
		select {
		case asked <- struct{}{}:
		default:
		}
		return errors.New("database is locked")
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { <-asked; <-asked; cancel() }() // the second question comes after the first answer was noted
	if err := s.Keep(ctx, p); err != nil {
		t.Fatal(err)
	}
	if err := s.Await(ctx, "a"); err == nil || !strings.Contains(err.Error(), "database is locked") {
		t.Errorf("Await = %v; want the reason", err)
	}
}

func TestMissingProgram(t *testing.T) {
	_, start := setUp(t)
	err := start().Keep(context.Background(), supervise.Program{Spec: process.Spec{Name: "a", Path: "/nonexistent/x"}})
	if err == nil || !strings.Contains(err.Error(), "/nonexistent/x") {
		t.Errorf("Keep = %v; want an error that names the file", err)
	}
}

func TestRotate(t *testing.T) {
	dir := t.TempDir()
	big, small := filepath.Join(dir, "big.log"), filepath.Join(dir, "small.log")
	for file, size := range map[string]int{big: 2000, small: 10} {
		if err := os.WriteFile(file, []byte(strings.Repeat("x", size)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- supervise.Rotate(ctx, dir, 1000) }()
	// Rotating happens before the first wait, so ending at once still does one round.
	for {
		if info, err := os.Stat(big); err != nil || info.Size() == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("Rotate = %v; want the context's error", err)
	}
	sizes := map[string]int64{}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		sizes[f.Name()] = info.Size()
	}
	if len(sizes) != 3 || sizes["big.log"] != 0 || sizes["big.log.1"] != 2000 || sizes["small.log"] != 10 {
		t.Errorf("sizes = %v; want big.log emptied into big.log.1, small.log untouched", sizes)
	}
}

// A program that served and no longer answers is not shown as ready.
func TestReadyOverNetwork(t *testing.T) {
	_, start := setUp(t)
	s := start()
	defer s.Release()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := program("a")
	p.Ready = func(ctx context.Context) error {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			return err
		}
		return c.Close()
	}
	keep(t, s, p)
	l.Close()
	if got := state(t, s, "a"); got.Phase != supervise.Starting || got.Reason == "" {
		t.Errorf("state = %+v; want no longer ready, with a reason", got)
	}
}
