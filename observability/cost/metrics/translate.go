package metrics

import (
	"cmp"
	"maps"
	"math"
	"regexp"
	"slices"
	"time"

	"portico.dev/portico/observability/collect"
	"portico.dev/portico/observability/cost"
	"portico.dev/portico/observability/cost/price"
	"portico.dev/portico/observability/cost/window"
	"portico.dev/portico/observability/store"
)

// read is what was read of one cluster.
type read struct {
	of      identity
	grid    grid
	scope   store.Scope
	options Options
	nodes   map[string]*thing
	pods    map[podKey]*thing
	claims  map[claimKey]*thing
	// mounts are the claims of pods.
	mounts    map[podKey]map[string]bool
	balancers map[claimKey]*thing
	// Those are how often anything was seen in each cell: as often as could be.
	nodesSeen, podsSeen []float64
}

type (
	podKey   struct{ namespace, name, node string }
	claimKey struct{ namespace, name string }
)

// thing is something with labels and values by part.
type thing struct {
	tenant store.Tenant
	labels map[string]string
	values map[part][]float64
	// fixed are parts that never changed.
	fixed map[part]float64
}

func newRead(of identity, g grid, in store.Scope, o Options) *read {
	return &read{
		of: of, grid: g, scope: in, options: o,
		nodes: map[string]*thing{}, pods: map[podKey]*thing{}, claims: map[claimKey]*thing{},
		mounts: map[podKey]map[string]bool{}, balancers: map[claimKey]*thing{},
		nodesSeen: make([]float64, g.cells), podsSeen: make([]float64, g.cells),
	}
}

// take adds a series.
func (r *read) take(want reading, series store.Series) {
	values := r.grid.values(series)
	get := series.Labels.Get
	pod := podKey{get(podNamespace), get(podLabel), get(nodeLabel)}
	var t *thing
	switch want.about {
	case aboutNode:
		t = at(r.nodes, get(nodeLabel))
	case aboutPod:
		t = at(r.pods, pod)
	case aboutService:
		t = at(r.balancers, claimKey{pod.namespace, get(serviceLabel)})
	case aboutMount:
		if r.mounts[pod] == nil {
			r.mounts[pod] = map[string]bool{}
		}
		r.mounts[pod][get(claimLabel)] = true
		t = at(r.claims, claimKey{pod.namespace, get(claimLabel)})
	case aboutKubeletClaim:
		t = at(r.claims, claimKey{get(kubeletNamespace), get(kubeletClaim)})
	case aboutGPU:
		t = at(r.pods, podKey{get(gpuNamespace), get(gpuPod), get(gpuNode)})
		if want.into == gpuUsage {
			for i := range values {
				values[i] /= 100 // percent of each
			}
		}
	case aboutClaim:
		t = at(r.claims, claimKey{pod.namespace, get(claimLabel)})
	}
	t.tenant = r.tenant(get(tenantLabel))
	for _, name := range want.about.by() {
		if v := get(name); v != "" {
			t.labels[name] = v
		}
	}
	switch want.into {
	case nodeSeen:
		most(r.nodesSeen, values)
	case podSeen:
		most(r.podsSeen, values)
	case nodeKind:
		return
	}
	// One subject may have several series, when a label of it changed: they follow each other.
	t.values[want.into] = joined(t.values[want.into], values)
}

func at[K comparable](all map[K]*thing, k K) *thing {
	if all[k] == nil {
		all[k] = &thing{labels: map[string]string{}, values: map[part][]float64{}, fixed: map[part]float64{}}
	}
	return all[k]
}

// joined takes the greater of two values where both are known.
func joined(have, more []float64) []float64 {
	if have == nil {
		return more
	}
	for i, v := range more {
		if v == v && !(have[i] >= v) {
			have[i] = v
		}
	}
	return have
}

// compact keeps one number of a part of pods that never changed: requests and limits seldom do.
func (r *read) compact(p part) {
	for _, t := range r.pods {
		if s := r.grid.steady(t.values[p]); s.Known() && s.Every == 0 {
			t.fixed[p] = s.Values[0]
			delete(t.values, p)
		}
	}
}

// steady is a part that is decided, not measured.
func (r *read) steady(t *thing, p part) cost.Series {
	if v, ok := t.fixed[p]; ok {
		return cost.Always(v)
	}
	return r.grid.steady(t.values[p])
}

func most(into, values []float64) {
	for i, v := range values {
		if v > into[i] {
			into[i] = v
		}
	}
}

// tenant is whose a series is; the store has checked it against the scope. What comes from clusters has one:
// what has none is of the plane's own.
func (r *read) tenant(label string) store.Tenant {
	if label == "" && !r.scope.All() {
		return r.scope.Tenant()
	}
	return store.Tenant(cmp.Or(label, string(store.Plane)))
}

// into adds the cluster's facts.
func (r *read) into(f *cost.Facts) {
	r.adopt()
	r.begin(r.nodesSeen)
	r.begin(r.podsSeen)
	for _, name := range slices.Sorted(maps.Keys(r.nodes)) {
		if n, ok := r.node(name); ok {
			f.Nodes = append(f.Nodes, n)
		}
	}
	if plane, ok := r.plane(f.Nodes); ok {
		f.Planes = append(f.Planes, plane)
	}
	byName := func(a, b podKey) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name), cmp.Compare(a.node, b.node))
	}
	for _, k := range slices.SortedFunc(maps.Keys(r.pods), byName) {
		if p, ok := r.pod(k); ok {
			f.Pods = append(f.Pods, p)
		}
	}
	order := func(a, b claimKey) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
	}
	for _, k := range slices.SortedFunc(maps.Keys(r.claims), order) {
		t := r.claims[k]
		bytes := t.values[claimBytes]
		if bytes == nil {
			bytes = t.values[mountBytes]
		}
		life, ok := r.life(bytes, nil, nil)
		if !ok {
			continue
		}
		f.Volumes = append(f.Volumes, cost.Volume{
			Cluster: r.of.name, Home: r.of.namespace, Tenant: t.tenant, Disk: price.Disk{Name: k.namespace + "/" + k.name, Class: t.labels[classLabel]},
			Namespace: k.namespace, Claim: k.name, Life: life, Bytes: r.grid.steady(bytes),
		})
	}
	for _, k := range slices.SortedFunc(maps.Keys(r.balancers), order) {
		t := r.balancers[k]
		// A service of another type, or one that waits for its balancer, has no address.
		for i, v := range t.values[balancer] {
			if !(v > 0) {
				t.values[balancer][i] = math.NaN()
			}
		}
		if life, ok := r.life(t.values[balancer], nil, nil); ok {
			f.LoadBalancers = append(f.LoadBalancers, cost.LoadBalancer{Cluster: r.of.name, Home: r.of.namespace, Namespace: k.namespace, Service: k.name, Tenant: t.tenant, Life: life})
		}
	}
}

// adopt gives series that do not name their node to the pod of their name that does, if it is one.
func (r *read) adopt() {
	hosts := map[claimKey][]podKey{}
	for k := range r.pods {
		if k.node != "" {
			name := claimKey{k.namespace, k.name}
			hosts[name] = append(hosts[name], k)
		}
	}
	for k, t := range r.pods {
		known := hosts[claimKey{k.namespace, k.name}]
		if k.node != "" || len(known) != 1 {
			continue
		}
		host := r.pods[known[0]]
		for p, values := range t.values {
			host.values[p] = joined(host.values[p], values)
		}
		for p, v := range t.fixed {
			if _, ok := host.fixed[p]; !ok && host.values[p] == nil {
				host.fixed[p] = v
			}
		}
		for name, v := range t.labels {
			if host.labels[name] == "" {
				host.labels[name] = v
			}
		}
		delete(r.pods, k)
	}
}

func (r *read) node(name string) (cost.Node, bool) {
	t := r.nodes[name]
	life, ok := r.life(t.values[nodeCPU], t.values[nodeSeen], r.nodesSeen)
	if name == "" || !ok {
		return cost.Node{}, false
	}
	return cost.Node{
		Cluster: r.of.name, Home: r.of.namespace, Tenant: t.tenant, Life: life,
		Machine: price.Machine{Name: name, InstanceType: t.labels[instanceLabel], Region: t.labels[regionLabel], Provider: t.labels[providerLabel]},
		CPU:     r.grid.steady(t.values[nodeCPU]), RAM: r.grid.steady(t.values[nodeRAM]), GPU: r.grid.steady(t.values[nodeGPU]),
	}, true
}

// plane is there as long as nodes are.
func (r *read) plane(nodes []cost.Node) (cost.Plane, bool) {
	var p cost.Plane
	for _, n := range nodes {
		if n.Cluster != r.of.name {
			continue
		}
		if p.Cluster == "" {
			p = cost.Plane{Cluster: n.Cluster, Home: n.Home, Tenant: n.Tenant, Life: n.Life}
		}
		if n.Life.Start.Before(p.Life.Start) {
			p.Life.Start = n.Life.Start
		}
		if n.Life.End.After(p.Life.End) {
			p.Life.End = n.Life.End
		}
	}
	return p, p.Cluster != ""
}

func (r *read) pod(k podKey) (cost.Pod, bool) {
	t := r.pods[k]
	running, seen := t.values[podPhase], t.values[podSeen]
	if running == nil {
		// Without the state of objects, whatever is measured runs.
		running, seen = t.values[cpuUsage], nil
	} else {
		seen = r.runs(running, seen)
	}
	life, ok := r.life(running, seen, r.podsSeen)
	if !ok || k.name == "" {
		return cost.Pod{}, false
	}
	g := r.grid
	p := cost.Pod{
		Cluster: r.of.name, Home: r.of.namespace, Namespace: k.namespace, Name: k.name, Node: k.node, Tenant: t.tenant, Life: life,
		CPU:     cost.Demand{Request: r.steady(t, cpuRequest), Limit: r.steady(t, cpuLimit), Usage: g.series(t.values[cpuUsage])},
		RAM:     cost.Demand{Request: r.steady(t, ramRequest), Limit: r.steady(t, ramLimit), Usage: g.series(t.values[ramUsage])},
		GPU:     cost.Demand{Request: r.steady(t, gpuRequest), Usage: g.series(t.values[gpuUsage])},
		Traffic: cost.Traffic{Sent: g.rate(t.values[sent], life), Received: g.rate(t.values[received], life)},
		Claims:  r.mounted(k),
	}
	switch r.options.Egress {
	case Zone:
		p.Traffic.Zone = p.Traffic.Sent
	case Region:
		p.Traffic.Region = p.Traffic.Sent
	case Internet:
		p.Traffic.Internet = p.Traffic.Sent
	}
	p.Labels = podLabels(t.labels)
	p.Controller, p.Kind = workload(k.name, t.labels)
	return p, true
}

// podLabels are the labels of the pod itself among those of its series.
func podLabels(of map[string]string) map[string]string {
	out := map[string]string{}
	if app := of[applicationName]; app != "" {
		out[applicationName], out["app.kubernetes.io/name"] = app, app
	}
	for _, name := range collect.PodLabels() {
		if v := of[podLabelOf(name)]; v != "" {
			out[name] = v
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// phaseRunning is what k8s_pod_phase is while a pod runs: 1 before, 3 and 4 after.
const phaseRunning = 2

// runs is how often a pod was seen running: a mean phase between two phases tells how much of the
// cell it was in each. Cells in which it never ran become unknown, in both.
func (r *read) runs(phase, seen []float64) []float64 {
	out := slices.Clone(seen)
	if out == nil {
		out = make([]float64, len(phase))
	}
	for i, v := range phase {
		share := 1 - math.Abs(v-phaseRunning)
		if !(share > 0) {
			phase[i], out[i] = math.NaN(), math.NaN()
			continue
		}
		out[i] *= share
	}
	return out
}

// usual is how often our collectors look at a cluster's objects.
const usual = 15 * time.Second

// begin says how often things could have been seen in the cell in which the cluster was seen first, had
// it been there from the beginning of the cell: without that, whatever began with the cluster would be as
// old as the cell. How often things are seen is told by the cells after it. In the first cell of all, the
// cluster may be older.
func (r *read) begin(seen []float64) {
	first := slices.IndexFunc(seen, func(n float64) bool { return n > 0 })
	if first <= 0 {
		return
	}
	full := 0.0
	for cell := first + 1; cell < len(seen)-1; cell++ {
		full = max(full, seen[cell])
	}
	if full == 0 {
		full = float64(r.grid.step / usual)
	}
	seen[first] = max(seen[first], full*float64(r.grid.length(first))/float64(r.grid.step))
}

// length is how much of a cell is in the window.
func (g grid) length(cell int) time.Duration {
	from := g.begin.Add(time.Duration(cell) * g.step)
	return max(min(g.step, g.end.Sub(from)), 0)
}

// life is from the first cell that is known to the last. Of those two, the part counts in which
// something was seen as often as it could be: so a pod of ten minutes does not live for an hour.
func (r *read) life(values, seen, most []float64) (cost.Life, bool) {
	first := slices.IndexFunc(values, func(v float64) bool { return v == v })
	if first < 0 {
		return cost.Life{}, false
	}
	last := len(values) - 1
	for values[last] != values[last] {
		last--
	}
	share := func(cell int) float64 {
		if cell >= len(seen) || cell >= len(most) || !(most[cell] > 0) || !(seen[cell] >= 0) {
			return 1
		}
		return min(seen[cell]/most[cell], 1)
	}
	at := func(cell int, part float64) time.Time {
		return r.grid.begin.Add(time.Duration(cell)*r.grid.step + time.Duration(part*float64(r.grid.length(cell))))
	}
	life := cost.Life{Start: at(first, 1-share(first)), End: at(last, share(last))}
	// What lived in one cell alone lies at its beginning, and in the present one at its end: it is there still.
	if first == last && last < r.grid.cells-1 {
		life.Start = at(first, 0)
	} else if first == last {
		life.End = at(last, 1)
	}
	return life, life.Start.Before(life.End)
}

// rate turns what was counted in each cell into a quantity for a second of the part of it in which
// something lived. Rates of stores differ in what they divide by.
func (g grid) rate(counted []float64, life cost.Life) cost.Series {
	for i := range counted {
		begin := g.begin.Add(time.Duration(i) * g.step)
		cell := window.Window{Start: begin, End: begin.Add(g.step)}.Within(window.Window{Start: life.Start, End: life.End})
		part := cell.End.Sub(cell.Start)
		if part <= 0 {
			part = g.step
		}
		counted[i] /= part.Seconds()
	}
	return g.series(counted)
}

var (
	// ofDeployment is a pod of a ReplicaSet of a Deployment: Kubernetes writes hashes without vowels.
	ofDeployment  = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
	ofStatefulSet = regexp.MustCompile(`^(.+)-[0-9]{1,4}$`)
	ofOther       = regexp.MustCompile(`^(.+)-[bcdfghjklmnpqrstvwxz2456789]{5}$`)
)

// workload is a pod's, as its labels say; otherwise as its name lets one guess: a DaemonSet and a
// Job name their pods in the same way, so that those have no kind.
func workload(pod string, labels map[string]string) (name, kind string) {
	for _, w := range workloads {
		if labels[w.label] != "" {
			return labels[w.label], w.kind
		}
	}
	if m := ofDeployment.FindStringSubmatch(pod); m != nil {
		return m[1], "Deployment"
	}
	if m := ofOther.FindStringSubmatch(pod); m != nil {
		return m[1], ""
	}
	if m := ofStatefulSet.FindStringSubmatch(pod); m != nil {
		return m[1], "StatefulSet"
	}
	return "", ""
}

// mounted are a pod's claims, also those of a series that does not name the node.
func (r *read) mounted(k podKey) []string {
	claims := r.mounts[k]
	if claims == nil {
		claims = r.mounts[podKey{k.namespace, k.name, ""}]
	}
	return slices.Sorted(maps.Keys(claims))
}
