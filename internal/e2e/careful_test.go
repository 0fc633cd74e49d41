package e2e_test

import (
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"

	"portico.dev/portico/internal/e2e"
	"portico.dev/portico/process"
)

// A start that cannot succeed says why and what to do, and leaves nothing running.
func TestUpRefuses(t *testing.T) {
	cases := []struct {
		name, reason string
		prepare      func(*testing.T, *e2e.Plane)
		want         []string
	}{
		{
			name: "TakenPort", reason: "whoever has the port is named, so that it can be ended",
			prepare: func(t *testing.T, p *e2e.Plane) { occupy(t, p.Listen, 2) },
			want:    []string{"registry of charts", "is taken by", strconv.Itoa(os.Getpid()), "--listen"},
		},
		{
			name: "OtherVersion", reason: "a folder of another layout is not touched",
			prepare: func(t *testing.T, p *e2e.Plane) {
				write(t, filepath.Join(p.Data, "version"), `{"layout":99,"portico":"v9.0.0"}`)
			},
			want: []string{"data folder", "layout 99", "v9.0.0", "--data"},
		},
		{
			name: "ForeignFiles", reason: "a folder with other people's files is not taken",
			prepare: func(t *testing.T, p *e2e.Plane) { write(t, filepath.Join(p.Data, "thesis.txt"), "years of work") },
			want:    []string{"files in it that are not portico's", "--data"},
		},
		{
			name: "MissingProgram", reason: "what is not built is named, with the command that builds it",
			prepare: lonely,
			want:    []string{"not built", "portico-kube", "libexec/capi-manager", "make build"},
		},
		{
			name: "FullDisk", reason: "a start that would die halfway does not begin",
			prepare: smallDisk,
			want:    []string{"MiB are free", "--data"},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			plane := refusedPlane(t)
			tc.prepare(t, plane)
			before := hostCensus(t, plane.Data)
			r, err := plane.Portico(t.Context(), "up", "--detach")
			if err != nil {
				t.Fatal(err)
			}
			if r.Code != 1 {
				t.Errorf("%s: the exit status is %d, want 1: %s", tc.reason, r.Code, r.Talk)
			}
			for _, want := range tc.want {
				if !strings.Contains(r.Talk, want) {
					t.Errorf("%s: the message lacks %q: %s", tc.reason, want, r.Talk)
				}
			}
			if now := hostCensus(t, plane.Data).Minus(before); len(now) > 1 || len(now) == 1 && !strings.HasSuffix(now[0], "/lock") {
				t.Errorf("%s: it left\n%s", tc.reason, strings.Join(now, "\n"))
			}
		})
	}
}

// refusedPlane is never up, so there is nothing to reset.
func refusedPlane(t *testing.T) *e2e.Plane {
	t.Helper()
	made := newPlane(t)
	folder := t.TempDir()
	other := *made
	other.Data = folder
	return &other
}

// occupy listens on one of the plane's ports.
func occupy(t *testing.T, listen string, nth int) {
	t.Helper()
	host, text, err := net.SplitHostPort(listen)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port+nth)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lonely gives the plane a portico without the programs beside it.
func lonely(t *testing.T, p *e2e.Plane) {
	t.Helper()
	bin := e2e.Installation(t.TempDir())
	from, err := os.Open(p.Bin.File("portico"))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(bin.File("portico"), os.O_WRONLY|os.O_CREATE, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	p.Bin = bin
}

// smallDisk puts the data folder on a disk that is almost full.
func smallDisk(t *testing.T, p *e2e.Plane) {
	t.Helper()
	if err := unix.Mount("small", p.Data, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(p.Data, 0); err != nil {
			t.Error(err)
		}
	})
}

// Starting is careful with what is there: another start, a running plane, a stopped one, one
// that was killed as a whole, and the clusters of each.
func TestUpIsCareful(t *testing.T) {
	s := &stage{Plane: newPlane(t), t: t}
	s.twoAtOnce()
	s.up()
	cluster := e2e.Cluster{Name: "steady", Workers: 1, Real: true, Message: "steady"}
	s.apply(cluster.Object())
	s.awaitReady(cluster)
	c := s.child(cluster.Key())
	children := s.pids("clusters/", "machines/")
	if len(children) != 2 {
		t.Fatalf("the cluster consists of the processes %v, want a control plane and a machine", children)
	}
	pods := s.podIDs(c)

	programs := s.pids("plane", "keeper", "management", "cluster-api")
	s.upAgain()
	s.samePids("a second up", programs, s.pids("plane", "keeper", "management", "cluster-api"))

	versions := s.versions()
	s.timed("down", func() { s.must(s.Down(s.limited())) })
	s.samePids("down", children, s.pids(""))
	s.up()
	s.samePids("down and up", children, s.pids("clusters/", "machines/"))
	s.awaitReady(cluster)
	s.unwritten(versions)

	s.killAll()
	s.samePids("kill -9 of all programs", children, s.pids(""))
	s.up()
	s.samePids("kill -9 of all and up", children, s.pids("clusters/", "machines/"))
	s.awaitReady(cluster)
	if now := s.podIDs(c); fmt.Sprint(now) != fmt.Sprint(pods) {
		t.Errorf("the pods %v became %v although their cluster should not have noticed anything", pods, now)
	}
	s.releases(s.kube, e2e.SystemNamespace, cluster.Name, "deployed")
	s.releases(c.kube, e2e.PodinfoNamespace, e2e.PodinfoService, "deployed")
	s.remove(cluster.Key())
}

// twoAtOnce starts the same plane twice at the same moment: one starts, the other is refused.
func (s *stage) twoAtOnce() {
	s.t.Helper()
	results, errs := make([]e2e.Result, 2), make([]error, 2)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i], errs[i] = s.Portico(s.t.Context(), "up", "--detach") })
	}
	wg.Wait()
	for _, err := range errs {
		s.must(err)
	}
	winner, loser := results[0], results[1]
	if winner.Code != 0 {
		winner, loser = loser, winner
	}
	if winner.Code != 0 || loser.Code != 1 || !strings.Contains(loser.Talk, "runs already") {
		s.t.Fatalf("of two starts at once one has to win and the other to be refused; they ended with\n%d: %s\n%d: %s", winner.Code, winner.Talk, loser.Code, loser.Talk)
	}
	s.must(s.Down(s.limited()))
}

// upAgain starts a plane that runs: it says so, and that is all.
func (s *stage) upAgain() {
	s.t.Helper()
	r, err := s.Portico(s.limited(), "up", "--detach")
	s.must(err)
	if r.Code != 0 || !strings.Contains(r.Talk, "runs already") {
		s.t.Errorf("a second up ended with status %d: %s", r.Code, r.Talk)
	}
}

func (s *stage) samePids(when string, want, got map[string]process.Process) {
	s.t.Helper()
	if fmt.Sprint(want) != fmt.Sprint(got) {
		s.t.Errorf("after %s these processes run:\n%v\nwant the same as before:\n%v", when, got, want)
	}
}

// killAll kills the plane's programs, all of them before any can start another one again: the
// one that starts others is stopped first.
func (s *stage) killAll() {
	s.t.Helper()
	programs := s.pids("plane", "keeper", "management", "cluster-api")
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		for _, p := range programs {
			if err := syscall.Kill(p.PID, signal); err != nil {
				s.t.Errorf("killing %s: %v", p.Name, err)
			}
		}
	}
	table := process.Table{Owner: s.Data}
	for _, p := range programs {
		s.must(table.Wait(s.limited(), p))
	}
}

// podIDs are the containers of a cluster's pods: they change when one is started again.
func (s *stage) podIDs(c child) map[string]string {
	s.t.Helper()
	var pods corev1.PodList
	s.must(c.kube.List(s.limited(), &pods))
	out := map[string]string{}
	for _, p := range pods.Items {
		for _, status := range p.Status.ContainerStatuses {
			out[p.Namespace+"/"+p.Name+"/"+status.Name] = status.ContainerID
		}
	}
	return out
}

// unsteady are the kinds whose objects are written although nothing has changed: to show that
// somebody lives, or by Cluster API's manager, which counts its machines anew after a start.
var unsteady = []string{
	"leases.coordination.k8s.io", "serviceaccounts", "machinesets.cluster.x-k8s.io", "machinedeployments.cluster.x-k8s.io",
}

// versions are the versions of all objects but the unsteady ones, once nothing has been written
// for a while.
func (s *stage) versions() map[string]string {
	s.t.Helper()
	const still = 5 * time.Second
	var last map[string]string
	for ctx := s.limited(); ; time.Sleep(still) {
		now, err := e2e.Versions(ctx, s.config)
		s.must(err)
		maps.DeleteFunc(now, func(name, _ string) bool {
			kind, _, _ := strings.Cut(name, ": ")
			return slices.Contains(unsteady, kind)
		})
		if maps.Equal(now, last) {
			return now
		}
		last = now
	}
}

// unwritten fails if what a start installs was written although it was there.
func (s *stage) unwritten(before map[string]string) {
	s.t.Helper()
	for name, now := range s.versions() {
		switch {
		case before[name] == "":
			s.t.Errorf("stopping and starting made %s", name)
		case before[name] != now:
			s.t.Errorf("stopping and starting wrote %s", name)
		}
	}
}
