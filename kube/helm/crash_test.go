package helm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/txtar"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// crash is the errand of a child process that dies on its way.
type crash struct {
	Kubeconfig, Namespace, Values string
	// Manifests is what to apply instead of the chart.
	Manifests string
	// Remove says to remove the release rather than to apply it.
	Remove bool
	// At is the number of the writing request at which to die: before it is sent if Before.
	At     int
	Before bool
}

const crashVariable = "PORTICO_TEST_CRASH"

func TestMain(m *testing.M) {
	if errand := os.Getenv(crashVariable); errand != "" {
		if err := runErrand(errand); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runErrand(text string) error {
	var c crash
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		return err
	}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return &deadly{next: next, at: int64(c.At), before: c.Before}
	})
	return c.run(config)
}

func (c crash) run(config *rest.Config) error {
	releases, err := New(config, Config{QPS: 1000})
	if err != nil {
		return err
	}
	if c.Remove {
		return releases.Remove(context.Background(), c.Namespace, "one", RemoveOptions{})
	}
	values, err := ParseValues([]byte(c.Values))
	if err != nil {
		return err
	}
	chart, err := c.chart()
	if err != nil {
		return err
	}
	_, err = releases.Apply(context.Background(), Wanted{Namespace: c.Namespace, Name: "one", Chart: chart, Values: values})
	return err
}

func (c crash) chart() (*Chart, error) {
	if c.Manifests != "" {
		return FromManifests("app", "v1", []byte(c.Manifests))
	}
	return Load(pack(new(testing.T), txtar.Parse([]byte(web)).Files))
}

// deadly kills its own process at one of its writing requests.
type deadly struct {
	next   http.RoundTripper
	at     int64
	before bool
	count  atomic.Int64
}

func (d *deadly) RoundTrip(r *http.Request) (*http.Response, error) {
	mine := r.Method != http.MethodGet && d.count.Add(1) == d.at
	if mine && d.before {
		die()
	}
	response, err := d.next.RoundTrip(r)
	if mine {
		die()
	}
	return response, err
}

func die() {
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // the signal is on its way
}

// dies runs the errand in a child process and says whether it was killed on the way.
func (w *world) dies(c crash) bool {
	w.Helper()
	errand, err := json.Marshal(c)
	if err != nil {
		w.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		w.Fatal(err)
	}
	cmd := exec.CommandContext(w.Context(), self)
	cmd.Env = append(os.Environ(), crashVariable+"="+string(errand))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return false
	case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
		return true
	}
	w.Fatalf("the child failed: %v\n%s", err, out)
	return false
}

// testCrash kills a process before and after each of its writes, at installing, upgrading and
// removing, and lets another one go on, with the same wish or with another.
func testCrash(w *world, kubeconfig string) {
	c := chartOf(w, web)
	const first, second, third = "{extra: first, hook: before}", "{extra: second, text: b}", "{text: c}"
	errands := []struct {
		name   string
		start  string // values of the release that stands before; empty for none
		errand crash
		then   string // values that are wanted after the crash; empty for no release
		extra  string // what they make beside the usual objects
	}{
		{"Install", "", crash{Values: first}, first, "ConfigMap first"},
		{"InstallThenOther", "", crash{Values: first}, third, ""},
		{"InstallThenRemove", "", crash{Values: first}, "", ""},
		{"Upgrade", first, crash{Values: second}, second, "ConfigMap second"},
		{"UpgradeThenOther", first, crash{Values: second}, third, ""},
		{"UpgradeThenBack", first, crash{Values: second}, first, "ConfigMap first"},
		{"UpgradeThenRemove", first, crash{Values: second}, "", ""},
		{"Remove", first, crash{Remove: true}, "", ""},
		{"RemoveThenInstall", first, crash{Remove: true}, third, ""},
	}
	points := 0
	for _, e := range errands {
		for n := 0; ; n++ {
			w.clear()
			if e.start != "" {
				w.apply(w.wanted(c, e.start))
			}
			errand := e.errand
			errand.Kubeconfig, errand.Namespace = kubeconfig, w.namespace
			// Before the first write, then after each: what is after one is before the next.
			errand.At, errand.Before = max(1, n), n == 0
			if !w.dies(errand) {
				break
			}
			points++
			w.goOn(fmt.Sprintf("%s, killed at write %d of %v", e.name, n, errand), c, e.then, e.extra)
		}
	}
	w.Logf("%d crashes", points)
	if points < 50 {
		w.Errorf("only %d points", points)
	}
}

// goOn finishes after a crash, twice, and looks at what there is.
func (w *world) goOn(where string, c *Chart, then, extra string) {
	w.Helper()
	if then == "" {
		w.remove()
		w.remove()
		w.expectOnly(where)
		return
	}
	want := w.wanted(c, then)
	left, err := w.releases.Observe(w.Context(), w.namespace, "one")
	if err != nil {
		w.Fatal(err)
	}
	state := w.apply(want)
	if state.Status != Deployed || state.Revision != nextRevision(left, want) {
		w.Errorf("%s: from %+v\nto %+v", where, left, state)
	}
	before := w.objects()
	w.apply(want)
	for name, version := range w.objects() {
		if before[name] != version {
			w.Errorf("%s: the second pass has written %s", where, name)
		}
	}
	objects := []string{"ConfigMap one", "Deployment one", "Service one"}
	if extra != "" {
		objects = append(objects, extra)
	}
	w.expectOnly(where, objects...)
}

// nextRevision is the promise: an unfinished revision is made again, not followed by another.
func nextRevision(left State, want Wanted) int {
	switch left.Status {
	case Absent, Uninstalling:
		return 1
	case Deployed:
		if left.Digest != want.Digest() {
			return left.Revision + 1
		}
	}
	return left.Revision
}

// expectOnly looks at everything but the records, and the hook's object, which Helm leaves.
func (w *world) expectOnly(where string, want ...string) {
	w.Helper()
	got := w.objects()
	for name := range got {
		if name == "ConfigMap before" || want != nil && strings.HasPrefix(name, "Secret ") {
			delete(got, name)
		}
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(got)), cmpopts.EquateEmpty()); diff != "" {
		w.Errorf("%s (-want +got)\n%s", where, diff)
	}
}

func (w *world) clear() {
	w.Helper()
	w.remove()
	for name := range w.objects() {
		if name != "ConfigMap before" {
			w.Fatalf("%s is left", name)
		}
	}
}
