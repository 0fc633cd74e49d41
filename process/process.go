package process

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Marker is the environment variable that a started program carries.
const Marker = "PORTICO_PROCESS"

// Spec says what to run.
type Spec struct {
	// Name is unique within the Table, for example "clusters/kcm-system.demo".
	Name string
	// Path is the program's file, absolute.
	Path string
	// Args follow the program's name.
	Args []string
	// Env is the whole environment apart from the marker: nothing is inherited.
	Env []string
	// Dir is the working directory; empty means "/".
	Dir string
	// Log is the file that gets stdout and stderr, appended. Empty discards them.
	Log string
	// Netns is the path of a network namespace to start in, for example
	// /run/netns/x. Empty means the caller's.
	Netns string
	// Files are open files that the program inherits, from descriptor 3 on.
	Files []*os.File
}

// Table is the set of processes that belong to one owner, for example one data folder.
type Table struct {
	// Owner makes the keys unique on the machine, by convention the absolute data folder.
	Owner string
	// Proc is where the kernel's process table is mounted; empty means /proc.
	Proc string
}

// Process is a running program of a Table.
type Process struct {
	// Name is the Spec's.
	Name string
	// PID is the process's number in our PID namespace.
	PID int
	// Started is the kernel's start time of the process in clock ticks since boot:
	// together with PID it identifies the process for good.
	Started uint64
}

// Start runs spec, unless a process of that name runs already: then it returns that one.
// It returns as soon as the program was executed.
func (t Table) Start(spec Spec) (Process, error) {
	if p, ok, err := t.Find(spec.Name); err != nil || ok {
		return p, err
	}
	log, err := openLog(spec.Log)
	if err != nil {
		return Process{}, fmt.Errorf("starting %s: %w", spec.Name, err)
	}
	defer log.Close()
	path, args := spec.Path, spec.Args
	if spec.Netns != "" {
		path, args = "/usr/bin/nsenter", append([]string{"--net=" + spec.Netns, "--", spec.Path}, spec.Args...)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(slices.Clone(spec.Env), Marker+"="+t.key(spec.Name))
	cmd.Dir = spec.Dir
	if cmd.Dir == "" {
		cmd.Dir = "/"
	}
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = log, log, spec.Files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return Process{}, fmt.Errorf("starting %s (%s): %w", spec.Name, spec.Path, err)
	}
	// Reaps the child should it end while we live; after our death init does.
	go func() { _ = cmd.Wait() }()
	return t.appeared(spec.Name, cmd.Process.Pid), nil
}

// appeared returns the process that was just executed, once Find finds it or it has ended: for
// some microseconds after exec its environment reads as empty.
func (t Table) appeared(name string, pid int) Process {
	for {
		if p, ok := t.inspect(pid); ok {
			return p
		}
		started, alive := t.startTime(pid)
		if !alive {
			return Process{Name: name, PID: pid, Started: started}
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// Find returns the running process of that name.
func (t Table) Find(name string) (Process, bool, error) {
	all, err := t.List()
	if err != nil {
		return Process{}, false, err
	}
	i := slices.IndexFunc(all, func(p Process) bool { return p.Name == name })
	if i < 0 {
		return Process{}, false, nil
	}
	return all[i], true, nil
}

// List returns the running processes of the table, sorted by name, then by age. Children
// that a program started inherit its marker and are not listed: only the session's leader is.
func (t Table) List() ([]Process, error) {
	entries, err := os.ReadDir(t.proc())
	if err != nil {
		return nil, fmt.Errorf("reading the process table: %w", err)
	}
	var out []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if p, ok := t.inspect(pid); ok {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Process) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return int(int64(a.Started) - int64(b.Started))
	})
	return out, nil
}

// Alive says whether p still runs.
func (t Table) Alive(p Process) bool {
	// Not by the marker: between exec and the first instruction the environment reads as empty.
	started, ok := t.startTime(p.PID)
	return ok && started == p.Started
}

// Stop ends the processes of that name: SIGTERM, and SIGKILL after grace. What they started is
// theirs to end. It returns when they are gone; stopping what does not run is no error.
func (t Table) Stop(ctx context.Context, name string, grace time.Duration) error {
	for {
		p, ok, err := t.Find(name)
		if err != nil || !ok {
			return err
		}
		if err := t.stop(ctx, p, grace); err != nil {
			return fmt.Errorf("stopping %s (pid %d): %w", name, p.PID, err)
		}
	}
}

// Environ returns the variables that p was started with. It is an error if p has ended.
func (t Table) Environ(p Process) ([]string, error) {
	environ := t.environ(p.PID)
	if !t.Alive(p) {
		return nil, fmt.Errorf("reading the environment of %s (pid %d): it has ended", p.Name, p.PID)
	}
	return strings.Split(strings.TrimSuffix(string(environ), "\x00"), "\x00"), nil
}

// Wait returns when p has ended, or with ctx's error.
func (t Table) Wait(ctx context.Context, p Process) error {
	d, err := t.open(p)
	if err != nil {
		return fmt.Errorf("waiting for %s (pid %d): %w", p.Name, p.PID, err)
	}
	if d == nil {
		return nil
	}
	defer d.close()
	return d.await(ctx)
}

// Signal sends s to p or to nobody: its number may have become another's since p was found.
func (t Table) Signal(p Process, s unix.Signal) error {
	d, err := t.open(p)
	if err != nil || d == nil {
		return err
	}
	defer d.close()
	return d.signal(s)
}

func (t Table) proc() string {
	if t.Proc == "" {
		return "/proc"
	}
	return t.Proc
}

func (t Table) key(name string) string { return t.Owner + "#" + name }

// inspect reads whether pid is a living session leader that carries a marker of ours.
func (t Table) inspect(pid int) (Process, bool) {
	prefix := []byte(Marker + "=" + t.key(""))
	for _, v := range bytes.Split(t.environ(pid), []byte{0}) {
		name, ok := bytes.CutPrefix(v, prefix)
		if !ok {
			continue
		}
		if sid, err := unix.Getsid(pid); err != nil || sid != pid {
			return Process{}, false
		}
		started, ok := t.startTime(pid)
		return Process{Name: string(name), PID: pid, Started: started}, ok
	}
	return Process{}, false
}

// environ reads the environment of pid; nil if it is gone, or not ours to read. A session
// leader whose environment reads as empty is looked at again: in the middle of exec, as when
// nsenter becomes the program, every process looks like that.
func (t Table) environ(pid int) []byte {
	dir := filepath.Join(t.proc(), strconv.Itoa(pid))
	for try := 0; ; try++ {
		environ, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || len(environ) > 0 || try == 20 {
			return environ
		}
		if sid, err := unix.Getsid(pid); err != nil || sid != pid {
			return nil
		}
		if _, err := os.Readlink(filepath.Join(dir, "exe")); err != nil {
			return nil // a zombie, or a thread of the kernel
		}
		time.Sleep(time.Millisecond)
	}
}

// startTime reads field 22 of /proc/PID/stat (proc_pid_stat(5)). A zombie counts as ended, unless
// it is the first thread alone that has: the others hold ports and files for as long as they run.
func (t Table) startTime(pid int) (uint64, bool) {
	stat, err := os.ReadFile(filepath.Join(t.proc(), strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, false
	}
	// The command's name is in parentheses and may hold spaces: count after the last one.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 20 {
		return 0, false
	}
	const state, threads = 0, 17
	if (fields[state] == "Z" || fields[state] == "X") && (fields[threads] == "0" || fields[threads] == "1") {
		return 0, false
	}
	started, err := strconv.ParseUint(fields[19], 10, 64)
	return started, err == nil
}

func openLog(path string) (*os.File, error) {
	if path == "" {
		return os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, fs.FileMode(0o600))
}

// killedWithin is the time that a process gets to end after SIGKILL. One that takes longer hangs
// in the kernel, on a dead disk for example, and whoever stops it has other work.
const killedWithin = time.Minute

func (t Table) stop(ctx context.Context, p Process, grace time.Duration) error {
	d, err := t.open(p)
	if err != nil || d == nil {
		return err
	}
	defer d.close()
	if err := d.signal(unix.SIGTERM); err != nil {
		return err
	}
	graceful, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if err := d.await(graceful); err == nil || graceful.Err() == nil {
		return err
	}
	if err := d.signal(unix.SIGKILL); err != nil {
		return err
	}
	killed, cancel := context.WithTimeoutCause(ctx, killedWithin, fmt.Errorf("it was killed and has not ended within %s", killedWithin))
	defer cancel()
	if err := d.await(killed); err != nil {
		return cmp.Or(context.Cause(killed), err)
	}
	return nil
}
