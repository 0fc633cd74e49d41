package network

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// The main thread does not end like others. Were it to enter a cluster's network namespace, it would
// stay there and keep the namespace, and /proc/self would show that cluster's network.
func TestMainThreadStays(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("making network namespaces needs root")
	}
	before, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for range 200 {
		if err := onOwnThread(func() error { return unix.Unshare(unix.CLONE_NEWNET) }); err != nil {
			t.Fatal(err)
		}
	}
	after, err := os.Readlink("/proc/self/ns/net")
	if err != nil || after != before {
		t.Errorf("the main thread is in %s (%v), and was in %s", after, err, before)
	}
}
