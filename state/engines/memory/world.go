package memory

import (
	"errors"
	"maps"
	"slices"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"portico.dev/portico/kube/helm"
	"portico.dev/portico/kube/rule"
	"portico.dev/portico/state/engine"
)

// World is all that engines of this package work on. It is safe for concurrent use.
type World struct {
	mu       sync.Mutex
	clusters map[engine.Target]*Cluster
	charts   map[string]Chart
	rules    *rule.Rules
	// listeners are told of a cluster that has changed.
	listeners map[*Engine]func(engine.Target)
}

// Chart is what the world knows of a chart. Its release has a ConfigMap of the same name, with
// the value "text".
type Chart struct {
	Version string
	// Keys are the values that it takes. A release with the value "run: true" has a
	// workload, which does not run before Cluster.Heal, and mounts the ConfigMap.
	Keys []string
	// Lower says that "text" may hold lower case letters alone.
	Lower bool
	// Hook says that a hook runs before installs and upgrades, until Cluster.EndHook.
	Hook bool
	// RemovalHook says that one runs before its removal, until Cluster.EndHook.
	RemovalHook bool
	// Kind is one that the cluster has to know, see Cluster.Serve; empty for none.
	Kind string
}

// NewWorld returns a world without clusters and charts.
func NewWorld() *World {
	return &World{clusters: map[engine.Target]*Cluster{}, charts: map[string]Chart{}, rules: rule.About(helm.RuleVariable), listeners: map[*Engine]func(engine.Target){}}
}

// AddChart makes a chart known by the digest of its archive.
func (w *World) AddChart(digest string, c Chart) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.charts[digest] = c
}

// AddCluster makes an empty cluster known.
func (w *World) AddCluster(target engine.Target) *Cluster {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &Cluster{
		world: w, target: target, releases: map[engine.Key]*Release{}, troubles: map[engine.Key]string{}, left: -1,
		objects: map[string]*unstructured.Unstructured{}, hooks: map[engine.Key]ending{},
		kinds: map[string]bool{}, leaving: map[string]bool{}, restarts: map[engine.Key]int{},
	}
	w.clusters[target] = c
	return c
}

// RemoveCluster makes a cluster unknown, as if its kubeconfig were gone.
func (w *World) RemoveCluster(target engine.Target) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.clusters, target)
}

// Return makes a cluster known again that RemoveCluster made unknown.
func (w *World) Return(c *Cluster) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clusters[c.target] = c
}

// Cluster is one cluster of a world.
type Cluster struct {
	world    *World
	target   engine.Target
	releases map[engine.Key]*Release
	// troubles are the workloads that do not run, with what is wrong with them. A healed one
	// has none, one that was never heard of waits for its pods.
	troubles map[engine.Key]string
	// objects are those of all releases as they are, by name; see nameOf.
	objects map[string]*unstructured.Unstructured
	// hooks say how the next hook of a release ends, kinds what the cluster knows besides its
	// own, leaving which namespaces are on their way out.
	hooks         map[engine.Key]ending
	kinds         map[string]bool
	leaving       map[string]bool
	restarts      map[engine.Key]int
	severed, held bool
	left          int // writes before it is severed; less than zero for: never
	writes        int
	journal       []string
}

// Release is one release on a cluster.
type Release struct {
	Revision int
	// Pending says that its last revision was begun and not ended, Failed that it ended in failure.
	Pending, Failed bool
	// Kept says that it was removed, and only its history was kept.
	Kept bool
	// Chart is the chart's version, Values what it was made with.
	Chart  string
	Values map[string]any

	// set has the release; the zero value is nobody.
	set     types.NamespacedName
	kind    engine.Kind
	digest  string
	version string
	objects []*unstructured.Unstructured
	// removalHook says that a hook runs before it is removed, hookSaid how that failed last.
	removalHook bool
	hookSaid    string
	// loaded is the ConfigMap that its workload has mounted, as it was when its pods started.
	loaded string
}

// ending is how a hook ends.
type ending struct {
	failed bool
	words  string
}

var errSevered = errors.New("connecting to the cluster: it does not answer")

// change does something to the cluster, and tells the engines.
func (c *Cluster) change(do func()) {
	c.world.mu.Lock()
	do()
	listeners := slices.Collect(maps.Values(c.world.listeners))
	c.world.mu.Unlock()
	for _, tell := range listeners {
		tell(c.target)
	}
}

// Sever cuts the cluster off until Mend.
func (c *Cluster) Sever() { c.change(func() { c.severed = true }) }

// SeverAfter cuts it off after so many more writes.
func (c *Cluster) SeverAfter(writes int) {
	c.change(func() { c.left, c.severed = writes, writes == 0 })
}

// Hold stops everything on the cluster until Mend.
func (c *Cluster) Hold() { c.change(func() { c.held = true }) }

// Mend undoes Sever, SeverAfter and Hold.
func (c *Cluster) Mend() { c.change(func() { c.severed, c.held, c.left = false, false, -1 }) }

// Crash makes the workload of a release end with these words.
func (c *Cluster) Crash(key engine.Key, words string) {
	c.change(func() { c.troubles[key] = words })
}

// Heal makes the workload of a release run.
func (c *Cluster) Heal(key engine.Key) { c.change(func() { c.troubles[key] = "" }) }

// EndHook has the hook of a release end well if there are no words, and else in failure.
func (c *Cluster) EndHook(key engine.Key, words string) {
	c.change(func() { c.hooks[key] = ending{words != "", words} })
}

// Serve makes a kind known.
func (c *Cluster) Serve(kind string) { c.change(func() { c.kinds[kind] = true }) }

// Terminate has a namespace be on its way out, until Finish.
func (c *Cluster) Terminate(namespace string) { c.change(func() { c.leaving[namespace] = true }) }

// Finish lets a namespace go.
func (c *Cluster) Finish(namespace string) { c.change(func() { delete(c.leaving, namespace) }) }

// Edit changes the text of a ConfigMap as somebody does by hand, and Delete takes it away.
func (c *Cluster) Edit(key engine.Key, text string) {
	c.change(func() {
		// A mapping with a text in it takes one.
		_ = unstructured.SetNestedField(c.objects["ConfigMap "+key.String()].Object, text, "data", "text")
	})
}

// Delete takes a ConfigMap away by hand.
func (c *Cluster) Delete(key engine.Key) {
	c.change(func() { delete(c.objects, "ConfigMap "+key.String()) })
}

// Text is the text of a ConfigMap, if it is there.
func (c *Cluster) Text(key engine.Key) (text string, there bool) {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	return c.text(key)
}

func (c *Cluster) text(key engine.Key) (text string, there bool) {
	o := c.objects["ConfigMap "+key.String()]
	if o == nil {
		return "", false
	}
	text, _, _ = unstructured.NestedString(o.Object, "data", "text")
	return text, true
}

// Restarts counts how often the workload of a release was told to start its pods anew.
func (c *Cluster) Restarts(key engine.Key) int {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	return c.restarts[key]
}

// Writes counts what was written.
func (c *Cluster) Writes() int {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	return c.writes
}

// Journal lists what was made and removed, in order.
func (c *Cluster) Journal() []string {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	return slices.Clone(c.journal)
}

// Releases are all releases of the cluster.
func (c *Cluster) Releases() map[engine.Key]Release {
	c.world.mu.Lock()
	defer c.world.mu.Unlock()
	out := map[engine.Key]Release{}
	for key, r := range c.releases {
		out[key] = *r
	}
	return out
}

// write does one writing request. The world is locked.
func (c *Cluster) write(what string, do func()) error {
	if c.severed {
		return errSevered
	}
	do()
	c.writes++
	c.journal = append(c.journal, what)
	if c.left--; c.left == 0 {
		c.severed = true
		return errSevered
	}
	return nil
}

// trouble says what is wrong with the workload of a release; empty if it runs, or has none.
func (c *Cluster) trouble(key engine.Key, r *Release) string {
	if r.Values["run"] != true {
		return ""
	}
	words, told := c.troubles[key]
	if !told {
		return "its pods have not started yet"
	}
	return words
}
