package e2e_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"portico.dev/portico/internal/e2e"
	"portico.dev/portico/process"
)

// seed makes another story of TestKilled: go test ./internal/e2e -run TestKilled -seed 2
var seed = flag.Uint64("seed", 1, "where the chance of TestKilled begins")

const (
	// fewestKills is what TestKilled has to reach.
	fewestKills = 50
	// killedWithin is how long a phase may take to converge: programs that were killed again and
	// again are started after growing pauses, of half a minute at most.
	killedWithin = 3 * time.Minute
)

// victims are the programs that can be killed, by the beginning of their names.
var victims = []string{"plane", "keeper", "management", "cluster-api", "clusters/", "machines/"}

// Whatever is killed at whatever moment, the end is the same: ready, or gone.
func TestKilled(t *testing.T) {
	s := newStage(t)
	host, objects := s.settled()
	k := &killer{stage: s, rng: rand.New(rand.NewPCG(*seed, 0))}
	t.Logf("seed %d", *seed)
	k.life(
		&life{Cluster: e2e.Cluster{Name: "one", Workers: 1, Message: "first"}},
		&life{Cluster: e2e.Cluster{Name: "two", Workers: 2, Message: "first"}},
		&life{Cluster: e2e.Cluster{Name: "three", Workers: 1, Message: "first"}},
	)
	s.same("after the first clusters", host, objects)
	k.life(
		&life{Cluster: e2e.Cluster{Name: "one", Workers: 1, Message: "first"}},
		&life{Cluster: e2e.Cluster{Name: "real", Workers: 1, Real: true, Message: "first"}},
	)
	s.same("after the second clusters", host, objects)
	if k.kills < fewestKills {
		t.Errorf("%d programs were killed, at least %d are wanted", k.kills, fewestKills)
	}
	t.Logf("%d programs were killed", k.kills)
}

// life is a cluster with the revisions that its releases should have.
type life struct {
	e2e.Cluster
	// own are the revisions of the cluster's release in the plane, service those of podinfo in it.
	own, service int
}

// killer kills by chance.
type killer struct {
	*stage
	rng   *rand.Rand
	kills int
}

// life leads clusters from their creation to their end, and kills on the way.
func (k *killer) life(clusters ...*life) {
	k.t.Helper()
	phases := []struct {
		name   string
		change func(*life)
		kills  int
		// pause is the longest between two kills: a phase is short.
		pause time.Duration
	}{
		{"create", func(c *life) { c.own, c.service = 1, 1 }, 9, 4 * time.Second},
		{"upgrade", func(c *life) { c.Message, c.service = "second", 2 }, 6, 1500 * time.Millisecond},
		{"scale", func(c *life) { c.Workers, c.own = c.Workers+1, 2 }, 6, 2 * time.Second},
	}
	for _, phase := range phases {
		for _, c := range clusters {
			phase.change(c)
			k.apply(c.Object())
		}
		k.kill(phase.name, phase.kills, phase.pause)
		k.timed("converging after "+phase.name, func() { k.converge(clusters) })
	}
	for _, c := range clusters {
		k.must(k.kube.Delete(k.limited(), deployment(c.Key())))
	}
	k.kill("delete", 6, 1500*time.Millisecond)
	k.timed("converging after delete", func() { k.gone(clusters) })
}

// kill kills several programs, with pauses in between.
func (k *killer) kill(phase string, kills int, pause time.Duration) {
	k.t.Helper()
	began := time.Now()
	for range kills {
		time.Sleep(time.Duration(k.rng.Int64N(int64(pause))))
		p, ok := k.victim()
		if !ok {
			continue
		}
		k.kills++
		k.t.Logf("kill %d, %s +%.1fs: %s", k.kills, phase, time.Since(began).Seconds(), p.Name)
		if err := syscall.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			k.t.Errorf("killing %s: %v", p.Name, err)
		}
	}
}

// victim chooses a program that runs. Of plane and keeper one has to be there to start the other.
func (k *killer) victim() (process.Process, bool) {
	k.t.Helper()
	running := k.pids("")
	_, plane := running["plane"]
	_, keeper := running["keeper"]
	for _, i := range k.rng.Perm(len(victims)) {
		var names []string
		for name := range running {
			alone := name == "plane" && !keeper || name == "keeper" && !plane
			if strings.HasPrefix(name, victims[i]) && !alone {
				names = append(names, name)
			}
		}
		if len(names) > 0 {
			slices.Sort(names)
			return running[names[k.rng.IntN(len(names))]], true
		}
	}
	return process.Process{}, false
}

// converge waits until everything is as wanted, and proves that it was reached in as many steps
// as without kills.
func (k *killer) converge(clusters []*life) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), killedWithin)
	defer cancel()
	for _, c := range clusters {
		if err := k.settle(ctx, c); err != nil {
			k.t.Fatalf("cluster %s: %v", c.Name, err)
		}
	}
	k.planeReady(ctx)
	for _, c := range clusters {
		child := k.child(c.Key())
		k.releases(k.kube, e2e.SystemNamespace, c.Name, records(c.own)...)
		k.releases(child.kube, e2e.PodinfoNamespace, e2e.PodinfoService, records(c.service)...)
		k.awaitNodes(child, c.Workers)
	}
	k.eachOnce()
}

// settle waits until one cluster is as wanted.
func (k *killer) settle(ctx context.Context, c *life) error {
	if err := e2e.AwaitRelease(ctx, k.kube, e2e.SystemNamespace, c.Name, c.own); err != nil {
		return err
	}
	_, child, err := e2e.Child(ctx, k.kube, c.Key())
	if err != nil {
		return err
	}
	if err := e2e.AwaitRelease(ctx, child, e2e.PodinfoNamespace, e2e.PodinfoService, c.service); err != nil {
		return err
	}
	if err := e2e.AwaitWorkers(ctx, k.kube, c.Cluster); err != nil {
		return err
	}
	_, err = e2e.AwaitReady(ctx, k.kube, c.Key())
	return err
}

// records are the states of the revisions of a release without an accident.
func records(revision int) []string {
	out := slices.Repeat([]string{"superseded"}, revision-1)
	return append(out, "deployed")
}

func (k *killer) gone(clusters []*life) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), killedWithin)
	defer cancel()
	for _, c := range clusters {
		k.must(e2e.AwaitGone(ctx, k.kube, client.Object(deployment(c.Key()))))
	}
	k.planeReady(ctx)
	if left := k.pids("clusters/", "machines/"); len(left) > 0 {
		k.t.Errorf("processes are left: %v", left)
	}
	k.eachOnce()
}

// planeReady waits until every program of the plane serves again. Nothing tells of that.
func (k *killer) planeReady(ctx context.Context) {
	k.t.Helper()
	for {
		st, err := k.Status(ctx)
		if err == nil && st.Ready {
			return
		}
		select {
		case <-ctx.Done():
			k.t.Fatalf("the plane is not ready again: %v: %+v", err, st)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// eachOnce fails if a program runs twice.
func (k *killer) eachOnce() {
	k.t.Helper()
	all, err := k.Processes()
	k.must(err)
	seen := map[string]int{}
	for _, p := range all {
		seen[p.Name]++
		if seen[p.Name] > 1 {
			k.t.Errorf("%s runs more than once: %v", p.Name, fmt.Sprint(all))
		}
	}
}
