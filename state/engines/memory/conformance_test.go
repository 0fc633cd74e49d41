package memory_test

import (
	"cmp"
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/state/engine"
	"portico.dev/portico/state/engine/enginetest"
	"portico.dev/portico/state/engines/memory"
)

func TestEngine(t *testing.T) {
	enginetest.Run(t, func(*testing.T) enginetest.Lab {
		l := &lab{world: memory.NewWorld()}
		for _, version := range []string{"1.0.0", "2.0.0"} {
			l.world.AddChart(l.Chart(version).Digest, memory.Chart{Version: version, Keys: []string{"text", "run"}})
		}
		odd := memory.Chart{Version: "1.0.0", Keys: []string{"text", "run"}}
		strict, hook, removal, late := odd, odd, odd, odd
		strict.Lower, hook.Hook, removal.RemovalHook, late.Kind = true, true, true, "Late"
		l.world.AddChart(l.Odd(nil, enginetest.StrictSchema).Digest, strict)
		l.world.AddChart(l.Odd(nil, enginetest.FailingHook).Digest, hook)
		l.world.AddChart(l.Odd(nil, enginetest.RemovalHook).Digest, removal)
		l.world.AddChart(l.Odd(nil, enginetest.LateKind).Digest, late)
		return l
	})
}

type lab struct {
	world   *memory.World
	targets int
}

func (l *lab) Engine(testing.TB) engine.Engine { return memory.New(l.world, time.Now) }

func (l *lab) Chart(version string) engine.Source {
	return engine.Source{Digest: "sha256:" + version, Revision: version}
}

// Odd implements enginetest.OddLab.
func (l *lab) Odd(_ testing.TB, odd enginetest.Odd) engine.Source {
	return engine.Source{Digest: "sha256:" + string(odd), Revision: "1.0.0"}
}

// Source implements enginetest.SourceLab.
func (l *lab) Source(_ testing.TB, _ engine.Kind, files map[string]string) engine.Source {
	return engine.Source{Files: files, Digest: engine.DigestOf(files)}
}

// Graphs implements enginetest.GraphLab.
func (l *lab) Graphs() int { return 200 }

func (l *lab) Target(testing.TB) enginetest.Target {
	l.targets++
	return l.target(engine.Target{Cluster: types.NamespacedName{Namespace: "clusters", Name: fmt.Sprintf("c%d", l.targets)}})
}

// Management implements enginetest.ManagementLab.
func (l *lab) Management(testing.TB) enginetest.Target {
	return l.target(engine.Target{Management: true})
}

func (l *lab) target(name engine.Target) *target {
	return &target{Cluster: l.world.AddCluster(name), name: name}
}

type target struct {
	*memory.Cluster
	name engine.Target
}

func (t *target) Name() engine.Target { return t.name }

func (t *target) Namespace() string { return cmp.Or(t.name.Cluster.Name, "management") }

func (t *target) Releases(testing.TB) map[engine.Key]enginetest.Release {
	out := map[engine.Key]enginetest.Release{}
	for key, r := range t.Cluster.Releases() {
		text, _ := r.Values["text"].(string)
		if r.Kept {
			text = ""
		}
		out[key] = enginetest.Release{Revision: r.Revision, Whole: !r.Pending && !r.Failed && !r.Kept, Kept: r.Kept, Version: r.Chart, Text: text}
	}
	return out
}

func (t *target) Crash(_ testing.TB, key engine.Key, words string) { t.Cluster.Crash(key, words) }

func (t *target) Heal(_ testing.TB, key engine.Key) { t.Cluster.Heal(key) }

func (t *target) FailHook(_ testing.TB, key engine.Key, words string) { t.EndHook(key, words) }

func (t *target) PassHook(_ testing.TB, key engine.Key) { t.EndHook(key, "") }

func (t *target) Serve(testing.TB) { t.Cluster.Serve("Late") }

func (t *target) Terminate(testing.TB) { t.Cluster.Terminate(t.Namespace()) }

func (t *target) Finish(testing.TB) { t.Cluster.Finish(t.Namespace()) }

func (t *target) Text(_ testing.TB, key engine.Key) (string, bool) { return t.Cluster.Text(key) }

func (t *target) Edit(_ testing.TB, key engine.Key, text string) { t.Cluster.Edit(key, text) }

func (t *target) Put(_ testing.TB, key engine.Key, labels map[string]string, text string) {
	t.Cluster.Put(key, labels, text)
}

func (t *target) Delete(_ testing.TB, key engine.Key) { t.Cluster.Delete(key) }

func (t *target) Restarts(_ testing.TB, key engine.Key) int { return t.Cluster.Restarts(key) }
