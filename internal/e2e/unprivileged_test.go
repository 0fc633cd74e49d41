package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"portico.dev/portico/internal/e2e"
)

// nobody is a user who may do nothing in particular.
const nobody = 65534

// Whoever is not root has everything but real machines, and is told so.
func TestWithoutRoot(t *testing.T) {
	plane := newPlane(t)
	asNobody(t, plane)
	before := hostCensus(t, plane.Data)
	s := &stage{Plane: plane, t: t}
	r, err := s.Portico(s.limited(), "up", "--detach")
	s.must(err)
	if r.Code != 0 || !strings.Contains(r.Talk, "real machines need root") {
		t.Fatalf("up ended with status %d: %s", r.Code, r.Talk)
	}
	s.connect()

	crowd := e2e.Cluster{Name: "crowd", Workers: 2, Message: "crowd"}
	s.apply(crowd.Object())
	s.awaitReady(crowd)
	for name, p := range s.pids("") {
		if info, err := os.Stat(filepath.Join("/proc", fmt.Sprint(p.PID))); err != nil || info.Sys().(*syscall.Stat_t).Uid != nobody {
			t.Errorf("%s runs as somebody else: %v", name, err)
		}
	}
	real := e2e.Cluster{Name: "real", Workers: 1, Real: true}
	s.apply(real.Object())
	_, err = e2e.Await(s.limited(), s.kube, deployment(real.Key()), notReady("needs root: run portico up as root"))
	s.must(err)
	s.remove(crowd.Key(), real.Key())
	s.must(plane.Reset(s.limited()))
	compare(t, "after the reset", before, func() e2e.Census { return hostCensus(t, plane.Data) })
}

// asNobody lets nobody run the plane: from programs that he may read, in a folder that is his.
func asNobody(t *testing.T, plane *e2e.Plane) {
	t.Helper()
	home, bin := filepath.Dir(plane.Data), t.TempDir()
	for _, dir := range []string{filepath.Dir(home), filepath.Dir(bin)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(home, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	for _, flags := range []uintptr{unix.MS_BIND, unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY} {
		if err := unix.Mount(string(plane.Bin), bin, "", flags, ""); err != nil {
			t.Fatal(err)
		}
	}
	was := *plane
	t.Cleanup(func() {
		if err := unix.Unmount(bin, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		*plane = was // for the last reset
	})
	plane.Bin, plane.As = e2e.Installation(bin), &syscall.Credential{Uid: nobody, Gid: nobody}
}
