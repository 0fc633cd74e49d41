package processrunner_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	config "portico.dev/portico/api/config/v1alpha1"
	"portico.dev/portico/clusters/hosted"
	"portico.dev/portico/clusters/hosted/processrunner"
	"portico.dev/portico/fleet"
	"portico.dev/portico/pki"
	"portico.dev/portico/process"
)

var key = types.NamespacedName{Namespace: "team", Name: "demo-cp"}

const processName = "clusters/team.demo-cp"

// world is a computer with the stub as its only program.
type world struct {
	t       *testing.T
	dir     string
	program string
	table   process.Table
	rings   chan types.NamespacedName
	now     time.Time
	runner  *processrunner.Runner
}

// Find implements processrunner.Programs.
func (w *world) Find(string) (string, error) { return w.program, nil }

func newWorld(t *testing.T) *world {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w := &world{
		t: t, dir: dir, program: filepath.Join(dir, "portico-kube"), table: process.Table{Owner: dir},
		rings: make(chan types.NamespacedName, 100), now: time.Unix(0, 0),
	}
	script := fmt.Sprintf("#!/bin/sh\n%s=1 exec '%s' \"$@\"\n", asStub, self)
	if err := os.WriteFile(w.program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	w.again()
	t.Cleanup(func() {
		w.runner.Close()
		if err := w.table.Stop(context.WithoutCancel(t.Context()), processName, 0); err != nil {
			t.Error(err)
		}
	})
	return w
}

// again is what a restart of the management plane leaves: a Runner that knows nothing.
func (w *world) again() {
	if w.runner != nil {
		w.runner.Close()
	}
	w.runner = processrunner.New(processrunner.Config{
		Folder: w.file("clusters"), Logs: w.file("logs"), Table: w.table, Programs: w,
		Ring: func(k types.NamespacedName) { w.rings <- k }, Clock: func() time.Time { return w.now },
	})
}

func (w *world) file(name string) string { return filepath.Join(w.dir, name) }

func (w *world) folder(name string) string { return w.file("clusters/team.demo-cp/" + name) }

// instance is a control plane with a new authority on a free port.
func (w *world) instance() hosted.Instance {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Close()
	return hosted.Instance{
		Key: key, Owner: "u-1", Files: authorities(w.t),
		Config: config.ControlPlaneConfiguration{
			TypeMeta: metav1.TypeMeta{APIVersion: config.APIVersion, Kind: config.ControlPlaneConfigurationKind},
			Name:     "demo", BindAddress: "127.0.0.1", Port: int32(l.Addr().(*net.TCPAddr).Port), KubernetesVersion: "v1.36.4",
		},
	}
}

func authorities(t *testing.T) map[string][]byte {
	t.Helper()
	ca, err := pki.NewAuthority("demo-ca", time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Pair()
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"pki/ca.crt": pair.Certificate, "pki/ca.key": pair.Key,
		"pki/front-proxy-ca.crt": pair.Certificate, "pki/sa.key": pair.Key,
	}
}

func (w *world) ensure(in hosted.Instance) {
	w.t.Helper()
	if err := w.runner.Ensure(w.t.Context(), in); err != nil {
		w.t.Fatalf("Ensure: %v", err)
	}
}

func (w *world) state() hosted.State {
	w.t.Helper()
	s, err := w.runner.State(w.t.Context(), key)
	if err != nil {
		w.t.Fatalf("State: %v", err)
	}
	return s
}

// become waits for the phase, looking only when rung for.
func (w *world) become(phase hosted.Phase) hosted.State {
	w.t.Helper()
	for {
		s := w.state()
		if s.Phase == phase {
			return s
		}
		select {
		case <-w.rings:
		case <-time.After(20 * time.Second):
			log, _ := os.ReadFile(w.file("logs/team.demo-cp.log")) // says more if it is there
			w.t.Fatalf("it is %+v, want %s; its log:\n%s", w.state(), phase, log)
		}
	}
}

// pid is that of the process, 0 if none runs.
func (w *world) pid() int {
	w.t.Helper()
	p, _, err := w.table.Find(processName)
	if err != nil {
		w.t.Fatal(err)
	}
	return p.PID
}

func with(in hosted.Instance, file, content string) hosted.Instance {
	files := map[string][]byte{file: []byte(content)}
	for name, content := range in.Files {
		files[name] = content
	}
	in.Files = files
	return in
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

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// A control plane outlives its Runner, is replaced only for another configuration, and its end is
// told.
func TestLife(t *testing.T) {
	w := newWorld(t)
	if s := w.state(); s.Phase != hosted.Absent {
		t.Fatalf("before it was ever ensured it is %+v", s)
	}
	in := w.instance()
	w.ensure(in)
	digest, _ := in.Digest() // cannot fail: it was ensured
	if s := w.become(hosted.Ready); s.Digest != digest || s.Problem != "" {
		t.Errorf("ready: %+v, want digest %s", s, digest)
	}
	first := w.pid()
	w.ensure(in)
	w.again()
	if s := w.state(); s.Phase != hosted.Ready || w.pid() != first {
		t.Errorf("adopted by another Runner it is %+v, pid %d, want ready at the first look, pid %d", s, w.pid(), first)
	}
	changed := with(in, "given/audit-policy.yaml", "other")
	w.ensure(changed)
	w.become(hosted.Ready)
	if w.pid() == first {
		t.Error("another configuration did not replace the process")
	}
	if err := syscall.Kill(w.pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	w.become(hosted.Stopped)
	if err := w.runner.Remove(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	if s := w.state(); s.Phase != hosted.Absent {
		t.Errorf("removed, it is %+v", s)
	}
}

// Whoever closes /readyz to strangers still has a control plane that becomes ready.
func TestReadyForAdministratorOnly(t *testing.T) {
	w := newWorld(t)
	w.ensure(with(w.instance(), closed, "yes"))
	w.become(hosted.Ready)
}

// A folder that cannot be read keeps nobody from looking, from deleting, or from mending it, and
// costs the control plane nothing.
func TestUnreadableFolder(t *testing.T) {
	for _, tc := range []struct {
		name, why, config string
		problem           string
	}{
		{"Broken", "A file that is no YAML is written again.", "{", "reading where the control plane listens"},
		{"Empty", "So is one without an address.", "", "has no bindAddress and port"},
		{"Newer", "A field of a later version does not matter: the address is all that we need.", "more", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			in := w.instance()
			w.ensure(in)
			w.become(hosted.Ready)
			pid := w.pid()
			w.again()
			if tc.config == "more" {
				tc.config = fmt.Sprintf("bindAddress: 127.0.0.1\nport: %d\nfieldOfTomorrow: 1\n", in.Config.Port)
			}
			write(t, w.folder("config.yaml"), tc.config)
			s := w.state()
			if !strings.Contains(s.Problem, tc.problem) || (tc.problem == "") != (s.Problem == "") {
				t.Fatalf("%s\nstate %+v, want problem %q", tc.why, s, tc.problem)
			}
			w.ensure(in)
			w.become(hosted.Ready)
			if w.pid() != pid {
				t.Errorf("%s\nit was replaced", tc.why)
			}
		})
	}
}

// What a configuration would break is known before anything is stopped for it.
func TestRefused(t *testing.T) {
	w := newWorld(t)
	in := w.instance()
	w.ensure(in)
	w.become(hosted.Ready)
	pid := w.pid()
	err := w.runner.Ensure(t.Context(), with(in, refuses, "given/audit-policy.yaml: no such rule"))
	want := "invalid: the configuration is refused by Kubernetes v1.36.4: given/audit-policy.yaml: no such rule"
	if !errors.Is(err, fleet.ErrInvalid) || err.Error() != want {
		t.Errorf("Ensure: %v, want %s", err, want)
	}
	if s := w.state(); s.Phase != hosted.Ready || w.pid() != pid || exists(w.folder("check")) || exists(w.folder(refuses)) {
		t.Errorf("after the refusal it is %+v, pid %d was %d; or something of the check is left", s, w.pid(), pid)
	}
	err = w.runner.Ensure(t.Context(), with(in, fails, "no space left on device"))
	if err == nil || errors.Is(err, fleet.ErrInvalid) || !strings.Contains(err.Error(), "no space left on device") || w.pid() != pid {
		t.Errorf("a check that could not be made says %v, want an error that is tried again; pid %d was %d", err, w.pid(), pid)
	}
	w.ensure(with(in, old, "yes"))
	w.become(hosted.Ready)
	if w.pid() == pid {
		t.Error("a program that cannot check was not started")
	}
}

// One that keeps ending is held back, and the state says what it said last.
func TestHeldBack(t *testing.T) {
	w := newWorld(t)
	in := with(w.instance(), ends, "listening on 127.0.0.1:1: taken")
	w.ensure(in)
	<-w.rings
	s := w.state()
	if want := "after a pause: listening on 127.0.0.1:1: taken; its log is " + w.file("logs/team.demo-cp.log"); !strings.HasSuffix(s.Problem, want) {
		t.Errorf("problem %q, want one that ends with %q", s.Problem, want)
	}
	if err := w.runner.Ensure(t.Context(), in); !errors.Is(err, fleet.ErrNotYet) {
		t.Errorf("during the pause Ensure returns %v, want %v", err, fleet.ErrNotYet)
	}
	w.now = w.now.Add(time.Hour)
	w.ensure(in)
}

// However far another attempt came, Remove removes the rest.
func TestRemove(t *testing.T) {
	for _, tc := range []struct {
		name, why string
		before    func(w *world)
	}{
		{"Nothing", "Removing what is not there is no error.", func(*world) {}},
		{"Folder", "The process is gone already.", func(w *world) { write(w.t, w.folder("etcd/member"), "data") }},
		{"Process", "The folder is gone, but the process runs.", func(w *world) {
			w.ensure(w.instance())
			w.become(hosted.Ready)
			if err := os.RemoveAll(w.folder("")); err != nil {
				w.t.Fatal(err)
			}
		}},
		{"Logs", "Only logs are left, one of them rotated.", func(w *world) {
			write(w.t, w.file("logs/team.demo-cp.log"), "")
			write(w.t, w.file("logs/team.demo-cp.log.1"), "")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			write(t, w.file("logs/team.demo.log"), "of another one")
			tc.before(w)
			if err := w.runner.Remove(t.Context(), key); err != nil {
				t.Fatalf("%s\nRemove: %v", tc.why, err)
			}
			left, err := filepath.Glob(w.file("*/team.demo*"))
			if err != nil || !slices.Equal(left, []string{w.file("logs/team.demo.log")}) || w.pid() != 0 {
				t.Errorf("%s\nleft are %v, %v, and process %d", tc.why, left, err, w.pid())
			}
		})
	}
}

// Data of another cluster go, data of the same cluster never do.
func TestOwner(t *testing.T) {
	for _, tc := range []struct {
		name, why   string
		owner       types.UID
		authorities bool // others
		kept        bool
	}{
		{"Same", "The object and its Secrets are as they were.", "u-1", false, true},
		{"Restored", "From a backup comes another object with the same authorities.", "u-2", false, true},
		{"Exchanged", "The user may exchange authorities of a cluster.", "u-1", true, true},
		{"Another", "An object of the same name with authorities of its own is another cluster.", "u-2", true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			in := w.instance()
			w.ensure(in)
			write(t, w.folder("etcd/member"), "data")
			in.Owner = tc.owner
			if tc.authorities {
				in.Files = authorities(t)
			}
			in = with(in, "given/audit-policy.yaml", "other")
			w.ensure(in)
			w.become(hosted.Ready)
			if exists(w.folder("etcd/member")) != tc.kept {
				t.Errorf("%s\ndata kept: %t, want %t", tc.why, !tc.kept, tc.kept)
			}
		})
	}
}

// An object that came back from a backup owns what it finds: what happens to its Secrets later must
// not make a stranger of it.
func TestAdoptedOwner(t *testing.T) {
	w := newWorld(t)
	in := w.instance()
	w.ensure(in)
	write(t, w.folder("etcd/member"), "data")
	in.Owner = "u-2"
	w.ensure(in)
	in.Files = authorities(t)
	w.ensure(in)
	w.become(hosted.Ready)
	if !exists(w.folder("etcd/member")) {
		t.Error("the data of a cluster went when its authorities were exchanged")
	}
}

// The objects may be missing because somebody lost them: the process ends, the data stay.
func TestSetAside(t *testing.T) {
	w := newWorld(t)
	w.ensure(w.instance())
	w.become(hosted.Ready)
	write(t, w.folder("etcd/member"), "data")
	for range 2 { // a second time finds nothing
		if err := w.runner.SetAside(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := filepath.Glob(w.file("clusters/.team.demo-cp.*/etcd/member"))
	if err != nil || len(kept) != 1 || w.pid() != 0 || exists(w.folder("")) {
		t.Errorf("kept are %v, %v; process %d", kept, err, w.pid())
	}
	if left, err := w.runner.List(); err != nil || len(left) > 0 {
		t.Errorf("what was set aside is listed as there: %v, %v", left, err)
	}
}

func TestList(t *testing.T) {
	w := newWorld(t)
	write(t, w.file("clusters/team.with.dots/config.yaml"), "")
	write(t, w.file("clusters/other/not-ours"), "")
	w.ensure(w.instance())
	w.become(hosted.Ready)
	if err := os.RemoveAll(w.folder("")); err != nil {
		t.Fatal(err)
	}
	got, err := w.runner.List()
	want := []types.NamespacedName{key, {Namespace: "team", Name: "with.dots"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("List: %v, %v; want %v: one by its process alone, one by its folder", got, err, want)
	}
}
