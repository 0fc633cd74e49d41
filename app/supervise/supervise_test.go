package supervise_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
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

func TestOtherEnvironment(t *testing.T) {
	_, start := setUp(t)
	first := start()
	p := program("a")
	p.Spec.Env, p.Variables = []string{"SSH_TTY=/dev/pts/1"}, []string{"GOGC=50"}
	keep(t, first, p)
	pid := state(t, first, "a").PID
	first.Release()

	second := start()
	p.Spec.Env = []string{"SSH_TTY=/dev/pts/2"}
	keep(t, second, p)
	if got := state(t, second, "a"); got.PID != pid || !got.Adopted {
		t.Errorf("state = %+v; want process %d, adopted: another shell is no reason to replace it", got, pid)
	}
	second.Release()

	third := start()
	defer third.Release()
	p.Variables = []string{"GOGC=100"}
	keep(t, third, p)
	if got := state(t, third, "a"); got.PID == pid || got.Adopted {
		t.Errorf("state = %+v; want a new process instead of %d, whose own variables are others", got, pid)
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

// What is started on demand may come while the plane stops.
func TestNothingIsKeptAfterStop(t *testing.T) {
	table, start := setUp(t)
	s := start()
	if err := s.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Keep(context.Background(), program("late")); err == nil {
		t.Error("a program is kept that nobody will stop")
	}
	if _, running, err := table.Find("late"); err != nil || running {
		t.Errorf("the program runs: %v, %v", running, err)
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

// rounds rotates the folders until done says so.
func rounds(t *testing.T, most int64, done func() bool, dirs ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- supervise.RotateOften(ctx, most, dirs...) }()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Error("nothing was rotated within a minute")
			break
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Rotate = %v; want the context's error", err)
	}
}

func writeLog(t *testing.T, file string, size int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("x", size)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func isEmpty(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Size() == 0
}

func TestRotate(t *testing.T) {
	dir := t.TempDir()
	logs, machine := filepath.Join(dir, "log"), filepath.Join(dir, "machines", "a", "log")
	big, kubelet := filepath.Join(logs, "big.log"), filepath.Join(machine, "kubelet.log")
	writeLog(t, big, 2000)
	writeLog(t, filepath.Join(logs, "small.log"), 10)
	writeLog(t, filepath.Join(logs, "stuck.log"), 2000)
	writeLog(t, kubelet, 2000)
	// The name that the old content goes to is taken by a folder: that log cannot be kept, the
	// others are none the worse.
	if err := os.Mkdir(filepath.Join(logs, "stuck.log.1"), 0o700); err != nil {
		t.Fatal(err)
	}
	rounds(t, 1000, func() bool { return isEmpty(big) && isEmpty(kubelet) }, logs, filepath.Join(dir, "machines", "*", "log"))
	sizes := map[string]int64{}
	for _, file := range []string{"log/small.log", "log/stuck.log", "log/big.log.1", "machines/a/log/kubelet.log.1"} {
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		sizes[file] = info.Size()
	}
	want := map[string]int64{"log/small.log": 10, "log/stuck.log": 0, "log/big.log.1": 2000, "machines/a/log/kubelet.log.1": 2000}
	if !maps.Equal(sizes, want) {
		t.Errorf("sizes = %v; want %v", sizes, want)
	}
}

// Machines come while logs are rotated.
func TestRotateNewFolder(t *testing.T) {
	dir := t.TempDir()
	first, second := filepath.Join(dir, "machines", "a", "log", "kubelet.log"), filepath.Join(dir, "machines", "b", "log", "kubelet.log")
	step := 0
	rounds(t, 1000, func() bool {
		switch {
		case step == 0:
			writeLog(t, first, 2000)
			step++
		case step == 1 && isEmpty(first):
			writeLog(t, second, 2000)
			step++
		}
		return step == 2 && isEmpty(second)
	}, filepath.Join(dir, "machines", "*", "log"))
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
