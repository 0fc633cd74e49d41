package process_test

import (
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico.dev/portico/process"
)

func TestSignalReachesNoStranger(t *testing.T) {
	tab := table(t)
	stranger, ended := exec.Command("sleep", "60"), make(chan error, 1)
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- stranger.Wait() }()
	defer func() { _ = stranger.Process.Kill(); <-ended }()
	// The number of a machine's process, which ended, and was given to another.
	if err := tab.Signal(process.Process{Name: "machines/a", PID: stranger.Process.Pid, Started: 1}, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		ended <- err
		t.Errorf("the signal ended a process that only had the number of the machine's: %v", err)
	case <-time.After(200 * time.Millisecond):
	}

	p, err := tab.Start(process.Spec{Name: "machines/a", Path: "/bin/sleep", Args: []string{"60"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := tab.Signal(p, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := tab.Wait(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := tab.Signal(p, unix.SIGKILL); err != nil {
		t.Errorf("signalling a machine that has ended: %v; want no error", err)
	}
}
