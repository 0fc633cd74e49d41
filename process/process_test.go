package process_test

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"portico.dev/portico/process"
)

func table(t *testing.T) process.Table {
	t.Helper()
	tab := process.Table{Owner: t.TempDir()}
	t.Cleanup(func() {
		left, err := tab.List()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range left {
			if err := tab.Stop(context.Background(), p.Name, 0); err != nil {
				t.Error(err)
			}
		}
	})
	return tab
}

func sleeper(name, log string) process.Spec {
	return process.Spec{Name: name, Path: "/bin/sh", Args: []string{"-c", "echo up; exec sleep 300"}, Log: log}
}

func TestStartTwiceIsStartOnce(t *testing.T) {
	tab := table(t)
	first, err := tab.Start(sleeper("a", ""))
	if err != nil {
		t.Fatal(err)
	}
	second, err := tab.Start(sleeper("a", ""))
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Errorf("Start started %+v although %+v runs", second, first)
	}
}

func TestFoundAgainByAnotherTable(t *testing.T) {
	tab := table(t)
	log := filepath.Join(t.TempDir(), "log", "a.log")
	p, err := tab.Start(sleeper("clusters/x.y", log))
	if err != nil {
		t.Fatal(err)
	}
	again := process.Table{Owner: tab.Owner}
	got, ok, err := again.Find("clusters/x.y")
	if err != nil || !ok || got != p {
		t.Errorf("Find = %+v, %v, %v; want %+v", got, ok, err, p)
	}
	if other, ok, _ := (process.Table{Owner: tab.Owner + "2"}).Find("clusters/x.y"); ok {
		t.Errorf("another owner's table finds %+v", other)
	}
}

func TestWaitAndStop(t *testing.T) {
	tab := table(t)
	p, err := tab.Start(sleeper("a", ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := tab.Wait(ctx, p); err != nil {
		t.Fatal(err)
	}
	if tab.Alive(p) {
		t.Errorf("%+v is alive after it was killed and waited for", p)
	}
	stubborn := process.Spec{Name: "b", Path: "/bin/sh", Args: []string{"-c", "trap '' TERM; while :; do sleep 1; done"}}
	if _, err := tab.Start(stubborn); err != nil {
		t.Fatal(err)
	}
	if err := tab.Stop(ctx, "b", 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if left, err := tab.List(); err != nil || len(left) != 0 {
		t.Errorf("List after Stop = %+v, %v; want none", left, err)
	}
}

// The end of a wait is the end of that wait only: the next one on the same process waits again.
func TestWaitEndsWithContext(t *testing.T) {
	tab := table(t)
	p, err := tab.Start(sleeper("a", ""))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		if err := tab.Wait(ctx, p); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait for a running process = %v; want the context's error", err)
		}
		cancel()
	}
}

const firstThreadEnds = "PROCESS_TEST_FIRST_THREAD_ENDS"

func init() {
	if os.Getenv(firstThreadEnds) != "" {
		runtime.LockOSThread() // main is on the first thread
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(firstThreadEnds) == "" {
		os.Exit(m.Run())
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGUSR1)
	go func() { time.Sleep(time.Minute); os.Exit(0) }()
	os.Stdout.WriteString("up\n")
	<-end
	syscall.RawSyscall(syscall.SYS_EXIT, 0, 0, 0) // of this thread, not of the process
}

// A process whose threads end one after the other, as after kill -9, has not ended with the
// first: it still holds its ports.
func TestFirstThreadEnded(t *testing.T) {
	tab, log := table(t), filepath.Join(t.TempDir(), "log")
	p, err := tab.Start(process.Spec{Name: "a", Path: os.Args[0], Env: []string{firstThreadEnds + "=1"}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(p.PID, syscall.SIGKILL) }()
	await(t, "the program to be up", log, "up")
	if err := syscall.Kill(p.PID, syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	await(t, "its first thread to end", filepath.Join("/proc", strconv.Itoa(p.PID), "stat"), ") Z ")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := tab.Wait(ctx, p); !errors.Is(err, context.DeadlineExceeded) || !tab.Alive(p) {
		t.Errorf("Wait = %v, alive %v; want that it still runs", err, tab.Alive(p))
	}
	if err := process.StopOne(context.Background(), tab, p); err != nil || tab.Alive(p) {
		t.Errorf("stopping it = %v, alive %v; want it ended", err, tab.Alive(p))
	}
}

func await(t *testing.T, what, file, text string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if b, _ := os.ReadFile(file); strings.Contains(string(b), text) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

// A number that was given to another process names neither to Wait nor to Stop.
func TestReusedNumber(t *testing.T) {
	tab := table(t)
	p, err := tab.Start(sleeper("a", ""))
	if err != nil {
		t.Fatal(err)
	}
	before := p
	before.Started--
	if err := tab.Wait(context.Background(), before); err != nil {
		t.Errorf("Wait for the process that had the number before = %v; want that it has ended", err)
	}
	if err := process.StopOne(context.Background(), tab, before); err != nil || !tab.Alive(p) {
		t.Errorf("stopping the process that had the number before = %v, the one that has it now lives: %v", err, tab.Alive(p))
	}
}

func TestLogAndMissingProgram(t *testing.T) {
	tab := table(t)
	log := filepath.Join(t.TempDir(), "x.log")
	p, err := tab.Start(process.Spec{Name: "echo", Path: "/bin/sh", Args: []string{"-c", "echo $GREETING"}, Env: []string{"GREETING=hello"}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := tab.Wait(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(log); err != nil || strings.TrimSpace(string(b)) != "hello" {
		t.Errorf("log = %q, %v; want hello", b, err)
	}
	if _, err := tab.Start(process.Spec{Name: "none", Path: "/no/such/program"}); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("Start of a missing program = %v; want an error that names it", err)
	}
}

func TestInheritedFile(t *testing.T) {
	tab := table(t)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p, err := tab.Start(process.Spec{Name: "a", Path: "/bin/sh", Args: []string{"-c", "echo hello >&3"}, Files: []*os.File{file}})
	if err != nil {
		t.Fatal(err)
	}
	if err := tab.Wait(context.Background(), p); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file.Name()); err != nil || string(b) != "hello\n" {
		t.Errorf("descriptor 3 got %q, %v; want hello", b, err)
	}
}

func TestEnviron(t *testing.T) {
	tab := table(t)
	spec := sleeper("a", "")
	spec.Env = []string{"X=1"}
	p, err := tab.Start(spec)
	if err != nil {
		t.Fatal(err)
	}
	if env, err := tab.Environ(p); err != nil || !slices.Contains(env, "X=1") {
		t.Errorf("Environ = %q, %v; want X=1 among it", env, err)
	}
	if err := tab.Stop(context.Background(), "a", time.Second); err != nil {
		t.Fatal(err)
	}
	if _, err := tab.Environ(p); err == nil {
		t.Error("Environ of an ended process gives no error")
	}
}
