package preflight_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"portico.dev/portico/app/folder"
	"portico.dev/portico/app/preflight"
	"portico.dev/portico/config"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func good() preflight.Facts {
	return preflight.Facts{Empty: true, Free: 100 << 30, Root: true, Now: now}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name, why string
		change    func(*preflight.Facts)
		machines  config.MachineKind
		want      []string // parts of the problems, in order; ! marks an error
	}{
		{"Good", "Nothing keeps a fresh machine from starting.", func(*preflight.Facts) {}, "", nil},
		{"NotBuilt", "The make target is named.", func(f *preflight.Facts) { f.MissingFiles = []string{"bin/portico-kube"} }, "", []string{"!make build"}},
		{"NewerLayout", "Data of another layout would be spoilt.", func(f *preflight.Facts) {
			f.Empty, f.Used, f.Version = false, true, folder.Version{Layout: 9, Portico: "v9"}
		}, "", []string{"!layout 9"}},
		{"Foreign", "reset would delete the folder with all that is in it.", func(f *preflight.Facts) { f.Empty = false }, "", []string{"!not portico's"}},
		{"DiskFull", "etcd on a full disk loses writes.", func(f *preflight.Facts) { f.Free = 1 << 20 }, "", []string{"!1 MiB are free"}},
		{"DiskSmall", "Starting works, growing does not.", func(f *preflight.Facts) { f.Free = 1 << 30 }, "", []string{"1024 MiB are free"}},
		{"Port", "The port, its use and its owner are named.", func(f *preflight.Facts) {
			f.Taken = []preflight.Taken{{NamedPort: config.NamedPort{Port: 7443, For: "management API server"}, PID: 12, Program: "nginx"}}
		}, "", []string{"!port 7443 (management API server) is taken by nginx (pid 12)"}},
		{"PortOfOther", "Another user's processes cannot be seen.", func(f *preflight.Facts) {
			f.Taken = []preflight.Taken{{NamedPort: config.NamedPort{Port: 7443}}}
		}, "", []string{"!another user"}},
		{"ClockAtEpoch", "A machine without a clock battery starts in 1970.", func(f *preflight.Facts) { f.Now = time.Unix(0, 0) }, "", []string{"!1970"}},
		{"ClockBehind", "The folder's own certificates are not valid yet.", func(f *preflight.Facts) { f.Authority = now.Add(time.Hour) }, "", []string{"!certificates count from"}},
		{"NotRoot", "Virtual machines still work, so it is a warning.", func(f *preflight.Facts) { f.Root = false }, "", []string{"real machines need root"}},
		{"NotRootReal", "The user asked for what cannot be.", func(f *preflight.Facts) { f.Root = false }, config.MachinesReal, []string{"!real machines need root"}},
		{"NotRootVirtual", "Nothing is missing.", func(f *preflight.Facts) { f.Root = false }, config.MachinesVirtual, nil},
		{"Tools", "The package is named, not only the program.", func(f *preflight.Facts) { f.MissingTools = []preflight.Tool{{Name: "nft", Package: "nftables"}} }, "", []string{"apt-get install nftables"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := config.Default(0, func(string) string { return "" })
			if tt.machines != "" {
				c.Machines.Kind = tt.machines
			}
			f := good()
			tt.change(&f)
			got := preflight.Check(c, f)
			if len(got) != len(tt.want) {
				t.Fatalf("%s\nproblems = %v; want %v", tt.why, got, tt.want)
			}
			for i, p := range got {
				text, fatal := strings.CutPrefix(tt.want[i], "!")
				if !strings.Contains(p.Error(), text) || p.Warning == fatal || p.Next == "" {
					t.Errorf("%s\nproblem = %+v; want %q", tt.why, p, tt.want[i])
				}
			}
		})
	}
}

func TestObserveTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := config.Default(0, func(string) string { return "" })
	c.Data, c.Listen = filepath.Join(t.TempDir(), "not", "there", "yet"), l.Addr().String()
	site := preflight.Site{Config: c, Now: now, Files: []string{"/nonexistent/x"}, Tools: []preflight.Tool{{Name: "no-such-tool-at-all", Package: "p"}}}
	f, err := preflight.Observe(site)
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if len(f.Taken) == 0 || f.Taken[0].Port != port || f.Taken[0].PID != os.Getpid() {
		t.Errorf("taken = %+v; want port %d by %d", f.Taken, port, os.Getpid())
	}
	if fmt.Sprint(f.MissingFiles) != "[/nonexistent/x]" || len(f.MissingTools) != 1 || !f.Empty || f.Free == 0 {
		t.Errorf("facts = %+v; want one missing file, one missing tool, an empty folder, free space", f)
	}
	site.Ours = []int{os.Getpid()}
	if f, err := preflight.Observe(site); err != nil || (len(f.Taken) != 0 && f.Taken[0].Port == port) {
		t.Errorf("taken = %+v, %v; want our own listener not to count", f.Taken, err)
	}
}

// orphan listens on a port for which no process has a descriptor: it is on its way through a
// socket to nobody. The returned function lets it go.
func orphan(t *testing.T) (address string, end func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() { unix.Close(pair[0]); unix.Close(pair[1]) })
	t.Cleanup(end)
	if err := unix.Sendmsg(pair[0], []byte{0}, unix.UnixRights(int(file.Fd())), nil, 0); err != nil {
		t.Fatal(err)
	}
	file.Close()
	l.Close()
	return l.Addr().String(), end
}

func TestObservePortOfNobody(t *testing.T) {
	observe := func(address string) []preflight.Taken {
		c := config.Default(0, func(string) string { return "" })
		c.Data, c.Listen = t.TempDir(), address
		f, err := preflight.Observe(preflight.Site{Config: c, Now: now, Ours: []int{os.Getpid()}})
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(f.Taken, func(p preflight.Taken) bool { return !strings.HasSuffix(address, fmt.Sprint(":", p.Port)) })
	}
	address, end := orphan(t)
	if got := observe(address); len(got) != 1 || got[0].PID != 0 {
		t.Errorf("taken = %+v; want the port that stays taken, by nobody whom one can see", got)
	}
	// What a killed program leaves behind goes a moment later.
	time.AfterFunc(300*time.Millisecond, end)
	if got := observe(address); len(got) != 0 {
		t.Errorf("taken = %+v; want that a port which becomes free is not taken", got)
	}
}

// Cluster API's webhooks listen on all addresses, so somebody on another one is in their way.
func TestObserveOtherAddress(t *testing.T) {
	tests := []struct {
		why   string
		above int // how far the taken port is above the API server's
		want  bool
	}{
		{"Cluster API binds all addresses.", 4, true},
		{"Our webhooks are on loopback alone.", 1, false},
	}
	for _, tt := range tests {
		l, err := net.Listen("tcp", "127.0.0.2:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		port := l.Addr().(*net.TCPAddr).Port
		c := config.Default(0, func(string) string { return "" })
		c.Data, c.Listen = t.TempDir(), fmt.Sprintf("127.0.0.1:%d", port-tt.above)
		f, err := preflight.Observe(preflight.Site{Config: c, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if got := slices.ContainsFunc(f.Taken, func(p preflight.Taken) bool { return p.Port == port }); got != tt.want {
			t.Errorf("%s\ntaken = %+v; want port %d among it: %v", tt.why, f.Taken, port, tt.want)
		}
	}
}
